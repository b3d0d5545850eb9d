"""FLEX002: a BlockMask takes part where a layer adds the mask it is given to a dense one of its own.

The chain of choices says itself that both are masks: where one is missing, the other serves alone::

    if mask is not None and own is not None:
        mask = mask + own
    elif own is not None:
        mask = own

What comes out is dense, as it is for every other mask.
"""

from __future__ import annotations

import ast

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.late import cst
from codemods.flex_passthrough.mends.writing.layout import Frame, lay_out, lay_out_call
from codemods.flex_passthrough.mends.writing.text import find_function, read
from codemods.flex_passthrough.mends.writing.width import indent_unit, indentation, line_width, quote
from codemods.flex_passthrough.syntax import in_order, same_text
from codemods.rewrite.edit import Edit

_COMMENT = "# It is joined to a dense mask: what its mask function says of each position takes part"

# What the new arm calls what a BlockMask shows.
_SEEN = "seen"


def join_block_mask(
    text: str, function_line: int, mask: str, implementation: str | None, block_mask: str, width: int | None
) -> list[Edit]:
    """Put an arm for BlockMasks before the one that adds a mask to a layer's own.

    Args:
        text: the file.
        function_line: the line of the function's ``def``.
        mask: the mask as it is written there.
        implementation: the expression by which the function asks for its attention implementation, if any.
        block_mask: the name that the class has in this file.
        width: how long a line may be; None takes what the file itself shows.

    Raises:
        CannotMend: if no mask is joined there in a way that is known.
    """
    source = read(text)
    function = find_function(source.tree, function_line)
    if function is None:
        raise CannotMend(f"line {function_line} holds no def")
    block = next((node for node in in_order(function) if joined_to(node, mask) is not None), None)
    own = joined_to(block, mask) if block is not None else None
    if not isinstance(block, ast.If) or own is None:
        raise CannotMend(f"{mask} is not joined to another mask in a way that is known")
    if any(isinstance(node, ast.Name) and node.id == _SEEN for node in ast.walk(function)):
        raise CannotMend(f"{_SEEN} means something else in {function.name}")
    depth, unit = indentation(source, block.lineno), indent_unit(source)
    newline, mark = source.newline(block.lineno), quote(source)
    start, _ = source.extent(block)
    word, rest = ("elif", "") if source.text.startswith("elif", start) else ("if", "el")
    frame = Frame(f"{depth}{word} ", ":", depth, unit, line_width(text, width), newline)
    test = f"isinstance({mask}, {block_mask})"
    if implementation is not None:
        test = f"{implementation} == {mark}flex_attention{mark} and {test}"
    asked = lay_out(cst.parse_expression(test), frame, cst.Module([]).code_for_node)
    inner = depth + unit * 2
    arguments = [f"{mask}.mask_mod", f"*{mask}.shape", f"device={own}.device"]
    hidden = [f"~{_SEEN}", f"torch.finfo({own}.dtype).min"]
    lines = [
        f"{word} {asked}:",
        f"{depth}{unit}{_COMMENT}",
        f"{depth}{unit}if {own} is not None:",
        *lay_out_call(f"{inner}{_SEEN} = create_mask", arguments, inner, frame),
        *lay_out_call(f"{inner}{mask} = {own}.masked_fill", hidden, inner, frame),
        depth + rest,
    ]
    return [Edit(start, start, newline.join(lines))]


def joined_to(block: ast.AST, mask: str) -> str | None:
    """Return ``own`` of the chain of choices that the module speaks of."""
    if not isinstance(block, ast.If) or not isinstance(block.test, ast.BoolOp) or len(block.body) != 1:
        return None
    asked = [ast.unparse(each) for each in block.test.values]
    (statement,) = block.body
    others = [each.removesuffix(" is not None") for each in asked if each != f"{mask} is not None"]
    if len(asked) != 2 or len(others) != 1 or not isinstance(block.test.op, ast.And):
        return None
    own = others[0]
    sums = [f"{mask} = {mask} + {own}", f"{mask} = {own} + {mask}"]
    if f"{own} is not None" not in asked or ast.unparse(statement) not in sums:
        return None
    alone = block.orelse[0] if len(block.orelse) == 1 else None
    if not isinstance(alone, ast.If) or not same_text(alone.test, f"{own} is not None"):
        return None
    return own if [ast.unparse(each) for each in alone.body] == [f"{mask} = {own}"] else None
