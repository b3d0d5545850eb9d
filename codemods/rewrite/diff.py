r"""Diffs as git writes them, exact to the byte.

Lines end with ``\n`` and nothing else, as they do for git and ``patch``: a carriage return or a form
feed is a byte like any other, and no encoding is asked for.
"""

from __future__ import annotations

import io
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from msgspec import Struct

_CONTEXT = 3
# Comparing two stretches of so many lines each is quick; beyond, one replaces the other whole.
_COMPARED_LINES = 200
_DEFINITION = re.compile(rb"[ \t]*((?:class|(?:async[ \t]+)?def)[ \t].*)")
_HEADING_BYTES = 80
_ESCAPES = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}


def unified_diff(name: str, before: bytes, after: bytes) -> bytes:
    """Return the patch that turns ``before`` into ``after``, nothing if they are equal.

    ``git apply`` and ``patch -p1`` reproduce ``after`` exactly. Patches of several files may be
    joined to one.

    Args:
        name: the file's path from where the patch will be applied, with ``/`` between folders.
        before: the bytes of the file as it is.
        after: its bytes as they shall be.
    """
    if before == after:
        return b""
    old_name, new_name = _quoted(f"a/{name}"), _quoted(f"b/{name}")
    end = b"\t\n" if " " in name else b"\n"
    patch = [
        b"diff --git " + old_name + b" " + new_name + b"\n",
        b"--- " + old_name + end,
        b"+++ " + new_name + end,
    ]
    for hunk in hunks(before, after):
        patch += _written(hunk)
    return b"".join(patch)


class Hunk(Struct, frozen=True):
    """One stretch of lines that differ, with the lines around them.

    Attributes:
        start: the first line of it in the old text, counted from 0; ``new_start`` in the new one.
        end: the line after its last in the old text; ``new_end`` in the new one.
        heading: the definition that it begins in, or nothing.
        lines: each with its mark: ``b" "`` in both texts, ``b"-"`` only in the old, ``b"+"`` in the new.
    """

    start: int
    end: int
    new_start: int
    new_end: int
    heading: bytes
    lines: tuple[tuple[bytes, bytes], ...]


def hunks(before: bytes, after: bytes) -> Iterator[Hunk]:
    """Yield what differs, in order, as :func:`unified_diff` shows it."""
    old, new = _lines(before), _lines(after)
    for changes in _grouped(_changes(old, new)):
        first, last = changes[0], changes[-1]
        above = min(_CONTEXT, first.start)
        below = min(_CONTEXT, len(old) - last.end)
        start, end = first.start - above, last.end + below
        yield Hunk(
            start,
            end,
            first.new_start - above,
            last.new_end + below,
            _heading(old, start),
            tuple(_marked(changes, old, new, start, end)),
        )


def _lines(data: bytes) -> list[bytes]:
    return io.BytesIO(data).readlines()


class _Change(Struct, frozen=True):
    """``old[start:end]`` becomes ``new[new_start:new_end]``."""

    start: int
    end: int
    new_start: int
    new_end: int


