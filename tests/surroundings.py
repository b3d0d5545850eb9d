"""What stands around the examples of the rule pages: small packages, each with places for an example.

A page shows the lines that matter. To be run, they are put where ``# example`` stands, one place for
each hunk.
"""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent

from tests.flex_passthrough.conftest import LIBRARY

MODEL = "pkg/models/tiny/modeling_tiny.py"
BUILDER = "pkg/integrations/flex_attention.py"
MASKS = "pkg/masking_utils.py"

HEAD = """\
import torch
from torch import nn

from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
from ...utils import is_torch_flex_attn_available

"""

FLEX_HEAD = """\

if is_torch_flex_attn_available():
    from torch.nn.attention.flex_attention import BlockMask

"""

BUILDER_HEAD = """\
    from ...integrations.flex_attention import make_flex_block_causal_mask

"""

METHOD = """\

class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def forward(self, input_ids=None, attention_mask=None, past_key_values=None, cache_position=None):
        hidden_states = self.embed_tokens(input_ids)
        mask = self._update_causal_mask(attention_mask, hidden_states, cache_position, past_key_values)
        return ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation](self, hidden_states, mask)

"""
SIGNATURE = (
    "    def _update_causal_mask(self, attention_mask, input_tensor, cache_position, past_key_values):\n"
)

DENSE = """\
        past_seen_tokens = past_key_values.get_seq_length() if past_key_values is not None else 0
        if isinstance(past_key_values, StaticCache):
            target_length = past_key_values.get_max_cache_shape()
        else:
            target_length = past_seen_tokens + input_tensor.shape[1]
        return self._dense_mask(attention_mask, target_length, cache_position, self.config)

    @staticmethod
    def _dense_mask(attention_mask, target_length, cache_position, config):
        if attention_mask is not None and attention_mask.dim() == 4:
            return attention_mask
        hidden = torch.arange(target_length) > cache_position.reshape(-1, 1)
"""

PASSTHROUGH = HEAD + METHOD + """\
    # example
        if attention_mask is not None and attention_mask.dim() == 4:
            return attention_mask
        return torch.full((4, 4), torch.finfo(dtype).min, dtype=dtype, device=device).triu(1)
"""

JOINING = HEAD + FLEX_HEAD + """\

class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def forward(self, input_ids=None, attention_mask=None):
        hidden_states = self.embed_tokens(input_ids)
        mask = self.prepare_dynamic_mask(hidden_states, self.dynamic(hidden_states), attention_mask)
        return ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation](self, hidden_states, mask)

    def prepare_dynamic_mask(self, hidden_states, dynamic_mask, attention_mask=None):
        # example
                attention_mask = torch.where(attention_mask, 0.0, -1e9)
            attn_mask = attn_mask.masked_fill(attention_mask[:, :, :, : attn_mask.shape[-1]] != 0, -1e9)
        return attn_mask
"""

WINDOWED = (
    HEAD
    + FLEX_HEAD
    + BUILDER_HEAD
    + METHOD
    + SIGNATURE
    + '        if self.config._attn_implementation == "flex_attention":\n            # example\n'
    + DENSE
    + """\
        text_config = config.get_text_config()
        if getattr(text_config, "use_sliding_window", True) and text_config.sliding_window is not None:
            too_old = torch.arange(target_length) <= (
                cache_position.reshape(-1, 1) - text_config.sliding_window
            )
            hidden.bitwise_or_(too_old)
        return hidden * -1e9
"""
)

CAUSAL = (
    HEAD
    + FLEX_HEAD
    + BUILDER_HEAD
    + METHOD
    + SIGNATURE
    + "        # example\nREST"
    + DENSE
    + "        return hidden * -1e9\n"
)

