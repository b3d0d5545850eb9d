from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from codemods.rewrite.transaction import Change, Outcome, write_all


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
    assert write_all(changes) == [Outcome(change, "written") for change in changes]
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


def test_written_files_are_restored_when_one_fails(changes: list[Change]) -> None:
    # Two names for one file: the second finds that it has changed.
    link = changes[0].path.with_name("link.py")
    link.symlink_to("b.py")
    changes[2] = Change(link, "link.py", b"b.py", b"other")
    assert told(write_all(changes)) == [
        "restored",
        "restored",
        "failed: link.py:1:1: has changed since it was read; it is left as it is, run again",
    ]
    assert contents(changes) == [b"a.py", b"b.py", b"b.py"]


# Before and after each call into the system in turn, somebody presses Ctrl-C.
_INTERRUPTED = """
import itertools, os, sys
from pathlib import Path
from codemods.rewrite.transaction import Change, write_all

folder = Path(sys.argv[1])
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
    assert contents == (old if status == 1 else new), (number, status, contents)
    if status == 2:
        break
print(number)
"""


def test_interrupted_at_any_call(changes: list[Change]) -> None:
    command = [sys.executable, "-c", _INTERRUPTED, str(changes[0].path.parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100
