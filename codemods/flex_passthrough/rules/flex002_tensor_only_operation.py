"""FLEX002 tensor-only-operation: code asks a BlockMask for what only a tensor has.

Outside mask methods, too, code asks a mask for ``dim()``, slices it for a sliding window, compares it
with 1 to find padding, or hands it to a torch function. A BlockMask has none of these; its index
selects blocks, its ``==`` compares the whole object, its ``.to()`` would turn block indices into floats.

The mend is the smallest guard that leaves the tensor path as it is: ``isinstance(mask, torch.Tensor)``
in the test that leads to the operation. A sliding layer that cuts a dense mask down to its window gets
the window composed into the BlockMask, so that both masks mean the same. Where no guard can be shown
to be right, the site is reported and left alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeGuard

from codemods.flex_passthrough.mends.cannot import CannotMend
from codemods.flex_passthrough.mends.conversions import convert_tensors_only
from codemods.flex_passthrough.mends.guards import require_tensor
from codemods.flex_passthrough.mends.imports import BLOCK_MASK, TORCH
from codemods.flex_passthrough.mends.names import local_name
from codemods.flex_passthrough.mends.window import compose_window
from codemods.flex_passthrough.rules import flex006_live_capture as live_capture
from codemods.flex_passthrough.rules.counted_positions import counted_positions
from codemods.flex_passthrough.rules.eager_parts import diagnose_eager_parts
from codemods.flex_passthrough.rules.pooling import mean_without_mask
from codemods.flex_passthrough.rules.rule import Diagnosis, Mend, Mended, Place, Rule, speaking_of_tokens
from codemods.flex_passthrough.rules.token_weights import AsWithoutMask, loss_without_mask, only_weighs_tokens
from codemods.flex_passthrough.syntax import ancestors, implementation_asked, in_order, parents, same_text
from codemods.maskflow.definitions import FunctionNode
from codemods.maskflow.flow import GENERATION, Reach
from codemods.maskflow.index import Function
from codemods.maskflow.sites import Site, Way
from codemods.source.position import span_of, split_lines

_BY_LAYER_TYPE = "the mask comes from a dict of masks by layer type: whether it is a BlockMask is not known"
_NO_GUARD = "no guard is known to be right here: what should happen to a BlockMask is a decision"


@dataclass(frozen=True)
class TensorGuard:
    """Settle one test for a BlockMask: the ``ordinal``-th that reads ``test`` in the function.

    It becomes false, or ``otherwise`` true.
    """

    test: str
    ordinal: int
    mask: str
    otherwise: bool = False

    def apply(self, place: Place) -> Mended:
        """Put the guard in front of the test, or in the place of its ``is not None``."""
        found = [node for node in in_order(place.node) if same_text(node, self.test)]
        if len(found) <= self.ordinal:
            raise CannotMend(f"the test `{self.test}` is not there")
        node = found[self.ordinal]
        assert isinstance(node, ast.expr)
        edits = require_tensor(
            place.text,
            span_of(node, split_lines(place.text)),
            self.mask,
            width=place.width,
            otherwise=self.otherwise,
        )
        return Mended(tuple(edits), (TORCH,) if edits else ())


@dataclass(frozen=True)
class TensorConversion:
    """Leave a BlockMask as it is where a tensor is converted: the ``ordinal``-th such ``choice``."""

    choice: str
    ordinal: int
    mask: str

    def apply(self, place: Place) -> Mended:
        """Choose by ``isinstance`` instead of ``is not None``, and the mask itself otherwise."""
        found = [node for node in in_order(place.node) if same_text(node, self.choice)]
        if len(found) <= self.ordinal:
            raise CannotMend(f"the conversion `{self.choice}` is not there")
        span = span_of(found[self.ordinal], split_lines(place.text))  # type: ignore[arg-type]
        edits = convert_tensors_only(place.text, span, self.mask, width=place.width)
        return Mended(tuple(edits), (TORCH,))


@dataclass(frozen=True)
class SlidingWindow:
    """Compose the layer's sliding window into the BlockMask."""

    mask: str

    def apply(self, place: Place) -> Mended:
        """Put an arm for BlockMasks beside the one that cuts down a dense mask."""
        name = local_name(place.text, BLOCK_MASK.module, BLOCK_MASK.name) or "BlockMask"
        edits = compose_window(
            place.text,
            place.node.lineno,
            self.mask,
            implementation_asked(place.node, place.module),
            name,
            width=place.width,
        )
        return Mended(tuple(edits), (BLOCK_MASK,), needs_window_helper=True) if edits else Mended(())


