"""--annotate: the annotation of a mask that gets a guard names BlockMask as well, where it names a tensor."""

import ast
from textwrap import dedent

import pytest

from codemods.flex_passthrough.mends.annotations import UNION, annotate_mask
from codemods.flex_passthrough.mends.writing.imports import BLOCK_MASK
from codemods.rewrite.edit import apply_edits

OLDER = "from typing import Optional, Union\n\n\ndef other(x: Optional[int]): ...\n\n\n"
NEWER = "def other(x: int | None): ...\n\n\n"
LAZY = "from __future__ import annotations\n\n\n"


def annotated(text, mask="mask", width=88):
    function = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)][-1]
    edits, needs = annotate_mask(text, function, mask, width)
    return apply_edits(text, edits), needs


def method(annotation, head=OLDER):
    return f"{head}def method(self, mask: {annotation}, x=1):\n    return mask\n"


CHANGED = {
    "plain": (OLDER, "torch.Tensor", 'Union[torch.Tensor, "BlockMask"]'),
    "optional": (OLDER, "Optional[torch.Tensor]", 'Optional[Union[torch.Tensor, "BlockMask"]]'),
    "union": (OLDER, "Union[torch.Tensor, Cache]", 'Union[torch.Tensor, "BlockMask", Cache]'),
    "other_tensor": (OLDER, "torch.LongTensor", 'Union[torch.LongTensor, "BlockMask"]'),
    "bars": (NEWER, "torch.Tensor | None", '"torch.Tensor | BlockMask | None"'),
    "bars_the_other_way": (NEWER, "None | Tensor", '"None | Tensor | BlockMask"'),
    "plain_among_bars": (NEWER, "torch.Tensor", '"torch.Tensor | BlockMask"'),
    "bars_in_an_older_file": (OLDER, "torch.Tensor | None", '"torch.Tensor | BlockMask | None"'),
    "never_evaluated": (LAZY, "torch.Tensor | None", "torch.Tensor | BlockMask | None"),
    "never_evaluated_optional": (LAZY, "Optional[torch.Tensor]", "Optional[Union[torch.Tensor, BlockMask]]"),
    "another_name": (
        "from torch.nn.attention.flex_attention import BlockMask as Blocks\n",
        "torch.Tensor",
        'Union[torch.Tensor, "Blocks"]',
    ),
    "typing_as_a_whole": ("import typing\n", "torch.Tensor", 'typing.Union[torch.Tensor, "BlockMask"]'),
    "single_quotes": ("NAMES = ['a', 'b', 'c']\n", "torch.Tensor", "Union[torch.Tensor, 'BlockMask']"),
}


@pytest.mark.parametrize(("head", "before", "after"), CHANGED.values(), ids=CHANGED)
def test_changed(head, before, after):
    text, needs = annotated(method(before, head))
    assert text == method(after, head)
    assert BLOCK_MASK in needs
    assert (UNION in needs) == ("Union[" in after and "Union" not in before and "typing" not in head)


@pytest.mark.parametrize(("head", "before", "after"), CHANGED.values(), ids=CHANGED)
def test_a_second_time_changes_nothing(head, before, after):
    if "Blocks" not in after:
        assert annotated(method(after, head)) == (method(after, head), ())


LEFT_ALONE = {
    "none": "def method(mask, x=1): ...\n",
    "any": "def method(mask: Any): ...\n",
    "a_dict_of_tensors": "def method(mask: dict[str, torch.Tensor]): ...\n",
    "a_tuple_of_tensors": "def method(mask: Optional[tuple[torch.Tensor, ...]]): ...\n",
    "knows_of_it": 'def method(mask: Union[torch.Tensor, "BlockMask"]): ...\n',
    "knows_of_it_in_bars": "def method(mask: torch.Tensor | BlockMask | None): ...\n",
    "a_string": 'def method(mask: "torch.Tensor"): ...\n',
    "bars_with_a_string": 'def method(mask: torch.Tensor | "Cache"): ...\n',
    "another_parameter": "def method(states: torch.Tensor, other: torch.Tensor): ...\n",
    "a_local_name": "def method(states: torch.Tensor):\n    mask: torch.Tensor = states\n",
    "over_several_lines": "def method(\n    mask: Optional[\n        torch.Tensor\n    ],\n): ...\n",
    "no_room": f"def method(mask: torch.Tensor, {'x' * 50}=1): ...\n",
    "another_block_mask": "class BlockMask: ...\n\n\ndef method(mask: torch.Tensor): ...\n",
    "another_union": "class Union: ...\n\n\ndef method(mask: torch.Tensor): ...\n",
}


@pytest.mark.parametrize("text", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_left_alone(text):
    assert annotated(text) == (text, ())


def test_what_is_written_can_be_evaluated():
    """A type joined to a string by | would end in a TypeError when the module is imported."""
    text, _ = annotated(method("torch.Tensor | None", NEWER))
    exec(compile("class torch:\n    class Tensor: ...\n\n\n" + dedent(text), "model.py", "exec"), {})
