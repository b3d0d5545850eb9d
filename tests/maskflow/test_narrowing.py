"""A test around an operation keeps a BlockMask out, or does not."""

import pytest

KEPT_OUT = {
    "tensor_test": "if isinstance(attention_mask, torch.Tensor):\n    attention_mask.dim()",
    "tensor_and": "isinstance(attention_mask, torch.Tensor) and attention_mask.dim()",
    "not_block_mask": "if not isinstance(attention_mask, BlockMask):\n    attention_mask.dim()",
    "early_return": "if isinstance(attention_mask, BlockMask):\n    return None\nattention_mask.dim()",
    "none": "if attention_mask is None:\n    attention_mask.dim()",
    "none_or": "if attention_mask is not None or attention_mask.dim():\n    pass",
    "flash_branch": ("if self.config._attn_implementation == 'flash_attention_2':\n    attention_mask.dim()"),
    "one_of": "if self.config._attn_implementation in ('sdpa', 'eager'):\n    attention_mask.dim()",
    "not_flex": "if self.config._attn_implementation != 'flex_attention':\n    attention_mask.dim()",
    "own_attribute": "if self._attn_implementation == 'eager':\n    attention_mask.dim()",
    "sub_config": "if self.config.text_config._attn_implementation == 'sdpa':\n    attention_mask.dim()",
    "ternary": "x = attention_mask.dim() if isinstance(attention_mask, torch.Tensor) else 4",
    "shape_length": "if len(attention_mask.shape) == 2:\n    attention_mask.dim()",
    "shape_length_among_tensors": (
        "mask = attention_mask if self.training else torch.ones(2)\n"
        "if len(mask.shape) == 4:\n    pass\nelse:\n    mask.dim()"
    ),
    "walrus": "if isinstance((mask := attention_mask), torch.Tensor):\n    mask.dim()",
    "walrus_among_others": (
        "masks = {'full': None} if self.training else attention_mask\n"
        "if not isinstance(mapping := masks, dict):\n    mapping = {'full': None}\nmapping['full']"
    ),
    "dict_test": "if isinstance(attention_mask, dict):\n    attention_mask.dim()",
    "several_classes": "if isinstance(attention_mask, (list, torch.Tensor)):\n    attention_mask.dim()",
    "assertion": "assert isinstance(attention_mask, torch.Tensor)\nattention_mask.dim()",
    "raise": "if attention_mask is not None:\n    raise ValueError\nattention_mask.dim()",
    "decoder_only": "if self.config.is_decoder:\n    attention_mask.dim()",
    "replaced": "attention_mask = torch.ones(2)\nattention_mask.dim()",
    "under_another_name": (
        "from torch.nn.attention.flex_attention import BlockMask as Blocks\n"
        "if not isinstance(attention_mask, Blocks):\n    attention_mask.dim()"
    ),
    "classes_in_a_name": (
        "kinds = (torch.Tensor, list)\nif isinstance(attention_mask, kinds):\n    attention_mask.dim()"
    ),
    "filtered": "[m.dim() for m in [attention_mask] if isinstance(m, torch.Tensor)]",
}

LET_IN = {
    "unknown_test": "if self.training:\n    attention_mask.dim()",
    "not_none": "if attention_mask is not None:\n    attention_mask.dim()",
    "flex_branch": "if self.config._attn_implementation == 'flex_attention':\n    attention_mask.dim()",
    "not_eager": "if self.config._attn_implementation != 'eager':\n    attention_mask.dim()",
    "else_of_tensor": (
        "if isinstance(attention_mask, torch.Tensor):\n    pass\nelse:\n    attention_mask.dim()"
    ),
    "under_another_name": (
        "from torch.nn.attention.flex_attention import BlockMask as Blocks\n"
        "if isinstance(attention_mask, Blocks):\n    attention_mask.dim()"
    ),
    "other_class_of_that_name": (
        "from torch import Tensor as BlockMask\n"
        "if not isinstance(attention_mask, BlockMask):\n    attention_mask.dim()"
    ),
    "classes_in_a_name": (
        "kinds = (torch.Tensor, BlockMask)\nif isinstance(attention_mask, kinds):\n    attention_mask.dim()"
    ),
    "alias": "mask = attention_mask\nmask.dim()",
    "ternary_value": "mask = attention_mask if self.training else None\nif mask is not None:\n    mask.dim()",
    "in_a_tuple": "x, mask = 1, attention_mask\nmask.dim()",
    "in_a_dict": "masks = {'full': attention_mask}\nmasks['full'].dim()",
    "in_a_list": "for mask in [attention_mask]:\n    mask.dim()",
    "comprehension": "[mask.dim() for mask in (attention_mask,)]",
    "dict_comprehension": "masks = {k: attention_mask for k in 'ab'}\nmasks['a'].dim()",
    "loop_carried": (
        "m = None\nfor _ in range(2):\n    if m is not None:\n        m.dim()\n    m = attention_mask"
    ),
    "while_loop": "while self.training:\n    attention_mask.dim()",
    "try_block": "try:\n    attention_mask.dim()\nexcept AttributeError:\n    pass",
    "with_block": "with torch.no_grad():\n    attention_mask.dim()",
    "walrus": "if (mask := attention_mask) is not None:\n    mask.dim()",
    "or_default": "mask = attention_mask or None\nif mask is not None:\n    mask.dim()",
    "lambda": "(lambda m: m.dim())(attention_mask)",
    "nested": "def inner():\n    return attention_mask.dim()\ninner()",
    "partial": "def inner(x, m):\n    return m.dim()\npartial(inner, m=attention_mask)(1)",
    "keyword_dict": "def inner(m=None):\n    return m.dim()\nkwargs = {'m': attention_mask}\ninner(**kwargs)",
    "starred": "def inner(x, m):\n    return m.dim()\nargs = (1, attention_mask)\ninner(*args)",
    "match": "match input_ids:\n    case None:\n        pass\n    case _:\n        attention_mask.dim()",
    "after_loop_break": "for _ in range(2):\n    mask = attention_mask\n    break\nmask.dim()",
}


@pytest.mark.parametrize("name", KEPT_OUT)
def test_kept_out(operations, name):
    assert operations(KEPT_OUT[name]) == []


@pytest.mark.parametrize("name", LET_IN)
def test_let_in(operations, name):
    assert operations(LET_IN[name]) == ["a BlockMask has no attribute 'dim'"]
