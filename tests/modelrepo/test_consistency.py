"""The repository's own checks, before and after an edit: on copies, looking at the same models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from codemods.modelrepo.tooling.checkout import find_checkout
from codemods.modelrepo.tooling.consistency import Comparison, compare_checks, find_checks
from codemods.modelrepo.tooling.process import Outcome
from codemods.modelrepo.tooling.toolchain import find_toolchain
from codemods.source.tree import locate_tree

from .conftest import PASSTHROUGH, Run, git, patch_tool, state_of

COPIES, MODULAR = "utils/check_copies.py", "utils/check_modular_conversion.py"

Compare = Callable[[Path, Mapping[Path, bytes]], dict[str, Comparison]]


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    """Compares what the checks of a repository say without and with an edit."""

    def compare_on(root: Path, changed: Mapping[Path, bytes]) -> dict[str, Comparison]:
        checkout = find_checkout(locate_tree(root))
        assert checkout is not None
        toolchain = find_toolchain(root, tmp_path / "tools", install=False)
        return {each.check: each for each in compare_checks(checkout, toolchain, changed, seconds=60)}

    return compare_on


def test_checks_are_those_of_the_makefile(checkout: Path) -> None:
    assert find_checks(checkout) == (COPIES, MODULAR)
    makefile = checkout / "Makefile"
    makefile.write_text(
        "check-repository-consistency:\n\t@python utils/check_copies.py --all\n\tpython utils/gone.py\n"
    )
    assert find_checks(checkout) == (f"{COPIES} --all",)


def test_checks_without_a_makefile_are_the_usual_ones(checkout: Path) -> None:
    (checkout / "Makefile").unlink()
    assert find_checks(checkout) == (COPIES, MODULAR)
    (checkout / MODULAR).unlink()
    assert find_checks(checkout) == (COPIES,)


def test_what_regeneration_brings_is_as_clean_as_before(
    checkout: Path, edits: dict[Path, bytes], run: Run, compare: Compare
) -> None:
    state = state_of(checkout)
    found = compare(checkout, run(checkout, edits).files)
    assert [str(each) for each in found.values()] == [
        f"{COPIES}: clean before and after",
        f"{MODULAR}: clean before and after",
    ]
    # Both sides looked at the models that change, and not only one of them.
    for side in (found[MODULAR].before, found[MODULAR].after):
        assert "No differences found for src/grove/models/cedar/modeling_cedar.py." in side.output
    assert state_of(checkout) == state


def test_root_without_its_followers_is_worse(
    checkout: Path, edits: dict[Path, bytes], compare: Compare
) -> None:
    roots = {
        path: data for path, data in edits.items() if path.name in ("modular_birch.py", "modeling_oak.py")
    }
    found = compare(checkout, roots)
    assert all(each.is_worse for each in found.values())
    assert any("modeling_birch.py" in line for line in found[MODULAR].new_lines)
    assert any("modeling_elm.py" in line for line in found[COPIES].new_lines)
    assert str(found[COPIES]).startswith(f"{COPIES}: clean before, and not after: ")


def test_file_that_was_out_of_step_before_is_no_fault_of_the_edit(
    checkout: Path, models: Path, edits: dict[Path, bytes], run: Run, compare: Compare
) -> None:
    yew = models / "yew" / "modeling_yew.py"
    yew.write_text(yew.read_text("utf-8").replace("eps=1e-6", "eps=1e-5"), "utf-8")
    result = run(checkout, edits)
    assert PASSTHROUGH.encode() in result.files[yew]
    (modular,) = (each for each in compare(checkout, result.files).values() if each.check == MODULAR)
    assert (modular.before.status, modular.after.status) == (1, 1)
    assert not modular.is_worse
    assert "says the same before and after" in str(modular)


def test_hook_that_runs_us_does_not_lead_git_astray(
    checkout: Path, edits: dict[Path, bytes], compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(checkout, "init", "-q", "-b", "trunk")
    git(checkout, "add", "-A")
    git(checkout, "commit", "-q", "-m", "first")
    monkeypatch.setenv("GIT_DIR", str(checkout / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(checkout / ".git" / "index"))
    state = state_of(checkout)
    assert compare(checkout, edits)[MODULAR].before.status == 0
    assert state_of(checkout) == state


def test_without_git_a_check_that_needs_it_fails_the_same_way_twice(
    checkout: Path,
    edits: dict[Path, bytes],
    tmp_path: Path,
    compare: Compare,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ruff = find_toolchain(checkout, tmp_path / "tools", install=False).ruff
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ruff").symlink_to(ruff)
    monkeypatch.setenv("PATH", str(programs))
    found = compare(checkout, edits)[MODULAR]
    assert not found.is_worse
    assert "says the same before and after" in str(found)
    assert "git" in found.after.reason


def test_check_that_writes_leaves_the_next_one_alone(
    checkout: Path, edits: dict[Path, bytes], run: Run, compare: Compare
) -> None:
    patch_tool(
        checkout,
        "check_copies.py",
        "    stale = []\n",
        "    stale = []\n    open('utils/new.py', 'w').close()\n",
    )
    patch_tool(
        checkout,
        "check_modular_conversion.py",
        "    differing = 0\n",
        "    differing = len(glob.glob('utils/new.py'))\n",
    )
    assert compare(checkout, run(checkout, edits).files)[MODULAR].after.status == 0


def test_numbers_of_lines_may_move() -> None:
    said = Outcome(1, "two.py: line 10 differs\nfailed in 1.5 s")
    moved = Outcome(1, "two.py: line 13 differs\nfailed in 1.7 s")
    more = Outcome(1, "two.py: line 13 differs\nthree.py: line 4 differs\nfailed in 1.7 s")
    assert not Comparison("check.py", said, moved).is_worse
    assert Comparison("check.py", said, more).new_lines == ["three.py: line 4 differs"]
    assert Comparison("check.py", said, more).is_worse
    assert str(Comparison("check.py", said, Outcome(0, ""))) == (
        "check.py: clean after, and not before: failed in 1.5 s"
    )
