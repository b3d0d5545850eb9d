"""The outline of a text: where its definitions stand, told from indentation, with nothing parsed.

To parse is most of what a scan of a large tree costs, and a mask reaches one definition in seven. So a
file is cut into its definitions by a look at the lines that are not indented, and a class into its
methods by the lines that are indented once. Each piece is parsed when it is first asked for, and what
is left of the text, imports and assignments, at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

# How far the body of a class is indented, where it can be cut into methods.
METHOD_INDENT = " " * 4

_KEYWORD = re.compile(r"(?:(class)|(?:async[ \t]+)?def)[ \t]+(\w+)[ \t]*[\[(:]")
_PLAIN_BASES = re.compile(r"class\s+\w+\s*(?:\(([\w\s.,]*)\))?\s*:")
_STARTS = ("@", "class ", "def ", "async ")
_USUAL = '"""'
_QUOTES = re.compile(r'"""|\'\'\'')
_UNUSUAL_INDENT = re.compile(r"\n(?:\t| {1,3}[^ \n])")
# Comments and closing brackets do not begin a line: they go on with what stands above.
_BEGINS = r"(?=[^\s#)\]}])"
# A pattern that starts with a character is searched for ten times as fast as one that starts with a choice.
_LINE = {indent: re.compile(rf"\n{indent}{_BEGINS}") for indent in ("", METHOD_INDENT)}
_FIRST_LINE = re.compile(_BEGINS)


class Piece(Struct, frozen=True, eq=False):
    """The text of one definition, with its decorators and the comments that follow it.

    Attributes:
        kind: what it defines.
        name: its bare name.
        line: the line of ``class`` or ``def``, from 1.
        first_line: the line on which the text starts: that of the first decorator.
        indent: how far it is indented.
    """

    kind: Literal["class", "def"]
    name: str
    line: int
    first_line: int
    indent: str
    source: str
    start: int
    keyword: int
    end: int

    @property
    def text(self) -> str:
        """The piece itself: whole lines."""
        return self.source[self.start : self.end]

    def plain_bases(self) -> tuple[str, ...] | None:
        """Return the bases of a class where they are nothing but dotted names, else None."""
        found = _PLAIN_BASES.match(self.source, self.keyword, self.end)
        if found is None:
            return None
        written = (base.strip() for base in (found[1] or "").split(","))
        return tuple(re.sub(r"\s+", "", base) for base in written if base)


class Outline(Struct, frozen=True):
    """The definitions of a text in order, and the text without them, lines kept."""

    pieces: tuple[Piece, ...]
    rest: str


def outline(source: str) -> Outline | None:
    """Cut the text of a file into its top-level definitions and all else.

    None means that lines do not tell enough, and the text has to be parsed whole.
    """
    # A carriage return and a form feed end lines for Python in ways that are not worth following.
    return None if "\r" in source or "\f" in source else _cut(source, 0, len(source), "", 1)


def outline_class(piece: Piece) -> Outline | None:
    """Cut a class into its methods and all else, like :func:`outline`."""
    if piece.indent or _UNUSUAL_INDENT.search(piece.source, piece.start, piece.end):
        return None
    return _cut(piece.source, piece.start, piece.end, METHOD_INDENT, piece.first_line)


def _cut(source: str, start: int, end: int, indent: str, line: int) -> Outline | None:
    strings = quoted(source, start, end)
    if strings is None:
        return None
    pieces: list[Piece] = []
    rest: list[str] = []
    for first, last in _spans(source, start, end, indent, strings):
        keyword = _keyword(source, first + len(indent), last, indent)
        if keyword is None:
            return None
        rest.append(source[start:first])
        line += rest[-1].count("\n")
        at = line + source.count("\n", first, keyword.start())
        kind: Literal["class", "def"] = "class" if keyword[1] else "def"
        pieces.append(Piece(kind, keyword[2], at, line, indent, source, first, keyword.start(), last))
        # Lines keep their numbers, and a class of methods alone keeps a body.
        rest.append((f"{indent}pass" if indent else "") + "\n" * source.count("\n", first, last))
        start, line = last, line + source.count("\n", first, last)
    rest.append(source[start:end])
    return Outline(tuple(pieces), "".join(rest))


def _spans(
    source: str, start: int, end: int, indent: str, quoted: list[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield where each definition starts and ends."""
    opened: int | None = None
    decorated = False
    strings = iter(quoted)
    string = next(strings, (end, end))
    for position in _lines(source, start, end, indent):
        while string[1] <= position < end:
            string = next(strings, (end, end + 1))
        if string[0] < position:
            continue
        begins = source.startswith(_STARTS, position)
        if decorated and begins:
            decorated = source[position] == "@"
            continue
        if opened is not None:
            yield opened, position - len(indent)
        opened = position - len(indent) if begins else None
        decorated = begins and source[position] == "@"
    if opened is not None:
        yield opened, end


def _keyword(source: str, position: int, end: int, indent: str) -> re.Match[str] | None:
    """Return where a piece says ``class`` or ``def``, below its decorators."""
    if source[position] != "@":
        return _KEYWORD.match(source, position, end)
    for line in _lines(source, position, end, indent):
        if keyword := _KEYWORD.match(source, line, end):
            return keyword
    return None


def _lines(source: str, start: int, end: int, indent: str) -> Iterator[int]:
    """Yield where lines of this indentation begin, behind it."""
    if start == 0 and not indent and _FIRST_LINE.match(source, 0, end):
        yield 0
    for found in _LINE[indent].finditer(source, start, end):
        yield found.end()


def quoted(source: str, start: int, end: int) -> list[tuple[int, int]] | None:
    """Return where triple-quoted strings start and end; None where one does not end."""
    if source.find("'''", start, end) < 0:
        return _quoted_in_the_usual_way(source, start, end)
    spans: list[tuple[int, int]] = []
    opened: tuple[int, str] | None = None
    for found in _QUOTES.finditer(source, start, end):
        if opened is None:
            opened = found.start(), found[0]
        elif found[0] == opened[1]:
            spans.append((opened[0], found.end()))
            opened = None
    return None if opened is not None else spans


def _quoted_in_the_usual_way(source: str, start: int, end: int) -> list[tuple[int, int]] | None:
    """Return the spans where there is one kind of quotes: most files have no other."""
    spans: list[tuple[int, int]] = []
    opened = source.find(_USUAL, start, end)
    while opened >= 0:
        closed = source.find(_USUAL, opened + 3, end)
        if closed < 0:
            return None
        spans.append((opened, closed + 3))
        opened = source.find(_USUAL, closed + 3, end)
    return spans
