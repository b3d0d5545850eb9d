"""What a maintainer is promised, on a whole checkout: the small one, and a real one where there is one.

FLEX_PASSTHROUGH_CHECKOUT names the real one, FLEX_PASSTHROUGH_PYTHON an interpreter that has libcst and the
library's requirements. Both are only read; a real one takes some ten minutes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from codemods.flex_passthrough.api import Mode, Plan, Settings, apply, plan
from codemods.maskflow.program.index import Index
from codemods.modelrepo.banner import is_modular
from codemods.modelrepo.family import Repository
from codemods.modelrepo.graph import ModularGraph
from codemods.modelrepo.tooling.toolchain import find_toolchain
from codemods.review.finding import Status
from codemods.review.patch import render_patch
from codemods.source.discover import discover
from codemods.source.tree import locate_tree

GROVE = Path(__file__).parents[2] / "fixtures" / "modular"
REAL = os.environ.get("FLEX_PASSTHROUGH_CHECKOUT", "")
LEFT_OUT = shutil.ignore_patterns(".git", "__pycache__", ".venv", "venv", "node_modules")


@dataclass(frozen=True)
class Case:
    """A checkout, an interpreter that notes what it is asked to run, and the plan of a first run."""

    root: Path
    settings: Settings
    runs: Path
    planned: Plan

    def copy(self, folder: Path) -> Path:
        """Copy the checkout, without git."""
        return Path(shutil.copytree(self.root, folder / "copy", ignore=LEFT_OUT))

    def tool_runs(self) -> list[str]:
        """Return what the interpreter was asked to run of the repository's tools."""
        lines = self.runs.read_text("utf-8").splitlines() if self.runs.exists() else []
        return [line for line in lines if line.startswith("utils/")]


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder), *arguments]
    subprocess.run(command, check=True, capture_output=True)


def state_of(folder: Path) -> dict[str, tuple[str, int]]:
    """The content and the time of the last change of every file, those of git included."""
    files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in files
    }


def noting_interpreter(folder: Path, python: Path) -> tuple[Path, Path]:
    """Write an interpreter that notes its arguments, beside the ruff that ``python`` would use."""
    folder.mkdir()
    notes = folder / "notes"
    script = folder / "python"
    script.write_text(f'#!/bin/sh\necho "$*" >> "{notes}"\nexec "{python}" "$@"\n', "utf-8")
    script.chmod(0o755)
    (folder / "ruff").symlink_to(find_toolchain(GROVE.parent, folder, python, install=False).ruff)
    return script, notes


@pytest.fixture(
    scope="module",
    params=[
        "grove",
        pytest.param(
            "real",
            marks=[
                pytest.mark.corpus,
                pytest.mark.skipif(not REAL, reason="FLEX_PASSTHROUGH_CHECKOUT names no checkout"),
            ],
        ),
    ],
)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp(request.param).resolve()
    is_real = request.param == "real"
    root = folder / "checkout"
    shutil.copytree(Path(REAL) if is_real else GROVE, root, ignore=LEFT_OUT, symlinks=True)
    python = Path(os.environ.get("FLEX_PASSTHROUGH_PYTHON", sys.executable) if is_real else sys.executable)
    script, notes = noting_interpreter(folder / "programs", python)
    if not is_real:
        version = find_toolchain(GROVE.parent, folder, install=False).ruff_version
        setup = root / "setup.py"
        setup.write_text(setup.read_text("utf-8").replace("ruff==0.11.2", f"ruff=={version}"), "utf-8")
    git(root, "init", "-q", "-b", "trunk")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first")
    git(root, "checkout", "-q", "--detach")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        settings = Settings(python=script)
        before = state_of(root)
        planned = plan([root], settings)
        assert state_of(root) == before, "planning touched the working tree, its times or git"
        yield Case(root, settings, notes, planned)


def test_roots_are_edited_and_exactly_what_follows_them_changes(case: Case) -> None:
    assert [finding for finding in case.planned.findings if finding.status is Status.FAILED] == []
    followers = {
        case.root / member.path
        for decision in case.planned.decisions
        for member in decision.members
        if decision.status is Status.WOULD_FIX
    }
    how = {change.path: change.how for change in case.planned.changes}
    assert {path for path, how_ in how.items() if how_ != "edited"} <= followers
    assert "mirrored" not in how.values()
    assert "regenerated" in how.values()
    assert not any(is_modular(path) for path, how_ in how.items() if how_ != "edited")


