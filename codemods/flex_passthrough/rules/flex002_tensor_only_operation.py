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

from msgspec.structs import replace

from codemods.flex_passthrough.rules import flex006_live_capture as live_capture
from codemods.flex_passthrough.rules.idioms.conversion import TensorConversion, conversion
from codemods.flex_passthrough.rules.idioms.counted_positions import counted_positions
from codemods.flex_passthrough.rules.idioms.eager_parts import diagnose_eager_parts
from codemods.flex_passthrough.rules.idioms.joined_masks import joined_masks
from codemods.flex_passthrough.rules.idioms.layer_window import SlidingWindow, window_block
from codemods.flex_passthrough.rules.idioms.padding import masks_made_of
from codemods.flex_passthrough.rules.idioms.picked_tokens import takes_all_tokens
from codemods.flex_passthrough.rules.idioms.pooling import mean_without_mask
from codemods.flex_passthrough.rules.idioms.stand_in import stand_in
from codemods.flex_passthrough.rules.idioms.tensor_guard import (
    TensorGuard,
    asking,
    guard,
    holds_for_block_mask,
    test_to_guard,
    where_it_fails,
    within,
)
from codemods.flex_passthrough.rules.idioms.token_weights import (
    AsWithoutMask,
    loss_without_mask,
    only_weighs_tokens,
)
from codemods.flex_passthrough.rules.rule import Diagnosis, Mend, Rule, speaking_of_tokens
from codemods.flex_passthrough.syntax import alike, ancestors, parents
from codemods.maskflow.evaluation.sites import Site, Way
from codemods.maskflow.flow import GENERATION
from codemods.maskflow.program.index import Function
from codemods.maskflow.program.memo import kept
from codemods.maskflow.reach import Reach

_BY_LAYER_TYPE = "the mask comes from a dict of masks by layer type: whether it is a BlockMask is not known"
_SEVERAL = "a guard alone would lose the BlockMask: the function returns a mask, or several things"
_NO_GUARD = "no guard is known to be right here: what should happen to a BlockMask is a decision"


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
        for diagnosis in _diagnose_function(function, tuple(sites), function in reach.several):
            yield replace(diagnosis, ties=clones) if tied else diagnosis


def _is_of_generation(site: Site) -> bool:
    """Whether the BlockMask is one that generation makes: what it captured shows once nothing crashes."""
    return bool(site.steps) and site.steps[0].function.name == GENERATION


@kept  # models share their layers: most definitions come by many times
def _diagnose_function(function: Function, sites: tuple[Site, ...], several: bool) -> list[Diagnosis]:
    above = parents(function.node)
    window = window_block(function.node) if function.mentions("tril") else None
    grouped: dict[Mend | str, list[Site]] = {}
    guarded: list[ast.AST] = []
    for site in sorted(sites, key=lambda site: (site.node.lineno, site.node.col_offset)):
        around = list(ancestors(site.node, above))
        if any(node in guarded for node in around):
            continue  # a guard that another site asked for keeps a BlockMask out of here
        if takes_all_tokens(site, around, function.node):
            continue
        mend: Mend | str
        if not site.certain:
            mend = _BY_LAYER_TYPE
        elif several:
            mend = _SEVERAL
        elif window is not None and window in around:
            mend = SlidingWindow(site.subject)
        elif (choice := conversion(site, around)) is not None:
            text = ast.unparse(choice)
            mend = TensorConversion(text, alike(function.node, text).index(choice), site.subject)
        elif (joined := joined_masks(site, around)) is not None:
            mend = joined
        elif only_weighs_tokens(function.node, site.subject):
            mend = AsWithoutMask(site.subject)
        elif (pooled := _pooled(site, around)) is not None:
            asked, block = pooled
            mend = guard(function.node, asked, site.subject, isinstance(asked.ops[0], ast.Is))
            guarded += block.orelse if isinstance(asked.ops[0], ast.Is) else block.body
        elif (counted := counted_positions(function.node, around, site.subject)) is not None:
            mend = counted
        else:
            test, keeps_out = test_to_guard(site, around, function.node)
            holds = test is not None and holds_for_block_mask(test, around, site.subject)
            if test is None:
                test, holds = stand_in(site, function.node), True
            mend = guard(function.node, test, site.subject, holds) if test is not None else _NO_GUARD
            guarded += [keeps_out] if keeps_out is not None else []
        grouped.setdefault(mend, []).append(site)
    _leave_out_what_moves_a_crash(grouped, function.node, above)
    found = []
    for mend, (first, *others) in grouped.items():
        message = f"{first.operation} ({first.subject})"
        if others:
            message += f", and so on until line {max(site.line for site in others)}"
        way = Way.surest(site.way for site in (first, *others))
        found.append(Diagnosis("FLEX002", function, first.node, message, first.steps, mend, way=way))
    return found


def _leave_out_what_moves_a_crash(
    grouped: dict[Mend | str, list[Site]], function: ast.AST, above: dict[ast.AST, ast.AST]
) -> None:
    """Report where a guard would only send a BlockMask to another line that nothing can mend."""
    asked = {
        mend: [asking(site, ancestors(site.node, above)) for site in sites]
        for mend, sites in grouped.items()
        if isinstance(mend, TensorGuard)
    }
    settled = [choice.test for choices in asked.values() for choice in choices if choice is not None]
    unmended = [
        site.node
        for site in grouped.get(_NO_GUARD, ())
        if not any(within(site.node, test) for test in settled)
    ]
    for mend, choices in asked.items():
        otherwise = [each for choice in choices for each in where_it_fails(choice, above)]
        broken = [*unmended, *masks_made_of(function, mend.mask)]
        if not mend.otherwise and any(within(node, each) for node in broken for each in otherwise):
            grouped.setdefault(_NO_GUARD, []).extend(grouped.pop(mend))
            grouped[_NO_GUARD].sort(key=lambda site: site.line)


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


RULE = Rule(
    "FLEX002",
    "tensor-only-operation",
    "Code outside mask methods does to a BlockMask what only a tensor can answer.",
    diagnose,
)
