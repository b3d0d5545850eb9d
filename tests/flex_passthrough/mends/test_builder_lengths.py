"""A builder that learns of lengths and offsets makes the mask it made, and those it could not make."""

from __future__ import annotations

import ast
from typing import Any

import black
import pytest

from codemods.flex_passthrough.mends.builder_lengths import take_lengths
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.rewrite.edit import apply_edits

BUILDER = '''\
def build(mask_2d: torch.Tensor) -> "BlockMask":
    """Make a mask."""
    device = mask_2d.device
    ids = mask_2d
    batch_size, length = ids.shape

    # What may see what
    def causal(b, h, q, k):
        return (q >= k) & (ids[b, q] == ids[b, k]) & (ids[b, q] > 0)

    return create_block_mask(
        mask_mod=causal,
        B=batch_size,
        H=None,
        Q_LEN=length,
        KV_LEN=length,
        device=device,
    )
'''

MENDED = '''\
def build(mask_2d: torch.Tensor, query_length=None, key_length=None, offsets=None) -> "BlockMask":
    """Make a mask."""
    if key_length is not None:
        # A cache of fixed length has room for keys that are not there yet
        room = max(0, key_length - mask_2d.shape[-1])
        mask_2d = torch.nn.functional.pad(mask_2d, (0, room))

    device = mask_2d.device
    ids = mask_2d
    batch_size, length = ids.shape

    # What may see what
    def causal(b, h, q, k):
        return (q >= k) & (ids[b, q] == ids[b, k]) & (ids[b, q] > 0)

    def offset_mask_mod(batch_idx, head_idx, q_idx, kv_idx):
        return causal(batch_idx, head_idx, q_idx + offsets[0], kv_idx + offsets[1])

    return create_block_mask(
        mask_mod=causal if offsets is None else offset_mask_mod,
        B=batch_size,
        H=None,
        Q_LEN=query_length or length,
        KV_LEN=key_length or length,
        device=device,
    )
'''


def mend(text: str, width: int = 119) -> str:
    (function,) = ast.parse(text).body
    return apply_edits(text, take_lengths(text, function.lineno, width))


def test_lengths_and_offsets_are_taken() -> None:
    assert mend(BUILDER) == MENDED


def test_noop_taken_already() -> None:
    assert mend(MENDED) == MENDED


@pytest.mark.parametrize("width", [79, 88, 119])
@pytest.mark.parametrize("blank", ["\n    return", "    return"])
def test_black_clean(width: int, blank: str) -> None:
    mode = black.Mode(line_length=width)
    before = black.format_str(BUILDER.replace("\n    return create", blank + " create"), mode=mode)
    after = mend(before, width)
    assert black.format_str(after, mode=mode) == after


def test_long_def_is_broken() -> None:
    assert mend(BUILDER, 79).startswith(
        "def build(\n"
        "    mask_2d: torch.Tensor, query_length=None, key_length=None, offsets=None\n"
        ') -> "BlockMask":\n'
    )


def test_line_ends_survive() -> None:
    assert mend(BUILDER.replace("\n", "\r\n")) == MENDED.replace("\n", "\r\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mask_mod=causal", "causal"),
        ("KV_LEN=length", "KV_LEN=2 * length"),
        ("KV_LEN=length", "KV_LEN=keys"),
        ("return create_block_mask(", "made = create_block_mask("),
        ("mask_2d: torch.Tensor", "mask_2d: torch.Tensor, **options"),
        ("mask_2d: torch.Tensor", "mask_2d: torch.Tensor, *, compile=False"),
        ("mask_2d: torch.Tensor", ""),
    ],
)
def test_refused(old: str, new: str) -> None:
    with pytest.raises(CannotMend, match="build does not make its BlockMask in a way that is known"):
        mend(BUILDER.replace(old, new))


@pytest.mark.torch
def test_masks_are_right() -> None:
    torch = pytest.importorskip("torch")
    flex = pytest.importorskip("torch.nn.attention.flex_attention")
    namespace: dict[str, Any] = {"torch": torch, "create_block_mask": flex.create_block_mask}
    exec(BUILDER, namespace)
    plain = namespace["build"]
    exec(MENDED, namespace)
    build = namespace["build"]
    mask = torch.tensor([[0, 0, 1, 1, 1, 2, 2, 2, 2, 2], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]])

    def seen(block_mask: Any) -> Any:
        _, _, queries, keys = block_mask.shape
        return flex.create_mask(block_mask.mask_mod, 2, 1, queries, keys, device="cpu")

    whole = seen(plain(mask))
    assert torch.equal(seen(build(mask)), whole)
    for past in (0, 3, 9):
        behind = seen(build(mask, query_length=10 - past, offsets=(torch.tensor(past), 0)))
        assert torch.equal(behind, whole[:, :, past:])
        fixed = seen(build(mask, query_length=10 - past, key_length=16, offsets=(past, 0)))
        assert torch.equal(fixed[..., :10], whole[:, :, past:])
        assert not fixed[..., 10:].any()
