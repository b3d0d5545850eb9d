"""Pooling: the mean of all tokens but padding, of which a BlockMask has none.

The code says itself what it does without a mask: it takes the mean of all tokens. That is right for a
BlockMask too, which says what tokens see and nothing of padding.
"""

from __future__ import annotations

import ast

from codemods.flex_passthrough.syntax import same_text


def mean_without_mask(inner: ast.AST, block: ast.AST, mask: str) -> ast.Compare | None:
    """Return the test of a block that takes a plain mean without a mask, if ``inner`` is its other arm's.

    Args:
        inner: a statement of one arm.
        block: the statement around it.
        mask: the expression that holds the mask.
    """
    if not isinstance(block, ast.If) or not isinstance(block.test, ast.Compare):
        return None
    if same_text(block.test, f"{mask} is None"):
        without, weighted = block.body, block.orelse
    elif same_text(block.test, f"{mask} is not None"):
        without, weighted = block.orelse, block.body
    else:
        return None
    if inner not in weighted or len(without) != 1:
        return None
    pooled = _plain_mean(without[0])
    return block.test if pooled is not None and _ends_in(weighted, pooled) else None


def _plain_mean(statement: ast.stmt) -> str | None:
    """Return ``x`` of ``x = states.mean(dim=1)``."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1:
        return None
    value = statement.value
    mean = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "mean"
    over_tokens = mean and ast.unparse(value).endswith((".mean(dim=1)", ".mean(1)"))
    return ast.unparse(statement.targets[0]) if over_tokens else None


def _ends_in(weighted: list[ast.stmt], pooled: str) -> bool:
    """Whether the arm only computes, and in the end ``pooled``."""
    if not all(isinstance(each, (ast.Assign, ast.AugAssign)) for each in weighted):
        return False
    last = weighted[-1]
    target = last.targets[0] if isinstance(last, ast.Assign) else last.target  # type: ignore[attr-defined]
    return ast.unparse(target) == pooled