def diagnose(reach: Reach) -> Iterator[Diagnosis]:
    """Yield one diagnosis for each guard that is missing, or each site that no guard can mend."""
    yield from diagnose_eager_parts(reach)
    yield from speaking_of_tokens(reach, _diagnose(reach))


def _diagnose(reach: Reach) -> Iterator[Diagnosis]:
    mended = {method.function for method in reach.methods}
    clones = live_capture.ties(reach) if any(_is_of_generation(site) for site in reach.sites) else ()
    by_function: dict[Function, list[Site]] = {}
    for site in reach.sites:
        if site.function not in mended and site.eager is None:
            by_function.setdefault(site.function, []).append(site)
    for function, sites in by_function.items():
        tied = any(_is_of_generation(site) for site in sites)
        for diagnosis in _diagnose_function(function, tuple(sites)):
            yield replace(diagnosis, ties=clones) if tied else diagnosis


def _is_of_generation(site: Site) -> bool:
    """Whether the BlockMask is one that generation makes: what it captured shows once nothing crashes."""
    return bool(site.steps) and site.steps[0].function.name == GENERATION


@cache  # models share their layers: most definitions come by many times
def _diagnose_function(function: Function, sites: tuple[Site, ...]) -> list[Diagnosis]:
    above = parents(function.node)
    window = _window_block(function.node)
    grouped: dict[Mend | str, list[Site]] = {}
    guarded: list[ast.AST] = []
    for site in sorted(sites, key=lambda site: (site.node.lineno, site.node.col_offset)):
        around = list(ancestors(site.node, above))
        if any(node in guarded for node in around):
            continue  # a guard that another site asked for keeps a BlockMask out of here
        mend: Mend | str
        if not site.certain:
            mend = _BY_LAYER_TYPE
        elif window is not None and window in around:
            mend = SlidingWindow(site.subject)
        elif (choice := _conversion(site, around)) is not None:
            text = ast.unparse(choice)
            alike = [node for node in in_order(function.node) if same_text(node, text)]
            mend = TensorConversion(text, alike.index(choice), site.subject)
        elif only_weighs_tokens(function.node, site.subject):
            mend = AsWithoutMask(site.subject)
        elif (pooled := _pooled(site, around)) is not None:
            asked, block = pooled
            mend = _guard(function.node, asked, site.subject, isinstance(asked.ops[0], ast.Is))
            guarded += block.orelse if isinstance(asked.ops[0], ast.Is) else block.body
        elif (counted := counted_positions(function.node, around, site.subject)) is not None:
            mend = counted
        else:
            test, keeps_out = _test_to_guard(site, around, function.node)
            holds = test is not None and (
                _leaves_for_four_dimensions(test, around) or _drops_otherwise(test, around, site.subject)
            )
            if test is None:
                test, holds = _stand_in(site, function.node), True
            mend = _guard(function.node, test, site.subject, holds) if test is not None else _NO_GUARD
            guarded += [keeps_out] if keeps_out is not None else []
        grouped.setdefault(mend, []).append(site)
    found = []
    for mend, (first, *others) in grouped.items():
        message = f"{first.operation} ({first.subject})"
        if others:
            message += f", and so on until line {max(site.line for site in others)}"
        way = Way.surest(site.way for site in (first, *others))
        found.append(Diagnosis("FLEX002", function, first.node, message, first.steps, mend, way=way))
    return found


def _guard(function: ast.AST, test: ast.expr, mask: str, otherwise: bool) -> TensorGuard:
    text = ast.unparse(test)
    same = [node for node in in_order(function) if same_text(node, text)]
    return TensorGuard(text, same.index(test), mask, otherwise)


def _pooled(site: Site, around: list[ast.AST]) -> tuple[ast.Compare, ast.If] | None:
    """Return the test, and its block, that leads to a plain mean or loss where there is no mask."""
    inner: ast.AST = site.node
    for node in around:
        test = mean_without_mask(inner, node, site.subject)
        test = test or loss_without_mask(inner, node, site.subject, around)
        if test is not None and isinstance(node, ast.If):
            return test, node
        inner = node
    return None


