"""FLEX001: a mask method hands a BlockMask back before it does anything with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.late import cst, m
from codemods.flex_passthrough.mends.writing.slices import Slice, slice_function
from codemods.flex_passthrough.mends.writing.text import Text, read
from codemods.flex_passthrough.mends.writing.width import indent_unit, indentation, quote
from codemods.rewrite.edit import Edit


def insert_passthrough(
    text: str,
    function_line: int,
    mask: str,
    implementation: str | None,
    block_mask: str = "BlockMask",
    start: int = 0,
    available: str | None = None,
) -> list[Edit]:
    """Make the function return its mask at once when that is a BlockMask.

    The guard is the first statement after the docstring, or it follows an early return for flash
    attention, as in transformers' own Llama.

    Args:
        text: the file.
        function_line: the line of the function's ``def`` or of one of its decorators.
        mask: the parameter that holds the mask.
        implementation: the expression by which the function asks for its attention implementation,
            such as ``self.config._attn_implementation``. None leaves that question out, for trees
            where ``BlockMask`` is always bound.
        block_mask: the name that the class has in this file.
        start: the statement of the body, counted from 0, that the guard goes before: where a converter
            put in the body of another method. 0 for the first one that is no docstring.
        available: without ``implementation``, the call that tells whether ``BlockMask`` is bound at
            all; None where it always is.

    Returns:
        The edits; none if the function has the guard.

    Raises:
        CannotMend: if there is no such function, or returning the mask cannot be its result.
    """
    source = read(text)
    part, function = slice_function(source, function_line)
    _check(function, mask)
    if _has_guard(function, mask, block_mask):
        return []

    line = part.span(function.name).line
    newline, unit, mark = source.newline(line), indent_unit(source), quote(source)
    guard = [f"if isinstance({mask}, {block_mask}):", f"{unit}return {mask}"]
    question = f"{implementation} == {mark}flex_attention{mark}" if implementation is not None else available
    if question is not None:
        guard = [f"if {question}:", *(unit + each for each in guard)]
    if isinstance(function.body, cst.SimpleStatementSuite):
        return [_open_suite(part, function, guard)]

    body = function.body.body
    depth = indentation(source, _first_line(part, body[0]))
    code = "".join(f"{depth}{each}{newline}" for each in guard)
    position = start or (1 if _is_docstring(body[0]) else 0)
    follows_flash = position < len(body) and _returns_for_flash_attention(body[position])
    if follows_flash:
        position += 1
    if position == len(body):
        return [_append(source, part.span(body[-1]).end_line, code, newline)]

    next_line = _first_line(part, body[position])
    insert_line = _first_line_between(source, next_line, depth)
    if position and not follows_flash:
        # A blank line after the docstring stays where it is.
        while not source.lines[insert_line - 1].strip():
            insert_line += 1
    if source.lines[insert_line - 1].strip():
        code += newline
    start = source.offset(insert_line, 0)
    return [Edit(start, start, code)]


def _open_suite(part: Slice, function: cst.FunctionDef, guard: Sequence[str]) -> Edit:
    """Move a body that stands on the line of its ``def`` below the guard."""
    source = part.source
    first = function.body.body[0]
    start, _ = part.offsets(first)
    line = part.span(first).line
    header_end = len(source.text[:start].rstrip())
    newline = source.newline(line)
    depth = indentation(source, _first_line(part, function)) + indent_unit(source)
    if _is_docstring(first):
        raise CannotMend(f"the docstring of {function.name.value} stands on the line of its def")
    lines = [*guard, "", ""]
    return Edit(
        header_end, start, newline + newline.join(depth + each if each else "" for each in lines) + depth
    )


def _append(source: Text, line: int, code: str, newline: str) -> Edit:
    """Add whole lines after ``line``, which may be a last line without a line end."""
    end = source.after(line)
    if not source.lines[line - 1].endswith(("\n", "\r")):
        return Edit(end, end, newline + code.removesuffix(newline))
    return Edit(end, end, code)


def _first_line(part: Slice, statement: cst.CSTNode) -> int:
    """Return the first line of a statement, its decorators included."""
    decorators: Sequence[cst.Decorator] = getattr(statement, "decorators", ())
    return part.span(decorators[0] if decorators else statement).line


def _first_line_between(source: Text, line: int, depth: str) -> int:
    """Return the first of the blank and comment lines just above ``line``, or ``line``.

    Comments that are indented deeper belong to the block above.
    """
    first = line
    while not (above := source.lines[first - 2].strip()) or above.startswith("#"):
        first -= 1
    while source.lines[first - 1].strip() and len(indentation(source, first)) > len(depth):
        first += 1
    return first


def _check(function: cst.FunctionDef, mask: str) -> None:
    """Refuse a function whose result a mask cannot be."""
    parameters = m.findall(function.params, m.Param(name=m.Name(mask)))
    if not parameters:
        raise CannotMend(f"{function.name.value} has no parameter {mask}")
    for node in _own_nodes(function.body):
        if isinstance(node, cst.Yield):
            raise CannotMend(f"{function.name.value} is a generator")
        if isinstance(node, cst.Return) and isinstance(node.value, cst.Tuple):
            raise CannotMend(f"{function.name.value} returns more than the mask")


def _own_nodes(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Yield the nodes below ``node`` that do not belong to an inner function or class."""
    for child in node.children:
        yield child
        if not isinstance(child, (cst.FunctionDef, cst.Lambda, cst.ClassDef)):
            yield from _own_nodes(child)


