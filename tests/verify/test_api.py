"""What other rooms and other programs call."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from codemods.verify.api import CannotVerify, Options, Progress, Watcher, verify

BLOCK = ("block_causal",)


class Notes(Watcher):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.trees: list[Path] = []
        self.steps: list[Progress] = []

    def begins(self, tree: Path) -> None:
        self.trees.append(tree)

    def progress(self, progress: Progress) -> None:
        self.steps.append(progress)


@pytest.mark.torch
def test_a_tree_and_the_tree_before(tinyformers: Path, torch_python: str, tmp_path: Path) -> None:
    repaired = tmp_path / "tinyformers"
    shutil.copytree(tinyformers, repaired)
    file = repaired / "models" / "crashing" / "modeling_crashing.py"
    right = (repaired / "models" / "plain" / "modeling_plain.py").read_text(encoding="utf-8")
    file.write_text(right.replace("Plain", "Crashing").replace("plain", "crashing"), encoding="utf-8")
    asked: list[str] = []
    notes = Notes()

    outcome = verify(
        repaired,
        Options(cases=BLOCK, python=torch_python),
        before=tinyformers,
        files=[file],
        consent=asked.append,
        watcher=notes,
    )

    assert asked == [
        f"The code in {tinyformers} and {repaired} is going to run, in {torch_python},"
        " without your environment and home."
    ]
    assert notes.trees == [tinyformers, repaired]
    assert notes.steps[-1] == Progress(1, 1)
    (pair,) = outcome.pairs
    assert (pair.cell.class_name, pair.change) == ("CrashingForCausalLM", "fixed")
    assert outcome.summary() == {
        **{"ok": 1, "crash": 0, "wrong": 0, "not-runnable": 0, "classes": 1},
        **{"same": 0, "fixed": 1, "regression": 0, "changed": 0},
    }
    assert not outcome.failed()
    assert outcome.to_json()["results"][0]["before"]["verdict"] == "crash"


@pytest.mark.torch
def test_a_report_that_is_there_is_compared_with_and_not_made_again(
    tinyformers: Path, torch_python: str
) -> None:
    options = Options(models=["plain"], cases=BLOCK, python=torch_python)
    report = verify(tinyformers, options).after
    notes = Notes()
    outcome = verify(tinyformers, options, before=report, watcher=notes)
    assert notes.trees == [tinyformers]
    assert outcome.changes() == {"same": 1, "fixed": 0, "regression": 0, "changed": 0}


def test_consent_that_is_refused_runs_nothing(tinyformers: Path) -> None:
    def refuse(notice: str) -> None:
        raise PermissionError(notice)

    notes = Notes()
    with pytest.raises(PermissionError, match="is going to run"):
        verify(tinyformers, consent=refuse, watcher=notes)
    assert notes.trees == []


def test_a_tree_that_is_none_says_so_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CannotVerify, match="gone: no such file or directory"):
        verify(tmp_path / "gone")


def test_an_interpreter_that_will_not_do_is_said_of_the_tree(tinyformers: Path) -> None:
    with pytest.raises(CannotVerify, match=f"^{tinyformers}: cannot start no-such-python"):
        verify(tinyformers, Options(python="no-such-python"))
