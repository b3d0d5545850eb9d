"""A small package in the style of transformers, of which one model crashes, can be mended, and can be run."""

from __future__ import annotations

import shutil
from pathlib import Path

TREES = Path(__file__).parent / "verify" / "trees"
CRASHING = "models/crashing/modeling_crashing.py"
MODEL = """\
from types import SimpleNamespace

import torch
from torch import nn

from ...modeling_utils import Attention, PreTrainedModel
from .configuration_crashing import CrashingConfig


class CrashingForCausalLM(PreTrainedModel):
    config_class = CrashingConfig
    _supports_flex_attn = True

    def __init__(self, config):
        super().__init__(config)
        self.layers = nn.ModuleList([Attention(config) for _ in range(config.num_hidden_layers)])

    def forward(self, input_ids, attention_mask=None, use_cache=False):
        hidden = self.embed(input_ids)
        causal_mask = self._update_causal_mask(attention_mask, hidden)
        for layer in self.layers:
            change, _ = layer(hidden, causal_mask)
            hidden = hidden + change
        return SimpleNamespace(logits=self.head(hidden))

    def _update_causal_mask(self, attention_mask, hidden):
        if attention_mask is not None and attention_mask.dim() == 4:
            return attention_mask
        batch, tokens, _ = hidden.shape
        seen = torch.ones(batch, 1, tokens, tokens, dtype=torch.bool).tril()
        if attention_mask is not None:
            seen = seen & attention_mask[:, None, None, :].bool()
        return torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)
"""


def mendable(tree: Path, model: str = MODEL) -> Path:
    """Write the package at ``tree``, with ``model`` as the model that crashes, and return it."""
    shutil.copytree(TREES / "tinyformers", tree, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / CRASHING).write_text(model, encoding="utf-8")
    return tree
