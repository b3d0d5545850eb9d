from ...modeling_utils import PreTrainedModel, dense_causal_mask
from .configuration_crashing import CrashingConfig


class CrashingForCausalLM(PreTrainedModel):
    """Claims flex attention and asks a BlockMask for its dimensions."""

    config_class = CrashingConfig
    _supports_flex_attn = True

    def _update_causal_mask(self, attention_mask, hidden, first):
        return dense_causal_mask(attention_mask, hidden, first)
