"""The edits that lie between two texts."""

from __future__ import annotations

from difflib import SequenceMatcher
from itertools import accumulate

from codemods.rewrite.edit import Edit
from codemods.source.position import split_lines


def edits_between(old: str, new: str) -> list[Edit]:
    """Return edits of whole lines that turn ``old`` into ``new``, each as far up as it can be."""
    before, after = split_lines(old), split_lines(new)
    starts = [0, *accumulate(map(len, before))]
    tail = _common(before[::-1], after[::-1])
    head = _common(before[: len(before) - tail], after[: len(after) - tail])
    changed = SequenceMatcher(
        None, before[head : len(before) - tail], after[head : len(after) - tail], autojunk=False
    )
    return [
        Edit(starts[head + i1], starts[head + i2], "".join(after[head + j1 : head + j2]))
        for tag, i1, i2, j1, j2 in changed.get_opcodes()
        if tag != "equal"
    ]


def _common(before: list[str], after: list[str]) -> int:
    """Count the lines with which both begin."""
    pairs = zip(before, after, strict=False)
    return next((n for n, (one, other) in enumerate(pairs) if one != other), min(len(before), len(after)))