LEARNED = """\
import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask


def make_flex_block_causal_mask(mask_2d, query_length=None, key_length=None, offsets=None):
    batch_size, length = mask_2d.shape
    q_offset, kv_offset = offsets or (0, 0)
    ids = torch.nn.functional.pad(mask_2d, (0, key_length or length))

    def mask_mod(b, h, q, k):
        q, k = q + q_offset, k + kv_offset
        return (q >= k) & (ids[b, q] == ids[b, k]) & (ids[b, q] > 0)

    return create_block_mask(mask_mod, batch_size, None, query_length or length, key_length or length)
"""

MAKERS = """\
ALL_MASK_ATTENTION_FUNCTIONS = {}


def create_causal_mask(config, inputs_embeds, attention_mask, past_key_values=None):
    return ALL_MASK_ATTENTION_FUNCTIONS[config._attn_implementation](attention_mask=attention_mask)


def create_bidirectional_mask(config, inputs_embeds, attention_mask, past_key_values=None):
    return ALL_MASK_ATTENTION_FUNCTIONS[config._attn_implementation](attention_mask=attention_mask)
"""

BIDIRECTIONAL = (
    HEAD.replace(
        "from ...modeling",
        "from ...masking_utils import create_bidirectional_mask, create_causal_mask\nfrom ...modeling",
    )
    + METHOD.replace("_update_causal_mask", "_create_attention_masks")
    + """\
    def _create_attention_masks(self, attention_mask, embedding_output, cache_position, past_key_values):
        if self.config.is_decoder:
            attention_mask = create_causal_mask(
                config=self.config,
                inputs_embeds=embedding_output,
                attention_mask=attention_mask,
                past_key_values=past_key_values,
            )
        else:
            # example
        return attention_mask
"""
)


def forward(body: str, helper: str = "") -> dict[str, str]:
    """Return a model whose ``forward`` has ``body`` before its attention."""
    parameters = "input_ids=None, attention_mask=None, position_ids=None, cache_position=None, labels=None"
    return {
        MODEL: f"{HEAD}{helper}\nclass TinyModel(PreTrainedModel):\n    _supports_flex_attn = True\n\n"
        f"    def forward(self, {parameters}):\n"
        "        hidden_states = self.embed_tokens(input_ids)\n"
        "        dtype = hidden_states.dtype\n"
        + indent(body, " " * 8)
        + "        attend = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]\n"
        "        return attend(self, hidden_states, attention_mask=attention_mask)\n"
    }


RECURRENT = """\

def recurrent_mask(hidden_states, attention_mask):
    # example
    return attention_mask[:, -hidden_states.shape[1] :].contiguous()

"""

LOSS = """\

def load_balancing_loss(router_logits, attention_mask=None):
    expert_mask = torch.cat(router_logits).argmax(-1)
    # example
        weights = attention_mask[None, :, :].expand(2, batch_size, sequence_length).reshape(-1)
        tokens_per_expert = torch.sum(expert_mask.float() * weights, dim=0) / weights.sum()
    return tokens_per_expert.sum()


@dataclass
class Output:
    hidden_states: torch.Tensor
    router_logits: tuple | None = None

"""

GENERATION = """\
    def prepare_inputs_for_generation(self, input_ids, attention_mask=None, past_key_values=None):
        if past_key_values is not None and past_key_values.is_compileable:
            attention_mask = create_causal_mask(self.config, None, attention_mask)
            attention_mask = (
                # example
            )
        return {"input_ids": input_ids, "attention_mask": attention_mask}
"""

SLIDING = HEAD + """\

class TinyLayer(nn.Module):
    def forward(self, hidden_states, attention_mask=None, cache_position=None, last_cache_position=0):
        if self.is_sliding and attention_mask is not None:
            effective_seq_len = max(cache_position.shape[0], self.sliding_window)
            # example
            else:
                lowest = torch.finfo(attention_mask.dtype).min
                too_old = torch.tril(
                    torch.ones_like(attention_mask, dtype=torch.bool), diagonal=-self.sliding_window
                )
                attention_mask = torch.where(too_old, lowest, attention_mask)
                offset = max(0, last_cache_position - effective_seq_len)
                attention_mask = attention_mask[:, :, :, offset : offset + effective_seq_len]
        attend = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
        return attend(self, hidden_states, attention_mask=attention_mask)


class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def __init__(self, config):
        super().__init__(config)
        self.layers = nn.ModuleList([TinyLayer() for _ in range(config.num_hidden_layers)])

    def forward(self, input_ids=None, attention_mask=None, cache_position=None):
        hidden_states = self.embed_tokens(input_ids)
        for layer in self.layers:
            hidden_states = layer(hidden_states, attention_mask=attention_mask, cache_position=cache_position)
        return hidden_states
"""

