from types import SimpleNamespace

import torch
from torch import nn
from torch.nn.attention.flex_attention import BlockMask, flex_attention


def eager_attention_forward(module, query, key, value, attention_mask):
    scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    if attention_mask is not None:
        scores = scores + attention_mask
    return scores.softmax(-1) @ value


def sdpa_attention_forward(module, query, key, value, attention_mask):
    return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask)


def flex_attention_forward(module, query, key, value, attention_mask):
    if isinstance(attention_mask, BlockMask):
        return torch.compile(flex_attention)(query, key, value, block_mask=attention_mask)

    def score_mod(score, batch, head, q, k):
        return score if attention_mask is None else score + attention_mask[batch][0][q][k]

    return torch.compile(flex_attention)(query, key, value, score_mod=score_mod)


def attend(module, query, key, value, attention_mask):
    interface = eager_attention_forward
    if module.config._attn_implementation == "sdpa":
        interface = sdpa_attention_forward
    elif module.config._attn_implementation == "flex_attention":
        interface = flex_attention_forward
    return interface(module, query, key, value, attention_mask)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.heads = config.num_attention_heads
        self.qkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.out = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden, attention_mask, cached=None):
        """Return the layer's output, and keys and values for the next call."""
        batch, tokens, size = hidden.shape
        query, key, value = (
            part.view(batch, tokens, self.heads, -1).transpose(1, 2) for part in self.qkv(hidden).chunk(3, -1)
        )
        if cached is not None:
            key, value = torch.cat([cached[0], key], 2), torch.cat([cached[1], value], 2)
        mixed = attend(self, query, key, value, attention_mask)
        return self.out(mixed.transpose(1, 2).reshape(batch, tokens, size)), (key, value)


class PreTrainedModel(nn.Module):
    """A language model; what it makes of a mask is up to ``_update_causal_mask``."""

    config_class = None
    _supports_flex_attn = False
    _supports_sdpa = True

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.generation_config = SimpleNamespace()
        self.embed = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Attention(config) for _ in range(config.num_hidden_layers))
        self.head = nn.Linear(config.hidden_size, config.vocab_size)

    @classmethod
    def _from_config(cls, config, attn_implementation):
        config._attn_implementation = attn_implementation
        return cls(config)

    def forward(self, input_ids, attention_mask=None, past_key_values=None, labels=None, use_cache=False):
        hidden = self.embed(input_ids)
        first = past_key_values[0][0].shape[2] if past_key_values else 0
        mask = self._update_causal_mask(attention_mask, hidden, first)
        cache = []
        for number, layer in enumerate(self.layers):
            normal = nn.functional.layer_norm(hidden, hidden.shape[-1:])
            change, kept = layer(normal, mask, past_key_values[number] if past_key_values else None)
            hidden = hidden + change
            cache.append(kept)
        logits = self.head(nn.functional.dropout(hidden, 0.0))
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return SimpleNamespace(logits=logits, loss=loss, past_key_values=cache if use_cache else None)

    def can_generate(self):
        return True

    def generate(self, input_ids, attention_mask, max_new_tokens, cache_implementation=None, **settings):
        if cache_implementation is not None:
            raise ValueError(f"no such cache: {cache_implementation}")
        cache, ids, logits = None, input_ids, []
        for _ in range(max_new_tokens):
            output = self(ids, attention_mask, past_key_values=cache, use_cache=True)
            cache = output.past_key_values
            logits.append(output.logits[:, -1])
            ids = logits[-1].argmax(-1, keepdim=True)
            attention_mask = torch.cat([attention_mask, torch.ones_like(ids)], 1)
        return SimpleNamespace(logits=tuple(logits))


def dense_causal_mask(attention_mask, hidden, first):
    """Return the additive causal mask (batch, 1, tokens, keys); one of four dimensions is ready."""
    if attention_mask is not None and attention_mask.dim() == 4:
        return attention_mask
    batch, tokens, _ = hidden.shape
    seen = torch.ones(batch, 1, tokens, first + tokens, dtype=torch.bool).tril(first)
    if attention_mask is not None:
        seen = seen & attention_mask[:, None, None, :].bool()
    return torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)
