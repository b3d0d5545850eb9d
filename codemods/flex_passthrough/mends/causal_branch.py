"""FLEX003: the BlockMask of a flex branch is causal, with a cache and without a mask too."""

from __future__ import annotations

import ast

from msgspec.structs import replace

from codemods.flex_passthrough.mends.flex_branch import Definition, FlexBranch, find_branch, read_inputs
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.late import cst
from codemods.flex_passthrough.mends.writing.layout import Frame, lay_out, lay_out_call
from codemods.flex_passthrough.mends.writing.text import Text, find_function, read
from codemods.flex_passthrough.mends.writing.width import indent_unit, indentation, line_width
from codemods.rewrite.edit import Edit


def tell_of_cache(text: str, function_line: int, builder: str, width: int | None = None) -> list[Edit]:
    """Tell the builder how many queries and keys there are, and where the queries begin.

    A cache that grows has no length of its own: the builder then takes the length of the 2-D mask,
    which covers all keys. A 4-D mask, such as generation makes for a cache of fixed length, is no
    longer given to the builder, which reads 2-D masks only.

    Args:
        text: the file.
        function_line: the line of the mask method's ``def``.
        builder: how the method calls the function that builds the BlockMask.
        width: how long a line may be; None takes what the file itself shows.

    Returns:
        The edits; none if the builder is told already.

    Raises:
        CannotMend: if the method does not show what its queries and its cache are.
    """
    source = read(text)
    function, branch = _branch(source, function_line, builder)
    if any(keyword.arg == "query_length" for keyword in branch.call.keywords):
        return []
    inputs = read_inputs(function, branch.mask)
    if inputs.queries is None or inputs.first_query is None:
        raise CannotMend(f"{function.name} does not show how many queries there are and where they stand")
    arguments = _arguments(source, branch.call)
    arguments.append(f"query_length={inputs.queries}")
    if inputs.cache and inputs.longest:
        length = f"{inputs.cache}.{inputs.longest}() if {inputs.cache} is not None else None"
        arguments.append(f"key_length={length}")
    arguments.append(f"offsets=({inputs.first_query}, 0)")
    edits = [_lay_out_build(source, branch, arguments, width)]
    if not branch.asks_for_dimensions:
        edits.append(_only_two_dimensions(source, branch, width))
    return sorted(edits)


def make_causal(text: str, function_line: int, builder: str, width: int | None = None) -> list[Edit]:
    """Let no mask stand for one that hides nothing, which the builder then makes causal.

    Args:
        text: the file.
        function_line: the line of the mask method's ``def``.
        builder: how the method calls the function that builds the BlockMask.
        width: how long a line may be; None takes what the file itself shows.

    Returns:
        The edits; none if the branch asks for no mask already.

    Raises:
        CannotMend: if the method does not show what its queries are.
    """
    source = read(text)
    function, branch = _branch(source, function_line, builder)
    if branch.answers_for_no_mask:
        return []
    inputs = read_inputs(function, branch.mask)
    if inputs.tensor is None:
        raise CannotMend(f"{function.name} does not show how many queries there are")
    line = branch.guard.lineno
    frame = _frame(source, line, width)
    depth, inner = frame.indentation, frame.indentation + frame.unit
    keys = f"{inputs.tensor}.shape[1]"
    lines = [f"{depth}if {branch.mask} is None:"]
    if inputs.cache:
        seen = f"{inputs.cache}.get_seq_length() if {inputs.cache} is not None else 0"
        around = replace(frame, head=f"{inner}{inputs.past} = ", tail="", indentation=inner)
        lines.append(f"{around.head}{_laid_out(seen, around)}")
        keys = f"{inputs.past} + {keys}"
    shape = f"({inputs.tensor}.shape[0], {keys})"
    device = f"device={inputs.tensor}.device"
    head = f"{inner}{branch.mask} = torch.ones"
    lines += lay_out_call(head, [shape, "dtype=torch.long", device], inner, frame)
    start = source.offset(line, 0)
    return [Edit(start, start, "".join(each + frame.newline for each in lines))]


def _branch(source: Text, line: int, builder: str) -> tuple[Definition, FlexBranch]:
    function = find_function(source.tree, line)
    branch = find_branch(function, builder) if function is not None else None
    if function is None or branch is None:
        raise CannotMend(f"no flex branch there calls {builder}")
    return function, branch


def _lay_out_build(source: Text, branch: FlexBranch, arguments: list[str], width: int | None) -> Edit:
    """Write the statement that calls the builder anew."""
    start, end = source.extent(branch.build)
    frame = _frame(source, branch.build.lineno, width)
    head = f"{frame.indentation}{branch.mask} = {branch.builder}"
    code = frame.newline.join(lay_out_call(head, arguments, frame.indentation, frame))
    return Edit(start, end, code.removeprefix(frame.indentation))


def _only_two_dimensions(source: Text, branch: FlexBranch, width: int | None) -> Edit:
    """Ask for two dimensions wherever a tensor is asked for."""
    start, end = source.extent(branch.guard.test)
    frame = _frame(source, branch.guard.lineno, width)
    test = f"{source.text[start:end]} and {branch.mask}.dim() == 2"
    return Edit(start, end, _laid_out(test, frame))


def _laid_out(code: str, frame: Frame) -> str:
    laid_out = lay_out(cst.parse_expression(code), frame, cst.Module([]).code_for_node)
    if laid_out is None:
        raise CannotMend(f"a comment stands within `{code}`")
    return laid_out


def _frame(source: Text, line: int, width: int | None) -> Frame:
    depth = indentation(source, line)
    limit = line_width(source.text, width)
    return Frame(f"{depth}if ", ":", depth, indent_unit(source), limit, source.newline(line))


def _arguments(source: Text, call: ast.Call) -> list[str]:
    """Return the arguments of a call as they are written."""
    named = [(f"{each.arg}=" if each.arg else "**", each.value) for each in call.keywords]
    written = []
    for name, value in [*(("", each) for each in call.args), *named]:
        start, end = source.extent(value)
        written.append(name + source.text[start:end])
    return written
