"""Writing the files of a run: all of them, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from codemods.rewrite.write import WriteError, check_writable, write_file
from codemods.source.problem import Problem

Status = Literal["written", "failed", "untouched", "restored", "stuck"]


@dataclass(frozen=True)
class Change:
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


@dataclass(frozen=True)
class Outcome:
    """What came of one change.

    Attributes:
        change: the change.
        status: ``written``: the file holds the new content. ``failed``: it could not be written and is
            as it was. ``untouched``: it was not begun, since another failed. ``restored``: it was
            written, and holds the old content again, since another failed. ``stuck``: it was written,
            another failed, and the old content could not be put back.
        problem: why, for ``failed`` and ``stuck``.
    """

    change: Change
    status: Status
    problem: Problem | None = None


def write_all(changes: Sequence[Change]) -> list[Outcome]:
    """Write ``changes`` in their order, and return an outcome for each, in the same order.

    All of them are looked at before the first is written. Should one fail after that, those already
    written get their old content back, and so they do when the run is interrupted.
    """
    outcomes = [_looked_at(change) for change in changes]
    if any(outcome.problem for outcome in outcomes):
        return outcomes
    written = 0
    try:
        for change in changes:
            write_file(change.path, change.before, change.after, change.name)
            written += 1
    except WriteError as error:
        return [
            *(_restored(change) for change in changes[:written]),
            Outcome(changes[written], "failed", error.problem),
            *outcomes[written + 1 :],
        ]
    except BaseException:
        # The interrupt may have come when the next file was just written.
        for change in changes[: written + 1]:
            _restored(change)
        raise
    return [Outcome(change, "written") for change in changes]


def _looked_at(change: Change) -> Outcome:
    try:
        check_writable(change.path, change.before, change.name)
    except WriteError as error:
        return Outcome(change, "failed", error.problem)
    return Outcome(change, "untouched")


def _restored(change: Change) -> Outcome:
    """Put the old content of a file back where it still holds the new."""
    try:
        write_file(change.path, change.after, change.before, change.name)
    except WriteError as error:
        return Outcome(change, "stuck", error.problem)
    return Outcome(change, "restored")
