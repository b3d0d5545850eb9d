"""A model as the Hub hosts them: files in a folder whose name no package can have."""

import torch
from tinyformers.modeling_utils import PreTrainedModel, dense_causal_mask
from torch import nn

from .configuration_pebble import PebbleConfig


class PebblePreTrainedModel(PreTrainedModel):
    _supports_flex_attn = True


class PebbleLM(PebblePreTrainedModel):
    """Asks a BlockMask for its dimensions, and needs what ``config.json`` sets."""

    def __init__(self, config: PebbleConfig):
        super().__init__(config)
        if not config.gated:
            raise ValueError("this model is gated")
        self.gate = nn.Parameter(torch.ones(config.hidden_size))

    def _update_causal_mask(self, attention_mask, hidden, first):
        hidden.mul_(self.gate.tanh())
        return dense_causal_mask(attention_mask, hidden, first)


class PebbleForTokenClassification(PebbleLM):
    """A task head, which is run when asked for."""
