"""FLEX003: flex branches that are told of the cache and of a missing mask, and those left alone."""

from __future__ import annotations

from collections.abc import Callable

import black
import pytest

from codemods.flex_passthrough.api import Plan, Settings, apply, plan
from tests.flex_passthrough.rules.branches import (
    BUILDER,
    DENSE,
    FALLS_THROUGH,
    INTEGRATION,
    MODEL,
    ONES,
    PLAIN_BUILDER,
    QUESTION,
    RETURN,
    RETURN_BLOCK_MASK,
    RETURNS,
    TOLD,
    model,
    package,
)

ONLY = Settings(select=("FLEX003",), line_length=119)
STYLE = black.Mode(line_length=119)


@pytest.fixture
def check_transformed(write_tree) -> Callable[..., None]:
    """The model file becomes ``after``, black-clean, and then nothing is left to do."""

    def check(before: str, after: str) -> None:
        root = write_tree(package(before))
        planned = plan([root / "pkg"], ONLY)
        apply(planned)
        assert [change.name for change in planned.changes] == ["models/tiny/modeling_tiny.py"]
        assert (root / MODEL).read_text() == after
        assert black.format_str(after, mode=STYLE) == after
        assert plan([root / "pkg"], ONLY).findings == []

    return check


@pytest.fixture
def check_noop(write_tree) -> Callable[..., Plan]:
    """Nothing changes."""

    def check(source: str, builder: str = BUILDER) -> Plan:
        planned = plan([write_tree(package(source, builder)) / "pkg"], ONLY)
        assert planned.problems == []
        assert planned.changes == []
        return planned

    return check


def test_branch_that_falls_through_is_told_of_the_cache(check_transformed):
    check_transformed(model(FALLS_THROUGH), model(QUESTION + TOLD + RETURN_BLOCK_MASK))


def test_branch_that_returns_gets_a_mask_too(check_transformed):
    check_transformed(model(RETURNS), model(QUESTION + ONES + TOLD + RETURN))


def test_only_no_mask_is_missing(check_transformed):
    check_transformed(model(QUESTION + TOLD + RETURN), model(QUESTION + ONES + TOLD + RETURN))


def test_only_the_cache_is_missing(check_transformed):
    before = RETURNS.replace("    if isinstance", ONES + "    if isinstance", 1)
    check_transformed(model(before), model(QUESTION + ONES + TOLD + RETURN))


def test_arguments_that_are_there_stay(check_transformed):
    told = TOLD.replace("            query_length", "            chunk=self.chunk,\n            query_length")
    check_transformed(
        model(FALLS_THROUGH.replace("(attention_mask)", "(attention_mask, chunk=self.chunk)")),
        model(QUESTION + told + RETURN_BLOCK_MASK),
    )


def test_test_that_asks_for_dimensions_stays(check_transformed):
    asks = FALLS_THROUGH.replace("torch.Tensor):", "torch.Tensor) and attention_mask.ndim == 2:")
    told = TOLD.replace("attention_mask.dim()", "attention_mask.ndim")
    check_transformed(model(asks), model(QUESTION + told + RETURN_BLOCK_MASK))


def test_names_are_those_of_the_method(check_transformed):
    def renamed(text: str) -> str:
        text = text.replace("past_key_values", "cache").replace("input_tensor", "embeds")
        text = text.replace("past_seen_tokens", "seen")
        return black.format_str(text, mode=black.Mode(line_length=119, magic_trailing_comma=False))

    check_transformed(renamed(model(RETURNS)), renamed(model(QUESTION + ONES + TOLD + RETURN)))


def test_without_a_cache_only_no_mask_matters(check_transformed):
    dense = "\nreturn torch.triu(attention_mask.new_ones(input_tensor.shape[1], 9))\n"
    ones = """\
    if attention_mask is None:
        attention_mask = torch.ones(
            (input_tensor.shape[0], input_tensor.shape[1]), dtype=torch.long, device=input_tensor.device
        )
"""
    after = RETURNS.replace("    if isinstance", ones + "    if isinstance", 1)
    check_transformed(model(RETURNS, dense), model(after, dense))


NOOPS = {
    "told_and_falls_through": QUESTION + TOLD + RETURN_BLOCK_MASK,
    "told_and_answers_for_no_mask": QUESTION + ONES + TOLD + RETURN,
    "hands_lengths_by_position": FALLS_THROUGH.replace("(attention_mask)", "(attention_mask, 64, 64)"),
    "passthrough_only": QUESTION + RETURN_BLOCK_MASK,
    "another_builder": FALLS_THROUGH.replace("build_block_mask", "self.config.build"),
    "another_implementation": FALLS_THROUGH.replace('"flex_attention"', '"flash_attention_2"'),
    "no_tensor_test": QUESTION + "    attention_mask = build_block_mask(attention_mask)\n" + RETURN,
    "another_name": FALLS_THROUGH.replace("attention_mask = build", "block_mask = build"),
    "no_branch": "",
}


@pytest.mark.parametrize("name", NOOPS)
def test_not_needed(check_noop, name):
    assert check_noop(model(NOOPS[name])).findings == []


def test_not_where_the_builder_makes_no_block_masks(check_noop):
    builder = BUILDER.replace("return create_block_mask", "return torch.stack")
    assert check_noop(model(RETURNS), builder).findings == []


def test_not_claimed(check_noop):
    assert check_noop(model(RETURNS).replace("_attn = True", "_attn = False")).findings == []


def test_not_where_no_model_calls_it(check_noop):
    source = model(RETURNS).replace("causal_mask = self._make_mask(", "causal_mask = self.config.mask(")
    assert check_noop(source).findings == []


def test_builder_learns_of_lengths(write_tree):
    """As in 4.50; one edit of the builder serves every method that calls it."""
    root = write_tree(package(model(FALLS_THROUGH), PLAIN_BUILDER))
    apply(plan([root / "pkg"], ONLY))
    assert (root / MODEL).read_text() == model(QUESTION + TOLD + RETURN_BLOCK_MASK)
    assert "query_length=None, key_length=None, offsets=None" in (root / INTEGRATION).read_text()
    assert plan([root / "pkg"], ONLY).findings == []


def test_not_where_the_builder_cannot_learn(check_noop):
    (finding,) = check_noop(
        model(FALLS_THROUGH), PLAIN_BUILDER.replace("KV_LEN=length", "KV_LEN=99")
    ).findings
    assert finding.status.value == "failed"
    assert "build_block_mask does not make its BlockMask in a way that is known" in finding.reason


def test_not_where_the_builder_is_out_of_reach(write_tree):
    root = write_tree(package(model(FALLS_THROUGH), PLAIN_BUILDER))
    planned = plan([root / "pkg" / "models"], ONLY)
    assert planned.changes == []
    (finding,) = planned.findings
    assert "has to change too, and lies outside the paths given" in finding.reason


def test_not_where_the_queries_cannot_be_counted(check_noop):
    source = model(FALLS_THROUGH, DENSE.replace("input_tensor.shape[1]", "self.length"))
    (finding,) = check_noop(source).findings
    assert finding.status.value == "failed"
    assert "does not show how many queries there are" in finding.reason


def test_finding_shows_the_way_to_the_method(write_tree):
    planned = plan([write_tree(package(model(RETURNS))) / "pkg"], Settings(select=("FLEX003",)))
    assert {tuple(step.qualname for step in finding.steps) for finding in planned.findings} == {
        ("TinyModel.forward", "TinyModel._make_mask")
    }