BOUND = HEAD.partition("from ...utils")[0] + """\
# example
    _supports_flex_attn = True

    def forward(self, input_ids=None, attention_mask=None):
        if self.config._attn_implementation == "flex_attention":
            if isinstance(attention_mask, BlockMask):
                return ALL_ATTENTION_FUNCTIONS["flex_attention"](self, input_ids, attention_mask)
        return ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation](self, input_ids, attention_mask)
"""

ASKED = HEAD + FLEX_HEAD + METHOD + SIGNATURE + """\
        # example
            return attention_mask
        return None
"""

CACHE = """\
import torch


class StaticLayer:
    def __init__(self):
        self.length = torch.tensor(0)

    def update(self, keys):
        self.length.add_(keys.shape[-2])

    def get_seq_length(self):
        return self.length


class Cache:
    def get_seq_length(self, index=0):
        return self.layers[index].get_seq_length()
"""

CAPTURE = """\
import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask

from .cache_utils import Cache


# example

    return inner_mask


def flex_mask(mask_function, q_offset=0):
    return create_block_mask(add_offsets_to_mask_function(mask_function, q_offset, 0), None, None, 4, 4)


ALL_MASK_ATTENTION_FUNCTIONS = {"flex_attention": flex_mask}


def create_causal_mask(config, attention_mask, past_key_values):
    if isinstance(attention_mask, BlockMask):
        return attention_mask
    q_offset = past_key_values.get_seq_length()
    mask_function = add_offsets_to_mask_function(None, q_offset, 0)
    return ALL_MASK_ATTENTION_FUNCTIONS[config._attn_implementation](mask_function=mask_function)
"""

CAPTURING = (
    HEAD.replace("from ...modeling", "from ...masking_utils import create_causal_mask\nfrom ...modeling")
    + """\

class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def forward(self, input_ids=None, attention_mask=None, past_key_values=None):
        mask = create_causal_mask(self.config, attention_mask, past_key_values)
        return ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation](self, input_ids, mask)
"""
)

NUMBERING = """\
import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask


def make_flex_block_causal_mask(attention_mask_2d, query_length=None, key_length=None, is_causal=True):
    batch_size, total = attention_mask_2d.shape
    key_length = key_length or total
    query_length = query_length or total
    # example
    document_ids = attention_mask_2d.clone()

    def causal_mask_mod(batch_idx, head_idx, q_idx, kv_idx):
        return (q_idx >= kv_idx) & (document_ids[batch_idx, q_idx] == document_ids[batch_idx, kv_idx])

    def default_mask_mod(batch_idx, head_idx, q_idx, kv_idx):
        # example
        return document_mask & padding_mask

    mask_mod = causal_mask_mod if is_causal else default_mask_mod
    return create_block_mask(mask_mod, batch_size, None, query_length, key_length)
"""

CROSS = (
    HEAD.replace(
        "from ...modeling",
        "from ...integrations.flex_attention import BlockMask, make_flex_block_causal_mask\nfrom ...modeling",
    )
    + METHOD
    + SIGNATURE
    + """\
        if self.config._attn_implementation == "flex_attention":
            if isinstance(attention_mask, torch.Tensor):
                attention_mask = make_flex_block_causal_mask(
                    attention_mask, query_length=input_tensor.shape[1], is_causal=False
                )
        return attention_mask
"""
)