def _changes(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[_Change]:
    """Yield what differs, in order.

    Lines that both texts have exactly once hold them together, and only what lies between these is
    compared line by line. So a small edit is quickly found in a large file, and blank lines and
    closing brackets are not matched across functions.
    """
    start, new_start = 0, 0
    for end, new_end in [*_anchors(old, new), (len(old), len(new))]:
        if start < end or new_start < new_end:
            yield from _changes_between(old, new, start, end, new_start, new_end)
        start, new_start = end + 1, new_end + 1


def _anchors(old: Sequence[bytes], new: Sequence[bytes]) -> list[tuple[int, int]]:
    """Return pairs of line numbers that belong together, rising on both sides."""
    counts, new_counts = Counter(old), Counter(new)
    new_numbers = {line: number for number, line in enumerate(new)}
    pairs = [
        (number, new_numbers[line])
        for number, line in enumerate(old)
        if counts[line] == 1 and new_counts[line] == 1
    ]
    return _longest_rise(pairs)


def _longest_rise(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest part of ``pairs``, rising in its first numbers, that rises in its second."""
    lowest_ends: list[int] = []  # by length of rise, the lowest second number that it can end with
    ends: list[int] = []  # where in ``pairs`` that rise ends
    previous: list[int] = []
    for index, (_, number) in enumerate(pairs):
        length = bisect_left(lowest_ends, number)
        lowest_ends[length : length + 1] = [number]
        ends[length : length + 1] = [index]
        previous.append(ends[length - 1] if length else -1)
    rise: list[tuple[int, int]] = []
    index = ends[-1] if ends else -1
    while index >= 0:
        rise.append(pairs[index])
        index = previous[index]
    return rise[::-1]


def _changes_between(
    old: Sequence[bytes], new: Sequence[bytes], start: int, end: int, new_start: int, new_end: int
) -> Iterator[_Change]:
    """Yield what differs between ``old[start:end]`` and ``new[new_start:new_end]``."""
    while start < end and new_start < new_end and old[start] == new[new_start]:
        start, new_start = start + 1, new_start + 1
    while start < end and new_start < new_end and old[end - 1] == new[new_end - 1]:
        end, new_end = end - 1, new_end - 1
    if start == end and new_start == new_end:
        return
    if start == end or new_start == new_end or max(end - start, new_end - new_start) > _COMPARED_LINES:
        yield _Change(start, end, new_start, new_end)
        return
    matcher = SequenceMatcher(None, old[start:end], new[new_start:new_end], autojunk=False)
    for tag, i, j, new_i, new_j in matcher.get_opcodes():
        if tag != "equal":
            yield _Change(start + i, start + j, new_start + new_i, new_start + new_j)


def _grouped(changes: Iterator[_Change]) -> Iterator[list[_Change]]:
    """Yield the changes of each hunk: those whose lines of context meet share one."""
    hunk: list[_Change] = []
    for change in changes:
        if hunk and change.start - hunk[-1].end > 2 * _CONTEXT:
            yield hunk
            hunk = []
        hunk.append(change)
    if hunk:
        yield hunk


def _marked(
    changes: list[_Change], old: Sequence[bytes], new: Sequence[bytes], start: int, end: int
) -> Iterator[tuple[bytes, bytes]]:
    """Yield the lines of a hunk that goes from ``start`` to ``end`` in the old text."""
    for change in changes:
        yield from ((b" ", line) for line in old[start : change.start])
        yield from ((b"-", line) for line in old[change.start : change.end])
        yield from ((b"+", line) for line in new[change.new_start : change.new_end])
        start = change.end
    yield from ((b" ", line) for line in old[start:end])


def _written(hunk: Hunk) -> Iterator[bytes]:
    """Yield the lines of ``hunk`` in a patch, its header first."""
    ranges = f"-{_range(hunk.start, hunk.end)} +{_range(hunk.new_start, hunk.new_end)}"
    yield f"@@ {ranges} @@".encode() + (b" " + hunk.heading if hunk.heading else b"") + b"\n"
    for mark, line in hunk.lines:
        yield mark + line if line.endswith(b"\n") else mark + line + b"\n\\ No newline at end of file\n"


def _range(start: int, end: int) -> str:
    """Write the lines ``start`` to ``end``, counted from 0, as a hunk's header does."""
    if start == end:
        return f"{start},0"
    return f"{start + 1}" if end - start == 1 else f"{start + 1},{end - start}"


def _heading(old: Sequence[bytes], start: int) -> bytes:
    """Return the definition that the line ``start`` stands in, for the end of a hunk's header."""
    for number in range(start - 1, -1, -1):
        found = _DEFINITION.match(old[number])
        if found:
            heading = found[1].rstrip()[:_HEADING_BYTES]
            return heading.decode("utf-8", "ignore").encode()  # a cut may have split a character
    return b""


def _quoted(name: str) -> bytes:
    """Return ``name`` as git writes it: in quotes and escaped if anything in it is out of the ordinary."""
    data = name.encode("utf-8", "surrogateescape")
    if all(0x20 <= byte < 0x7F and byte not in b'"\\' for byte in data):
        return data
    return ('"' + "".join(map(_escaped, data)) + '"').encode()


def _escaped(byte: int) -> str:
    if byte in _ESCAPES:
        return "\\" + _ESCAPES[byte]
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"
