"""What code does about padding, of which a BlockMask has none: it may be left to tensors."""

from __future__ import annotations

import ast

from codemods.flex_passthrough.rules.idioms.conversion import converts
from codemods.flex_passthrough.syntax import names_bound
from codemods.maskflow.evaluation.known import MASK_TABLE


def serves_tensors_only(block: ast.If, mask: str) -> bool:
    """Whether leaving the block to tensors is right whatever the mask means.

    So it is when the block only converts the mask itself, which a BlockMask does not need, or only
    sets padded positions to zero, of which it has none, or when it only asks the mask a yes-or-no
    question that the other arm answers for a mask without padding.
    """
    if not block.orelse:
        return all(converts(each, mask) for each in block.body) or _zeroes_padding(block, mask)
    asks = all(_asks(statement) for statement in block.body)
    return asks and all(_assigns_constant(statement) for statement in block.orelse)


def _zeroes_padding(block: ast.If, mask: str) -> bool:
    """``states = (states * mask[:, :, None]).to(dtype)``, and at most conversions before."""
    *before, last = block.body
    if not all(_notes_dtype(each) or converts(each, mask) for each in before):
        return False
    if not isinstance(last, ast.Assign):
        return False
    if _fills_padding(last, mask):
        return True
    product = last.value
    while (
        isinstance(product, ast.Call)
        and isinstance(product.func, ast.Attribute)
        and product.func.attr == "to"
    ):
        product = product.func.value
    if not isinstance(product, ast.BinOp) or not isinstance(product.op, ast.Mult):
        return False
    states = [ast.unparse(target) for target in last.targets]
    return states == [ast.unparse(product.left)] and _is_column(product.right, mask)


def _fills_padding(statement: ast.Assign, mask: str) -> bool:
    """``states = states.masked_fill(~mask.unsqueeze(1).unsqueeze(-1), 0)``, the heads before the tokens."""
    states = ast.unparse(statement.targets[0])
    columns = [f"{mask}.unsqueeze(1).unsqueeze(-1)", f"{mask}[:, None, :, None]", f"{mask}.unsqueeze(-1)"]
    return ast.unparse(statement.value) in [f"{states}.masked_fill(~{column}, 0)" for column in columns]


def _notes_dtype(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and ast.unparse(statement.value).endswith(".dtype")


def _is_column(node: ast.expr, mask: str) -> bool:
    """``mask[:, :, None]`` or ``mask.unsqueeze(-1)``: one factor for each token, maybe converted."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "to":
        node = node.func.value
    columns = ("[:, :, None]", "[..., None]", ".unsqueeze(-1)", ".unsqueeze(2)")
    return ast.unparse(node) in [mask + column for column in columns]


def counts_tokens(choice: ast.IfExp, mask: str) -> bool:
    """``mask.sum(-1) if mask is not None else length``: without padding, all tokens count."""
    counts = [f"{mask}.sum({axis})" for axis in ("-1", "1", "dim=-1", "dim=1")]
    return ast.unparse(choice.body) in counts and mask not in ast.unparse(choice.orelse)


def _asks(statement: ast.stmt) -> bool:
    """``name = torch.all(...)`` or a comparison."""
    if not isinstance(statement, ast.Assign):
        return False
    value = statement.value
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        return value.func.attr in ("all", "any")
    return isinstance(value, ast.Compare)


def _assigns_constant(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)


def masks_made_of(function: ast.AST, padding: str) -> list[ast.expr]:
    """Return the calls that make masks of ``padding`` by a function of the library's table.

    Such a function takes a mask of two dimensions. A BlockMask breaks in it, and is handed back before by
    code that knows of one.
    """
    makers = {
        name
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Subscript)
        and ast.unparse(node.value.value) == MASK_TABLE
        for name in names_bound(node)
    }
    return [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and (ast.unparse(node.func) in makers or ast.unparse(node.func).startswith(f"{MASK_TABLE}["))
        and any(each.arg == "attention_mask" and ast.unparse(each.value) == padding for each in node.keywords)
    ]
