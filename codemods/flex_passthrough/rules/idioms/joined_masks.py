"""Layers that add the mask they are given to a dense one of their own: a BlockMask takes part, too."""

from __future__ import annotations

import ast

from msgspec import Struct

from codemods.flex_passthrough.mends.joined_masks import join_block_mask, joined_to
from codemods.flex_passthrough.mends.writing.imports import BLOCK_MASK, CREATE_MASK, TORCH
from codemods.flex_passthrough.mends.writing.names import local_name
from codemods.flex_passthrough.rules.rule import Mended, Place
from codemods.flex_passthrough.syntax import implementation_asked
from codemods.maskflow.evaluation.sites import Site


class JoinDense(Struct, frozen=True):
    """Hide in the layer's own mask what a BlockMask hides, where other masks are added to it."""

    mask: str

    def apply(self, place: Place) -> Mended:
        """Put an arm for BlockMasks before the one that adds."""
        edits = join_block_mask(
            place.text,
            place.node.lineno,
            self.mask,
            implementation_asked(place.node, place.module),
            local_name(place.text, BLOCK_MASK.module, BLOCK_MASK.name) or "BlockMask",
            place.width,
        )
        return Mended(tuple(edits), (BLOCK_MASK, CREATE_MASK, TORCH), masks=(self.mask,))


def joined_masks(site: Site, around: list[ast.AST]) -> JoinDense | None:
    """Return the mend of a site that adds a mask to one of the layer's own."""
    block = next((node for node in around if isinstance(node, ast.If)), None)
    joined = block is not None and isinstance(site.node, ast.BinOp) and joined_to(block, site.subject)
    return JoinDense(site.subject) if joined else None
