"""Changes: one file of a plan, and how it comes to change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codemods.rewrite import transaction


class Change(transaction.Change, frozen=True):
    """One file of a plan, and how it comes to change.

    Attributes:
        how: ``edited`` (a root), ``regenerated``, ``mirrored`` (a generated file, edited like its
            root because no converter is at hand) or ``copied``.
    """

    how: str


def relative_names(changes: Sequence[Change], base: Path) -> list[tuple[str, Change]]:
    """Return the changes with their paths relative to ``base``, with ``/``, in that order."""
    return sorted((change.path.relative_to(base).as_posix(), change) for change in changes)