def _test_to_guard(
    site: Site, around: list[ast.AST], function: FunctionNode
) -> tuple[ast.expr | None, ast.AST | None]:
    """Return the test that must fail for a BlockMask, and the block that is then out of its reach."""
    inner: ast.AST = site.node
    for node in around:
        if isinstance(node, (ast.If, ast.IfExp, ast.While)):
            if inner is node.test:
                if isinstance(node, ast.If) and _refuses_dimensions(node, site):
                    return None, None
                if _forgets(node, function, site.subject):
                    return None, None
                block = node if isinstance(node, ast.If) and not node.orelse else None
                return _operand(site.node, node.test), block
            if isinstance(node, ast.If) and inner in node.body:
                test = _not_none(node.test, site.subject)
                if test is not None and _serves_tensors_only(node, site.subject):
                    return test, node
            if isinstance(node, ast.IfExp) and inner is node.body:
                test = _not_none(node.test, site.subject)
                if test is not None and _counts_tokens(node, site.subject):
                    return test, None
        elif isinstance(node, ast.comprehension) and inner in node.ifs:
            return _operand(site.node, inner), None
        inner = node
    return None, None


def _stand_in(site: Site, function: ast.AST) -> ast.expr | None:
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
    copies = [node for node in in_order(function) if isinstance(node, ast.Assign) and _names(node) == [name]]
    second = bool(copies) and isinstance(copies[0].value, ast.Name) and copies[0].value.id in handed_on
    return block.test if second else None


def _stands_in(node: ast.AST, name: str) -> TypeGuard[ast.If]:
    """``if mask is None: mask = torch.ones(...)``."""
    return (
        isinstance(node, ast.If)
        and not node.orelse
        and same_text(node.test, f"{name} is None")
        and any(_names(each) == [name] and _is_ones(each) for each in node.body)
    )


def _names(statement: ast.stmt) -> list[str]:
    return [ast.unparse(each) for each in statement.targets] if isinstance(statement, ast.Assign) else []


def _is_ones(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Assign) else None
    return isinstance(value, ast.Call) and ast.unparse(value.func) == "torch.ones"


def _leaves_for_four_dimensions(test: ast.expr, around: list[ast.AST]) -> bool:
    """Whether ``test`` is ``mask.ndim != 2``, and the function is left for what has other dimensions.

    A BlockMask has four: it leaves with what a dense mask of four dimensions gets.
    """
    block = next((node for node in around if isinstance(node, ast.If)), None)
    return (
        block is not None
        and _within(test, block.test)
        and isinstance(block.body[-1], (ast.Return, ast.Continue, ast.Break))
        and isinstance(test, ast.Compare)
        and isinstance(test.ops[0], ast.NotEq)
        and isinstance(test.comparators[0], ast.Constant)
        and test.comparators[0].value != 4
        and ast.unparse(test.left).endswith((".ndim", ".dim()"))
    )


def _forgets(choice: ast.If | ast.IfExp | ast.While, function: FunctionNode, mask: str) -> bool:
    """Whether nothing but questions is ever asked of the mask where the test of ``choice`` is false.

    An attention that picks one of its own masks by looking at the one given would run without a
    BlockMask, and nobody would hear of it. A function of the mask alone answers a question; whoever asks
    it still has the mask.
    """
    arguments = function.args
    named = [each.arg for each in (*arguments.args, *arguments.kwonlyargs) if each.arg != "self"]
    if all("mask" in name for name in named) or mask not in named:
        return False
    asked = [n.test for n in ast.walk(function) if isinstance(n, (ast.If, ast.IfExp, ast.While, ast.Assert))]
    body = choice.body if isinstance(choice, ast.If) else []
    passed_over = {inner for each in (*asked, *body) for inner in ast.walk(each)}
    return not any(
        isinstance(each, ast.Name) and each.id == mask and each not in passed_over
        for each in ast.walk(function)
    )


def _within(node: ast.AST, whole: ast.AST) -> bool:
    return any(node is each for each in ast.walk(whole))


def _drops_otherwise(test: ast.expr, around: list[ast.AST], mask: str) -> bool:
    """Whether there is no mask any more where ``test`` is false: ``mask if 0 in mask else None``.

    A dense mask that hides nothing may go. A BlockMask hides something, and stays.
    """
    for node in around:
        if isinstance(node, (ast.If, ast.IfExp)) and _within(test, node.test):
            if isinstance(node, ast.IfExp):
                return same_text(node.body, mask) and same_text(node.orelse, "None")
            return any(ast.unparse(each) == f"{mask} = None" for each in node.orelse)
    return False


