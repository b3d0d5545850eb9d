"""A package with one model to mend, for hostile things to be put beside it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

LIBRARY = {
    "__init__.py": "",
    "models/__init__.py": "",
    "modeling_utils.py": """
        from torch import nn


        class PreTrainedModel(nn.Module):
            _supports_flex_attn = False


        ALL_ATTENTION_FUNCTIONS = {}
    """,
    "utils/__init__.py": """
        def is_torch_flex_attn_available():
            return True
    """,
}

HEAD = """\
import torch
from torch import nn

from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel


"""

CLASSES = """\
class TinyAttention(nn.Module):
    def forward(self, hidden_states, attention_mask=None):
        attention_interface = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
        return attention_interface(self, hidden_states, attention_mask)


class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def __init__(self, config):
        super().__init__(config)
        self.layers = nn.ModuleList([TinyAttention() for _ in range(config.num_hidden_layers)])

    def forward(self, input_ids=None, attention_mask=None):
        hidden_states = self.embed_tokens(input_ids)
        causal_mask = self._update_causal_mask(attention_mask, hidden_states)
        for layer in self.layers:
            hidden_states = layer(hidden_states, attention_mask=causal_mask)
        return hidden_states

"""

METHOD = """\
def _update_causal_mask(self, attention_mask, input_tensor):
    if attention_mask is not None and attention_mask.dim() == 4:
        return attention_mask
    return torch.triu(input_tensor.new_ones(4, 4))
"""


def model(method: str = METHOD) -> str:
    """Return a module with a model whose mask method is ``method``."""
    return HEAD + CLASSES + indent(method, "    ")


MODEL = model()


def package(folder: Path, **models: str | bytes) -> Path:
    """Write a package below ``folder`` with a model to mend, and others by name; return it."""
    root = folder / "pkg"
    files: dict[str, str | bytes] = {name: dedent(text) for name, text in LIBRARY.items()}
    for name, text in {"tiny": MODEL, **models}.items():
        files[f"models/{name}/__init__.py"] = ""
        files[f"models/{name}/modeling_{name}.py"] = text
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root
