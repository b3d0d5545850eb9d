"""An import inside a function binds what it would at the top of its module."""

import pytest

HELPERS = """
    def dims(mask):
        return mask.dim()

    def given(mask):
        return mask
"""
BREAKS = ["a BlockMask has no attribute 'dim'"]

IMPORTS = {
    "relative": ("from .helpers import dims\nreturn dims(attention_mask)", BREAKS),
    "renamed": ("from .helpers import dims as shape\nreturn shape(attention_mask)", BREAKS),
    "absolute": ("from pkg.helpers import dims\nreturn dims(attention_mask)", BREAKS),
    "module": ("from . import helpers\nreturn helpers.dims(attention_mask)", BREAKS),
    "dotted": ("import pkg.helpers\nreturn pkg.helpers.dims(attention_mask)", BREAKS),
    "dotted_and_renamed": ("import pkg.helpers as tools\nreturn tools.dims(attention_mask)", BREAKS),
    "hides_a_name_of_the_module": ("from .helpers import given as refuse\nreturn refuse(attention_mask)", []),
    "what_handles_it": ("from .helpers import given\nreturn given(attention_mask)", []),
    "attention": (
        "from .modeling_utils import ALL_ATTENTION_FUNCTIONS\n"
        "return ALL_ATTENTION_FUNCTIONS['flex_attention'](self, attention_mask)",
        [],
    ),
    "torch": (
        "from torch.nn.attention.flex_attention import BlockMask as Blocks\n"
        "return attention_mask if isinstance(attention_mask, Blocks) else attention_mask.dim()",
        [],
    ),
    "name_that_is_not_there": ("from .helpers import other\nreturn other(input_ids)", []),
}


@pytest.mark.parametrize(("body", "operations"), IMPORTS.values(), ids=IMPORTS)
def test_import_within(forward, body, operations):
    reach = forward(body, helpers=HELPERS)
    assert [site.operation for site in reach.sites] == operations
