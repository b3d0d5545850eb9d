"""How wide a file's lines may be, and how it indents and quotes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from codemods.flex_passthrough.mends.writing.text import Text
from codemods.maskflow.program.outline import quoted
from codemods.source.position import split_lines

# What formatters are set to: black's default, common round numbers, transformers' 119.
_USUAL = (88, 99, 100, 119, 120)

_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|#.*')


def line_width(text: str, configured: int | None = None) -> int:
    """Return how many characters a line of ``text`` may have.

    Args:
        text: the file.
        configured: what the tree's formatter is set to, if that is known.

    Returns:
        ``configured``; otherwise the smallest usual width that holds the file's longest line of
        code, at least 88. Comments and long strings, which formatters do not break, say nothing.
    """
    if configured is not None:
        return configured
    longest = max([end for end in map(_code_end, _long_lines(text)) if end <= _USUAL[-1]], default=0)
    return next(width for width in _USUAL if width >= longest)


def _long_lines(text: str) -> Iterator[str]:
    """Yield the lines that are no short ones, but for those of a string over several lines."""
    strings = iter(quoted(text, 0, len(text)) or ())
    opened, closed = next(strings, (len(text), len(text)))
    start = 0
    for line in split_lines(text):
        end = start + len(line)
        while closed <= start < len(text):
            opened, closed = next(strings, (len(text), len(text)))
        if len(line.rstrip()) > _USUAL[0] and not (opened < end and (opened < start or closed > end)):
            yield line
        start = end


def _code_end(line: str) -> int:
    """Return the column at which a line's code ends; 0 if no formatter chose where that is."""
    code = line
    for found in _STRING_OR_COMMENT.finditer(line):
        if found[0].startswith("#"):
            code = line[: found.start()]
        elif found.end() > _USUAL[0]:
            return 0
    return len(code.rstrip().removesuffix("\\").rstrip())


def indent_unit(source: Text) -> str:
    """Return one step of indentation as the file uses it, four spaces if it has none."""
    for node in ast.walk(source.tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.stmt) and isinstance(body, list) and body and body[0].lineno > node.lineno:
            outer, inner = indentation(source, node.lineno), indentation(source, body[0].lineno)
            if inner.startswith(outer) and inner != outer:
                return inner[len(outer) :]
    return "    "


def indentation(source: Text, line: int) -> str:
    """Return the white space that ``line`` begins with."""
    text = source.lines[line - 1]
    return text[: len(text) - len(text.lstrip(" \t"))]


def quote(source: Text) -> str:
    """Return the quotation mark that the file prefers."""
    return "'" if source.text.count("'") > source.text.count('"') else '"'
