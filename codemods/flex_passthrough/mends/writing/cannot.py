"""The one way a mend refuses."""

from __future__ import annotations


class CannotMend(Exception):
    """A finding that is understood but that no edit is known to mend rightly.

    Attributes:
        reason: what stands in the way, one clause for the reader of a report.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
