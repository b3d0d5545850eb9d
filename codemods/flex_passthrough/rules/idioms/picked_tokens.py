"""Losses that pick tokens by a slice of the mask, and take all of them where it is a BlockMask.

``picked = mask[:, -n:].to(device)`` is a BlockMask again, if ``mask`` is one, and no BlockMask is equal to 0:
``logits[picked != 0]`` is ``logits[True]``, all tokens, as many as without a mask, under one dimension more.
Where nothing looks at that dimension, as it is flattened away at once, the code is right as it stands, and
there is nothing to find. A test for ``== 1`` would take no token at all, and a slice without a negative start
may leave no head of the BlockMask: these are mended.
"""

from __future__ import annotations

import ast

from codemods.flex_passthrough.syntax import names_bound
from codemods.maskflow.evaluation.sites import Site

# What may be asked of picked tokens, however many dimensions there are in front of the last one.
_SAME_FOR_ALL = ("device", "dtype")


def takes_all_tokens(site: Site, around: list[ast.AST], function: ast.AST) -> bool:
    """Whether the site slices a mask only to pick tokens of a loss, and picks all where it is a BlockMask.

    Args:
        site: an operation on the mask.
        around: the nodes around it, innermost first.
        function: the definition that holds them.
    """
    statement = next((node for node in around if isinstance(node, ast.stmt)), None)
    arm = next((node for node in around if isinstance(node, ast.If)), None)
    if not isinstance(statement, ast.Assign) or not isinstance(arm, ast.If) or statement not in arm.body:
        return False
    name, value = names_bound(statement), _moved(statement.value)
    if value is not site.node or not _cuts_from_the_end(value) or len(name) != 1:
        return False
    tests: set[ast.AST] = set()
    picked: set[str] = set()
    for each in arm.body:
        test = _pick(each, name[0])
        if test is None and each is not statement:
            return False
        if test is not None:
            tests |= set(ast.walk(test))
            picked |= set(names_bound(each))
    uses = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == name[0]]
    only_picks = all(use in tests or isinstance(use.ctx, ast.Store) for use in uses)
    return bool(picked) and only_picks and _only_flattened(function, picked, arm)


def _moved(node: ast.expr) -> ast.expr:
    """Return ``x`` of ``x.to(y.device)``, which a BlockMask knows; any other expression as it is."""
    to_device = (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "to"
        and len(node.args) == 1
        and not node.keywords
        and isinstance(node.args[0], ast.Attribute)
        and node.args[0].attr == "device"
    )
    return node.func.value if to_device else node  # type: ignore[attr-defined]


def _cuts_from_the_end(node: ast.expr) -> bool:
    """``mask[:, -n:]``: of a BlockMask, the last of its heads, and at least one."""
    if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Tuple):
        return False
    if len(node.slice.elts) != 2:
        return False
    rows, tokens = node.slice.elts
    all_rows = isinstance(rows, ast.Slice) and ast.unparse(rows) == ":"
    return (
        all_rows
        and isinstance(tokens, ast.Slice)
        and isinstance(tokens.lower, ast.UnaryOp)
        and isinstance(tokens.lower.op, ast.USub)
        and tokens.upper is None
        and tokens.step is None
    )


def _pick(statement: ast.stmt, mask: str) -> ast.Compare | None:
    """Return ``mask != 0`` of ``x = tokens[mask != 0]``, with or without ``.contiguous()`` behind it."""
    if not isinstance(statement, ast.Assign):
        return None
    node = statement.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "contiguous":
        node = node.func.value
    test = node.slice if isinstance(node, ast.Subscript) else None
    if not isinstance(test, ast.Compare) or [type(operator) for operator in test.ops] != [ast.NotEq]:
        return None
    compared = ast.unparse(_moved(test.left)), ast.unparse(test.comparators[0])
    return test if compared == (mask, "0") else None


def _only_flattened(function: ast.AST, picked: set[str], arm: ast.If) -> bool:
    """Whether picked tokens are asked for nothing, behind the arm, that one dimension more would change."""
    above = {child: node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}
    end = arm.end_lineno or arm.lineno
    for use in ast.walk(function):
        if isinstance(use, ast.Name) and use.id in picked and use.lineno > end:
            asked = above[use]
            if not isinstance(asked, ast.Attribute) or not _same_for_all(asked, above[asked]):
                return False
    return True


def _same_for_all(asked: ast.Attribute, around: ast.AST) -> bool:
    if asked.attr in _SAME_FOR_ALL:
        return True
    if not isinstance(around, (ast.Call, ast.Subscript)):
        return False
    written = ast.unparse(around).removeprefix(ast.unparse(asked))
    flattens = asked.attr in ("view", "reshape") and written.startswith("(-1")
    return flattens or (asked.attr, written) in (("size", "(-1)"), ("shape", "[-1]"), ("flatten", "()"))
