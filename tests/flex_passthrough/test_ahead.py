"""What workers work out ahead is what the plan would find out itself, whatever becomes of them."""

from __future__ import annotations

import pytest

from codemods.flex_passthrough.ahead import edits, families
from codemods.flex_passthrough.api import Mode, Settings, plan
from codemods.flex_passthrough.beside import workers
from codemods.flex_passthrough.remembered.memory import Memory
from codemods.modelrepo.family import Repository
from codemods.review.json_report import render_json
from codemods.review.patch import render_patch

ALONE, BESIDE = Settings(mode=Mode.MIRROR, jobs=1), Settings(mode=Mode.MIRROR, jobs=2)
KINDS = {"FindFamilies", "MakeEdits", "MakeFiles"}


@pytest.fixture
def asked(monkeypatch):
    """The kinds of errands that workers are asked for, of which there are always enough."""
    kinds = []
    do = workers.Worker.do

    def counted(worker, errand):
        kinds.append(type(errand).__name__)
        return do(worker, errand)

    for module in (edits, families):
        monkeypatch.setattr(module, "_PORTION", 1)
    monkeypatch.setattr(workers.Worker, "do", counted)
    return kinds


def told(planned):
    return render_json(planned, "0"), render_patch(planned), planned.problems


def test_workers_make_the_plan_that_one_process_makes(grove, asked):
    alone = told(plan([grove / "src"], ALONE))
    assert not asked
    assert told(plan([grove / "src"], BESIDE)) == alone
    assert set(asked) == KINDS


def test_nothing_is_worked_out_twice(grove, asked, monkeypatch):
    monkeypatch.setattr(Repository, "_members_of", lambda *_: pytest.fail("members were looked for here"))
    monkeypatch.setattr("codemods.flex_passthrough.editing._mended", lambda *_: pytest.fail("mended here"))
    monkeypatch.setattr(
        "codemods.flex_passthrough.editing._rendered", lambda *_: pytest.fail("rendered here")
    )
    assert plan([grove / "src"], BESIDE).changes


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_a_worker_dies_of_is_worked_out_here(grove, asked, monkeypatch, kind):
    alone = told(plan([grove / "src"], ALONE))
    send = workers.Worker._send

    def deadly(worker, what):
        if type(what).__name__ == kind:
            worker._process.kill()
        send(worker, what)

    monkeypatch.setattr(workers.Worker, "_send", deadly)
    assert told(plan([grove / "src"], BESIDE)) == alone
    assert kind in asked


def test_what_workers_found_is_remembered(grove, asked, tmp_path):
    first = told(plan([grove / "src"], BESIDE, memory=Memory(tmp_path / "memory")))
    asked.clear()
    assert told(plan([grove / "src"], BESIDE, memory=Memory(tmp_path / "memory"))) == first
    assert not asked


def test_few_files_are_not_worth_a_process(grove, monkeypatch):
    monkeypatch.setattr(workers, "Worker", lambda job: pytest.fail("a process was started"))
    assert plan([grove / "src/grove/models/birch"], BESIDE).changes
