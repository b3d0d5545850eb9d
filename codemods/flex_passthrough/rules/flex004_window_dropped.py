"""FLEX004 window-dropped: a flex branch forgets the sliding window that dense masks get.

A mask method that puts a sliding window on the dense masks it makes, but builds a full causal BlockMask
of a 2-D mask, lets tokens see farther back under flex attention than they were trained to. Nothing
crashes. Measured on transformers 4.52.4 at 64 tokens and a window of 16, logits were off by 0.33 in
Mistral, 0.34 in Qwen3, 0.28 in Phi3, 0.30 in Starcoder2.

The mend composes the window into the BlockMask that was just built, under the condition under which
the dense path applies it. A BlockMask that the user gave is taken at its word, as a ready 4-D mask is.
Where the layers slide the mask instead (Gemma2, Cohere2) FLEX002 has its mend.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from codemods.flex_passthrough.mends.branch_window import Window, slide_built_mask
from codemods.flex_passthrough.rules.flex003_causality_dropped import built_branches
from codemods.flex_passthrough.rules.idioms.dense_window import dense_window
from codemods.flex_passthrough.rules.rule import Diagnosis, Mended, Place, Rule
from codemods.maskflow.program.hierarchy import Hierarchy
from codemods.maskflow.program.index import Function
from codemods.maskflow.program.memo import kept
from codemods.maskflow.reach import Reach


class SlideBuiltMask(Struct, frozen=True):
    """Slide the BlockMask that the branch has built."""

    builder: str
    window: Window

    def apply(self, place: Place) -> Mended:
        """Call the helper behind the builder."""
        edits = slide_built_mask(place.text, place.node.lineno, self.builder, self.window, width=place.width)
        return Mended(tuple(edits), needs_window_helper=bool(edits))


def diagnose(reach: Reach) -> Iterator[Diagnosis]:
    """Yield a diagnosis for each flex branch that forgets its method's sliding window."""
    for function in reach.asked:
        for diagnosis in _diagnose_function(function, reach.hierarchy):
            yield replace(diagnosis, steps=reach.routes[function])


@kept  # models share their mask methods
def _diagnose_function(function: Function, hierarchy: Hierarchy) -> list[Diagnosis]:
    assert not isinstance(function.node, ast.Lambda)  # those are evaluated where they stand
    found = []
    for branch, _ in built_branches(function, hierarchy):
        window = None if branch.windowed else dense_window(function, branch, hierarchy)
        if window is not None:
            mend = window if isinstance(window, str) else SlideBuiltMask(branch.builder, window)
            message = (
                f"{branch.builder} makes a full causal BlockMask where a dense mask gets a sliding window"
            )
            found.append(Diagnosis("FLEX004", function, branch.call, message, (), mend))
    return found


RULE = Rule(
    "FLEX004",
    "window-dropped",
    "A flex branch builds a full causal BlockMask where the dense path applies a sliding window.",
    diagnose,
)
