"""The stages of one repository, one after the other, without a process in between."""

from __future__ import annotations

import json
import sys

import pytest
from msgspec.structs import replace

from codemods.fleet.entry import Entry
from codemods.fleet.stages import carry_out as carrying
from codemods.fleet.stages import verify as verifying
from codemods.fleet.task import Finished, Task
from codemods.verify.api import CannotVerify, Cell, Outcome, Report

from .conftest import MODEL, TINY


@pytest.fixture
def carried_out(checkout, tmp_path):
    """Carry out stages of a fork, and return how each ended."""

    def run(*stages, files=None, **verify):
        entry = Entry("path", str(checkout("fork", files)), "fork", verify=verify)
        task = Task(entry, stages, tmp_path / "copies", str(tmp_path / "store"))
        told = []
        carrying.carry_out(task, told.append)
        assert not list((tmp_path / "copies").glob("*"))
        return {event.stage: event for event in told if isinstance(event, Finished)}

    return run


@pytest.fixture
def python(tmp_path):
    """Return an interpreter by another name."""
    (tmp_path / "python").symlink_to(sys.executable)
    return str(tmp_path / "python")


def cell(case, verdict):
    return Cell("tiny", "TinyModel", case, verdict)


def test_verification_compares_both_copies_in_the_models_that_change(carried_out, python, monkeypatch):
    seen = {}

    def judged(after, options, *, before, files):
        seen.update(
            before=(before / TINY).read_text(),
            after=(after / TINY).read_text(),
            files=[file.relative_to(after).as_posix() for file in files],
            options=options,
        )
        old = Report({}, [cell("none", "ok"), cell("block_causal", "crash")], command=("x",))
        wrong = replace(cell("none", "wrong"), reason=f"differs in {after / TINY}")
        new = Report({}, [wrong, cell("block_causal", "ok")], command=("x",))
        return Outcome(new, old)

    monkeypatch.setattr(verifying.harness, "verify", judged)
    ended = carried_out("fetch", "plan", "verify", models=["TinyModel"], python=python)
    assert (seen["before"], seen["files"]) == (MODEL, [TINY])
    assert "BlockMask" in seen["after"]
    assert (seen["options"].models, seen["options"].python) == (("TinyModel",), python)
    verified = ended["verify"]
    assert verified.outcome == "done"
    assert (verified.summary["fixed"], verified.summary["regression"]) == (1, 1)
    assert verified.notes == ("worse than before: TinyModel none: was ok, is wrong",)
    verdicts = json.loads(verified.artifacts["verdicts.json"])
    assert [row["reproduce"] for row in verdicts["results"]] == [None, None]
    assert verdicts["results"][0]["reason"] == f"differs in ./{TINY}"
    page = verified.artifacts["review.html"].decode()
    assert "crash &rarr; ok" in page and 'class="v-worse"' in page
    assert 'class="verdicts"' not in ended["plan"].artifacts["review.html"].decode()


def test_equal_content_is_verified_once(carried_out, python, monkeypatch):
    times = []

    def judged(*_, **__):
        times.append(1)
        return Outcome(Report({}, [cell("none", "ok")]), Report({}, [cell("none", "ok")]))

    monkeypatch.setattr(verifying.harness, "verify", judged)
    stages = ("fetch", "plan", "verify")
    first = carried_out(*stages, files={"README.md": "a fork"})["verify"]
    again = carried_out(*stages, files={"README.md": "another"})["verify"]
    assert (first.reused, again.reused, len(times)) == (False, True, 1)
    assert (again.artifacts, again.summary) == (first.artifacts, first.summary)
    assert not carried_out(*stages, files={"pkg/data.json": "{}"})["verify"].reused
    assert not carried_out(*stages, python=python)["verify"].reused
    assert len(times) == 3


def test_an_interpreter_that_is_none_is_a_reason(carried_out, tmp_path):
    (tmp_path / "python").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "python").chmod(0o755)
    reasons = [
        carried_out("fetch", "plan", "verify", python=str(tmp_path / name))["verify"].reason
        for name in ("gone", "python")
    ]
    assert reasons == [
        f"cannot start {tmp_path}/gone: No such file or directory",
        f"{tmp_path}/python is no Python that could run models",
    ]


def test_a_verification_of_nothing_is_not_passed_off_as_one(carried_out, monkeypatch):
    monkeypatch.setattr(verifying.harness, "verify", lambda *_, **__: Outcome(Report({}, []), Report({}, [])))
    assert carried_out("fetch", "plan", "verify")["verify"].notes[0].startswith("nothing was verified: ")


def test_what_cannot_be_verified_fails_with_the_reason_and_names_no_copy(carried_out, monkeypatch):
    def refuse(after, *_, **__):
        raise CannotVerify(f"{after}: the tree cannot be imported: no module named torch")

    monkeypatch.setattr(verifying.harness, "verify", refuse)
    ended = carried_out("fetch", "plan", "verify")
    assert ended["verify"].reason == ".: the tree cannot be imported: no module named torch"
    assert ended["plan"].outcome == "done"


def test_a_mistake_of_ours_is_a_failure_of_that_repository(carried_out, monkeypatch):
    monkeypatch.setitem(carrying._STAGES, "plan", lambda bench: 1 / 0)
    ended = carried_out("fetch", "plan", "verify")
    assert ended["plan"].reason == "internal error: ZeroDivisionError: division by zero"
    assert "Traceback" in ended["plan"].log
    assert "verify" not in ended


def test_a_full_disk_is_worth_another_attempt(carried_out, monkeypatch):
    def full(bench):
        raise OSError(28, "No space left on device", str(bench.task.scratch / "x"))

    monkeypatch.setitem(carrying._STAGES, "plan", full)
    failed = carried_out("fetch", "plan")["plan"]
    assert (failed.reason, failed.transient) == ("no space left on the disk; make room and resume", True)
