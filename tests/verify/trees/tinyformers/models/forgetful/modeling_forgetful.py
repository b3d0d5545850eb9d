from torch.nn.attention.flex_attention import BlockMask

from ...modeling_utils import PreTrainedModel, dense_causal_mask
from .configuration_forgetful import ForgetfulConfig


class ForgetfulForCausalLM(PreTrainedModel):
    """Makes its own causal mask from two dimensions, and of four dimensions takes no notice."""

    config_class = ForgetfulConfig
    _supports_flex_attn = True

    def _update_causal_mask(self, attention_mask, hidden, first):
        if isinstance(attention_mask, BlockMask):
            return attention_mask
        if attention_mask is not None and attention_mask.dim() == 4:
            attention_mask = None
        return dense_causal_mask(attention_mask, hidden, first)
