"""Failures: why a stage of one repository came to nothing, in one line for the table."""

from __future__ import annotations

import errno

from codemods.source.problem import printable


class StageFailure(Exception):
    """A stage cannot be done; the message is one line that says why.

    Attributes:
        transient: whether another attempt may fare better.
    """

    def __init__(self, reason: str, *, transient: bool = False) -> None:
        super().__init__(printable(reason))
        self.transient = transient

    @property
    def reason(self) -> str:
        """The one line."""
        return str(self.args[0])


def why_not(error: OSError) -> StageFailure:
    """Return the failure that an error of the file system amounts to."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StageFailure("no space left on the disk; make room and resume", transient=True)
    place = f"{error.filename}: " if error.filename else ""
    return StageFailure(f"{place}{(error.strerror or str(error)).lower()}")
