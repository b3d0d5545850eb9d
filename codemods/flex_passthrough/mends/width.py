"""How wide a file's lines may be, and how it indents and quotes."""

from __future__ import annotations

import ast
import io
import tokenize

from codemods.flex_passthrough.mends.slices import Text
from codemods.source.position import split_lines

# What formatters are set to: black's default, common round numbers, transformers' 119.
_USUAL = (88, 99, 100, 119, 120)


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
    if all(len(line.rstrip()) <= _USUAL[0] for line in split_lines(text)):
        return _USUAL[0]
    longest = max([end for end in _code_ends(text).values() if end <= _USUAL[-1]], default=0)
    return next(width for width in _USUAL if width >= longest)


def _code_ends(text: str) -> dict[int, int]:
    """Return, for each line whose end a formatter chose, the column at which its code ends."""
    ends: dict[int, int] = {}
    unbroken: set[int] = set()
    strings = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    layout = {tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT}
    try:
        for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
            first, last = token.start[0], token.end[0]
            if token.type in strings:
                if last > first or token.end[1] > _USUAL[0]:
                    unbroken.update(range(first, last + 1))
            elif token.type not in layout:
                ends[last] = token.end[1]
    except (tokenize.TokenError, SyntaxError):
        return {}
    return {line: end for line, end in ends.items() if line not in unbroken}


def indent_unit(source: Text) -> str:
    """Return one step of indentation as the file uses it, four spaces if it has none."""
    for node in ast.walk(source.tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.stmt) and isinstance(body, list) and body[0].lineno > node.lineno:
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
