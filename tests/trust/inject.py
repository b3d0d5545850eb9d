"""Stops a run at its Nth call into the system, for every N, and looks at what the next command makes of it.

    python -m tests.trust.inject                      everything; takes minutes
    python -m tests.trust.inject --how kill EIO --what write

``kill`` is SIGKILL before the call; ``interrupt`` is Ctrl-C; the others are errors that the call fails
with. After each stop the interrupted run is recovered, and then every file must hold its old content or
its new one, all of them the same side, modes as they were, with nothing left beside them. The counts are
printed as JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import itertools
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path

import filelock  # noqa: F401 - so that what importing does is not among the calls
import platformdirs  # noqa: F401

from codemods.rewrite.journal import Entry, JournalError, begin
from codemods.rewrite.recovery import recover
from codemods.rewrite.steps import commit, put_in_place, stage_all
from codemods.rewrite.store import Store
from codemods.rewrite.transaction import Change, write_all
from codemods.undo import UndoRefused, undo

HOW = ("kill", "interrupt", "EIO", "ENOSPC", "EACCES")
NAMES = ("a.py", "b.py", "sub/c.py", "sub/twin.py")  # the last two are one file
OLD = dict.fromkeys(NAMES, b"old")
NEW = dict.fromkeys(NAMES, b"new and longer")
# These ask the system nothing that could fail.
_NO_CALLS = {"fspath", "_path_normpath", "_path_splitroot", "_path_splitroot_ex", "getpid"}


class Scene:
    """A tree of a few files, and a store of journals."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.store = Store(folder / "journals")

    def set_up(self, content: dict[str, bytes]) -> None:
        """Make tree and store anew."""
        for folder in (self.tree, self.store.folder):
            shutil.rmtree(folder, ignore_errors=True)
        (self.tree / "sub").mkdir(parents=True)
        self.store.folder.mkdir()
        for name in NAMES[:-1]:
            (self.tree / name).write_bytes(content[name])
            (self.tree / name).chmod(0o640)
        (self.tree / NAMES[-1]).hardlink_to(self.tree / NAMES[-2])

    def entries(self) -> list[Entry]:
        """Return what a run that changes every file has in its journal."""
        twins = {"sub/twin.py": NAMES.index("sub/c.py")}
        return [Entry(self.tree / n, n, OLD[n], NEW[n], twins.get(n)) for n in NAMES]

    def contents(self) -> dict[str, bytes]:
        """Return what every file of the tree holds, also those that do not belong there."""
        files = (path for path in self.tree.rglob("*") if path.is_file())
        return {path.relative_to(self.tree).as_posix(): path.read_bytes() for path in files}

    def write(self) -> dict[str, bytes] | None:
        """Write every file, as a command does, and return what they hold by its account, if it knows."""
        changes = [Change(entry.target, entry.name, entry.before, entry.after) for entry in self.entries()]
        statuses = {outcome.status for outcome in write_all(changes, store=self.store)}
        if "stuck" in statuses:
            return None
        return NEW if statuses == {"written"} else OLD

    def begun(self, state: str) -> None:
        """Put the scene in the middle of a run."""
        self.set_up(OLD)
        entries = self.entries()
        run = begin(self.store.folder, self.store.next_id(), self.tree, entries, None)
        stage_all(run, entries, range(len(entries)))
        run = commit(run, entries)
        put_in_place(run, entries, [0, 2], set())
        if state == "reverting":
            run.moved_to("reverting")

    def done(self) -> None:
        """Put the scene after a run."""
        self.set_up(OLD)
        assert self.write() == NEW

    def recover(self) -> dict[str, bytes] | None:
        """Recover, as the next command does, and return what the files hold by its account."""
        recoveries = recover(store=self.store)
        if not recoveries or recoveries[0].stuck:
            return None
        return NEW if recoveries[0].finished else OLD

    def undo(self) -> dict[str, bytes] | None:
        """Undo the latest run, and return what the files hold by its account."""
        undone = None
        with contextlib.suppress(UndoRefused):
            for run in self.store.runs():
                undo(run, self.store)
                undone = OLD
        return undone

    def check(self) -> None:
        """Recover, and make sure that nothing is lost, half-done or left lying about."""
        assert not any(recovery.problems for recovery in recover(store=self.store))
        assert self.contents() in (OLD, NEW), self.contents()
        assert not self.store.interrupted(), self.store.interrupted()
        for name in NAMES:
            assert (self.tree / name).stat().st_mode & 0o777 == 0o640, name


Act = Callable[[Scene], "dict[str, bytes] | None"]
WHAT: dict[str, tuple[Callable[[Scene], None], Act]] = {
    "write": (lambda scene: scene.set_up(OLD), Scene.write),
    "finish": (lambda scene: scene.begun("committed"), Scene.recover),
    "roll back": (lambda scene: scene.begun("reverting"), Scene.recover),
    "undo": (Scene.done, Scene.undo),
}


def stopped_at(number: int, how: str, scene: Scene, act: Act) -> int:
    """Act with a fault at call ``number``; return 0 if that ends before, 1 if the fault came."""
    calls = itertools.count(1)

    def count(frame: object, event: str, function: object) -> None:
        if event != "c_call" or getattr(function, "__name__", "") in _NO_CALLS:
            return
        module = getattr(function, "__module__", None)
        if module not in (os.open.__module__, "fcntl") and not isinstance(
            getattr(function, "__self__", None), io.IOBase
        ):
            return
        if next(calls) == number:
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if how == "interrupt":
                raise KeyboardInterrupt
            code = getattr(errno, how)
            raise OSError(code, os.strerror(code))

    told = None
    sys.setprofile(count)
    try:
        told = act(scene)
    except (KeyboardInterrupt, JournalError):  # the commands catch both
        pass
    finally:
        sys.setprofile(None)
    if told is not None:
        assert {name: (scene.tree / name).read_bytes() for name in NAMES} == told
    return 1 if next(calls) > number else 0


def _in_a_child(number: int, scene: Scene, act: Act) -> int:
    child = os.fork()
    if not child:
        code = 3
        try:
            code = stopped_at(number, "kill", scene, act)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 1, -signal.SIGKILL), (number, status)
    return status


def inject(scene: Scene, what: str, how: str) -> int:
    """Stop ``what`` at each of its calls in turn, and return at how many."""
    prepare, act = WHAT[what]
    for number in itertools.count(1):
        prepare(scene)
        status = _in_a_child(number, scene, act) if how == "kill" else stopped_at(number, how, scene, act)
        try:
            scene.check()
        except AssertionError as error:
            raise AssertionError(f"{what}, {how} at call {number}: {error}") from None
        if status == 0:
            return number - 1
    raise AssertionError


def main() -> None:
    """Inject what the command line asks for and print the counts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--how", nargs="+", choices=HOW, default=HOW)
    parser.add_argument("--what", nargs="+", choices=tuple(WHAT), default=tuple(WHAT))
    options = parser.parse_args()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        scene = Scene(Path(os.path.realpath(folder)))
        counts = {what: {how: inject(scene, what, how) for how in options.how} for what in options.what}
    total = sum(sum(of.values()) for of in counts.values())
    print(json.dumps({"faults": total, "survived": total, "by": counts}, indent=2))


if __name__ == "__main__":
    main()
