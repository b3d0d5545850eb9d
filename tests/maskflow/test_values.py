"""Values are sets: what depends on the order of their atoms asks for one that every run has."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

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


MOVES = """
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
    inputs = %s
"""
KEEP_THEIR_KEYS = {
    "comprehension": "{k: v for k, v in inputs.items()}",
    "comprehension_with_a_condition": "{k: v for k, v in inputs.items() if v is not None}",
    "comprehension_over_two": "{k: v for k, v in inputs.items() for _ in range(2)}",
    "dict": "dict(inputs)",
    "dict_and_more": "dict(inputs, position_ids=input_ids)",
    "its_own_type": "type(inputs)({k: v for k, v in inputs.items()})",
    "whatever_it_holds": "moved(inputs)",
}
MOVED = """
    def moved(value):
        if isinstance(value, torch.Tensor):
            return value.to("cpu")
        if isinstance(value, dict):
            return type(value)({k: moved(v) for k, v in value.items()})
        if isinstance(value, (list, tuple)):
            return type(value)(moved(v) for v in value)
        return value
"""


@pytest.mark.parametrize("copy", KEEP_THEIR_KEYS.values(), ids=KEEP_THEIR_KEYS)
def test_items_keep_their_keys(forward, copy):
    """5.24.0 moves what ``generate`` prepared to a device by such a copy; tokens were taken for the mask."""
    body = MOVES % copy
    given = {"moving": MOVED} if "moved" in copy else {}
    head = "from .moving import moved\n" if given else ""

    def operations(last):
        reach = forward(f"{head}{dedent(body)}{last}", **given)
        assert reach.unresolved == set()
        return [site.operation for site in reach.sites]

    assert operations("inputs['input_ids'].view(-1, 1)") == []
    assert operations("inputs['attention_mask'].ndim") == ["a BlockMask has no attribute 'ndim'"]


def test_items_of_one_key_come_together(operations):
    body = """
        inputs = {"attention_mask": None} if self.config.plain else {"attention_mask": attention_mask}
        inputs = {key.replace("decoder_", ""): value for key, value in inputs.items()}
        {k: v for k, v in inputs.items()}["attention_mask"].ndim
    """
    assert operations(body) == ["a BlockMask has no attribute 'ndim'"]


def test_many_alternatives_keep_what_stands_under_each_key(operations):
    """Each of five tests doubles them; beyond sixteen they were one heap."""
    tests = "".join(f"if self.config.has_{n}:\n    inputs['more_{n}'] = input_ids\n" for n in range(5))
    body = f"inputs = {{'input_ids': input_ids, 'attention_mask': attention_mask}}\n{tests}"
    assert operations(f"{body}inputs['input_ids'].ndim\ninputs['more_3'].ndim") == []
    assert operations(f"{body}inputs['attention_mask'].ndim") == ["a BlockMask has no attribute 'ndim'"]


@pytest.mark.parametrize("name", ["position_ids", "inputs_embeds"])
def test_other_items_stay_what_they_are(operations, name):
    """5.23.0 asks what ``generate`` prepared for its positions; those were taken for the mask."""
    assert operations(f"{KEY}\n    inputs.get('{name}').ndim") == []
