"""FLEX001: a BlockMask that is left out where other masks are joined to a dense one is made dense for that.

A layer may make a mask of its own, and join the one that it is given::

    if mask is not None and not isinstance(mask, BlockMask):
        if mask.dtype == torch.bool: ...
        own = own.masked_fill(mask != 0, lowest)

A passthrough would lose the layer's own, which is as large as a dense mask anyhow. What a BlockMask's mask
function says of each position is the boolean mask that this code takes.
"""

from __future__ import annotations

import ast

from codemods.flex_passthrough.mends.flex_branch import Definition
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.layout import Frame, lay_out_call
from codemods.flex_passthrough.mends.writing.text import find_function, read
from codemods.flex_passthrough.mends.writing.width import indent_unit, indentation, line_width
from codemods.flex_passthrough.syntax import in_order
from codemods.rewrite.edit import Edit

_COMMENT = "# It is joined to a dense mask: what its mask function says of each position takes part"


def left_out(function: Definition, mask: str) -> ast.If | None:
    """Return the statement that joins ``mask`` to a dense one, boolean masks too, but no BlockMask."""
    for block in in_order(function):
        if isinstance(block, ast.If) and not block.orelse and _refuses(block.test, mask):
            inside = {id(node) for node in ast.walk(block)}
            uses = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == mask]
            knows_bool = any(ast.unparse(n) == f"{mask}.dtype == torch.bool" for n in _compares(block))
            return block if knows_bool and all(id(use) in inside for use in uses) else None
    return None


def refuses_block_mask(function: Definition, mask: str) -> bool:
    """Whether a test of the function tells a BlockMask apart, to leave it out."""
    return any(isinstance(node, ast.If) and _refuses(node.test, mask) for node in ast.walk(function))


def is_made_dense(function: Definition, mask: str) -> bool:
    """Whether the function makes a BlockMask dense itself."""
    calls = (node for node in ast.walk(function) if isinstance(node, ast.Call))
    return any(ast.unparse(call).startswith(f"create_mask({mask}.mask_mod, ") for call in calls)


def make_dense(
    text: str, function_line: int, mask: str, block_mask: str, available: str | None, width: int | None
) -> list[Edit]:
    """Make a BlockMask dense right before the statement that leaves it out.

    Args:
        text: the file.
        function_line: the line of the function's ``def``.
        mask: the parameter that holds the mask.
        block_mask: the name that the class has in this file.
        available: the call that tells whether that is bound; None where it always is.
        width: how long a line may be; None takes what the file itself shows.

    Returns:
        The edits; none if nothing leaves a BlockMask out.

    Raises:
        CannotMend: if there is no such function.
    """
    source = read(text)
    function = find_function(source.tree, function_line)
    if function is None:
        raise CannotMend(f"line {function_line} holds no def")
    block = left_out(function, mask)
    if block is None:
        return []
    depth, unit = indentation(source, block.lineno), indent_unit(source)
    newline, inner = source.newline(block.lineno), depth + unit
    asked = f"isinstance({mask}, {block_mask})"
    arguments = [f"{mask}.mask_mod", f"*{mask}.shape", f"device={mask}.kv_num_blocks.device"]
    frame = Frame("", "", inner, unit, line_width(text, width), newline)
    lines = [
        f"{depth}if {asked if available is None else f'{available} and {asked}'}:",
        inner + _COMMENT,
        *lay_out_call(f"{inner}{mask} = create_mask", arguments, inner, frame),
    ]
    start = source.offset(block.lineno, 0)
    return [Edit(start, start, "".join(line + newline for line in lines))]


def _refuses(test: ast.expr, mask: str) -> bool:
    """``... and not isinstance(mask, BlockMask)``, which may ask first whether BlockMask is bound."""
    operands = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    for each in operands:
        if isinstance(each, ast.UnaryOp) and isinstance(each.op, ast.Not):
            asked = each.operand
            last = (
                asked.values[-1] if isinstance(asked, ast.BoolOp) and isinstance(asked.op, ast.And) else asked
            )
            if ast.unparse(last) == f"isinstance({mask}, BlockMask)":
                return True
    return False


def _compares(block: ast.If) -> list[ast.Compare]:
    return [node for node in ast.walk(block) if isinstance(node, ast.Compare)]
