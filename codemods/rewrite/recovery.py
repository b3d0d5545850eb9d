"""What becomes of a run that was interrupted: finished if it was committed, rolled back if it was not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from codemods.rewrite.journal import Entry, JournalError, Run, read_entries
from codemods.rewrite.steps import StepError, end, is_at, put_in_place, remove_staged, stage_all, take_back
from codemods.rewrite.store import Store, Wait
from codemods.source.problem import Problem, printable


class Recovery(Struct, frozen=True):
    """What became of an interrupted run.

    Attributes:
        run: the run as it was found.
        finished: whether its files hold their new content, and not their old.
        written: how many files had to be written for that.
        changed: files that somebody changed since; they are left as they are.
        stuck: why the run could neither be finished nor rolled back; it stays as it is.
    """

    run: Run
    finished: bool
    written: int = 0
    changed: tuple[Problem, ...] = ()
    stuck: tuple[Problem, ...] = ()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """A line for each file that is not as it should be."""
        return (*self.changed, *self.stuck)

    def __str__(self) -> str:
        if self.stuck:
            return f"{described(self.run)}; it can neither be finished nor rolled back now"
        done = "finished" if self.finished else "rolled back"
        files = f"{self.written} of {len(self.run.files)} files" if self.written else "no file"
        return f"{described(self.run)}; it is {done} now, {files} had to be written"


def described(run: Run) -> str:
    """Return how messages call an interrupted run."""
    what = f"the undoing of run {run.undoes}" if run.undoes else f"run {run.id}"
    return f"{what} in {printable(str(run.root))} was interrupted"


def foretold(paths: Sequence[Path], *, store: Store | None = None) -> list[str]:
    """Say, a line for each, which runs in the trees of ``paths`` were interrupted; do nothing about them."""
    store = store or Store.default()
    lines = []
    for run in store.interrupted(tuple(Path(os.path.realpath(path)) for path in paths)):
        if store.is_locked():
            where = printable(str(run.root))
            lines.append(f"another run is writing in {where}; this may be neither its old nor its new state")
        else:
            what = "finish it" if run.state == "committed" else "roll it back"
            lines.append(
                f"{described(run)}; the next run that writes, or codemods.undo --recover, will {what}"
            )
    return lines


def recover(
    paths: Sequence[Path] = (), *, store: Store | None = None, wait: Wait | None = None
) -> list[Recovery]:
    """Finish or roll back the runs that were interrupted in the trees of ``paths``, or anywhere.

    Raises:
        JournalError: if the journals cannot be locked.
    """
    store = store or Store.default()
    concerned = tuple(Path(os.path.realpath(path)) for path in paths)
    if not store.interrupted(concerned):
        return []
    with store.locked(wait):
        return [_recovered(run) for run in store.interrupted(concerned)]


def roll_back(run: Run) -> Recovery:
    """Give every file of an interrupted run its old content back, even if the run was committed.

    To be called with the store locked.
    """
    try:
        return _rolled_back(run, read_entries(run))
    except JournalError as error:
        return Recovery(run, False, stuck=(error.problem,))


def _recovered(run: Run) -> Recovery:
    try:
        entries = read_entries(run)
    except JournalError as error:
        return Recovery(run, False, stuck=(error.problem,))
    if run.state == "committed":
        try:
            return _finished(run, entries)
        except StepError:  # what cannot be finished is rolled back, and that says why it cannot be either
            pass
    return _rolled_back(run, entries)


def _finished(run: Run, entries: Sequence[Entry]) -> Recovery:
    """Bring every file that still holds its old content to its new one.

    Raises:
        StepError: if one cannot be written.
    """
    remove_staged(run, entries)
    pending, changed = [], []
    for number, entry in enumerate(entries):
        if is_at(entry, entry.before, number):
            pending.append(number)
        elif not is_at(entry, entry.after, number):
            changed.append(Problem(entry.name, 1, 1, "has changed since then; it is left as it is"))
    stage_all(run, entries, pending)
    put_in_place(run, entries, pending, set())
    end(run)
    return Recovery(run, True, len(pending), tuple(changed))


def _rolled_back(run: Run, entries: Sequence[Entry]) -> Recovery:
    back = take_back(run, entries)
    changed = tuple(back.changed.values())
    return Recovery(run, False, len(back.restored), changed, tuple(back.stuck.values()))
