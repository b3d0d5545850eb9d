"""FLEX006 live-capture: a mask function keeps a tensor that is changed in place before it is called.

Flex attention calls the mask function when attention runs, not when the mask is made. In between, the
cache takes in the new keys. A static cache keeps its length in a tensor, hands out that very tensor
and adds to it in place; a mask function that captured it sees a length that is too large, and tokens
attend to positions that nothing was written to yet. Nothing crashes: generation is wrong.

The mend clones the value where it is captured, if it is a tensor. Measured on transformers 5.23.0, a
static cache under flex attention then decodes the tokens of eager attention.

There the wrong tokens lie beneath a crash in ``generate``, which is FLEX002's. Its mend is tied to this
one: a crash is better than wrong tokens.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from codemods.flex_passthrough.mends.clone import clone_captured
from codemods.flex_passthrough.mends.writing.imports import TORCH
from codemods.flex_passthrough.rules.rule import Diagnosis, Mended, Place, Rule, Tie
from codemods.maskflow.evaluation.sites import Way
from codemods.maskflow.live import Capture, captures
from codemods.maskflow.program.index import Function, Index
from codemods.maskflow.program.memo import kept
from codemods.maskflow.reach import Reach
from codemods.modelrepo.definition import definition_of


class Clone(Struct, frozen=True):
    """Clone what is captured, right before the mask function."""

    name: str

    def apply(self, place: Place) -> Mended:
        """Insert the clone for tensors; numbers stay as they are."""
        edits = clone_captured(place.text, place.node.lineno, self.name)
        return Mended(tuple(edits), (TORCH,) if edits else ())


def diagnose(reach: Reach) -> Iterator[Diagnosis]:
    """Yield one diagnosis for each mask function that keeps a live tensor."""
    for capture in _captures_of(reach):
        name = capture.node.id
        message = f"{name} is captured live: it is changed in place before attention runs"
        mend, way = Clone(name), Way.GENERATION
        yield Diagnosis("FLEX006", capture.function, capture.node, message, capture.steps, mend, way=way)


def ties(reach: Reach) -> tuple[Tie, ...]:
    """Return what has to be cloned before a BlockMask of generation may reach attention."""
    harm = "alone, it would turn a crash into wrong tokens"
    clones = (
        Tie("FLEX006", definition_of(each.function), Clone(each.node.id), harm)
        for each in _captures_of(reach)
    )
    return tuple(dict.fromkeys(clones))


def _captures_of(reach: Reach) -> Iterator[Capture]:
    for function in reach.asked:
        if function.owner is None:
            yield from _captures(function, reach.hierarchy.index)


@kept
def _captures(function: Function, index: Index) -> list[Capture]:
    return captures(function, index)


RULE = Rule(
    "FLEX006",
    "live-capture",
    "A mask function captures a tensor that is changed in place before attention runs.",
    diagnose,
)
