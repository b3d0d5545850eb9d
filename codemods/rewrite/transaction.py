"""Writing the files of a run: all of them, or none, whatever happens meanwhile.

The old and the new contents go to a journal (:mod:`codemods.rewrite.journal`), then the new ones beside
their files; the run is committed; and the files are renamed into place. One rule says what becomes of a
run that was interrupted: before it was committed it is rolled back, after that it is finished.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

from codemods.rewrite.journal import Entry, JournalError, begin
from codemods.rewrite.recovery import described
from codemods.rewrite.steps import StepError, TakenBack, commit, end, put_in_place, stage_all, take_back
from codemods.rewrite.store import Store, Wait
from codemods.rewrite.write import WriteError, check_writable
from codemods.source.problem import Problem

Status = Literal["written", "failed", "untouched", "restored", "stuck"]


class Change(Struct, frozen=True):
    """One file and what shall become of it.

    Attributes:
        path: where it is.
        name: how messages call it.
        before: what it held when it was read.
        after: what it shall hold.
    """

    path: Path
    name: str
    before: bytes
    after: bytes


class Outcome(Struct, frozen=True):
    """What came of one change.

    Attributes:
        change: the change.
        status: ``written``: the file holds the new content. ``failed``: it could not be written and is
            as it was. ``untouched``: it was not begun, since another failed. ``restored``: it was
            written, and holds the old content again, since another failed. ``stuck``: it was written,
            another failed, and the old content could not be put back.
        problem: why, for ``failed`` and ``stuck``, and for ``untouched`` where no file is to blame.
        run: the run that wrote it, for ``codemods.undo``.
    """

    change: Change
    status: Status
    problem: Problem | None = None
    run: str | None = None


def write_all(
    changes: Sequence[Change],
    root: Path | None = None,
    *,
    within: Sequence[Path] = (),
    undoes: str | None = None,
    store: Store | None = None,
    wait: Wait | None = None,
) -> list[Outcome]:
    """Write ``changes``, and return an outcome for each, in the same order.

    All of them are looked at, and all new contents are on disk, before the first file changes. Should
    one fail after that, those already written get their old content back, and so they do when the run
    is interrupted. Where this process does not live to do it, :mod:`codemods.rewrite.recovery` does.

    Args:
        changes: what to write. Links are followed, and stay links.
        root: the tree that the changes belong to; the folder around them when left out.
        within: the folders that no file may lie outside of, links resolved; none: no bounds.
        undoes: the run that these changes take back. It is forgotten when they are written.
        store: where the journal is kept.
        wait: told that this run waits for another.
    """
    if not changes:
        return []
    store = store or Store.default()
    try:
        with store.locked(wait):
            return _write_locked(changes, root, tuple(within), undoes, store)
    except JournalError as error:
        return [Outcome(change, "untouched", error.problem) for change in changes]


def _write_locked(
    changes: Sequence[Change], root: Path | None, within: tuple[Path, ...], undoes: str | None, store: Store
) -> list[Outcome]:
    entries, numbers, outcomes = _looked_at(changes, within)
    if any(outcome.problem for outcome in outcomes):
        return outcomes
    for interrupted in store.interrupted(tuple(entry.target for entry in entries)):
        message = f"{described(interrupted)}; that comes first: python -m codemods.undo --recover"
        raise JournalError(Problem(str(interrupted.root), 1, 1, message))
    base = root or Path(os.path.commonpath([entry.target.parent for entry in entries]))
    try:
        store.tidy()
        run = begin(store.folder, store.next_id(), Path(os.path.realpath(base)), entries, undoes)
    except OSError as error:
        raise store.unusable(error) from None
    every, placed = range(len(entries)), set[int]()
    try:
        stage_all(run, entries, every)
        run = commit(run, entries)
        put_in_place(run, entries, every, placed)
    except StepError as error:
        back = take_back(run, entries, placed)
        return [
            _not_written(change, number, error, back) for change, number in zip(changes, numbers, strict=True)
        ]
    except BaseException:
        take_back(run, entries, placed)
        raise
    end(run)
    return [Outcome(change, "written", run=run.id) for change in changes]


def _looked_at(
    changes: Sequence[Change], within: tuple[Path, ...]
) -> tuple[list[Entry], list[int], list[Outcome]]:
    """Return the files to write, each once; which of them each change means; and what is in the way."""
    entries: list[Entry] = []
    numbers: list[int] = []
    outcomes: list[Outcome] = []
    known: dict[Path, int] = {}
    inodes: dict[tuple[int, int, bytes], int] = {}
    for change in changes:
        target = Path(os.path.realpath(change.path))
        try:
            status = check_writable(change.path, change.before, change.name)
            _refuse_outside(target, within, change.name)
            number = known.setdefault(target, len(entries))
            if number == len(entries):
                inode = (status.st_dev, status.st_ino, change.after)
                twin = inodes.setdefault(inode, number) if status.st_nlink > 1 else number
                twins = None if twin == number else twin
                entries.append(Entry(target, change.name, change.before, change.after, twins))
            elif entries[number].after != change.after:
                message = f"is the same file as {entries[number].name}, and shall not become the same"
                raise WriteError(Problem(change.name, 1, 1, message))
        except WriteError as error:
            outcomes.append(Outcome(change, "failed", error.problem))
        else:
            numbers.append(number)
            outcomes.append(Outcome(change, "untouched"))
    return entries, numbers, outcomes


def _refuse_outside(target: Path, within: tuple[Path, ...], name: str) -> None:
    if within and not any(target.is_relative_to(folder) for folder in within):
        raise WriteError(Problem(name, 1, 1, f"leads out of the tree, to {target}; it is left as it is"))


def _not_written(change: Change, number: int, error: StepError, back: TakenBack) -> Outcome:
    if number == error.number and number not in back.stuck:
        return Outcome(change, "failed", error.problem)
    left = back.stuck.get(number) or back.changed.get(number)
    if left is not None:
        return Outcome(change, "stuck", left)
    return Outcome(change, "restored" if number in back.restored else "untouched")
