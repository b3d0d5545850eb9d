"""FLEX003: a call gets one more argument, laid out as the others are."""

from __future__ import annotations

import ast

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.text import read
from codemods.flex_passthrough.mends.writing.width import indent_unit, indentation, line_width
from codemods.rewrite.edit import Edit
from codemods.source.position import Span, span_of


def pass_argument(text: str, call: Span, argument: str, width: int | None = None) -> Edit:
    """Return the edit that adds ``argument`` behind the last one of a call.

    Args:
        text: the file.
        call: where the call stands; its arguments are on one line, or each on one of its own.
        argument: ``name=value``.
        width: how long a line may be; None takes what the file itself shows.

    Raises:
        CannotMend: if the call has no arguments or is laid out in another way.
    """
    source = read(text)
    lines = list(source.lines)
    found = (each for each in ast.walk(source.tree) if isinstance(each, ast.Call))
    node = next((each for each in found if span_of(each, lines) == call), None)
    if node is None or node.args or not all(each.arg for each in node.keywords):
        raise CannotMend(f"no call with keywords only stands at line {call.line}")
    last = node.keywords[-1]
    end = span_of(last.value, lines)
    offset = source.offset(end.end_line, end.end_column)
    own_line = source.lines[last.value.lineno - 1].lstrip().startswith(f"{last.arg}=")
    if own_line and call.end_line > end.end_line:
        newline, depth = source.newline(end.end_line), indentation(source, last.value.lineno)
        return Edit(offset, offset, f",{newline}{depth}{argument}")
    line = source.lines[end.end_line - 1].rstrip("\r\n")
    if len(line) + len(f", {argument}") <= line_width(text, width):
        return Edit(offset, offset, f", {argument}")
    if call.line != call.end_line or not line.endswith(")"):
        raise CannotMend(f"the call at line {call.line} has no room for one more argument")
    newline, depth = source.newline(call.line), indentation(source, call.line)
    begin = source.extent(node.func)[1] + 1
    inner = f"{newline}{depth}{indent_unit(source)}"
    values = [(each.arg, text[slice(*source.extent(each.value))]) for each in node.keywords]
    arguments = [f"{name}={value}" for name, value in values] + [argument]
    if len(inner) - len(newline) + len(", ".join(arguments)) <= line_width(text, width):
        return Edit(begin, offset, f"{inner}{', '.join(arguments)}{newline}{depth}")
    return Edit(begin, offset, "".join(f"{inner}{each}," for each in arguments) + f"{newline}{depth}")
