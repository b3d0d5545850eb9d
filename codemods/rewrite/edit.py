"""Edits: replacements of stretches of one text, and how several become a new text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Edit:
    """Replace ``text[start:end]`` (character offsets, end exclusive) by ``replacement``."""

    start: int
    end: int
    replacement: str


class OverlappingEdits(ValueError):
    """Two edits want to change the same characters in different ways."""


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return ``text`` with all ``edits`` applied; everything between them is untouched.

    Equal edits count once, so two findings may ask for the same import. Insertions at one place
    keep their sorted order.

    Raises:
        OverlappingEdits: if two different edits touch the same characters.
        ValueError: if an edit lies outside the text.
    """
    pieces: list[str] = []
    position = 0
    for edit in sorted(set(edits)):
        if not 0 <= edit.start <= edit.end <= len(text):
            raise ValueError(f"edit {edit.start}:{edit.end} lies outside a text of {len(text)} characters")
        if edit.start < position:
            raise OverlappingEdits(f"two edits overlap at character {edit.start}")
        pieces += (text[position : edit.start], edit.replacement)
        position = edit.end
    pieces.append(text[position:])
    return "".join(pieces)
