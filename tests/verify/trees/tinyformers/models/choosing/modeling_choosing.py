from types import SimpleNamespace

from torch import nn
from torch.nn.attention.flex_attention import BlockMask

from ...modeling_utils import PreTrainedModel, dense_causal_mask
from .configuration_choosing import ChoosingConfig


class ChoosingForMultipleChoice(PreTrainedModel):
    """Flattens its choices, tokens and masks alike, and reads each from its last token."""

    config_class = ChoosingConfig
    _supports_flex_attn = True

    def forward(self, input_ids, attention_mask=None, labels=None):
        choices, tokens = input_ids.shape[1:]
        if attention_mask is not None and not isinstance(attention_mask, BlockMask):
            attention_mask = attention_mask.view(-1, attention_mask.size(-1))
        output = super().forward(input_ids.view(-1, tokens), attention_mask)
        logits = output.logits[:, -1, 0].view(-1, choices)
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return SimpleNamespace(logits=logits, loss=loss)

    def _update_causal_mask(self, attention_mask, hidden, first):
        if isinstance(attention_mask, BlockMask):
            return attention_mask
        return dense_causal_mask(attention_mask, hidden, first)
