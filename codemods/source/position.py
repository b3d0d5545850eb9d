"""Where something stands in a text."""

from __future__ import annotations

import ast
import re

from msgspec import Struct

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


class Span(Struct, frozen=True, order=True):
    """A stretch of source text.

    Lines count from 1. Columns count from 0 and in *characters*: ``ast`` counts UTF-8 bytes, so
    :func:`span_of` converts. The end is exclusive.
    """

    line: int
    column: int
    end_line: int
    end_column: int


def split_lines(text: str) -> list[str]:
    r"""Split ``text`` into lines as Python's tokenizer counts them, line ends kept.

    Only ``\n``, ``\r\n`` and ``\r`` end a line. ``str.splitlines`` would also split at form feeds
    and Unicode separators, and every position after one of those would be off.
    """
    return _LINE.findall(text)


def character_column(line: str, byte_column: int) -> int:
    """Turn a UTF-8 byte offset within ``line``, as ``ast`` gives it, into a character offset."""
    if line.isascii():
        return byte_column
    return len(line.encode("utf-8")[:byte_column].decode("utf-8"))


def span_of(node: ast.expr | ast.stmt, lines: list[str]) -> Span:
    """Return the span of an ``ast`` node in the text whose :func:`split_lines` are ``lines``."""
    end_line = node.end_lineno or node.lineno
    end_column = node.end_col_offset if node.end_col_offset is not None else node.col_offset
    return Span(
        node.lineno,
        character_column(lines[node.lineno - 1], node.col_offset),
        end_line,
        character_column(lines[end_line - 1], end_column),
    )
