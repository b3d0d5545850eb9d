"""What the fuzzer found, a test for each: the source that did it, smaller, and what has to come of it."""

from __future__ import annotations

import pytest

from codemods.flex_passthrough.api import Plan
from codemods.review.finding import Safety, Status
from tests.trust.promises import holds, seeds
from tests.trust.trees import HEAD, MODEL, model

UNGUARDED_HEAD = HEAD.replace(
    "from torch import nn\n",
    "from torch import nn\nfrom torch.nn.attention.flex_attention import BlockMask\n",
)
QUESTION = "is_torch_flex_attn_available() and isinstance(attention_mask, BlockMask)"


def after(source: str) -> tuple[Plan, str]:
    """Return what is planned for the source of a model, and the source that comes of it."""
    planned = holds(source.encode())
    (change,) = planned.changes
    return planned, change.after.decode()


def test_an_import_moves_below_the_guard_and_its_uses_ask_in_the_same_run() -> None:
    _, text = after(seeds()["unguarded_import"])
    assert f"if {QUESTION}:" in text
    assert "\n\nif is_torch_flex_attn_available():\n    from torch.nn.attention" in text


def test_an_import_that_is_made_is_asked_for_in_the_same_run() -> None:
    _, text = after(
        model(
            "def _update_causal_mask(self, attention_mask, x): return isinstance(attention_mask, BlockMask)\n"
        )
    )
    assert QUESTION in text


def test_an_import_that_the_passthrough_is_the_first_to_use_moves_below_the_guard() -> None:
    planned, text = after(MODEL.replace(HEAD, UNGUARDED_HEAD))
    assert {finding.rule for finding in planned.findings} == {"FLEX001", "FLEX005"}
    assert (
        "        if is_torch_flex_attn_available():\n            if isinstance(attention_mask, BlockMask):"
        in text
    )


def test_an_import_in_a_module_without_functions_is_left_alone() -> None:
    source = UNGUARDED_HEAD + "ATTENTION = BlockMask\n"
    assert not holds(source.encode()).changes


@pytest.mark.parametrize("question", [QUESTION, "is_torch_flex_attn_available()"])
def test_a_question_whether_flex_attention_is_there_is_known_to_be_answered_with_yes(question: str) -> None:
    source = seeds()["nothing_to_do"].replace(
        'self.config._attn_implementation == "flex_attention"', question
    )
    assert question in source
    assert not holds(source.encode()).findings


def asking_a_tensor_of_the_mask(otherwise: str) -> str:
    """Return a mask method whose question for a BlockMask breaks on one, and what it does otherwise."""
    return (
        seeds()["unguarded_import"]
        .replace(
            "isinstance(attention_mask, BlockMask)",
            "isinstance(torch.where(attention_mask == 0, 1, 0), BlockMask)",
        )
        .replace("attention_mask=causal_mask", "")
        .replace("return attention_mask.contiguous()", otherwise)
    )


def test_two_mends_for_the_same_characters_are_made_one_after_the_other() -> None:
    planned = holds(asking_a_tensor_of_the_mask("return attention_mask").encode())
    failed = [finding for finding in planned.findings if finding.status is Status.FAILED]
    assert failed and all(finding.reason for finding in failed)


def test_no_guard_in_a_question_where_what_follows_breaks_all_the_same() -> None:
    planned, text = after(asking_a_tensor_of_the_mask("return attention_mask.contiguous()"))
    (reported,) = [finding for finding in planned.findings if finding.rule == "FLEX002"]
    assert reported.safety is Safety.REPORT and "until line 31" in reported.message
    assert "isinstance(attention_mask, torch.Tensor)" not in text


SEVERAL = {
    "a_list": """\
    if attention_mask.dim():
        return [attention_mask for attention_mask in attention_mask]
    else:
        attention_mask
    return causal_mask
""",
    "a_list_or_not": """\
    attention_mask.dim()
    return [attention_mask for attention_mask in attention_mask] if attention_mask.dim() else attention_mask
""",
    "a_shape": """\
    attention_mask
    if attention_mask.dim():
        return attention_mask.shape
    return torch
""",
}


@pytest.mark.parametrize("body", SEVERAL.values(), ids=SEVERAL)
def test_no_guard_where_a_second_run_would_find_the_block_mask_lost(body: str) -> None:
    """What makes a mask, or several things, is a mask method once the guard leaves only the mask."""
    planned = holds(model(f"def _update_causal_mask(self, attention_mask, x):\n{body}").encode())
    assert not planned.changes
    assert all("a guard alone would lose the BlockMask" in finding.reason for finding in planned.findings)


def test_a_block_mask_that_is_changed_before_it_is_handed_back_is_handed_back_before() -> None:
    source = seeds()["unguarded_import"].replace(
        "            return attention_mask\n",
        "            attention_mask += 1\n            return attention_mask\n",
        1,
    )
    planned, text = after(source)
    assert {finding.rule for finding in planned.findings} == {"FLEX001", "FLEX005"}
    assert text.index("return attention_mask\n") < text.index("attention_mask += 1\n")
