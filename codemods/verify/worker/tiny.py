"""Tiny configurations, made from any configuration class without knowing the model.

A value is chosen by the *name* that configuration classes give it (``hidden_size``, ``d_model``
and ``n_embd`` mean the same), and only where the class accepts that name. Every size is small,
every window and chunk is 16 tokens, and each kind of layer is there once.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from .hints import HINTS

VOCABULARY = 128
WINDOW = 16
HIDDEN = 64
HEADS = 4
LAYERS = 2
# Grouped key-value heads first: they are the harder case. Some models only know as many as heads.
KEY_VALUE_HEADS = (2, HEADS)

# The first pattern that matches the whole name decides. Only integers are replaced.
_SIZES = [
    (r"(.*_)?vocab(ulary)?_size(_.*)?|n_vocab|.*_vocab_size.*|n_words", VOCABULARY),
    (r"(.*_)?(sliding_window|attention_window|local_attention|window_size|sliding_window_size)", WINDOW),
    (r"(.*_)?(attention_chunk_size|chunk_size|block_length)", WINDOW),
    (r"sliding_window_pattern|_sliding_window_pattern|global_attn_every_n_layers", 2),
    (r"(.*_)?(num_key_value_heads|n_kv_heads?|num_kv_heads)", "key_value_heads"),
    (r"(.*_)?(num_attention_heads|num_heads|n_heads?|attention_heads)", HEADS),
    (r"head_dim|.*_head_dim|head_size|attention_head_size|d_kv|kv_channels|d_head", HIDDEN // HEADS),
    (r"(qk_rope_head_dim|qk_nope_head_dim)", HIDDEN // HEADS),
    (r"q_lora_rank|kv_lora_rank|.*_lora_rank|.*_lora_dim|.*_low_rank_dim", 32),
    (r"(.*_)?(num_hidden_layers|num_layers|n_layers?|encoder_layers|decoder_layers|depth|layers)", LAYERS),
    (
        r"encoder_ffn_dim|decoder_ffn_dim|ffn_dim|d_ff|n_inner|d_inner|.*intermediate_(size|dim)|ffn_hidden_size",
        2 * HIDDEN,
    ),
    (
        r"(.*_)?(hidden_size|d_model|n_embd|embed_dim|embedding_size|model_dim|hidden_dim|projection_dim|width)",
        HIDDEN,
    ),
    (r"word_embed_proj_dim|lru_width|hidden_sizes?_per_layer_input|.*_hidden_size|emb_dim|dim", HIDDEN),
    (
        r"max_position_embeddings|n_positions|max_seq_len|max_sequence_length|n_ctx|max_.*_positions",
        4 * HIDDEN,
    ),
    (r"num_experts|num_local_experts|n_routed_experts|moe_num_experts|.*_num_experts", 4),
    (r"num_experts_per_tok|num_experts_per_token|moe_topk|moe_k|top_k_experts|num_selected_experts", 2),
    (r"n_shared_experts|n_group|topk_group|num_shared_experts|first_k_dense_replace", 1),
    (r"image_size", 32),
    (r"patch_size", 8),
    (r"max_window_layers", 0),
]

# Where the default is ``None`` and the class derives something else (or nothing) from it.
_NONE_IS_A_SIZE = re.compile(r"(.*_)?(num_key_value_heads|num_kv_heads|sliding_window|attention_chunk_size)")
_TOKEN = re.compile(r".*_token_(id|index|idx)|.*_(id|index|idx)_token|.*_start_id|.*_end_id")
_DROPOUT = re.compile(r"drop")
_LAYER_KINDS = re.compile(r"layer_types|layers_block_type|block_types?|layer_block_types?|_layer_types")
_SPECIAL_TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}


class CannotBuild(Exception):
    """A tiny configuration or model cannot be made; the message says why."""


def tiny_config(config_class: Any, key_value_heads: int) -> Any:
    """Return a small configuration of ``config_class``, sub-configurations included.

    Args:
        config_class: a ``PretrainedConfig`` subclass of the tree.
        key_value_heads: how many, where the class tells them apart from the heads.

    Raises:
        CannotBuild: if the class refuses every small configuration tried.
    """
    try:
        return config_class(**tiny_values(config_class, key_value_heads))
    except Exception as error:
        raise CannotBuild(f"configuration: {one_line(error)}") from error


def tiny_values(config_class: Any, key_value_heads: int) -> dict[str, Any]:
    """Return the keyword arguments that make ``config_class`` tiny."""
    default = _default(config_class)
    parameters = _parameters(config_class)
    values: dict[str, Any] = {}
    tokens = iter(range(VOCABULARY - 1, 0, -1))
    for name, given in parameters.items():
        value = given if default is None else getattr(default, name, given)
        if given is None and value is not None and not _LAYER_KINDS.fullmatch(name):
            value = None  # derived by the class itself; it will derive it again from the small values
        small = _small(name, value, tokens)
        if small == "key_value_heads":
            small = key_value_heads
        if small is not None:
            values[name] = small
    values.update(_layer_kinds(default, parameters))
    values.update(_sub_configs(config_class, default, key_value_heads))
    values.update(HINTS.get(getattr(config_class, "model_type", ""), {}))
    if "use_sliding_window" in parameters:
        values["use_sliding_window"] = True
    return values


def _small(name: str, value: Any, tokens: Any) -> Any:
    """Return the small value for one parameter, or None to leave the default."""
    if name in _SPECIAL_TOKENS:
        return _SPECIAL_TOKENS[name]
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and _DROPOUT.search(name):
        return 0.0  # what is random in training cannot be compared
    if _TOKEN.fullmatch(name) and isinstance(value, int):
        return next(tokens) if value >= VOCABULARY else None
    if not isinstance(value, int) and not (value is None and _NONE_IS_A_SIZE.fullmatch(name)):
        return None
    for pattern, size in _SIZES:
        if re.fullmatch(pattern, name):
            return size
    return None


def _layer_kinds(default: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return lists that name a kind per layer, each kind once, and the number of layers to match."""
    values: dict[str, Any] = {}
    for name in parameters:
        kinds = getattr(default, name, None)
        if not (_LAYER_KINDS.fullmatch(name) and isinstance(kinds, (list, tuple)) and kinds):
            continue
        if all(isinstance(kind, str) for kind in kinds):
            distinct = list(dict.fromkeys(kinds))
            values[name] = distinct if len(distinct) > 1 else distinct * LAYERS
            values["num_hidden_layers"] = len(values[name])
    return values


