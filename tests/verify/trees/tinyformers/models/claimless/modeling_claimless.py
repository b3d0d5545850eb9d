from ...modeling_utils import PreTrainedModel, dense_causal_mask
from .configuration_claimless import ClaimlessConfig


class ClaimlessForCausalLM(PreTrainedModel):
    """Claims nothing, so nobody asks."""

    config_class = ClaimlessConfig

    def _update_causal_mask(self, attention_mask, hidden, first):
        return dense_causal_mask(attention_mask, hidden, first)
