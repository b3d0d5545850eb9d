"""The part of a file that a mend looks at, parsed with LibCST without parsing the rest.

LibCST reads about 0.8 MB a second and the stdlib's ``ast`` many times that. So ``ast`` finds the
lines of one function, and only those go through LibCST.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from codemods.flex_passthrough.mends.cannot import CannotMend
from codemods.maskflow.definitions import in_order
from codemods.maskflow.outline import Piece, outline
from codemods.source.position import Span, character_column, split_lines
from codemods.source.text import dominant_newline

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Text:
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
def top_level(text: str) -> list[ast.stmt | Piece]:
    """Return what stands at the top level of a file, in order; of its definitions, where they stand.

    Raises:
        CannotMend: if the text is not valid Python, as far as it is parsed.
    """
    cut = outline(text)
    if cut is None:
        return list(read(text).tree.body)
    try:
        body = ast.parse(cut.rest).body
    except (SyntaxError, ValueError) as error:
        raise CannotMend(f"the file does not parse: {error}") from error
    return list(in_order(body, cut.pieces))


@dataclass(frozen=True)
class Slice:
    """Whole lines of a file, parsed as if they stood alone.

    Indented lines are parsed below an ``if 1:`` of our own, so that their indentation stays what it
    is. ``module`` gives exactly the lines' text back.
    """

    source: Text
    first_line: int
    module: cst.Module
    positions: Mapping[cst.CSTNode, CodeRange]
    header_lines: int

    def span(self, node: cst.CSTNode) -> Span:
        """Return where ``node`` stands in the file, its own parentheses left out."""
        position = self.positions[node]
        shift = self.first_line - 1 - self.header_lines
        return Span(
            position.start.line + shift,
            position.start.column,
            position.end.line + shift,
            position.end.column,
        )

    def offsets(self, node: cst.CSTNode) -> tuple[int, int]:
        """Return the character offsets of ``node`` in the file, its own parentheses left out."""
        span = self.span(node)
        return (
            self.source.offset(span.line, span.column),
            self.source.offset(span.end_line, span.end_column),
        )

    def code(self, node: cst.CSTNode) -> str:
        """Return the source of ``node``, its own parentheses included."""
        return self.module.code_for_node(node)


def slice_lines(source: Text, first_line: int, last_line: int) -> Slice:
    """Parse the lines from ``first_line`` to ``last_line``, which hold whole statements.

    Raises:
        CannotMend: if LibCST cannot parse them or would not give the same text back.
    """
    lines = source.lines[first_line - 1 : last_line]
    indented = lines[0][:1] in (" ", "\t")
    header = f"if 1:{source.newline(first_line)}" if indented else ""
    text = header + "".join(lines)
    try:
        module = cst.parse_module(text)
    except cst.ParserSyntaxError as error:
        raise CannotMend(f"LibCST cannot parse lines {first_line} to {last_line}") from error
    if module.code != text:
        raise CannotMend(f"LibCST does not reproduce lines {first_line} to {last_line}")
    wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
    return Slice(source, first_line, module, wrapper.resolve(PositionProvider), 1 if header else 0)


def slice_function(source: Text, line: int) -> tuple[Slice, cst.FunctionDef]:
    """Parse the function whose ``def`` (or one of whose decorators) stands on ``line``.

    Raises:
        CannotMend: if there is none.
    """
    function = find_function(source.tree, line)
    if function is None:
        raise CannotMend(f"line {line} holds no def")
    part = slice_lines(source, first_line(function), function.end_lineno or function.lineno)
    node = part.module.body[0]
    if part.header_lines:
        assert isinstance(node, cst.If)
        node = node.body.body[0]  # type: ignore[assignment]
    assert isinstance(node, cst.FunctionDef)
    return part, node


def slice_around(source: Text, span: Span) -> Slice:
    """Parse the innermost statement that holds ``span`` and stands on lines of its own.

    Raises:
        CannotMend: if no statement holds it.
    """
    for statement in reversed(list(statements_at(source.tree, span.line))):
        line, last_line = first_line(statement), statement.end_lineno or statement.lineno
        if last_line >= span.end_line and starts_its_line(source, statement) and not _is_elif(source, line):
            return slice_lines(source, line, last_line)
    raise CannotMend(f"no statement holds line {span.line}")


def _is_elif(source: Text, line: int) -> bool:
    return source.lines[line - 1].lstrip().startswith("elif")


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
