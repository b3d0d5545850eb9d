"""Tiny configurations, made from any configuration class without knowing the model.

A value is chosen by the *name* that configuration classes give it (``hidden_size``, ``d_model``
and ``n_embd`` mean the same), and only where the class accepts that name. Every size is small,
every window and chunk is 16 tokens, and each kind of layer is there once.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from .hints import HINTS

_NOTHING: Mapping[str, Any] = MappingProxyType({})

VOCABULARY = 128
WINDOW = 16
HIDDEN = 64
HEADS = 4
LAYERS = 2


class Profile(NamedTuple):
    """One way to choose what names alone do not decide.

    Attributes:
        key_value_heads: how many, where the class tells them apart from the heads.
        fill: whether to give a size to what is ``None`` by default and was not derived from others.
        extra_kind: a kind of layer to add where all layers are of one kind.
    """

    key_value_heads: int
    fill: bool = False
    extra_kind: str | None = None


# Grouped key-value heads first: they are the harder case. Some models only know as many as heads.
PROFILES = (
    Profile(2),
    Profile(HEADS),
    Profile(2, fill=True),
    Profile(HEADS, fill=True),
    Profile(HEADS, fill=True, extra_kind="full_attention"),
    Profile(HEADS, fill=True, extra_kind="attention"),
)

# The first pattern that matches the whole name decides. Only integers are replaced.
_SIZE_BY_NAME = [
    (r"num_kv_shared_layers|num_nextn_predict_layers", 0),
    (r"num_query_tokens", 8),
    (r"n_groups|mamba_n_groups|mamba_ngroups|num_dense_layers", 1),
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
        r"(.*_)?(hidden_size|d_model|n_embd|embed_dim|embedding_size|model_dim|hidden_dim|projection_dim|condition_dim|width)",
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
    (r"base_channels", 32),
    (r"num_codebooks", 1),
    (r"codebook_size", VOCABULARY),
]
# Compiled here, once, and not in every process that is forked.
_SIZES = [(re.compile(pattern), size) for pattern, size in _SIZE_BY_NAME]

# Where the default is ``None`` and the class derives something else (or nothing) from it.
_NONE_IS_A_SIZE = re.compile(r"(.*_)?(num_key_value_heads|num_kv_heads|sliding_window|attention_chunk_size)")
_TOKEN = re.compile(r".*_token_(id|index|idx)|.*_(id|index|idx)_token|.*_start_id|.*_end_id")
_DROPOUT = re.compile(r"drop")
_LAYER_KINDS = re.compile(r"layer_types|layers_block_type|block_types?|layer_block_types?|_layer_types")
_SPECIAL_TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}


# What code may raise that is its own failure: to leave the process is one too.
FAILURES = (Exception, SystemExit)


class CannotBuild(Exception):
    """A tiny configuration or model cannot be made; the message says why."""


def tiny_config(config_class: Any, profile: Profile, configured: Mapping[str, Any] = _NOTHING) -> Any:
    """Return a small configuration of ``config_class``, sub-configurations included.

    Args:
        config_class: a ``PretrainedConfig`` subclass of the tree.
        profile: what to choose where names do not decide.
        configured: what the tree sets in this configuration; of it only sizes are changed.

    Raises:
        CannotBuild: if the class refuses every small configuration tried.
    """
    try:
        return config_class(**tiny_values(config_class, profile, configured))
    except FAILURES as error:
        raise CannotBuild(f"configuration: {one_line(error)}") from error


def tiny_values(
    config_class: Any, profile: Profile, configured: Mapping[str, Any] = _NOTHING
) -> dict[str, Any]:
    """Return the keyword arguments that make ``config_class`` tiny."""
    default = _default(config_class, configured)
    parameters = {**_parameters(config_class), **configured}
    values: dict[str, Any] = {}
    tokens = iter(range(VOCABULARY - 1, 0, -1))
    for name, given in parameters.items():
        value = given
        if given is not None or profile.fill:
            value = _value(default, name, given)
        small = _small(name, value, tokens, profile)
        if small is not None:
            values[name] = small
    values.update(_layer_kinds(default, parameters, profile))
    values.update(_one_entry_per_layer(default, {**parameters, **values}, values.get("num_hidden_layers")))
    values.update(_sub_configs(config_class, default, parameters, profile))
    if "use_sliding_window" in parameters:
        values["use_sliding_window"] = True
    values = _merged(dict(configured), values)
    return _merged(values, HINTS.get(getattr(config_class, "model_type", ""), {}))


def _value(default: Any, name: str, given: Any) -> Any:
    """Return a default configuration's value; ``given`` where it will not say."""
    try:
        return getattr(default, name, given)
    except Exception:  # values that differ from layer to layer have no single answer
        return given


