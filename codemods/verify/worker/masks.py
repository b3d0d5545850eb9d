"""Masks, each as the model gets it and as the equal dense tensor.

A position here is a pair (query, key) of one batch row; ``True`` means attended. From the boolean
tensor of shape (batch, queries, keys) follow the additive mask of shape (batch, 1, queries, keys)
for eager attention (0 or the type's minimum) and the rows worth comparing; a ``BlockMask`` is made
from a function of the same positions, never from the tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

WINDOW = 16

# (batch, head, query, key) -> attended, on numbers or on tensors of them
MaskFunction = Callable[[Any, Any, Any, Any], Any]


class Mask(NamedTuple):
    """One mask in its forms.

    Attributes:
        tensor: what eager and sdpa attention get as ``attention_mask``, or None for no mask.
        block: what flex attention gets in its place; None where it gets ``tensor`` too.
        rows: bool (batch, tokens): rows that attend to anything, and so are compared.
    """

    tensor: Any | None
    block: Any | None
    rows: Any


# (batch, tokens, device) -> mask
MaskBuilder = Callable[[int, int, str], Mask]


def additive(attended: Any) -> Any:
    """Turn bool (batch, queries, keys) into the additive float32 mask (batch, 1, queries, keys)."""
    smallest = torch.finfo(torch.float32).min
    return torch.zeros(attended.shape).masked_fill(~attended, smallest)[:, None]


def causal(batch: Any, head: Any, query: Any, key: Any) -> Any:
    """Attend to all tokens up to one's own."""
    return query >= key


def document_of(batch: Any, token: Any) -> Any:
    """Return the number of the document that a token is part of; rows cut at other places."""
    return (token + 5 * batch) // 24


def document(batch: Any, head: Any, query: Any, key: Any) -> Any:
    """Attend to earlier tokens of one's own document."""
    return (query >= key) & (document_of(batch, query) == document_of(batch, key))


def sliding(batch: Any, head: Any, query: Any, key: Any) -> Any:
    """Attend to the last 16 tokens."""
    return (query >= key) & (query - key < WINDOW)


def attended(function: MaskFunction, batch: int, queries: int, keys: int) -> Any:
    """Evaluate a mask function at every position: bool (batch, queries, keys)."""
    b = torch.arange(batch)[:, None, None]
    q = torch.arange(queries)[None, :, None]
    k = torch.arange(keys)[None, None, :]
    return function(b, 0, q, k).expand(batch, queries, keys).clone()


def block_mask(function: MaskFunction, batch: int | None, queries: int, keys: int, device: str) -> Any:
    """Build the ``BlockMask`` of a mask function; without a batch it is one for all rows."""
    from torch.nn.attention.flex_attention import create_block_mask

    return create_block_mask(function, B=batch, H=None, Q_LEN=queries, KV_LEN=keys, device=device)


def without_oldest_key(dense: Any) -> Any:
    """Return an additive mask that is wrong by one key wherever a row attends to several.

    This is the mistake of a window that is one token short, the smallest that the harness has to
    see: where it is not seen, an ``ok`` would mean nothing.
    """
    seen = dense == 0
    oldest = seen & (seen.cumsum(-1) == 1) & (seen.sum(-1, keepdim=True) > 1)
    return dense.masked_fill(oldest, torch.finfo(torch.float32).min)


def without_oldest_key_in_last_row(dense: Any) -> Any:
    """Return an additive mask that is wrong by one key in the last row alone."""
    return torch.cat([dense[..., :-1, :], without_oldest_key(dense)[..., -1:, :]], dim=-2)


def _padding(batch: int, tokens: int, left: bool) -> Any:
    """Return a 2-D mask of ones and zeros (batch, tokens); the last row is padded by 11 tokens."""
    mask = torch.ones(batch, tokens, dtype=torch.long)
    mask[-1, slice(0, 11) if left else slice(tokens - 11, tokens)] = 0
    return mask


def _none(batch: int, tokens: int, device: str) -> Mask:
    return Mask(None, None, torch.ones(batch, tokens, dtype=torch.bool))


def _ones(batch: int, tokens: int, device: str) -> Mask:
    mask = torch.ones(batch, tokens, dtype=torch.long)
    return Mask(mask, None, mask.bool())


def _left_padding(batch: int, tokens: int, device: str) -> Mask:
    mask = _padding(batch, tokens, left=True)
    return Mask(mask, None, mask.bool())


def _right_padding(batch: int, tokens: int, device: str) -> Mask:
    mask = _padding(batch, tokens, left=False)
    return Mask(mask, None, mask.bool())


def _dense_4d(batch: int, tokens: int, device: str) -> Mask:
    seen = attended(document, batch, tokens, tokens)
    return Mask(additive(seen), None, seen.any(-1))


def block(function: MaskFunction, keys: int | None = None) -> MaskBuilder:
    """Return a builder of a mask function's mask, over ``keys`` keys (default: as many as tokens)."""

    def build(batch: int, tokens: int, device: str) -> Mask:
        seen = attended(function, batch, tokens, keys or tokens)
        made = block_mask(function, batch, tokens, keys or tokens, device)
        return Mask(additive(seen), made, seen.any(-1))

    return build


def packed_2d(batch: int, tokens: int, device: str) -> Mask:
    """Return a 2-D mask that numbers documents from 1, and in ``block``'s place the equal dense one.

    Trees that understand it attend within documents; others read everything above 0 as a token.
    """
    b, t = torch.arange(batch)[:, None], torch.arange(tokens)[None, :]
    numbers = document_of(b, t) + 1
    seen = attended(document, batch, tokens, tokens)
    return Mask(additive(seen), numbers.expand(batch, tokens).clone(), seen.any(-1))


def later(function: MaskFunction, first: int) -> MaskFunction:
    """Return a mask function for queries that start at token ``first``, behind a filled cache."""
    return lambda batch, head, query, key: function(batch, head, query + first, key)


def shared(function: MaskFunction) -> MaskBuilder:
    """Return a builder of masks that are one for all rows of the batch."""

    def build(batch: int, tokens: int, device: str) -> Mask:
        seen = attended(function, 1, tokens, tokens)
        rows = seen.any(-1).expand(batch, tokens)
        return Mask(
            additive(seen).repeat(batch, 1, 1, 1), block_mask(function, None, tokens, tokens, device), rows
        )

    return build


MASKS: dict[str, MaskBuilder] = {
    "none": _none,
    "ones": _ones,
    "left_padding": _left_padding,
    "right_padding": _right_padding,
    "dense_4d": _dense_4d,
    "block_causal": block(causal),
    "block_document": block(document),
    "block_sliding": block(sliding),
}