def test_patch_gives_what_writing_gives(case: Case, tmp_path: Path) -> None:
    copy = case.copy(tmp_path)
    subprocess.run(["git", "apply", "-"], input=render_patch(case.planned), cwd=copy, check=True)
    texts = {change.path: change.after for change in case.planned.changes}
    for path in (path for path in case.root.rglob("*.py") if ".git" not in path.parts):
        expected = texts.get(path, path.read_bytes())
        assert (copy / path.relative_to(case.root)).read_bytes() == expected, path


def test_mirrored_edits_are_what_the_tools_write(case: Case, tmp_path: Path) -> None:
    copy = case.copy(tmp_path)
    shutil.rmtree(copy / "utils")
    mirrored = plan([copy], case.settings)
    assert "regenerated" not in {change.how for change in mirrored.changes}
    regenerated = {change.name: change.after for change in case.planned.changes}
    assert sorted(change.name for change in mirrored.changes) == sorted(regenerated)
    differing = [change.name for change in mirrored.changes if change.after != regenerated[change.name]]
    assert differing == []


def test_repository_s_checks_say_the_same_before_and_after(case: Case) -> None:
    checked = plan([case.root], replace(case.settings, check_repository=True))
    assert [check.check.split("/")[1] for check in checked.checks][:2] == [
        "check_copies.py",
        "check_modular_conversion.py",
    ]
    assert [str(check) for check in checked.checks if check.is_worse] == []
    assert all(check.before.status == check.after.status for check in checked.checks)


def test_second_run_converts_nothing(case: Case) -> None:
    before = case.tool_runs()
    assert before != []
    again = plan([case.root], case.settings)
    assert [(c.name, c.how, c.after) for c in again.changes] == [
        (c.name, c.how, c.after) for c in case.planned.changes
    ]
    assert case.tool_runs() == before


def test_written_result_needs_nothing_more(case: Case, tmp_path: Path) -> None:
    copy = case.copy(tmp_path)
    apply(plan([copy], case.settings))
    again = plan([copy], case.settings)
    assert [change.name for change in again.changes] == []


def test_model_whose_converter_fails_keeps_all_its_files_and_the_others_go_on(
    case: Case, tmp_path: Path
) -> None:
    copy = case.copy(tmp_path)
    repository = Repository(Index(locate_tree(copy)), discover([copy]).files)
    graph = ModularGraph(repository.index, repository.layout)
    parents = {parent for modular in graph.sources for parent in graph.parents[modular]}
    regenerated = {change.name for change in case.planned.changes if change.how == "regenerated"}
    name, broken = next(
        (name, modular)
        for name in sorted(regenerated)
        if (modular := repository.layout.modular_of(copy / name)) is not None and modular not in parents
    )
    text = broken.read_text("utf-8")
    line = "from ..nowhere.modeling_nowhere import NowhereModel\n\n\nclass Nobody(NowhereModel):\n    pass\n"
    broken.write_text(f"{text}\n\n{line}", "utf-8")
    planned = plan([copy], case.settings)
    failed = {finding.path for finding in planned.findings if finding.status is Status.FAILED}
    assert failed <= {name}
    (problem,) = planned.problems
    assert copy / problem.path == broken
    assert "nowhere" in problem.message
    changed = {change.name for change in planned.changes}
    assert not any(copy / name in (change.path, broken) for change in planned.changes)
    assert {change.name for change in case.planned.changes} - changed == {name}


def test_in_place_edits_only_what_offends(case: Case) -> None:
    planned = plan([case.root], replace(case.settings, mode=Mode.IN_PLACE))
    assert {change.how for change in planned.changes} == {"edited"}
    assert {change.name for change in planned.changes} <= {
        name for finding in planned.findings for name in finding.files
    }


def test_graph_has_every_modular_file_once_and_no_circle(case: Case) -> None:
    repository = Repository(Index(locate_tree(case.root)), discover([case.root / "src"]).files)
    graph = ModularGraph(repository.index, repository.layout)
    assert sorted(modular for level in graph.levels(repository.layout.modulars) for modular in level) == list(
        repository.layout.modulars
    )
    assert graph.problems == ()
