"""What ``slide_block_mask`` lets through is what the dense path lets through, for every mask."""

from __future__ import annotations

import gc
import itertools
import weakref
from typing import Any

import pytest

from codemods.flex_passthrough.mends.window_helper import add_window_helper
from codemods.rewrite.edit import apply_edits

torch = pytest.importorskip("torch")
flex = pytest.importorskip("torch.nn.attention.flex_attention")
pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def slide() -> Any:
    namespace: dict[str, Any] = {}
    exec(apply_edits("", add_window_helper("")), namespace)
    return namespace["slide_block_mask"]


def documents(batch: int, length: int) -> Any:
    ids = torch.arange(length)[None] // torch.tensor([[7], [20]])[:batch]

    def mask_mod(b: Any, h: Any, q: Any, k: Any) -> Any:
        return (q >= k) & (ids[b, q] == ids[b, k])

    return mask_mod


def causal(b: Any, h: Any, q: Any, k: Any) -> Any:
    return q >= k


def per_head(b: Any, h: Any, q: Any, k: Any) -> Any:
    return (q + h) % 3 != k % 3


def values(mask: Any) -> Any:
    """Return what a BlockMask lets through: its blocks, and its mask function within them."""
    batch, heads, queries, keys = mask.shape
    rows, columns = mask.BLOCK_SIZE
    dense = flex.create_mask(mask.mask_mod, batch, heads, queries, keys, device="cpu")
    blocks = mask.to_dense().bool().repeat_interleave(rows, 2).repeat_interleave(columns, 3)
    return dense & blocks[:, :, :queries, :keys]


def dense_slide(mask: Any, window: int, offset: int, length: int) -> Any:
    """Slide a dense mask, True where a key is seen, as a decoder layer does."""
    too_old = torch.tril(torch.ones_like(mask, dtype=torch.bool), diagonal=-window)
    return (mask & ~too_old)[:, :, :, offset : offset + length]


@pytest.mark.parametrize(
    ("queries", "keys"), [(1, 1), (16, 16), (64, 64), (130, 130), (1, 40), (5, 64), (1, 300), (300, 300)]
)
@pytest.mark.parametrize("kind", ["causal", "documents", "heads"])
def test_equals_the_dense_path(slide: Any, queries: int, keys: int, kind: str) -> None:
    mask_mod, heads = {
        "causal": (causal, None),
        "documents": (documents(2, keys), None),
        "heads": (per_head, 2),
    }[kind]
    block_mask = flex.create_block_mask(mask_mod, 2, heads, queries, keys, device="cpu", BLOCK_SIZE=(128, 64))
    dense = flex.create_mask(mask_mod, 2, heads or 1, queries, keys, device="cpu")
    for window, offset in itertools.product([1, 4, 16, 500], [0, 3, keys - 1]):
        if offset >= keys:
            continue
        length = max(queries, window)
        slid = slide(block_mask, window, torch.tensor(offset) if window == 4 else offset, length)
        expected = dense_slide(dense, window, offset, length)
        assert slid.shape == tuple(expected.shape)
        assert torch.equal(values(slid), expected)
        assert slid.BLOCK_SIZE == block_mask.BLOCK_SIZE


def test_layers_share_one_mask(slide: Any) -> None:
    block_mask = flex.create_block_mask(causal, 2, None, 64, 64, device="cpu")
    first = slide(block_mask, 16, 0, 64)
    assert slide(block_mask, 16, 0, 64) is first
    assert slide(block_mask, 8, 0, 64) is not first


def test_mask_dies_with_the_one_it_was_made_from(slide: Any) -> None:
    block_mask = flex.create_block_mask(causal, 1, None, 64, 64, device="cpu")
    slid = weakref.ref(slide(block_mask, 16, 0, 64))
    assert slid() is not None
    del block_mask
    gc.collect()
    assert slid() is None


def test_stays_sparse(slide: Any) -> None:
    block_mask = flex.create_block_mask(causal, 1, None, 1024, 1024, device="cpu")
    assert slide(block_mask, 16, 0, 1024).sparsity() > 75


@pytest.mark.parametrize("past", [0, 1, 40, 63])
@pytest.mark.parametrize("window", [1, 16, 500])
def test_queries_behind_a_cache(slide: Any, past: int, window: int) -> None:
    """The last queries of a longer mask see the keys that they saw there."""
    whole = slide(flex.create_block_mask(causal, 2, None, 64, 64, device="cpu"), window)

    def behind(b: Any, h: Any, q: Any, k: Any) -> Any:
        return q + past >= k

    block_mask = flex.create_block_mask(behind, 2, None, 64 - past, 64, device="cpu")
    for offset in (past, torch.tensor(past)):
        slid = slide(block_mask, window, query_offset=offset)
        assert torch.equal(values(slid), values(whole)[:, :, past:])


def test_another_place_is_another_mask(slide: Any) -> None:
    block_mask = flex.create_block_mask(causal, 1, None, 8, 64, device="cpu")
    first = slide(block_mask, 16, query_offset=torch.tensor(3))
    assert slide(block_mask, 16, query_offset=torch.tensor(4)) is not first