def _sub_configs(config_class: Any, default: Any, key_value_heads: int) -> dict[str, Any]:
    """Return a tiny dictionary for each sub-configuration."""
    values: dict[str, Any] = {}
    for name, sub_class in (getattr(config_class, "sub_configs", None) or {}).items():
        current = getattr(default, name, None)
        if current is not None:
            sub_class = type(current)
        elif not getattr(sub_class, "model_type", ""):
            continue
        values[name] = tiny_values(sub_class, key_value_heads)
        values[name]["model_type"] = sub_class.model_type
    return values


def _default(config_class: Any) -> Any:
    try:
        return config_class()
    except Exception:
        return None


def _parameters(config_class: Any) -> dict[str, Any]:
    """Return parameter name -> default, those of base classes that ``**kwargs`` reaches included."""
    found: dict[str, Any] = {}
    for owner in config_class.__mro__:
        if "__init__" not in vars(owner) or owner is object:
            continue
        signature = inspect.signature(owner.__init__)
        for parameter in signature.parameters.values():
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
                found.setdefault(parameter.name, parameter.default)
        if not any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
            break
    found.pop("self", None)
    return {
        name: (None if default is inspect.Parameter.empty else default) for name, default in found.items()
    }


def one_line(error: BaseException) -> str:
    """Return an exception as one line."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
