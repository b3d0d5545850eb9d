"""FLEX003: a maker of masks that is not told of the cache, beside one that is."""

from textwrap import indent

import pytest

from codemods.flex_passthrough.settings import Settings

MASKS = """\
import torch
from torch import nn

from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel

ALL_MASK_ATTENTION_FUNCTIONS = {}


def create_causal_mask(config, attention_mask, past_key_values=None):
    return ALL_MASK_ATTENTION_FUNCTIONS[config._attn_implementation](attention_mask=attention_mask)


def create_bidirectional_mask(config, attention_mask, encoder_hidden_states=None, past_key_values=None):
    return ALL_MASK_ATTENTION_FUNCTIONS[config._attn_implementation](attention_mask=attention_mask)


class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def forward(self, input_ids=None, attention_mask=None, past_key_values=None):
        states = self.embed_tokens(input_ids)
        mask = self._make_mask(attention_mask, states, past_key_values)
        return ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation](self, states, attention_mask=mask)

    def _make_mask(self, attention_mask, states, past_key_values):
"""

CAUSAL = """\
if self.config.is_decoder:
    return create_causal_mask(
        config=self.config, attention_mask=attention_mask, past_key_values=past_key_values
    )
"""

FORGOTTEN = {
    "one_argument_a_line": (
        "return create_bidirectional_mask(\n    config=self.config,\n    attention_mask=attention_mask,\n)\n",
        "return create_bidirectional_mask(\n    config=self.config,\n    attention_mask=attention_mask,\n"
        "    past_key_values=past_key_values,\n)\n",
    ),
    "all_on_one_line": (
        "make = create_bidirectional_mask(config=None, attention_mask=attention_mask)\nreturn make\n",
        "make = create_bidirectional_mask(\n"
        "    config=None, attention_mask=attention_mask, past_key_values=past_key_values\n)\nreturn make\n",
    ),
    "room_on_the_line": (
        "return create_bidirectional_mask(\n    config=None, attention_mask=attention_mask\n)\n",
        "return create_bidirectional_mask(\n"
        "    config=None, attention_mask=attention_mask, past_key_values=past_key_values\n)\n",
    ),
    "no_room_on_a_line": (
        "return create_bidirectional_mask(config=self.config.text_config, attention_mask=attention_mask)\n",
        "return create_bidirectional_mask(\n    config=self.config.text_config,\n"
        "    attention_mask=attention_mask,\n    past_key_values=past_key_values,\n)\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), FORGOTTEN.values(), ids=FORGOTTEN)
def test_told(check_transformed, before, after):
    def source(rest: str) -> str:
        return MASKS + indent(CAUSAL + rest, " " * 8)

    check_transformed(source(before), source(after), Settings(line_length=88))


def test_told_of_a_cache_by_its_name_from_5_24_on(check_transformed):
    def source(rest: str) -> str:
        return (MASKS + indent(CAUSAL + rest, " " * 8)).replace("past_key_values", "cache")

    before, after = FORGOTTEN["one_argument_a_line"]
    check_transformed(source(before), source(after), Settings(line_length=88))


BIDIRECTIONAL = "return create_bidirectional_mask(config=self.config, attention_mask=attention_mask)\n"

LEFT_ALONE = {
    "mask_of_cross_attention": CAUSAL
    + BIDIRECTIONAL.replace("attention_mask)", "attention_mask, encoder_hidden_states=states)"),
    "no_maker_is_told": CAUSAL.replace(", past_key_values=past_key_values", "") + BIDIRECTIONAL,
    "told_of_another_cache": CAUSAL.replace("=past_key_values", "=self.cache") + BIDIRECTIONAL,
    "given_by_position": CAUSAL + "return create_bidirectional_mask(self.config, attention_mask)\n",
}


@pytest.mark.parametrize("body", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_left_alone(check_noop, body):
    assert check_noop(MASKS + indent(body, " " * 8)).findings == []


def test_a_maker_that_knows_no_cache(check_noop):
    source = MASKS.replace("encoder_hidden_states=None, past_key_values=None", "encoder_hidden_states=None")
    assert check_noop(source + indent(CAUSAL + BIDIRECTIONAL, " " * 8)).findings == []