def _has_guard(function: cst.FunctionDef, mask: str, block_mask: str) -> bool:
    """Whether the guard stands in the body before anything else is done with the mask."""
    for statement in function.body.body:
        if _is_guard(statement, mask, block_mask):
            return True
        if _uses(statement, mask) and not _returns_for_flash_attention(statement):
            return False
    return False


def _uses(statement: cst.CSTNode, mask: str) -> bool:
    """Whether a statement does more with the mask than to ask whether it is None."""
    none = m.ComparisonTarget(operator=m.Is() | m.IsNot(), comparator=m.Name("None"))
    asked = m.findall(statement, m.Comparison(left=m.Name(mask), comparisons=[none]))
    return len(m.findall(statement, m.Name(mask))) > len(asked)


def _is_guard(statement: cst.CSTNode, mask: str, block_mask: str) -> bool:
    """Recognize ``if isinstance(mask, BlockMask): return mask``, alone or directly in another if.

    Other statements may stand before the ``return``, unless they do something with the mask.
    """
    if not isinstance(statement, cst.If):
        return False
    expected = cst.parse_expression(f"isinstance({mask}, {block_mask})")
    if statement.test.deep_equals(expected):
        *before, last = statement.body.body
        returns = m.matches(last, m.Return(m.Name(mask)) | _line(m.Return(m.Name(mask))))
        return returns and not any(m.findall(each, m.Name(mask)) for each in before)
    return any(_is_guard(inner, mask, block_mask) for inner in statement.body.body)


def _returns_for_flash_attention(statement: cst.CSTNode) -> bool:
    """Recognize an ``if`` that asks for flash attention only and always leaves the function."""
    implementation = m.Attribute(attr=m.Name("_attn_implementation")) | m.Name("attn_implementation")
    test = m.Comparison(
        left=implementation,
        comparisons=[
            m.ComparisonTarget(
                operator=m.Equal(),
                comparator=m.SimpleString(value=m.MatchIfTrue(lambda value: "flash_attention" in value)),
            )
        ],
    )
    leave = m.Return() | m.Raise() | _line(m.Return()) | _line(m.Raise())
    return (
        isinstance(statement, cst.If)
        and statement.orelse is None
        and m.matches(statement.test, test)
        and m.matches(statement.body.body[-1], leave)
    )


def _line(small: m.BaseSmallStatementMatchType) -> m.SimpleStatementLine:
    """Match a line that ends with the ``small`` statement."""
    return m.SimpleStatementLine(body=[m.ZeroOrMore(), small])


def _is_docstring(statement: cst.CSTNode) -> bool:
    docstring = m.Expr(m.SimpleString() | m.ConcatenatedString())
    return m.matches(statement, docstring | m.SimpleStatementLine(body=[docstring, m.ZeroOrMore()]))
