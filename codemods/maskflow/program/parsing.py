"""Parsing: text to syntax trees, fast, and with one clear line where it fails."""

from __future__ import annotations

import ast
import gc

from codemods.maskflow.program.outline import Piece
from codemods.source.problem import Problem, SourceError
from codemods.source.text import SourceFile

# What ``ast.parse`` raises for text that this interpreter does not take.
NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError)


def parse(source: SourceFile) -> ast.Module:
    """Parse a file's text.

    Raises:
        SourceError: if it is not Python that this interpreter understands.
    """
    try:
        return parse_text(source.text)
    except SyntaxError as error:
        line, column = error.lineno or 1, max(error.offset or 1, 1)
        raise SourceError(
            Problem(source.name, line, column, f"does not parse: {error.msg}; the file was left alone")
        ) from None
    except (RecursionError, MemoryError, ValueError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise SourceError(
            Problem(source.name, 1, 1, f"does not parse: {reason}; the file was left alone")
        ) from None


def parse_piece(piece: Piece, text: str | None = None) -> ast.stmt:
    """Parse a definition, or the ``text`` that is left of it, with lines and columns those of the file.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: as :func:`ast.parse` does.
    """
    text = piece.text if text is None else text
    if not piece.indent:
        return parse_text("\n" * (piece.first_line - 1) + text).body[0]
    block = parse_text("\n" * (piece.first_line - 2) + "if 1:\n" + text).body[0]
    assert isinstance(block, ast.If)
    return block.body[0]


def parse_text(text: str) -> ast.Module:
    """Parse ``text`` with the garbage collector off.

    Parsing allocates many objects and frees none: to collect meanwhile costs four times the work.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text)
    finally:
        if enabled:
            gc.enable()
