"""A file's text as mends read it: its lines, their offsets, and what ``ast`` makes of them."""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

from msgspec import Struct

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.maskflow.program.outline import Piece, outline
from codemods.maskflow.program.parsing import parse_piece
from codemods.source.position import character_column, split_lines
from codemods.source.text import dominant_newline

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Text(Struct, frozen=True):
    """A file's text with its lines, its line offsets and its stdlib syntax tree."""

    text: str
    lines: Sequence[str]
    starts: Sequence[int]
    tree: ast.Module

    def offset(self, line: int, column: int) -> int:
        """Return the character offset of a line (from 1) and a column (from 0, in characters)."""
        return self.starts[line - 1] + column

    def after(self, line: int) -> int:
        """Return the offset just behind a line and its line end."""
        return self.starts[line]

    def extent(self, node: ast.expr | ast.stmt | ast.arg) -> tuple[int, int]:
        """Return the character offsets between which a node of the syntax tree stands."""
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return (
            self.offset(node.lineno, character_column(self.lines[node.lineno - 1], node.col_offset)),
            self.offset(end_line, character_column(self.lines[end_line - 1], end_column)),
        )

    def newline(self, line: int | None = None) -> str:
        """Return the line end that ``line`` has; if it has none, or none is named, what most lines have."""
        if line is not None:
            candidate = self.lines[line - 1]
            if end := candidate[len(candidate.rstrip("\r\n")) :]:
                return end
        return dominant_newline(self.text)


@lru_cache(maxsize=4)
def read(text: str) -> Text:
    """Index ``text``; several mends of one file share the work.

    Raises:
        CannotMend: if the text is not valid Python.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise CannotMend(f"the file does not parse: {error}") from error
    lines = split_lines(text)
    return Text(text, lines, [0, *accumulate(map(len, lines))], tree)


@lru_cache(maxsize=8)
def read_outside(text: str) -> Text:
    """Index ``text`` like :func:`read`, for all that stands around classes and functions, such as imports.

    They have nothing in them, but for the first, which shows how the file is indented.

    Raises:
        CannotMend: if the text is not valid Python, as far as it is parsed.
    """
    cut = outline(text)
    if cut is None:
        return read(text)
    try:
        tree = ast.parse(cut.rest)
        first = [parse_piece(piece) for piece in cut.pieces[:1]]
    except (SyntaxError, ValueError) as error:
        raise CannotMend(f"the file does not parse: {error}") from error
    lines = split_lines(text)
    starts = [0, *accumulate(map(len, lines))]
    others = [_emptied(piece, bisect_left(starts, piece.end)) for piece in cut.pieces[1:]]
    tree.body = sorted([*tree.body, *first, *others], key=lambda statement: statement.lineno)
    return Text(text, lines, starts, tree)


def _emptied(piece: Piece, last_line: int) -> ast.stmt:
    """Return a definition with nothing in it, on the lines of its piece."""
    (made,) = ast.parse(f"{piece.kind} {piece.name}(): ...").body
    assert isinstance(made, (ast.ClassDef, ast.FunctionDef))
    made.body, made.lineno, made.end_lineno = [], piece.line, last_line
    if piece.first_line < piece.line:
        made.decorator_list = [ast.Name("_", ast.Load(), lineno=piece.first_line, col_offset=0)]
    return made


def find_function(tree: ast.Module, line: int) -> Function | None:
    """Return the function whose ``def`` or one of whose decorators stands on ``line``."""
    for node in statements_at(tree, line):
        if isinstance(node, Function) and first_line(node) <= line <= node.lineno:
            return node
    return None


def statements_at(tree: ast.Module, line: int) -> Iterator[ast.stmt]:
    """Yield the statements that cover ``line``, outermost first."""
    pending: list[ast.AST] = [tree]
    while pending:
        for child in ast.iter_child_nodes(pending.pop()):
            if isinstance(child, ast.stmt):
                if first_line(child) <= line <= (child.end_lineno or child.lineno):
                    yield child
                    pending.append(child)
            elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
                pending.append(child)


def first_line(statement: ast.stmt) -> int:
    """Return the first line of a statement, its decorators included."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(decorator.lineno for decorator in decorators)])


def starts_its_line(source: Text, statement: ast.stmt) -> bool:
    """Tell whether nothing but indentation stands before ``statement`` on its line."""
    line = source.lines[first_line(statement) - 1]
    indentation = line[: len(line) - len(line.lstrip(" \t\f"))]
    return len(indentation) >= statement.col_offset or bool(getattr(statement, "decorator_list", None))
