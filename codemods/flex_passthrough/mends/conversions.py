"""FLEX002: a mask is converted if it is a tensor, and is itself if it is not."""

from __future__ import annotations

import ast

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.text import Text, read, statements_at
from codemods.flex_passthrough.mends.writing.width import indent_unit, indentation, line_width
from codemods.rewrite.edit import Edit, apply_edits
from codemods.source.position import Span, span_of

_BRACKETED = (ast.Dict, ast.DictComp, ast.List, ast.ListComp, ast.Set, ast.SetComp)


def convert_tensors_only(
    text: str, choice: Span, mask: str, torch_name: str = "torch", width: int | None = None
) -> list[Edit]:
    """Turn ``mask.to(...) if mask is not None else None`` into a choice that keeps a BlockMask.

    It reads ``mask.to(...) if isinstance(mask, torch.Tensor) else mask`` afterwards: the same for a
    tensor and for None. A line that gets too long is opened.

    Args:
        text: the file.
        choice: where the conditional expression stands.
        mask: the expression that holds the mask, usually a name.
        torch_name: the name of the ``torch`` module in this file.
        width: how long a line may be; None takes what the file itself shows.

    Returns:
        The edits.

    Raises:
        CannotMend: if no such choice stands at ``choice``.
    """
    source = read(text)
    node = next((each for each in ast.walk(source.tree) if _stands_at(source, each, choice)), None)
    if not isinstance(node, ast.IfExp) or ast.unparse(node.test) != f"{mask} is not None":
        raise CannotMend(f"no choice by `{mask} is not None` stands at line {choice.line}")
    edits = [
        _replace(source, node.test, f"isinstance({mask}, {torch_name}.Tensor)"),
        _replace(source, node.orelse, mask),
    ]
    opened = _open_bracket(source, node, edits, line_width(text, width))
    return [opened] if opened is not None else edits


def _stands_at(source: Text, node: ast.AST, span: Span) -> bool:
    return isinstance(node, ast.IfExp) and span_of(node, list(source.lines)) == span


def _offsets(source: Text, node: ast.expr) -> tuple[int, int]:
    span = span_of(node, list(source.lines))
    return source.offset(span.line, span.column), source.offset(span.end_line, span.end_column)


def _replace(source: Text, node: ast.expr, code: str) -> Edit:
    return Edit(*_offsets(source, node), code)


def _open_bracket(source: Text, choice: ast.IfExp, edits: list[Edit], width: int) -> Edit | None:
    """Give the content of a bracket a line of its own, as black does, where one line is too short.

    A choice that stands alone gets parentheses for that.
    """
    line = choice.lineno
    growth = sum(len(edit.replacement) - (edit.end - edit.start) for edit in edits)
    if choice.end_lineno != line or len(source.lines[line - 1].rstrip("\r\n")) + growth <= width:
        return None
    statement = list(statements_at(source.tree, line))[-1]
    value = getattr(statement, "value", None)
    if (statement.lineno, statement.end_lineno) != (line, line):
        return None
    bare = value is choice
    if bare:
        start, end = _offsets(source, choice)
    elif isinstance(value, _BRACKETED):
        start, end = _offsets(source, value)
        start, end = start + 1, end - 1
    else:
        return None
    inner = apply_edits(source.text, edits)[start : end + growth]
    depth, newline = indentation(source, line), source.newline(line)
    within = f"{newline}{depth}{indent_unit(source)}"
    if bare and len(depth) + len(indent_unit(source)) + len(inner) > width:
        inner = _one_part_a_line(source, choice, edits, within)
    broken = f"{within}{inner}{newline}{depth}"
    return Edit(start, end, f"({broken})" if bare else broken)


def _one_part_a_line(source: Text, choice: ast.IfExp, edits: list[Edit], within: str) -> str:
    """Write the value, the test and the other value below each other."""
    body, (test, orelse) = source.text[slice(*_offsets(source, choice.body))], edits
    return f"{body}{within}if {test.replacement}{within}else {orelse.replacement}"
