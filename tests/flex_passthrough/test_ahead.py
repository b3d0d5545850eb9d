"""What workers work out ahead is what the plan would find out itself, whatever becomes of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import codemods
from codemods.flex_passthrough.api import Mode, Settings, plan
from codemods.flex_passthrough.beside import workers
from codemods.flex_passthrough.beside.workers import Workers
from codemods.flex_passthrough.beside.workplace import Job
from codemods.flex_passthrough.planning.ahead import edits, families
from codemods.flex_passthrough.remembered.memory import Memory
from codemods.modelrepo.family import Repository
from codemods.review.json_report import render_json
from codemods.review.patch import render_patch
from codemods.source.tree import locate_tree

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

    monkeypatch.setattr(edits, "_PORTION", 1)
    for name in ("_DEFINITIONS", "_ROOTS", "_FEW"):
        monkeypatch.setattr(families, name, 1)
    monkeypatch.setattr(workers.Worker, "do", counted)
    return kinds


@dataclass(frozen=True)
class Fill:
    """Read a file of some size, and tell which process did."""

    kilobytes: int

    def do(self, place):
        path = place.job.tree.root / f"of_{self.kilobytes}.py"
        path.write_text("#" * 1024 * self.kilobytes)
        place.index.module_at(path)
        return os.getpid()


def told(planned):
    return render_json(planned, "0"), render_patch(planned), planned.problems


def test_workers_make_the_plan_that_one_process_makes(grove, asked, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(workers, "_MUCH", 1000)
        alone = told(plan([grove / "src"], ALONE))
    assert not asked
    assert told(plan([grove / "src"], BESIDE)) == alone
    assert set(asked) == KINDS


def test_much_work_is_for_a_worker_even_where_there_is_one(grove, asked, monkeypatch):
    monkeypatch.setattr(workers, "_MUCH", 1)
    one = told(plan([grove / "src"], ALONE))
    assert set(asked) == KINDS
    assert told(plan([grove / "src"], BESIDE)) == one


def test_worker_that_is_full_goes_on_in_another_process(tmp_path):
    """What one has parsed goes with it; the answers do not depend on when that was."""
    job = Job(locate_tree(tmp_path), {}, ())
    with Workers(job, 1) as crew:
        fills = [Fill(kilobytes) for kilobytes in (1, 2, 2500, 2501, 3, 4)]
        did = {errand.kilobytes: process for errand, process, _ in crew.do(fills)}
    assert did[1] != did[2] == did[2500] == did[2501] != did[3] == did[4]


def test_workers_go_on_where_there_are_no_forks(grove, asked, monkeypatch):
    """As on Windows, where one begins anew in its own process."""
    beside = told(plan([grove / "src"], BESIDE))
    full = "import os; del os.fork; from codemods.flex_passthrough.beside import workplace"
    start = workers._START.replace("\nmain()", f"\n{full}; workplace._MOST_READ = -1\nmain()")
    assert full in start
    monkeypatch.setattr(workers, "_START", start)
    assert told(plan([grove / "src"], BESIDE)) == beside


WHERE = """
from codemods.flex_passthrough.beside import worker

class Where:
    def do(self, place):
        return worker.__file__
"""
PROBE = """
from codemods.source.import_path import forget_working_directory

forget_working_directory()

from pathlib import Path
from codemods.flex_passthrough.beside.workers import Workers
from codemods.flex_passthrough.beside.workplace import Job
from codemods.source.tree import locate_tree
from codemods.where import Where

with Workers(Job(locate_tree(Path("tree")), {}, ()), 1) as crew:
    print([came for _, came, _ in crew.do([Where()])])
"""


def test_worker_runs_the_package_that_started_it_where_another_is_installed(tmp_path):
    """A checkout's ``python -m codemods.flex_passthrough`` once ran with the installed one's workers."""
    package = tmp_path / "codemods"
    shutil.copytree(Path(codemods.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "where.py").write_text(WHERE)
    (package / "probe.py").write_text(PROBE)
    (tmp_path / "tree").mkdir()
    command = [sys.executable, "-m", "codemods.probe"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"[{str(package / 'flex_passthrough/beside/worker.py')!r}]\n", "")


def test_nothing_is_worked_out_twice(grove, asked, monkeypatch):
    monkeypatch.setattr(Repository, "_members_of", lambda *_: pytest.fail("members were looked for here"))
    monkeypatch.setattr(
        "codemods.flex_passthrough.planning.editing._mended", lambda *_: pytest.fail("mended here")
    )
    monkeypatch.setattr(
        "codemods.flex_passthrough.planning.editing._rendered", lambda *_: pytest.fail("rendered here")
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
