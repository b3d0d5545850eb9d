"""The part of a file that a mend looks at, parsed with LibCST without parsing the rest.

LibCST reads about 0.8 MB a second and the stdlib's ``ast`` many times that. So ``ast`` finds the
lines of one function, and only those go through LibCST.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.late import cst, metadata
from codemods.flex_passthrough.mends.writing.text import (
    Text,
    find_function,
    first_line,
    starts_its_line,
    statements_at,
)
from codemods.source.position import Span


class Slice(Struct, frozen=True):
    """Whole lines of a file, parsed as if they stood alone.

    Indented lines are parsed below an ``if 1:`` of our own, so that their indentation stays what it
    is. ``module`` gives exactly the lines' text back.
    """

    source: Text
    first_line: int
    module: cst.Module
    positions: Mapping[cst.CSTNode, metadata.CodeRange]
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
    wrapper = metadata.MetadataWrapper(module, unsafe_skip_copy=True)
    return Slice(source, first_line, module, wrapper.resolve(metadata.PositionProvider), 1 if header else 0)


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
