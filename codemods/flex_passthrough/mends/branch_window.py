"""FLEX004: the BlockMask that a flex branch builds gets the sliding window of the dense mask."""

from __future__ import annotations

import ast
import builtins

from msgspec import Struct

from codemods.flex_passthrough.mends.flex_branch import Definition, find_branch, parameter_names, read_inputs
from codemods.flex_passthrough.mends.window_helper import HELPER
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.late import cst
from codemods.flex_passthrough.mends.writing.layout import Frame, lay_out, lay_out_call
from codemods.flex_passthrough.mends.writing.text import find_function, read
from codemods.flex_passthrough.mends.writing.width import indent_unit, indentation, line_width, quote
from codemods.rewrite.edit import Edit


class Window(Struct, frozen=True):
    """A sliding window, told in the terms of a mask method.

    Attributes:
        prelude: assignments to names that the rest uses.
        conditions: all of these hold where the window applies.
        size: how many keys a query sees, its own included.
    """

    prelude: tuple[str, ...]
    conditions: tuple[str, ...]
    size: str


def slide_built_mask(
    text: str,
    function_line: int,
    builder: str,
    window: Window,
    helper: str = HELPER,
    width: int | None = None,
) -> list[Edit]:
    """Slide what the flex branch has built; a BlockMask that the user gave is left alone.

    Args:
        text: the file.
        function_line: the line of the mask method's ``def``.
        builder: how the method calls the function that builds the BlockMask.
        window: the window of the dense path.
        helper: the name of the function that slides a BlockMask in this file.
        width: how long a line may be; None takes what the file itself shows.

    Returns:
        The edits; none if the branch slides the mask already.

    Raises:
        CannotMend: if there is no such branch, or the window cannot be told there.
    """
    source = read(text)
    function = find_function(source.tree, function_line)
    branch = find_branch(function, builder) if function is not None else None
    if function is None or branch is None:
        raise CannotMend(f"no flex branch there calls {builder}")
    if branch.windowed:
        return []
    _check_names(function, source.tree, window)
    position = read_inputs(function, branch.mask).position

    last_line = branch.build.end_lineno or branch.build.lineno
    depth, unit = indentation(source, branch.build.lineno), indent_unit(source)
    newline = source.newline(last_line)
    frame = Frame(f"{depth}if ", ":", depth, unit, line_width(text, width), newline)
    mark = quote(source)
    lines = [depth + _quoted(statement, mark) for statement in window.prelude]
    inner = depth
    if window.conditions:
        inner = depth + unit
        test = cst.parse_expression(_quoted(" and ".join(window.conditions), mark))
        lines.append(f"{depth}if {lay_out(test, frame, cst.Module([]).code_for_node)}:")
    arguments = [branch.mask, window.size, *([f"query_offset={position}[0]"] if position else [])]
    lines += lay_out_call(f"{inner}{branch.mask} = {helper}", arguments, inner, frame)
    start = source.after(last_line)
    return [Edit(start, start, "".join(line + newline for line in lines))]


def _quoted(code: str, mark: str) -> str:
    return code if mark in code else code.replace("'", mark)


def _check_names(function: Definition, module: ast.Module, window: Window) -> None:
    """Refuse a file in which the window's conditions would use names that are not bound."""
    code = ast.parse("\n".join([*window.prelude, *window.conditions, window.size]))
    used = [node for node in ast.walk(code) if isinstance(node, ast.Name)]
    bound = {node.id for node in used if isinstance(node.ctx, ast.Store)} | set(parameter_names(function))
    unknown = {node.id for node in used} - bound - set(dir(builtins)) - _module_names(module)
    if unknown:
        raise CannotMend(f"{sorted(unknown)[0]}, which decides about the window, is not imported there")


def _module_names(module: ast.Module) -> set[str]:
    """Return what the top level of a module binds, guarded imports and definitions included."""
    names: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    return names | {getattr(statement, "name", "") for statement in module.body}