def _refuses_dimensions(block: ast.If, site: Site) -> bool:
    """``if mask.ndim != 2: raise``: the model itself wants no mask of four dimensions."""
    test = _operand(site.node, block.test)
    return isinstance(block.body[-1], ast.Raise) and ast.unparse(test).startswith(
        (f"{site.subject}.ndim != ", f"{site.subject}.dim() != ")
    )


def _conversion(site: Site, around: list[ast.AST]) -> ast.IfExp | None:
    """Return ``mask.contiguous() if mask is not None else None`` around a site in its first arm."""
    choice = next((node for node in around if isinstance(node, ast.IfExp)), None)
    if (
        choice is not None
        and same_text(choice.test, f"{site.subject} is not None")
        and same_text(choice.orelse, "None")
        and _converts_mask(choice.body, site.subject)
    ):
        return choice
    return None


def _operand(site: ast.expr, test: ast.expr) -> ast.expr:
    """Return the smallest operand of the and/or chains of ``test`` that holds the site."""
    while isinstance(test, ast.BoolOp):
        test = next(value for value in test.values if any(node is site for node in ast.walk(value)))
    return test


def _not_none(test: ast.expr, mask: str) -> ast.expr | None:
    """Return the part of an and-chain that says ``mask is not None``."""
    operands = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    return next((operand for operand in operands if same_text(operand, f"{mask} is not None")), None)


def _serves_tensors_only(block: ast.If, mask: str) -> bool:
    """Whether leaving the block to tensors is right whatever the mask means.

    So it is when the block only converts the mask itself, which a BlockMask does not need, or only
    sets padded positions to zero, of which it has none, or when it only asks the mask a yes-or-no
    question that the other arm answers for a mask without padding.
    """
    if not block.orelse:
        return all(_converts(each, mask) for each in block.body) or _zeroes_padding(block, mask)
    asks = all(_asks(statement) for statement in block.body)
    return asks and all(_assigns_constant(statement) for statement in block.orelse)


def _zeroes_padding(block: ast.If, mask: str) -> bool:
    """``states = (states * mask[:, :, None]).to(dtype)``, and at most conversions before."""
    *before, last = block.body
    if not all(_notes_dtype(each) or _converts(each, mask) for each in before):
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


def _counts_tokens(choice: ast.IfExp, mask: str) -> bool:
    """``mask.sum(-1) if mask is not None else length``: without padding, all tokens count."""
    counts = [f"{mask}.sum({axis})" for axis in ("-1", "1", "dim=-1", "dim=1")]
    return ast.unparse(choice.body) in counts and mask not in ast.unparse(choice.orelse)


def _converts(statement: ast.stmt, mask: str) -> bool:
    """``mask = mask.to(...)``."""
    return (
        isinstance(statement, ast.Assign)
        and _names(statement) == [mask]
        and _converts_mask(statement.value, mask)
    )


def _converts_mask(node: ast.expr, mask: str) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    converts = node.func.attr in ("to", "contiguous", "type", "type_as", "bool", "float", "long", "int")
    return (converts or _makes_rows(node, mask)) and ast.unparse(node.func.value) == mask


def _makes_rows(node: ast.Call, mask: str) -> bool:
    """``mask.view(-1, mask.size(-1))``: one row for each choice.

    A BlockMask is over (batch, heads, queries, keys) and cannot be anything but one for these rows.
    """
    last = [f"{mask}.size(-1)", f"{mask}.shape[-1]"]
    return ast.unparse(node.func) in (f"{mask}.view", f"{mask}.reshape") and [
        ast.unparse(argument) for argument in node.args
    ] in [["-1", each] for each in last]


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


def _window_block(function: ast.AST) -> ast.If | None:
    """Return the ``if`` that cuts a dense mask down to a sliding window, recognised by its ``tril``."""
    for node in in_order(function):
        if isinstance(node, ast.If) and any(_cuts_window(inner) for inner in ast.walk(node)):
            return node
    return None


def _cuts_window(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func) == "torch.tril"
        and any(keyword.arg == "diagonal" for keyword in node.keywords)
    )


RULE = Rule(
    "FLEX002",
    "tensor-only-operation",
    "Code outside mask methods does to a BlockMask what only a tensor can answer.",
    diagnose,
)
