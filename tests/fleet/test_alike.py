"""A fork that differs only where nothing has a part in the plan is not planned again."""

from __future__ import annotations

import json
import zipfile
from textwrap import dedent

import pytest

from codemods.fleet.entry import Entry
from codemods.fleet.stages import carry_out as carrying
from codemods.fleet.stages import plan as planning
from codemods.fleet.task import Finished, Task

from .conftest import LIBRARY, MODEL, TINY

TRAINER = "pkg/trainer.py"
FILES = {**LIBRARY, TINY: MODEL, TRAINER: "def train(model): ...\n", "README.md": "# A fork\n"}
UTILS = "pkg/utils/__init__.py"


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """Plan a source; return how that ended, and whether it was worked out."""
    worked_out = []
    real = planning._worked_out

    def counted(bench, key):
        worked_out.append(bench.entry.location)
        return real(bench, key)

    monkeypatch.setattr(planning, "_worked_out", counted)

    def run(location, **options):
        del worked_out[:]
        entry = Entry("path", str(location), "fork", options=options)
        told = []
        task = Task(entry, ("fetch", "plan"), tmp_path / "copies", str(tmp_path / "store"))
        carrying.carry_out(task, told.append)
        ended = {event.stage: event for event in told if isinstance(event, Finished)}
        assert ended["plan"].outcome == "done", ended["plan"].reason
        return ended["plan"], bool(worked_out)

    return run


@pytest.fixture(params=["folder", "git", "archive"])
def fork(request, tmp_path, checkout):
    """Make a fork of each kind from its files."""

    def make(name, changes=None, *, without=()):
        files = {**FILES, **(changes or {})}
        files = {path: dedent(text) for path, text in files.items() if path not in without}
        if request.param == "git":
            return checkout(name, files)
        folder = tmp_path / name
        if request.param == "archive":
            folder.parent.mkdir(exist_ok=True)
            with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
                for path, text in files.items():
                    archive.writestr(path, text)
            return tmp_path / f"{name}.zip"
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return folder

    return make


def told(finished):
    return finished.artifacts, finished.summary, finished.notes


@pytest.mark.parametrize(
    "changes",
    [
        {"README.md": "# Another fork\n"},
        {TRAINER: "def train(model):\n    return model\n"},
        {TRAINER: "def broken(:\n"},
    ],
)
def test_fork_that_differs_where_nothing_matters_takes_the_plan(fork, planned, changes):
    first, was_worked_out = planned(fork("one"))
    assert was_worked_out and first.summary["would_fix"]
    second, was_worked_out = planned(fork("two", changes))
    assert not was_worked_out and second.reused
    assert told(second) == told(first)


@pytest.mark.parametrize(
    "changes",
    [
        {TINY: MODEL.replace("TinyModel", "SmallModel")},
        {UTILS: "class logging: ...\n"},
        {TRAINER: MODEL.replace("...", "..")},
        {TRAINER: "# Copied from pkg.models.tiny.modeling_tiny.TinyAttention\nclass A: ...\n"},
        {TRAINER: "X = 1  # flex-ignore: FLEX001\n"},
        {"pkg/more.py": "X = 1\n"},
        {"pyproject.toml": "[tool.flex_passthrough]\nignore = ['FLEX001']\n"},
        {".gitignore": "modeling_*.py\n"},
    ],
)
def test_fork_that_differs_where_it_may_matter_is_planned(fork, planned, changes):
    planned(fork("one"))
    _, was_worked_out = planned(fork("two", changes))
    assert was_worked_out


def test_fork_without_a_file_is_planned(fork, planned):
    planned(fork("one"))
    _, was_worked_out = planned(fork("two", without=[TRAINER]))
    assert was_worked_out


def test_other_options_are_another_plan(fork, planned):
    planned(fork("one"))
    ended, was_worked_out = planned(fork("two", {TRAINER: "X = 1\n"}), ignore=["FLEX001"])
    assert was_worked_out
    assert "FLEX001" not in json.dumps(json.loads(ended.artifacts["findings.json"])["findings"])


def test_plan_with_problems_is_made_for_each(fork, planned):
    broken = {TINY: MODEL + "\ndef broken(:\n"}
    first, _ = planned(fork("one", broken))
    _, was_worked_out = planned(fork("two", {**broken, TRAINER: "X = 1\n"}))
    assert first.summary["problems"] and was_worked_out


def test_another_installed_library_is_another_plan(fork, planned, tmp_path, monkeypatch):
    """What models outside a library inherit is read there."""
    here = fork("one")
    planned(here)
    assert not planned(here)[1]
    place = tmp_path / "site"
    (place / "transformers").mkdir(parents=True)
    (place / "transformers/__init__.py").touch()
    (place / "transformers-9.9.dist-info").mkdir()
    (place / "transformers-9.9.dist-info/METADATA").write_text("Name: transformers\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(str(place))
    assert planned(here)[1]
    assert not planned(fork("two", {TRAINER: "X = 1\n"}))[1]
