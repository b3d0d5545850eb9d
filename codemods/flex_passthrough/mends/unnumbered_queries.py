"""FLEX007: queries that a mask of keys does not number see all keys.

A builder that makes masks of 2-D masks numbers the documents of the keys, and lets a query see its own::

    document_mask = ids[batch, query] == ids[batch, key]

In cross attention queries are of another sequence. Where the mask of the keys is padding, or ends, the query
at that place has no number and sees nothing at all.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec import Struct

from codemods.flex_passthrough.mends.flex_branch import Definition, parameter_names
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.text import find_function, read
from codemods.flex_passthrough.mends.writing.width import indentation
from codemods.rewrite.edit import Edit

_COMMENT = "# Queries of another sequence that the mask of the keys does not number see all of them"
_LENGTHS = ("query_length", "key_length")


class Lookup(Struct, frozen=True):
    """Where a mask function that is not causal looks a query up among the keys.

    Attributes:
        statement: ``same = ids[batch, query] == ids[batch, key]``.
        query: ``ids[batch, query]``.
    """

    statement: ast.Assign
    query: str


def find_lookup(builder: Definition) -> Lookup | None:
    """Return the first look-up of a query that may find nothing."""
    return next(_lookups(builder), None)


def number_all_queries(text: str, function_line: int) -> list[Edit]:
    """Let queries without a number see all keys, and look up no more than there are places.

    Args:
        text: the file.
        function_line: the line of the builder's ``def``.

    Returns:
        The edits; none if all queries see some key.

    Raises:
        CannotMend: if the builder does not lengthen the mask in a way that is known.
    """
    source = read(text)
    builder = find_function(source.tree, function_line)
    if builder is None:
        raise CannotMend(f"line {function_line} holds no def")
    lookup = find_lookup(builder)
    if lookup is None:
        return []
    room = _room(builder)
    if room is None or not set(_LENGTHS) <= set(parameter_names(builder)):
        raise CannotMend(f"{builder.name} does not lengthen its mask in a way that is known")
    start, end = source.extent(room)
    same = ast.unparse(lookup.statement.targets[0])
    last = lookup.statement.end_lineno or lookup.statement.lineno
    depth, newline = indentation(source, lookup.statement.lineno), source.newline(last)
    lines = [_COMMENT, f"{same} = {same} | ({lookup.query} == 0)"]
    below = source.after(last)
    return [
        Edit(start, end, "max(query_length, key_length)"),
        Edit(below, below, "".join(f"{depth}{line}{newline}" for line in lines)),
    ]


def _lookups(builder: Definition) -> Iterator[Lookup]:
    for nested in ast.walk(builder):
        if not isinstance(nested, ast.FunctionDef) or len(nested.args.args) != 4:
            continue
        batch, _, query, key = parameter_names(nested)
        if any(isinstance(node, ast.Call) or _compares(node, query, key) for node in ast.walk(nested)):
            continue  # causal, maybe through another function: queries and keys are of one sequence
        for statement in nested.body:
            looked_up = _looked_up(statement, batch, query, key)
            unnumbered = f"{looked_up} == 0"
            if looked_up and not any(_reads_as(node, unnumbered) for node in ast.walk(nested)):
                assert isinstance(statement, ast.Assign)
                yield Lookup(statement, looked_up)


def _looked_up(statement: ast.stmt, batch: str, query: str, key: str) -> str:
    """Return ``ids[batch, query]`` of ``same = ids[batch, query] == ids[batch, key]``."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Compare):
        return ""
    left = statement.value.left
    if not isinstance(left, ast.Subscript) or not isinstance(statement.targets[0], ast.Name):
        return ""
    ids = ast.unparse(left.value)
    asked = f"{ids}[{batch}, {query}] == {ids}[{batch}, {key}]"
    return ast.unparse(left) if _reads_as(statement.value, asked) else ""


def _reads_as(node: ast.AST, code: str) -> bool:
    return isinstance(node, ast.Compare) and ast.unparse(node) == ast.unparse(ast.parse(code, mode="eval"))


def _compares(node: ast.AST, query: str, key: str) -> bool:
    """Recognize ``query >= key`` and the like."""
    return isinstance(node, ast.Compare) and {
        ast.unparse(side) for side in (node.left, *node.comparators)
    } == {query, key}


def _room(builder: Definition) -> ast.expr | None:
    """Return ``key_length`` of ``mask = torch.nn.functional.pad(mask, value=0, pad=(0, key_length))``."""
    for node in ast.walk(builder):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("functional.pad"):
            given = [*node.args[1:2], *(each.value for each in node.keywords if each.arg == "pad")]
            for room in given:
                if isinstance(room, ast.Tuple) and ast.unparse(room) == "(0, key_length)":
                    return room.elts[1]
    return None