SCORING = """\
from torch.nn.attention.flex_attention import BlockMask, flex_attention


def flex_attention_forward(module, query, key, value, attention_mask, position_bias=None, **kwargs):
    block_mask = attention_mask if isinstance(attention_mask, BlockMask) else None
    score_mask = attention_mask if block_mask is None else None

    # example
        return score

    return flex_attention(query, key, value, score_mod=score_mod, block_mask=block_mask)
"""

TABLE = """\
from torch import nn

from .integrations.flex_attention import flex_attention_forward


class PreTrainedModel(nn.Module):
    _supports_flex_attn = False


ALL_ATTENTION_FUNCTIONS = {"flex_attention": flex_attention_forward}
"""

BIASED = forward("")[MODEL].replace(
    "attention_mask=attention_mask", "attention_mask, position_bias=self.bias"
)

FALLS_THROUGH = """\
            if isinstance(attention_mask, BlockMask):
                return attention_mask
"""
RETURNS = """\
                attention_mask = make_flex_block_causal_mask(
                    attention_mask,
                    query_length=input_tensor.shape[1],
                    key_length=past_key_values.get_max_cache_shape() if past_key_values is not None else None,
                    offsets=(cache_position[0], 0),
                )
            return attention_mask
"""
GENERATING = {
    MASKS: MAKERS,
    MODEL: forward("")[MODEL].replace(
        "from ...modeling", "from ...masking_utils import create_causal_mask\nfrom ...modeling"
    )
    + "\n"
    + GENERATION,
}

# The packages for the examples of each page, in their order.
SURROUNDINGS: Mapping[str, list[dict[str, str]]] = {
    "FLEX001": [{MODEL: PASSTHROUGH}, {MODEL: JOINING}],
    "FLEX002": [
        forward(
            "if cache_position is not None:\n"
            "    if attention_mask is not None:\n"
            "        last_cache_position = (\n"
            "            # example\n"
            "        )\n"
        ),
        forward("# example\n"),
        forward("self.mixer(hidden_states, recurrent_mask(hidden_states, attention_mask))\n", RECURRENT),
        forward(
            "if cache_position is None:\n"
            "    cache_position = torch.arange(hidden_states.shape[1])\n"
            "# example\n"
            "hidden_states = hidden_states + self.places(position_ids)\n"
        ),
        forward(
            "outputs = Output(hidden_states)\n"
            "loss = load_balancing_loss(outputs.router_logits, attention_mask)\n",
            LOSS,
        ),
        forward(
            "# example\n"
            "        shifted = hidden_states[:, :-1][picked]\n"
            "    else:\n"
            "        shifted = hidden_states[:, :-1].contiguous()\n"
            "    hidden_states = hidden_states + shifted.sum()\n"
        ),
        GENERATING,
        {BUILDER: LEARNED, MODEL: SLIDING},
        GENERATING,
        forward("causal_attention_mask = torch.triu(hidden_states.new_ones(4, 4))\n# example\n"),
    ],
    "FLEX003": [
        {BUILDER: LEARNED, MODEL: CAUSAL.replace("REST", FALLS_THROUGH)},
        {BUILDER: LEARNED, MODEL: CAUSAL.replace("REST", RETURNS)},
        {MASKS: MAKERS, MODEL: BIDIRECTIONAL},
    ],
    "FLEX004": [{BUILDER: LEARNED, MODEL: WINDOWED}],
    "FLEX005": [{MODEL: BOUND}, {MODEL: ASKED}],
    "FLEX006": [{"pkg/cache_utils.py": CACHE, MASKS: CAPTURE, MODEL: CAPTURING}],
    "FLEX007": [{BUILDER: NUMBERING, MODEL: CROSS}],
    "FLEX008": [{BUILDER: SCORING, "pkg/modeling_utils.py": TABLE, MODEL: BIASED}],
}


def surrounded(name: str, at: int) -> dict[str, str]:
    """Return the files of the package for one example of a rule's page."""
    return {**LIBRARY, **SURROUNDINGS[name][at]}
