from torch.nn.attention.flex_attention import BlockMask

from ...modeling_utils import PreTrainedModel, dense_causal_mask
from .configuration_plain import PlainConfig


class PlainForCausalLM(PreTrainedModel):
    """Right with every mask."""

    config_class = PlainConfig
    _supports_flex_attn = True

    def _update_causal_mask(self, attention_mask, hidden, first):
        if isinstance(attention_mask, BlockMask):
            return attention_mask
        return dense_causal_mask(attention_mask, hidden, first)
