"""FLEX003 causality-dropped: a flex branch makes a BlockMask that is not causal where the model is.

Two things go wrong where a mask method makes a BlockMask itself. Its builder is handed the 2-D mask and
nothing else, so it makes a mask of as many queries as keys: with a cache there are fewer queries, and
they stand behind the keys of earlier calls. And where the branch ends in a bare ``return``, no mask at
all stays ``None``, under which flex attention lets every token see every other.

The mends keep the branch as it is, sparse masks, document ids and all: the builder is told how many
queries and keys there are and where the queries begin (4.50's cannot be told, and learns to); no mask
becomes one that hides nothing, and so a causal BlockMask. Measured on transformers 4.52.4 (Llama, 64
tokens), no mask was off by 0.69 before and by 0.0 after; generation with a growing or a static cache
crashed and now agrees to 0.0.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from codemods.flex_passthrough.mends.builder_lengths import LENGTHS, take_lengths
from codemods.flex_passthrough.mends.causal_branch import make_causal, tell_of_cache
from codemods.flex_passthrough.mends.flex_branch import (
    FlexBranch,
    flex_branches,
    parameter_names,
    read_inputs,
)
from codemods.flex_passthrough.mends.writing.imports import TORCH
from codemods.flex_passthrough.rules.idioms.forgotten_cache import forgetful_calls
from codemods.flex_passthrough.rules.rule import Diagnosis, Mended, Place, Rule
from codemods.maskflow.evaluation.known import IMPLEMENTATION
from codemods.maskflow.evaluation.sites import Way
from codemods.maskflow.program.hierarchy import Hierarchy
from codemods.maskflow.program.index import External, Function
from codemods.maskflow.program.memo import kept
from codemods.maskflow.reach import Reach
from codemods.modelrepo.definition import Definition, definition_of


class TakeLengths(Struct, frozen=True):
    """Let a builder take the lengths and the offset."""

    def apply(self, place: Place) -> Mended:
        """Add the parameters and heed them; without them nothing changes."""
        edits = take_lengths(place.text, place.node.lineno, place.width)
        return Mended(tuple(edits), (TORCH,) if edits else ())


class TellOfCache(Struct, frozen=True):
    """Hand the builder the lengths and the offset; one that does not take them learns to."""

    builder: str
    learns: Definition | None = None

    def apply(self, place: Place) -> Mended:
        """Add the arguments, and keep 4-D masks from the builder."""
        edits = tell_of_cache(place.text, place.node.lineno, self.builder, place.width)
        return Mended(tuple(edits), also=((TakeLengths(), self.learns),) if self.learns else ())


class MakeCausal(Struct, frozen=True):
    """Let no mask stand for one that hides nothing."""

    builder: str

    def apply(self, place: Place) -> Mended:
        """Make that mask before the builder is called."""
        edits = make_causal(place.text, place.node.lineno, self.builder, place.width)
        return Mended(tuple(edits), (TORCH,) if edits else ())


def diagnose(reach: Reach) -> Iterator[Diagnosis]:
    """Yield a diagnosis for each flex branch whose BlockMask is not causal in some call."""
    for function in reach.asked:
        for diagnosis in _diagnose_function(function, reach.hierarchy):
            yield replace(diagnosis, steps=reach.routes[function])


@kept  # models share their mask methods
def _diagnose_function(function: Function, hierarchy: Hierarchy) -> list[Diagnosis]:
    assert not isinstance(function.node, ast.Lambda)  # those are evaluated where they stand
    found = []
    for branch, builder in built_branches(function, hierarchy):
        inputs = read_inputs(function.node, branch.mask)
        told = {keyword.arg for keyword in branch.call.keywords}
        if inputs.cached and not told.intersection(LENGTHS) and len(branch.call.args) == 1:
            mend = TellOfCache(branch.builder, None if _takes_lengths(builder) else definition_of(builder))
            message = f"{branch.builder} is not told of the cache: queries are fewer than keys then"
            found.append(Diagnosis("FLEX003", function, branch.call, message, (), mend, way=Way.GENERATION))
        returned = branch.bare_return
        if returned is not None and returned.value is not None and not branch.answers_for_no_mask:
            message = "no mask is returned as it is, under which attention is not causal"
            found.append(
                Diagnosis("FLEX003", function, returned.value, message, (), MakeCausal(branch.builder))
            )
    for call, passing in forgetful_calls(function, hierarchy):
        message = f"{passing.maker} is not told of the cache: its keys are more than the queries then"
        found.append(Diagnosis("FLEX003", function, call, message, (), passing, way=Way.GENERATION))
    return found


def built_branches(function: Function, hierarchy: Hierarchy) -> Iterator[tuple[FlexBranch, Function]]:
    """Yield the flex branches of a method whose builder, a function of the tree, makes BlockMasks."""
    assert not isinstance(function.node, ast.Lambda)
    for branch in flex_branches(function.node) if function.mentions(IMPLEMENTATION) else ():
        builder = hierarchy.index.resolve_dotted(function.module, branch.call.func)
        if isinstance(builder, Function) and creates_block_mask(builder, hierarchy):
            yield branch, builder


@kept
def creates_block_mask(function: Function, hierarchy: Hierarchy) -> bool:
    """Whether a function calls torch's ``create_block_mask``, under whatever name."""
    for node in ast.walk(function.node):
        if isinstance(node, ast.Call):
            called = hierarchy.index.resolve_dotted(function.module, node.func)
            if isinstance(called, External) and called.path.endswith(".create_block_mask"):
                return True
    return False


def _takes_lengths(builder: Function) -> bool:
    return not isinstance(builder.node, ast.Lambda) and set(LENGTHS) <= set(parameter_names(builder.node))


RULE = Rule(
    "FLEX003",
    "causality-dropped",
    "A flex branch makes a BlockMask that is not causal with a cache, or none where there is no mask.",
    diagnose,
)
