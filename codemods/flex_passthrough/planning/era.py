"""Trees from before a BlockMask was taken at all, which no edit of ours can help."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from codemods.source.problem import Problem, SourceError
from codemods.source.text import read_bytes
from codemods.source.tree import Tree

# Where a transformers-like package keeps what it adds to flex attention.
INTEGRATION = ("integrations", "flex_attention.py")

_TAKES_ONE = (b"BlockMask", b"block_mask")


def refusal(tree: Tree, files: Iterable[Path]) -> Problem | None:
    """Return why a tree cannot be mended, if its flex attention takes no BlockMask whatever models do.

    So it is in transformers 4.48 and 4.49: their integration knows dense masks only.
    """
    for path in files:
        if path.parts[-2:] == INTEGRATION:
            try:
                text = read_bytes(path, path.name)
            except SourceError:  # it is reported where models are looked for
                continue
            if not any(mark in text for mark in _TAKES_ONE):
                reason = (
                    "this flex attention takes no BlockMask (as in transformers 4.48 and 4.49), whatever "
                )
                reason += "the models do with it; nothing was changed: update the library to 4.50 or later"
                return Problem(tree.display(path), 1, 1, reason)
    return None
