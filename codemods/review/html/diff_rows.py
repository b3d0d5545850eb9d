"""Diffs as rows of a table, with syntax colours."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from markupsafe import Markup
from msgspec import Struct
from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexers.python import PythonLexer

from codemods.review.change import Change
from codemods.rewrite.diff import Hunk, hunks
from codemods.source.problem import printable

_KINDS = {b" ": "same", b"-": "del", b"+": "add"}


class Row(Struct, frozen=True):
    """One line of a diff.

    Attributes:
        kind: ``same``, ``del``, ``add``, or ``hunk`` for the heading of a stretch.
        old: its number in the old file, or nothing; ``new`` in the new one.
        code: its text as HTML.
    """

    kind: str
    old: int | str
    new: int | str
    code: Markup


def rows(change: Change) -> Iterator[Row]:
    """Yield the diff of one file, line by line."""
    for hunk in hunks(change.before, change.after):
        heading = hunk.heading.decode("utf-8", "replace")
        yield Row("hunk", "", "", Markup("line {} {}").format(hunk.start + 1, printable(heading)))
        yield from _rows(hunk)


def _rows(hunk: Hunk) -> Iterator[Row]:
    old_code = iter(_coloured([line for mark, line in hunk.lines if mark != b"+"]))
    new_code = iter(_coloured([line for mark, line in hunk.lines if mark != b"-"]))
    old, new = hunk.start, hunk.new_start
    for mark, _ in hunk.lines:
        code = next(old_code) if mark != b"+" else None
        if mark != b"-":
            code = next(new_code)
        old, new = old + (mark != b"+"), new + (mark != b"-")
        assert code is not None
        yield Row(_KINDS[mark], old if mark != b"+" else "", new if mark != b"-" else "", code)


def _coloured(lines: list[bytes]) -> list[Markup]:
    """Return each line as HTML; the lexer sees them together, for strings go over several lines."""
    text = "\n".join(_visible(line) for line in lines)
    lexer, formatter = _tools()
    return [Markup(line) for line in highlight(text, lexer, formatter).split("\n")][: len(lines)]


def _visible(line: bytes) -> str:
    text = line.decode("utf-8", "replace").rstrip("\n").removesuffix("\r")
    return "\t".join(map(printable, text.split("\t")))


@cache
def _tools() -> tuple[PythonLexer, HtmlFormatter[str]]:
    return PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)


def colours() -> str:
    """Return the styles of the syntax colours, for a light page and for a dark one."""
    light = HtmlFormatter(style="default").get_style_defs(":root[data-theme=light] td.code")  # type: ignore[no-untyped-call]
    dark = HtmlFormatter(style="github-dark").get_style_defs(":root[data-theme=dark] td.code")  # type: ignore[no-untyped-call]
    kept = [line for line in (light + "\n" + dark).splitlines() if "background" not in line]
    return "\n".join(line for line in kept if line.startswith(":root"))
