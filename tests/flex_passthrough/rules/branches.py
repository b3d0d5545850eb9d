"""A package of one model whose mask method has a flex branch, in the style of early 2025."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent, indent

from tests.flex_passthrough.conftest import LIBRARY

INTEGRATION = "pkg/integrations/flex_attention.py"
MODEL = "pkg/models/tiny/modeling_tiny.py"

BUILDER = '''\
import torch

from ..utils import is_torch_flex_attn_available

if is_torch_flex_attn_available():
    from torch.nn.attention.flex_attention import BlockMask, create_block_mask


def build_block_mask(mask_2d, query_length=None, key_length=None, offsets=None) -> "BlockMask":
    """Make a causal mask, document by document, of a mask that numbers them."""
    batch_size, length = mask_2d.shape
    q_offset, kv_offset = offsets or (0, 0)
    ids = torch.nn.functional.pad(mask_2d, (0, key_length or length))

    def mask_mod(b, h, q, k):
        q, k = q + q_offset, k + kv_offset
        return (q >= k) & (ids[b, q] == ids[b, k]) & (ids[b, q] > 0)

    return create_block_mask(mask_mod, batch_size, None, query_length or length, key_length or length)
'''

# As it was at first: for as many queries as keys.
PLAIN_BUILDER = '''\
import torch

from ..utils import is_torch_flex_attn_available

if is_torch_flex_attn_available():
    from torch.nn.attention.flex_attention import BlockMask, create_block_mask


def build_block_mask(mask_2d: torch.Tensor) -> "BlockMask":
    """Make a causal mask, document by document, of a mask that numbers them."""
    batch_size, length = mask_2d.shape

    def mask_mod(b, h, q, k):
        return (q >= k) & (mask_2d[b, q] == mask_2d[b, k]) & (mask_2d[b, q] > 0)

    return create_block_mask(mask_mod=mask_mod, B=batch_size, H=None, Q_LEN=length, KV_LEN=length)
'''

HEAD = """\
import torch
from torch import nn

from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
from ...utils import is_torch_flex_attn_available

if is_torch_flex_attn_available():
    from torch.nn.attention.flex_attention import BlockMask

    from ...integrations.flex_attention import build_block_mask


class TinyAttention(nn.Module):
    def forward(self, hidden_states, attention_mask=None):
        attention_interface = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
        return attention_interface(self, hidden_states, attention_mask)


class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def __init__(self, config):
        super().__init__(config)
        self.layers = nn.ModuleList([TinyAttention() for _ in range(config.num_hidden_layers)])

    def forward(self, input_ids=None, attention_mask=None, past_key_values=None, cache_position=None):
        hidden_states = self.embed_tokens(input_ids)
        causal_mask = self._make_mask(attention_mask, hidden_states, cache_position, past_key_values)
        for layer in self.layers:
            hidden_states = layer(hidden_states, attention_mask=causal_mask)
        return hidden_states

    def _make_mask(self, attention_mask, input_tensor, cache_position, past_key_values):
"""

FALLS_THROUGH = """\
if self.config._attn_implementation == "flex_attention":
    if isinstance(attention_mask, torch.Tensor):
        attention_mask = build_block_mask(attention_mask)
    if isinstance(attention_mask, BlockMask):
        return attention_mask
"""

RETURNS = """\
if self.config._attn_implementation == "flex_attention":
    if isinstance(attention_mask, torch.Tensor):
        attention_mask = build_block_mask(attention_mask)
    return attention_mask
"""

TOLD = """\
    if isinstance(attention_mask, torch.Tensor) and attention_mask.dim() == 2:
        attention_mask = build_block_mask(
            attention_mask,
            query_length=input_tensor.shape[1],
            key_length=past_key_values.get_max_cache_shape() if past_key_values is not None else None,
            offsets=(cache_position[0], 0),
        )
"""

ONES = """\
    if attention_mask is None:
        past_seen_tokens = past_key_values.get_seq_length() if past_key_values is not None else 0
        attention_mask = torch.ones(
            (input_tensor.shape[0], past_seen_tokens + input_tensor.shape[1]),
            dtype=torch.long,
            device=input_tensor.device,
        )
"""

QUESTION = 'if self.config._attn_implementation == "flex_attention":\n'
RETURN = "    return attention_mask\n"
RETURN_BLOCK_MASK = "    if isinstance(attention_mask, BlockMask):\n        return attention_mask\n"

DENSE = """
past_seen_tokens = past_key_values.get_seq_length() if past_key_values is not None else 0
sequence_length = input_tensor.shape[1]
if isinstance(past_key_values, self.static_cache):
    target_length = past_key_values.get_max_cache_shape()
else:
    target_length = past_seen_tokens + sequence_length + 1
return self._make_dense(
    attention_mask,
    sequence_length=sequence_length,
    target_length=target_length,
    cache_position=cache_position,
    config=self.config,
    past_key_values=past_key_values,
)
"""

DENSE_METHOD = """
    @staticmethod
    def _make_dense(attention_mask, sequence_length, target_length, cache_position, config, past_key_values):
        if attention_mask is not None and attention_mask.dim() == 4:
            return attention_mask
        hidden = torch.arange(target_length) > cache_position.reshape(-1, 1)
        return hidden * -1e9
"""


# What hides keys that lie farther back than the window.
TOO_OLD = """\
            too_old = torch.arange(target_length) <= (cache_position.reshape(-1, 1) - config.sliding_window)
            hidden.bitwise_or_(too_old)
        return hidden * -1e9
"""

WINDOWED = DENSE_METHOD.replace(
    "        return hidden * -1e9\n", "        if config.sliding_window is not None:\n" + TOO_OLD
)


def model(branch: str, dense: str = DENSE, dense_method: str = DENSE_METHOD) -> str:
    """Return a model file whose mask method has ``branch``."""
    return HEAD + indent(branch + dense, " " * 8) + dense_method


def package(source: str, builder: str = BUILDER) -> Mapping[str, str]:
    """Return the files of a package that holds ``source`` as its model."""
    return {**LIBRARY, INTEGRATION: builder, MODEL: dedent(source)}
