"""Stand-ins: a mask of ones, made where there is no mask, that may stand for a BlockMask too."""

from __future__ import annotations

import ast
from typing import TypeGuard

from codemods.flex_passthrough.syntax import in_order, names_bound, same_text
from codemods.maskflow.evaluation.sites import Site


def stand_in(site: Site, function: ast.AST) -> ast.expr | None:
    """Return ``mask is None`` of ``if mask is None: mask = torch.ones(...)``, if a BlockMask may go there.

    A mask of ones says that there is no padding, which is all that a BlockMask says of padding. That
    is right for a second name of the mask, from which positions are counted, and after attention had the
    mask; not for the one that is handed on to attention.
    """
    name = site.subject
    block = next((node for node in in_order(function) if _stands_in(node, name)), None)
    if block is None or site.line < block.lineno:
        return None
    handed_on = {
        ast.unparse(keyword.value): keyword.value.lineno
        for node in in_order(function)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg is not None and "mask" in keyword.arg
    }
    if name in handed_on:
        # attention had it before
        return block.test if handed_on[name] < block.lineno else None
    copies = [
        node for node in in_order(function) if isinstance(node, ast.Assign) and names_bound(node) == [name]
    ]
    second = bool(copies) and isinstance(copies[0].value, ast.Name) and copies[0].value.id in handed_on
    return block.test if second else None


def _stands_in(node: ast.AST, name: str) -> TypeGuard[ast.If]:
    """``if mask is None: mask = torch.ones(...)``."""
    return (
        isinstance(node, ast.If)
        and not node.orelse
        and same_text(node.test, f"{name} is None")
        and any(names_bound(each) == [name] and _is_ones(each) for each in node.body)
    )


def _is_ones(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Assign) else None
    return isinstance(value, ast.Call) and ast.unparse(value.func) == "torch.ones"
