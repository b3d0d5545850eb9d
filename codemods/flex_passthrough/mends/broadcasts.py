"""FLEX008: what a score function finds by row and head is there for each row and head.

Eager attention adds tensors, and one row or head of them goes to all. A score function of flex attention
looks a single number up::

    score = score + position_bias[batch_idx, head_idx, q_idx, kv_idx]
    score = score + score_mask[batch_idx][0][q_idx][kv_idx]

The first breaks where there is one row for all, and the second gives the first head's numbers to all heads.
Expanded, both are right, and no larger: one row is read for all.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec import Struct

from codemods.flex_passthrough.mends.flex_branch import Definition, parameter_names
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.text import Text, find_function, first_line, read
from codemods.flex_passthrough.mends.writing.width import indent_unit, indentation
from codemods.rewrite.edit import Edit

_COMMENT = "# Eager attention adds one row or one head to all of them: here each finds it in its own place"


class Lookup(Struct, frozen=True):
    """Where a score function looks up what it adds.

    Attributes:
        name: the tensor.
        node: ``name[batch, head, query, key]``, in one step or in four.
        head: the index of the head, where it is 0 for all of them.
        into: what the score function calls its head.
        nested: the score function.
    """

    name: str
    node: ast.Subscript
    head: ast.Constant | None
    into: str
    nested: ast.FunctionDef


def find_lookups(attention: Definition) -> list[Lookup]:
    """Return where score functions look up tensors that may have one row or one head for all."""
    expanded = {
        ast.unparse(node.targets[0])
        for node in ast.walk(attention)
        if isinstance(node, ast.Assign) and ".expand(" in ast.unparse(node.value)
    }
    nested = (node for node in attention.body if isinstance(node, ast.FunctionDef))
    return [found for each in nested for found in _lookups(each) if found.name not in expanded]


def expand_lookups(text: str, function_line: int) -> list[Edit]:
    """Expand the tensors right before the score function that looks them up.

    Args:
        text: the file.
        function_line: the line of the attention function's ``def``: its second parameter is the query.

    Returns:
        The edits; none if nothing is looked up, or all of it is expanded.

    Raises:
        CannotMend: if no such function stands there.
    """
    source = read(text)
    attention = find_function(source.tree, function_line)
    names = parameter_names(attention) if attention is not None else []
    if attention is None or len(names) < 2:
        raise CannotMend(f"line {function_line} holds no attention function")
    lookups = find_lookups(attention)
    edits = []
    for nested in dict.fromkeys(found.nested for found in lookups):
        inner = dict.fromkeys(found.name for found in lookups if found.nested is nested)
        edits.append(_expand(source, attention, nested, list(inner), names[1]))
    for found in lookups:
        if found.head is not None:
            edits.append(Edit(*source.extent(found.head), found.into))
    return edits


def _expand(
    source: Text, attention: Definition, nested: ast.FunctionDef, names: list[str], query: str
) -> Edit:
    line = first_line(nested)
    depth, unit, newline = indentation(source, line), indent_unit(source), source.newline(line)
    lines = [_COMMENT]
    for name in names:
        expanded = f"{name} = {name}.expand(*{query}.shape[:2], -1, -1)"
        asked = any(ast.unparse(node) == f"{name} is not None" for node in ast.walk(attention))
        lines += [f"if {name} is not None:", unit + expanded] if asked else [expanded]
    start = source.offset(line, 0)
    return Edit(start, start, "".join(f"{depth}{each}{newline}" for each in lines) + newline)


def _lookups(nested: ast.FunctionDef) -> Iterator[Lookup]:
    names = parameter_names(nested)
    if len(names) != 5:  # score, batch, head, query, key
        return
    _, batch, head, query, key = names
    for node in ast.walk(nested):
        base, indexes = _taken_apart(node)
        if base is None or base in names or len(indexes) != 4 or not isinstance(node, ast.Subscript):
            continue
        row, of_head, *places = indexes
        first = of_head if isinstance(of_head, ast.Constant) and of_head.value == 0 else None
        if [ast.unparse(each) for each in (row, *places)] != [batch, query, key]:
            continue
        if first is not None or ast.unparse(of_head) == head:
            yield Lookup(base, node, first, head, nested)


def _taken_apart(node: ast.AST) -> tuple[str | None, list[ast.expr]]:
    """Return ``x`` and ``[a, b, c, d]`` of ``x[a][b][c][d]`` or ``x[a, b, c, d]``."""
    indexes: list[ast.expr] = []
    while isinstance(node, ast.Subscript):
        given = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        indexes = [*given, *indexes]
        node = node.value
    return (node.id if isinstance(node, ast.Name) else None), indexes
