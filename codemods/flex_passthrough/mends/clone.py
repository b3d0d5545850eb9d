"""FLEX006: a captured value is cloned before the function that captures it."""

from __future__ import annotations

import ast

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.text import find_function, first_line, read
from codemods.flex_passthrough.mends.writing.width import indent_unit, indentation
from codemods.rewrite.edit import Edit


def clone_captured(text: str, function_line: int, name: str, torch_name: str = "torch") -> list[Edit]:
    """Clone ``name`` right before the nested function that reads it, where it is a tensor.

    Args:
        text: the file.
        function_line: the line of the ``def`` around the nested function.
        name: what is captured.
        torch_name: the name of the ``torch`` module in this file.

    Returns:
        The edits; none if the value is cloned there.

    Raises:
        CannotMend: if no nested function stands there on lines of its own and reads the name.
    """
    source = read(text)
    outer = find_function(source.tree, function_line)
    nested = next((each for each in outer.body if _reads(each, name)), None) if outer is not None else None
    if outer is None or nested is None:
        raise CannotMend(f"no nested function captures {name} on lines of its own")
    clone = f"{name} = {name}.clone()"
    if any(clone == ast.unparse(node) for node in ast.walk(outer) if isinstance(node, ast.Assign)):
        return []
    line = first_line(nested)
    depth, unit, newline = indentation(source, line), indent_unit(source), source.newline(line)
    lines = [
        "# Whoever owns this tensor may change it in place before the mask function is called",
        f"if isinstance({name}, {torch_name}.Tensor):",
        f"{unit}{clone}",
    ]
    code = "".join(f"{depth}{each}{newline}" for each in lines) + newline
    start = source.offset(line, 0)
    return [Edit(start, start, code)]


def _reads(statement: ast.stmt, name: str) -> bool:
    return isinstance(statement, ast.FunctionDef) and any(
        isinstance(node, ast.Name) and node.id == name for node in ast.walk(statement)
    )