def _merged(values: dict[str, Any], hints: dict[str, Any]) -> dict[str, Any]:
    """Return ``values`` with ``hints`` over them, dictionaries within dictionaries too."""
    merged = dict(values)
    for name, hint in hints.items():
        inner = merged.get(name)
        merged[name] = _merged(inner, hint) if isinstance(inner, dict) and isinstance(hint, dict) else hint
    return merged


def _small(name: str, value: Any, tokens: Any, profile: Profile) -> Any:
    """Return the small value for one parameter, or None to leave the default."""
    if name in _SPECIAL_TOKENS:
        return _SPECIAL_TOKENS[name]
    if isinstance(value, bool):
        return None
    if isinstance(value, dict) and "mrope_section" in value:
        return {**value, "mrope_section": _rotary_sections(value)}
    if isinstance(value, (list, tuple)) and value and all(type(entry) is int for entry in value):
        return _small_list(name, list(value))
    if isinstance(value, float) and _DROPOUT.search(name):
        return 0.0  # what is random in training cannot be compared
    if _TOKEN.fullmatch(name) and isinstance(value, int):
        return next(tokens) if value >= VOCABULARY else None
    if value is None and not (profile.fill or _NONE_IS_A_SIZE.fullmatch(name)):
        return None
    if not isinstance(value, (int, type(None))):
        return None
    for pattern, size in _SIZES:
        if pattern.fullmatch(name):
            return profile.key_value_heads if size == "key_value_heads" else size
    return None


def _small_list(name: str, value: list[int]) -> list[int] | None:
    """Return small sizes for a list of one size per stage, or None for a list of something else."""
    if name == "eos_token_id":
        return [2]
    if len(value) > 1 and re.fullmatch(r"depths?|embed_dim|hidden_sizes|num_heads|num_groups", name):
        return [{"depth": 1, "depths": 1, "num_heads": HEADS, "num_groups": HEADS}.get(name, HIDDEN)] * len(
            value
        )
    return None


def _rotary_sections(rope: dict[str, Any]) -> list[int]:
    """Split the rotated half of a tiny head among time, height and width."""
    half = int(HIDDEN // HEADS * rope.get("partial_rotary_factor", 1.0)) // 2
    return [half - 2 * (half // 3), half // 3, half // 3]


def _layer_kinds(default: Any, parameters: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """Return lists that name a kind per layer, each kind once, and the number of layers to match."""
    values: dict[str, Any] = {}
    for name in parameters:
        if not _LAYER_KINDS.fullmatch(name):
            continue
        kinds = _value(default, name, None) or []
        distinct = [kind for kind in dict.fromkeys(kinds) if isinstance(kind, str)]
        if profile.extra_kind and len(distinct) < 2:
            distinct = list(dict.fromkeys([*distinct, profile.extra_kind]))
        if distinct:
            values[name] = distinct if len(distinct) > 1 else distinct * LAYERS
            values["num_hidden_layers"] = len(values[name])
    return values


def _one_entry_per_layer(default: Any, parameters: dict[str, Any], layers: Any) -> dict[str, Any]:
    """Return lists of numbers that have as many entries as there are layers, cut down with them."""
    many = _value(default, "num_hidden_layers", None)
    values: dict[str, Any] = {}
    for name, given in parameters.items():
        if layers is None or not (isinstance(given, (list, tuple)) and len(given) == many != layers):
            continue
        if all(isinstance(entry, (int, float)) for entry in given):
            values[name] = [given[place * (many - 1) // max(1, layers - 1)] for place in range(layers)]
    return values


def _sub_configs(
    config_class: Any, default: Any, parameters: dict[str, Any], profile: Profile
) -> dict[str, Any]:
    """Return a tiny dictionary for each sub-configuration, those that are not declared included."""
    declared = dict(getattr(config_class, "sub_configs", None) or {})
    current = {name: _value(default, name, None) for name in [*declared, *parameters]}
    values: dict[str, Any] = {}
    for name, value in current.items():
        sub_class = declared.get(name) if value is None else type(value)
        model_type = getattr(sub_class, "model_type", "")
        if (name in declared and value is not None) or (model_type and hasattr(sub_class, "to_dict")):
            values[name] = {**tiny_values(sub_class, profile), "model_type": model_type}
    return values


def _default(config_class: Any, configured: Mapping[str, Any] = _NOTHING) -> Any:
    try:
        return config_class(**configured)
    except FAILURES:
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
    """Return an exception as one line; of one that says more after a colon, the next line too."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    text = " ".join(lines[:2] if lines and lines[0].endswith(":") else lines[:1])
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
