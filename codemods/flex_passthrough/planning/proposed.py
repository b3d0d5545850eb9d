"""What a run proposes: a report, the folders it may write in, and what the repository's checks say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import field

from codemods.review.report import Report

if TYPE_CHECKING:
    from codemods.modelrepo.tooling.consistency import Comparison


class RegenerationError(Exception):
    """Regeneration was asked for and cannot be had; one line says why."""


class Proposed(Report):
    """A report whose changes are not written yet.

    Attributes:
        bounds: the folders that nothing is written outside of.
        checks: what the repository's own checks say, without the changes and with them.
    """

    bounds: tuple[Path, ...] = ()
    checks: list[Comparison] = field(default_factory=list)

    @property
    def is_refused(self) -> bool:
        """Whether one of the repository's own checks speaks against the changes."""
        return any(check.is_worse for check in self.checks)
