from types import SimpleNamespace

import torch
from torch import nn
from torch.nn.attention.flex_attention import BlockMask

from ...modeling_utils import Attention, PreTrainedModel, attend, dense_causal_mask
from .configuration_paired import PairedConfig


class CrossAttention(nn.Module):
    """Looks from the decoder's tokens at the encoder's."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.q = nn.Linear(config.hidden_size, config.hidden_size)
        self.kv = nn.Linear(config.hidden_size, 2 * config.hidden_size)
        self.out = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden, encoded, attention_mask):
        heads = self.config.num_attention_heads
        query, key, value = (
            part.unflatten(-1, (heads, -1)).transpose(1, 2)
            for part in (self.q(hidden), *self.kv(encoded).chunk(2, -1))
        )
        return self.out(attend(self, query, key, value, attention_mask).transpose(1, 2).flatten(2))


class PairedForConditionalGeneration(PreTrainedModel):
    """An encoder that looks both ways, and a decoder that looks back and at the encoder."""

    config_class = PairedConfig
    _supports_flex_attn = True

    def __init__(self, config):
        super().__init__(config)
        self.encoder = nn.ModuleList(Attention(config) for _ in range(config.num_hidden_layers))
        self.cross = nn.ModuleList(CrossAttention(config) for _ in range(config.num_hidden_layers))

    def forward(
        self,
        input_ids,
        attention_mask=None,
        decoder_input_ids=None,
        decoder_attention_mask=None,
        past_key_values=None,
        labels=None,
        use_cache=False,
    ):
        encoded = self.embed(input_ids)
        mask = self._update_encoder_mask(attention_mask, encoded)
        for layer in self.encoder:
            encoded = encoded + layer(normal(encoded), mask)[0]
        hidden = self.embed(decoder_input_ids)
        first = past_key_values[0][0].shape[2] if past_key_values else 0
        causal_mask = self._update_causal_mask(decoder_attention_mask, hidden, first)
        cross_mask = self._update_cross_mask(attention_mask, hidden)
        cache = []
        for number, (layer, cross) in enumerate(zip(self.layers, self.cross, strict=True)):
            cached = past_key_values[number] if past_key_values else None
            change, kept = layer(normal(hidden), causal_mask, cached)
            hidden = hidden + change
            hidden = hidden + cross(normal(hidden), normal(encoded), cross_mask)
            cache.append(kept)
        logits = self.head(hidden)
        loss = None if labels is None else nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten())
        return SimpleNamespace(logits=logits, loss=loss, past_key_values=cache if use_cache else None)

    def _update_encoder_mask(self, attention_mask, hidden):
        if isinstance(attention_mask, BlockMask):
            return attention_mask
        return dense_mask(attention_mask, hidden)

    def _update_cross_mask(self, attention_mask, hidden):
        if isinstance(attention_mask, BlockMask):
            return attention_mask
        return dense_mask(attention_mask, hidden)

    def _update_causal_mask(self, attention_mask, hidden, first):
        if isinstance(attention_mask, BlockMask):
            return attention_mask
        return dense_causal_mask(attention_mask, hidden, first)

    def generate(self, input_ids, attention_mask, decoder_input_ids, max_new_tokens, **settings):
        if settings.get("cache_implementation") is not None:
            raise ValueError(f"no such cache: {settings['cache_implementation']}")
        cache, ids, logits = None, decoder_input_ids, []
        for _ in range(max_new_tokens):
            output = self(input_ids, attention_mask, ids, past_key_values=cache, use_cache=True)
            cache = output.past_key_values
            logits.append(output.logits[:, -1])
            ids = logits[-1].argmax(-1, keepdim=True)
        return SimpleNamespace(logits=tuple(logits))


def normal(hidden):
    return nn.functional.layer_norm(hidden, hidden.shape[-1:])


def dense_mask(attention_mask, hidden):
    """Return the additive mask (batch, 1, tokens, keys) of what may be looked at both ways."""
    if attention_mask is None or attention_mask.dim() == 4:
        return attention_mask
    batch, keys = attention_mask.shape
    seen = attention_mask[:, None, None, :].bool().expand(batch, 1, hidden.shape[1], keys)
    return torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)
