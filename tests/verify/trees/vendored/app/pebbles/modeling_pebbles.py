"""A model in an application's own package."""

from tinyformers.configuration_utils import PretrainedConfig
from tinyformers.modeling_utils import PreTrainedModel

from ..masks import ready_mask


class PebblesConfig(PretrainedConfig):
    model_type = "pebbles"


class PebblesForCausalLM(PreTrainedModel):
    config_class = PebblesConfig
    _supports_flex_attn = True

    def _update_causal_mask(self, attention_mask, hidden, first):
        return ready_mask(attention_mask, hidden, first)
