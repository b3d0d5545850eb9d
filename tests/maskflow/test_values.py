"""Values are sets: what depends on the order of their atoms asks for one that every run has."""

from __future__ import annotations

from pathlib import Path

import pytest

from codemods.maskflow.evaluation.values import Instance, Unknown, in_order
from codemods.maskflow.program.index import Class, Module
from codemods.maskflow.program.outline import outline
from codemods.source.text import decode_source

TEXT = "class First:\n    pass\n\n\nclass Second:\n    pass\n"


def test_objects_come_in_the_order_of_their_classes_whatever_their_addresses():
    path = Path("model.py")
    module = Module("model", path, decode_source(path, "model.py", TEXT.encode()), False)
    cut = outline(TEXT)
    assert cut is not None
    first, second = (Class(module, piece, piece.name) for piece in cut.pieces)
    for _ in range(20):
        made = [Instance(second, number=1), Instance(first, number=2), Instance(first, number=0), Unknown()]
        assert in_order(frozenset(made)) == [made[2], made[1], made[0], made[3]]


KEY = """
    key = "decoder_attention_mask" if self.config.has_two_streams else "attention_mask"
    inputs = {"position_ids": input_ids}
    inputs[key] = attention_mask
"""


@pytest.mark.parametrize("name", ["attention_mask", "decoder_attention_mask"])
def test_item_under_one_of_two_keys(operations, name):
    assert operations(f"{KEY}\n    inputs['{name}'].ndim") == ["a BlockMask has no attribute 'ndim'"]


@pytest.mark.parametrize("name", ["position_ids", "inputs_embeds"])
def test_other_items_stay_what_they_are(operations, name):
    """5.23.0 asks what ``generate`` prepared for its positions; those were taken for the mask."""
    assert operations(f"{KEY}\n    inputs.get('{name}').ndim") == []
