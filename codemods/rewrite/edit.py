"""Edits: replacements of stretches of one text, and how several become a new text."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct


class Edit(Struct, frozen=True, order=True):
    """Replace ``text[start:end]`` (character offsets, end exclusive) by ``replacement``."""

    start: int
    end: int
    replacement: str


class OverlappingEdits(ValueError):
    """Two edits want to change the same characters, and neither leaves them to the other."""


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """Return ``text`` with all ``edits`` applied; everything between them is untouched.

    Equal edits count once, so two findings may ask for the same import. Insertions at one place
    keep their sorted order. Where an edit only puts something around what was there, others may
    change that: they are made in what it puts there.

    Raises:
        OverlappingEdits: if two different edits touch the same characters.
        ValueError: if an edit lies outside the text.
    """
    pieces: list[str] = []
    position = 0
    for edit in nested(text, edits):
        if edit.start < position:
            raise OverlappingEdits(f"two edits overlap at character {edit.start}")
        pieces += (text[position : edit.start], edit.replacement)
        position = edit.end
    pieces.append(text[position:])
    return "".join(pieces)


def nested(text: str, edits: Iterable[Edit]) -> list[Edit]:
    """Return ``edits`` in their order, those within a stretch that another one wraps made in that one.

    Raises:
        OverlappingEdits: if two of those that are made in another one touch the same characters.
        ValueError: if an edit lies outside the text.
    """
    outer: list[Edit] = []
    inner: dict[Edit, list[Edit]] = {}
    for edit in sorted(set(edits), key=lambda each: (each.start, -each.end, each.replacement)):
        if not 0 <= edit.start <= edit.end <= len(text):
            raise ValueError(f"edit {edit.start}:{edit.end} lies outside a text of {len(text)} characters")
        around = next((each for each in reversed(outer) if _wraps(each, edit, text)), None)
        if around is None:
            outer.append(edit)
        else:
            inner.setdefault(around, []).append(edit)
    return sorted(_with(each, inner[each], text) if each in inner else each for each in outer)


def _wraps(outer: Edit, inner: Edit, text: str) -> bool:
    """Whether ``inner`` changes a part of what ``outer`` leaves as it was, once, and only wraps."""
    bounds = (outer.start, outer.end)
    is_within = outer.start <= inner.start and inner.end <= outer.end and bounds != (inner.start, inner.end)
    at_its_edge = inner.start == inner.end and inner.start in bounds
    kept = text[outer.start : outer.end]
    return is_within and not at_its_edge and outer.replacement.count(kept) == 1


def _with(outer: Edit, inner: Iterable[Edit], text: str) -> Edit:
    """Return ``outer`` with ``inner`` made in what it leaves as it was."""
    kept = text[outer.start : outer.end]
    shifted = [Edit(each.start - outer.start, each.end - outer.start, each.replacement) for each in inner]
    return Edit(outer.start, outer.end, outer.replacement.replace(kept, apply_edits(kept, shifted)))
