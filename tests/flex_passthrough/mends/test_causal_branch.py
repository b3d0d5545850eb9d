"""A flex branch whose builder is told of the cache, and which makes a mask where there is none."""

from __future__ import annotations

import ast

import black
import pytest

from codemods.flex_passthrough.mends.causal_branch import make_causal, tell_of_cache
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.rewrite.edit import apply_edits

METHOD = """\
def make_mask(config, mask, embeds, cache_position, cache):
    if config._attn_implementation == "flex_attention":
        if isinstance(mask, torch.Tensor):
            # Documents are numbered.
            mask = build(mask)
        return mask

    seen = cache.get_seq_length() if cache is not None else 0
    return dense(mask, embeds.shape[1], seen, cache.get_max_cache_shape(), cache_position)
"""

TOLD = """\
def make_mask(config, mask, embeds, cache_position, cache):
    if config._attn_implementation == "flex_attention":
        if isinstance(mask, torch.Tensor) and mask.dim() == 2:
            # Documents are numbered.
            mask = build(
                mask,
                query_length=embeds.shape[1],
                key_length=cache.get_max_cache_shape() if cache is not None else None,
                offsets=(cache_position[0], 0),
            )
        return mask
"""

CAUSAL = """\
    if config._attn_implementation == "flex_attention":
        if mask is None:
            seen = cache.get_seq_length() if cache is not None else 0
            mask = torch.ones(
                (embeds.shape[0], seen + embeds.shape[1]), dtype=torch.long, device=embeds.device
            )
        if isinstance(mask, torch.Tensor):
"""


def line_of(text: str) -> int:
    return next(node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))


def tell(text: str, width: int = 99) -> str:
    return apply_edits(text, tell_of_cache(text, line_of(text), "build", width))


def cause(text: str, width: int = 99) -> str:
    return apply_edits(text, make_causal(text, line_of(text), "build", width))


def test_lengths_are_told() -> None:
    assert tell(METHOD).startswith(TOLD)


def test_no_mask_gets_one() -> None:
    assert CAUSAL in cause(METHOD)


@pytest.mark.parametrize("mend", [tell, cause])
def test_noop_twice(mend) -> None:
    assert mend(mend(METHOD)) == mend(METHOD)


@pytest.mark.parametrize("width", [79, 88, 119])
def test_black_clean_one_after_the_other(width: int) -> None:
    mode = black.Mode(line_length=width)
    text = cause(tell(black.format_str(METHOD, mode=mode), width), width)
    assert black.format_str(text, mode=mode) == text


def test_long_names_are_black_clean() -> None:
    text = METHOD.replace("cache", "past_key_values").replace("embeds", "inputs_embeds")
    text = text.replace("past_key_values_position", "cache_position")
    mode = black.Mode(line_length=88)
    text = cause(tell(black.format_str(text, mode=mode), 88), 88)
    assert "key_length=(\n" in text
    assert black.format_str(text, mode=mode) == text


def test_order_does_not_matter() -> None:
    assert cause(tell(METHOD)) == tell(cause(METHOD))


def test_edits_of_both_do_not_overlap() -> None:
    line = line_of(METHOD)
    edits = [*tell_of_cache(METHOD, line, "build", 99), *make_causal(METHOD, line, "build", 99)]
    assert apply_edits(METHOD, edits) == cause(tell(METHOD))


@pytest.mark.parametrize("mend", [tell, cause])
def test_line_ends_and_letters_of_two_bytes_survive(mend) -> None:
    text = METHOD.replace("Documents are", "Dökümente,").replace("numbered", "numéros")
    assert mend(text.replace("\n", "\r\n")) == mend(text).replace("\n", "\r\n")


def test_cache_that_only_grows_is_asked_for_no_length() -> None:
    text = METHOD.replace(", cache.get_max_cache_shape()", "")
    assert "mask = build(mask, query_length=embeds.shape[1], offsets=(cache_position[0], 0))" in tell(
        text, 119
    )


@pytest.mark.parametrize("mend", [tell, cause])
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("embeds.shape[1]", "len(embeds)", "make_mask does not show how many queries there are"),
        ("= build(", "= make(", "no flex branch there calls build"),
    ],
)
def test_refused(mend, old: str, new: str, reason: str) -> None:
    with pytest.raises(CannotMend, match=reason):
        mend(METHOD.replace(old, new))


OLDER = """\
def make_mask(config, mask, input_shape, embeds, past_key_values_length):
    if config._attn_implementation == "flex_attention":
        if isinstance(mask, torch.Tensor):
            mask = build(mask)
    else:
        mask = dense(mask, input_shape, embeds, past_key_values_length)
    return mask
"""


def test_older_method_is_given_its_lengths() -> None:
    told = "mask = build(mask, query_length=input_shape[-1], offsets=(past_key_values_length, 0))"
    assert told in tell(OLDER)
    assert tell(tell(OLDER)) == tell(OLDER)


def test_length_of_the_cache_alone_does_not_say_how_many_queries_there_are() -> None:
    with pytest.raises(CannotMend, match="does not show"):
        tell(OLDER.replace("input_shape", "size"))
