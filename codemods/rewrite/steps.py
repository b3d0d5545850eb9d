"""The steps of a run: staging, committing, putting in place, and taking back.

Each can be cut short anywhere and taken up again from the journal: what is done already is found so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterable, Sequence
from pathlib import Path

from msgspec import Struct, field

from codemods.rewrite.journal import Entry, Run
from codemods.rewrite.write import ChangedOnDisk, WriteError, bring_names_to_disk, holds, replace, stage
from codemods.source.problem import Problem


class StepError(Exception):
    """A step that could not be made: at which file of the run, and why."""

    def __init__(self, number: int, error: WriteError) -> None:
        super().__init__(error.problem)
        self.number = number
        self.problem = error.problem


class TakenBack(Struct):
    """What became of a run that was taken back.

    Attributes:
        restored: the files that had to be written.
        changed: files that somebody changed since; they are left as they are.
        stuck: files that could not be restored, and why. The journal is kept, to try again.
    """

    restored: list[int] = field(default_factory=list)
    changed: dict[int, Problem] = field(default_factory=dict)
    stuck: dict[int, Problem] = field(default_factory=dict)


def stage_all(run: Run, entries: Sequence[Entry], numbers: Iterable[int]) -> None:
    """Write the new contents beside the files ``numbers``, and to disk.

    Raises:
        StepError: if one cannot be staged, or does not hold its old content any more.
    """
    for number in numbers:
        entry = entries[number]
        twin = _twin(run, entries, number, entry.after)
        try:
            stage(entry.target, entry.before, entry.after, run.temporary(number), entry.name, twin)
        except WriteError as error:
            raise StepError(number, error) from None


def commit(run: Run, entries: Sequence[Entry]) -> Run:
    """Decide that the run shall be finished.

    Raises:
        StepError: if that cannot be put down.
    """
    try:
        return run.moved_to("committed")
    except OSError as error:
        raise StepError(0, _unwritten(entries[0], error)) from None


def put_in_place(run: Run, entries: Sequence[Entry], numbers: Sequence[int], done: set[int]) -> None:
    """Put what is staged for the files ``numbers`` in their places, and add each to ``done``.

    Raises:
        StepError: if one cannot be replaced, or does not hold its old content any more.
    """
    for number in numbers:
        entry = entries[number]
        try:
            replace(entry.target, entry.before, run.temporary(number), entry.name)
        except WriteError as error:
            raise StepError(number, error) from None
        done.add(number)
    folders = {entries[number].target.parent: number for number in reversed(numbers)}
    for folder, number in folders.items():
        try:
            bring_names_to_disk(folder)
        except OSError as error:
            raise StepError(number, _unwritten(entries[number], error)) from None


def remove_staged(run: Run, entries: Sequence[Entry]) -> None:
    """Remove what lies staged beside the files.

    Raises:
        StepError: if something cannot be removed; the rest is.
    """
    failed = None
    for number, entry in enumerate(entries):
        try:
            run.temporary(number).unlink(missing_ok=True)
        except NotADirectoryError:  # its folder is gone
            pass
        except OSError as error:
            failed = StepError(number, _unwritten(entry, error))
    if failed is not None:
        raise failed


def is_at(entry: Entry, content: bytes, number: int) -> bool:
    """Say whether the file ``number`` holds ``content``.

    Raises:
        StepError: if it cannot be read.
    """
    try:
        return holds(entry.target, content)
    except OSError as error:
        raise StepError(number, _unwritten(entry, error)) from None


def end(run: Run) -> None:
    """Keep the journal of a finished run for undo; or, if it was an undo, forget it and what it undid.

    Should that fail the run is finished all the same, and the next command ends it.
    """
    with contextlib.suppress(OSError):
        if run.undoes is None:
            run.moved_to("done")
        else:
            (run.folder / f"{run.undoes}.done").unlink(missing_ok=True)
            run.forget()


def take_back(run: Run, entries: Sequence[Entry], placed: Container[int] | None = None) -> TakenBack:
    """Give every file its old content back, and forget the run, where that can be done.

    Args:
        run: the run.
        entries: its files.
        placed: the files that got their new content, as far as is known; none: it is not known, and a
            file that holds neither content may be one of them.
    """
    run = run.as_found()
    back = TakenBack()
    try:
        remove_staged(run, entries)
    except StepError as error:
        back.stuck[error.number] = error.problem
    if run.state == "committed":
        with contextlib.suppress(OSError):
            run = run.moved_to("reverting")
    if run.state != "prepared":
        for number in range(len(entries)):
            _restore(run, entries, number, placed, back)
    if not back.stuck:
        with contextlib.suppress(OSError):
            if back.changed:
                run.moved_to("done")  # so that the old content is not lost
            else:
                run.forget()
    return back


def _restore(
    run: Run, entries: Sequence[Entry], number: int, placed: Container[int] | None, back: TakenBack
) -> None:
    entry, temporary = entries[number], run.temporary(number)
    try:
        if holds(entry.target, entry.before):
            return
        if placed is not None and number not in placed and not holds(entry.target, entry.after):
            return  # somebody changed it before it was begun
        twin = _twin(run, entries, number, entry.before)
        stage(entry.target, entry.after, entry.before, temporary, entry.name, twin)
        try:
            replace(entry.target, entry.after, temporary, entry.name)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        bring_names_to_disk(entry.target.parent)
        back.restored.append(number)
    except ChangedOnDisk as error:
        back.changed[number] = error.problem
    except WriteError as error:
        back.stuck[number] = error.problem
    except OSError as error:
        back.stuck[number] = _unwritten(entry, error).problem


def _twin(run: Run, entries: Sequence[Entry], number: int, content: bytes) -> Path | None:
    """Return a file with ``content`` that the file ``number`` shall be a hard link to, if there is one."""
    twin = entries[number].twin
    if twin is None:
        return None
    with contextlib.suppress(OSError):
        for path in (run.temporary(twin), entries[twin].target):
            if holds(path, content):
                return path
    return None


def _unwritten(entry: Entry, error: OSError) -> WriteError:
    return WriteError(Problem(entry.name, 1, 1, f"cannot be written: {error.strerror or error}"))
