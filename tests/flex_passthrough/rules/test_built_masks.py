"""What a mended flex branch makes of a mask is what the dense path makes of it, behind a cache too."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from codemods.flex_passthrough.api import Settings, apply, plan
from tests.flex_passthrough.rules.branches import (
    BUILDER,
    DENSE,
    PLAIN_BUILDER,
    RETURNS,
    WINDOWED,
    model,
    package,
)

torch = pytest.importorskip("torch")
flex = pytest.importorskip("torch.nn.attention.flex_attention")
pytestmark = pytest.mark.torch

WINDOW = 16
LENGTH = 64
MASKS = {
    "none": None,
    "ones": [[1] * LENGTH] * 2,
    "left_padding": [[0] * 9 + [1] * 55, [1] * LENGTH],
    "right_padding": [[1] * LENGTH, [1] * 50 + [0] * 14],
    "documents": [[1] * 20 + [2] * 40 + [0] * 4, [3] * 33 + [1] * 31],
}


class _Cache:
    """As much of a cache as a mask method asks for."""

    def __init__(self, seen: int, size: int | None) -> None:
        self.seen, self.size = seen, size

    def get_seq_length(self) -> int:
        return self.seen

    def get_max_cache_shape(self) -> int | None:
        return self.size


@pytest.fixture(params=[BUILDER, PLAIN_BUILDER], ids=["builder_takes_lengths", "builder_learns"])
def make_mask(write_tree: Any, monkeypatch: Any, request: Any) -> Callable[..., Any]:
    """The mended mask method, imported."""
    root = write_tree(package(model(RETURNS, DENSE, WINDOWED), request.param))
    apply(plan([root / "pkg"], Settings(select=("FLEX003", "FLEX004"))))
    monkeypatch.syspath_prepend(root)
    for name in [name for name in sys.modules if name.partition(".")[0] == "pkg"]:
        monkeypatch.delitem(sys.modules, name)
    method: Callable[..., Any] = import_module("pkg.models.tiny.modeling_tiny").TinyModel._make_mask
    return method


def dense(mask: Any, window: int | None) -> Any:
    """Return, for every query and key of the whole sequence, whether one sees the other."""
    at = torch.arange(LENGTH)
    distance = at[:, None] - at[None, :]
    seen = (distance >= 0) & (distance < (window or LENGTH))
    ids = torch.ones(2, LENGTH) if mask is None else torch.tensor(mask)
    return (seen & (ids[:, :, None] == ids[:, None, :]) & (ids[:, :, None] > 0))[:, None]


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("window", [None, WINDOW])
@pytest.mark.parametrize(("past", "size"), [(0, None), (40, None), (63, None), (0, 80), (40, 80), (63, 80)])
def test_equals_the_dense_path(
    make_mask: Any, name: str, window: int | None, past: int, size: int | None
) -> None:
    config = SimpleNamespace(_attn_implementation="flex_attention", sliding_window=window)
    mask = MASKS[name]
    block_mask = make_mask(
        SimpleNamespace(config=config),
        None if mask is None else torch.tensor(mask),
        torch.zeros(2, LENGTH - past, 8),
        torch.arange(past, LENGTH),
        _Cache(past, size),
    )
    assert block_mask.shape == (2, 1, LENGTH - past, size or LENGTH)
    made = flex.create_mask(block_mask.mask_mod, 2, 1, LENGTH - past, size or LENGTH, device="cpu")
    assert torch.equal(made[..., :LENGTH], dense(mask, window)[:, :, past:])
    assert not made[..., LENGTH:].any()
