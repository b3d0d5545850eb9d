"""Taking over what changed between two texts into a third: a three-way merge by lines."""

from __future__ import annotations

from difflib import SequenceMatcher

from codemods.source.position import split_lines


class MergeConflictError(ValueError):
    """Both sides changed the same lines in different ways."""


def take_over(base: str, changed: str, current: str) -> str:
    """Return ``current`` with what changed from ``base`` to ``changed``, and nothing else.

    Args:
        base: the text as a tool made it before an edit.
        changed: the text as the tool made it after the edit.
        current: the text as it stands, which may differ from ``base`` already.

    Raises:
        MergeConflictError: if a changed place is different in ``current`` from what it was in ``base``.
    """
    old, new, ours = split_lines(base), split_lines(changed), split_lines(current)
    place = _places(old, ours)
    result: list[str] = []
    position = 0
    for tag, start, end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        # The line before, the changed lines and the line after have to stand together in `current`.
        first, last = max(start - 1, 0), min(end + 1, len(old))
        found = [place.get(line) for line in range(first, last)]
        known = [at for at in found if at is not None]
        if len(known) != len(found) or known != list(range(known[0], known[0] + len(known)) if known else []):
            raise MergeConflictError(f"line {start + 1} stands differently in the file as it is")
        at = known[0] + (start - first) if known else 0
        if at < position:
            raise MergeConflictError(f"line {start + 1} stands differently in the file as it is")
        result += ours[position:at]
        result += new[new_start:new_end]
        position = at + (end - start)
    return "".join(result + ours[position:])


def _places(old: list[str], ours: list[str]) -> dict[int, int]:
    """Return where each line of ``old`` stands in ``ours``; lines that differ are left out."""
    matches = SequenceMatcher(None, old, ours, autojunk=False).get_matching_blocks()
    return {match.a + offset: match.b + offset for match in matches for offset in range(match.size)}
