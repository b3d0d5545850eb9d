"""Masks given by hand reach the attention that they are about, and in an encoder-decoder no other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from codemods.verify.worker.attention import (  # noqa: E402
    Given,
    instead,
    masks_given_by_hand,
    within_documents,
    within_window,
)

QUERY = torch.zeros(1, 1, 4, 2)
DENSE = torch.full((1, 1, 4, 4), -1.0)


def given(module: Any, own: Any, dense: Any = DENSE, way: Given = instead) -> Any:
    """Return the mask that an attention function gets in the place of the model's own."""
    code = SimpleNamespace(eager_attention_forward=lambda module, query, key, value, mask: mask)
    tree: Any = SimpleNamespace(modules=lambda: [code])
    with masks_given_by_hand(tree, [dense], way):
        return code.eager_attention_forward(module, QUERY, QUERY, QUERY, own)


@pytest.mark.parametrize(
    ("encoder_decoder", "own", "replaced"),
    [(False, None, True), (False, torch.zeros(1), True), (True, None, True), (True, torch.zeros(1), False)],
    ids=["decoder", "decoder_causal", "encoder_or_cross", "encoder_decoders_causal"],
)
def test_by_hand(encoder_decoder: bool, own: Any, replaced: bool) -> None:
    module = SimpleNamespace(config=SimpleNamespace(is_encoder_decoder=encoder_decoder))
    assert torch.equal(given(module, own), DENSE if replaced else own)


def test_module_without_a_configuration() -> None:
    assert torch.equal(given(SimpleNamespace(), None), DENSE)


def test_narrowed_layers_look_the_ways_they_looked() -> None:
    causal = torch.full((4, 4), -1.0).triu(1)[None, None]
    both_ways = given(SimpleNamespace(), None, causal, way=within_documents)
    assert torch.equal(both_ways, torch.zeros(1, 1, 4, 4))
    assert torch.equal(given(SimpleNamespace(), both_ways, causal, way=within_documents), causal)
    allowed = torch.ones(1, 1, 4, 6, dtype=torch.bool)
    assert torch.equal(given(SimpleNamespace(), allowed, causal, way=within_documents), causal == 0)


def test_layers_that_cut_masks_keep_what_they_cut() -> None:
    causal = torch.full((4, 4), -1.0).triu(1)[None, None]
    window = causal + torch.full((4, 4), -1.0).tril(-2)
    assert torch.equal(given(SimpleNamespace(), window, causal, way=within_window), window)
    assert torch.equal(given(SimpleNamespace(), None, causal, way=within_window), causal)
