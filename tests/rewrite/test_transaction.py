from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codemods.rewrite.transaction import Change, Outcome, write_all
from codemods.rewrite.write import replace


@pytest.fixture
def changes(tmp_path: Path) -> list[Change]:
    """Three files, each to be changed from its name in lower case to upper case."""
    made = []
    for name in ("a.py", "b.py", "c.py"):
        path = tmp_path / name
        path.write_bytes(name.encode())
        made.append(Change(path, name, name.encode(), name.upper().encode()))
    return made


def contents(changes: list[Change]) -> list[bytes]:
    return [change.path.read_bytes() for change in changes]


def told(outcomes: list[Outcome]) -> list[str]:
    return [
        f"{outcome.status}: {outcome.problem}" if outcome.problem else outcome.status for outcome in outcomes
    ]


def test_nothing_to_write() -> None:
    assert write_all([]) == []


def test_all_written(changes: list[Change]) -> None:
    outcomes = write_all(changes)
    assert [outcome.status for outcome in outcomes] == ["written"] * 3
    assert len({outcome.run for outcome in outcomes}) == 1
    assert contents(changes) == [b"A.PY", b"B.PY", b"C.PY"]


def test_nothing_is_begun_when_one_has_changed(changes: list[Change]) -> None:
    changes[1].path.write_bytes(b"mine")
    assert told(write_all(changes)) == [
        "untouched",
        "failed: b.py:1:1: has changed since it was read; it is left as it is, run again",
        "untouched",
    ]
    assert contents(changes) == [b"a.py", b"mine", b"c.py"]


def test_every_obstacle_is_told_at_once(changes: list[Change]) -> None:
    changes[0].path.unlink()
    changes[2].path.write_bytes(b"mine")
    outcomes = write_all(changes)
    assert [outcome.status for outcome in outcomes] == ["failed", "untouched", "failed"]
    assert changes[1].path.read_bytes() == b"b.py"


def test_written_files_are_restored_when_one_changes_at_the_last_moment(
    changes: list[Change], monkeypatch: pytest.MonkeyPatch
) -> None:
    def replace_late(target: Path, *arguments: Any) -> None:
        if target.name == "c.py":
            target.write_bytes(b"mine")
        replace(target, *arguments)

    monkeypatch.setattr("codemods.rewrite.steps.replace", replace_late)
    assert told(write_all(changes)) == [
        "restored",
        "restored",
        "failed: c.py:1:1: has changed since it was read; it is left as it is, run again",
    ]
    assert contents(changes) == [b"a.py", b"b.py", b"mine"]


def test_two_names_for_one_file(changes: list[Change], tmp_path: Path) -> None:
    (tmp_path / "link.py").symlink_to("b.py")
    changes[2] = Change(tmp_path / "link.py", "link.py", b"b.py", b"B.PY")
    assert [outcome.status for outcome in write_all(changes)] == ["written"] * 3
    assert (tmp_path / "link.py").readlink() == Path("b.py")
    assert contents(changes) == [b"A.PY", b"B.PY", b"B.PY"]


def test_two_names_for_one_file_that_shall_become_two(changes: list[Change], tmp_path: Path) -> None:
    (tmp_path / "link.py").symlink_to("b.py")
    changes[2] = Change(tmp_path / "link.py", "link.py", b"b.py", b"other")
    assert told(write_all(changes)) == [
        "untouched",
        "untouched",
        "failed: link.py:1:1: is the same file as b.py, and shall not become the same",
    ]
    assert contents(changes) == [b"a.py", b"b.py", b"b.py"]


def test_a_link_out_of_the_tree(changes: list[Change], tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link.py").symlink_to("../a.py")
    (outcome,) = write_all([Change(tree / "link.py", "link.py", b"a.py", b"A.PY")], within=[tree])
    assert outcome.status == "failed"
    assert "leads out of the tree" in str(outcome.problem)
    assert changes[0].path.read_bytes() == b"a.py"


def test_hard_links_among_the_files_stay_hard_links(changes: list[Change], tmp_path: Path) -> None:
    (tmp_path / "twin.py").hardlink_to(tmp_path / "a.py")
    twin = Change(tmp_path / "twin.py", "twin.py", b"a.py", b"A.PY")
    assert {outcome.status for outcome in write_all([*changes, twin])} == {"written"}
    assert twin.path.read_bytes() == b"A.PY"
    assert twin.path.samefile(changes[0].path)
    assert twin.path.stat().st_nlink == 2


# Before and after each call into the system in turn, somebody presses Ctrl-C.
def test_a_file_that_another_program_changes_while_the_others_are_restored(
    changes: list[Change], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``a.py`` is written, ``b.py`` cannot be, and somebody is at ``a.py`` before it is restored."""

    def meddling(target: Path, before: bytes, temporary: Path, name: str) -> None:
        if name == "b.py":
            changes[0].path.write_bytes(b"mine")
            changes[1].path.write_bytes(b"theirs")
        replace(target, before, temporary, name)

    monkeypatch.setattr("codemods.rewrite.steps.replace", meddling)
    outcomes = write_all(changes)
    assert [outcome.status for outcome in outcomes] == ["stuck", "failed", "untouched"]
    assert "has changed since it was read" in str(outcomes[0].problem)
    assert contents(changes) == [b"mine", b"theirs", b"c.py"]


_INTERRUPTED = """
import itertools, os, sys
import filelock  # so that what importing does is not among the calls
from pathlib import Path
from codemods.rewrite.recovery import recover
from codemods.rewrite.transaction import Change, write_all

folder = Path(sys.argv[1], "tree")
folder.mkdir()
os.environ["CODEMODS_STATE_DIR"] = str(folder.with_name("journals"))
changes = [Change(folder / n, n, n.encode(), n.upper().encode()) for n in ("a.py", "b.py")]

def write_but_stop_at(number):
    calls = itertools.count(1)

    def count(frame, event, function):
        if event not in ("c_call", "c_return") or function.__module__ != os.open.__module__:
            return
        if function is not os.fspath and next(calls) == number:
            raise KeyboardInterrupt

    sys.setprofile(count)
    try:
        write_all(changes)
    except KeyboardInterrupt:
        return 1
    finally:
        sys.setprofile(None)
    return 0 if next(calls) > number else 2

for number in itertools.count(1):
    for change in changes:
        change.path.write_bytes(change.before)
    child = os.fork()
    if not child:
        os._exit(write_but_stop_at(number))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    contents = [change.path.read_bytes() for change in changes]
    old, new = [c.before for c in changes], [c.after for c in changes]
    assert contents == new or (contents == old and status == 1), (number, status, contents)
    assert sorted(os.listdir(folder)) == ["a.py", "b.py"], number
    recover()  # what the interrupt left to be ended
    assert contents == [change.path.read_bytes() for change in changes], number
    if status == 2:
        break
print(number)
"""


def test_interrupted_at_any_call(quick_folder: Path) -> None:
    command = [sys.executable, "-c", _INTERRUPTED, str(quick_folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
