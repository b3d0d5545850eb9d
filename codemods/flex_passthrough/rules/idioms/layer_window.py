"""The sliding window of a layer: it cuts a dense mask down, and a BlockMask gets the window composed in."""

from __future__ import annotations

import ast

from msgspec import Struct

from codemods.flex_passthrough.mends.window import compose_window
from codemods.flex_passthrough.mends.writing.imports import BLOCK_MASK
from codemods.flex_passthrough.mends.writing.names import local_name
from codemods.flex_passthrough.rules.rule import Mended, Place
from codemods.flex_passthrough.syntax import implementation_asked, in_order


class SlidingWindow(Struct, frozen=True):
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
        if not edits:
            return Mended(())
        return Mended(tuple(edits), (BLOCK_MASK,), needs_window_helper=True, masks=(self.mask,))


def window_block(function: ast.AST) -> ast.If | None:
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
