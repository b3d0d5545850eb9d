import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask

from ...modeling_utils import PreTrainedModel, dense_causal_mask
from .configuration_windowed import WindowedConfig


class WindowedForCausalLM(PreTrainedModel):
    """Cuts every mask down to a sliding window."""

    config_class = WindowedConfig
    _supports_flex_attn = True

    def _update_causal_mask(self, attention_mask, hidden, first):
        window = self.config.sliding_window
        batch, tokens, _ = hidden.shape
        if isinstance(attention_mask, BlockMask):
            mask_mod = attention_mask.mask_mod

            def windowed(b, h, q, k):
                return mask_mod(b, h, q, k) & (q + first - k < window)

            return create_block_mask(windowed, batch, None, tokens, first + tokens, device=hidden.device)
        mask = dense_causal_mask(attention_mask, hidden, first)
        position = torch.arange(first + tokens)
        near = position[first:, None] - position[None, :] < window
        return mask.masked_fill(~near, torch.finfo(mask.dtype).min)
