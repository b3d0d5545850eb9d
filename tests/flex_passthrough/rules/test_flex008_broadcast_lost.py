"""FLEX008: what a score function looks up by row and head is there for each of them."""

from __future__ import annotations

from typing import Any

import pytest

from codemods.flex_passthrough.api import apply, plan
from tests.flex_passthrough.conftest import LIBRARY

IMPORT = "from torch.nn.attention.flex_attention import BlockMask, flex_attention\n"

ATTENTION = f"""\
{IMPORT}

def flex_attention_forward(module, query, key, value, attention_mask, softcap=None, bias=None, **kwargs):
    block_mask = attention_mask if isinstance(attention_mask, BlockMask) else None
    score_mask = attention_mask if block_mask is None else None

    def score_mod(score, batch, head, query_place, key_place):
        if softcap is not None:
            score = softcap * score
        if score_mask is not None:
            score = score + score_mask[batch][0][query_place][key_place]
        if bias is not None:
            score = score + bias[batch, head, query_place, key_place]
        return score

    return flex_attention(query, key, value, score_mod=score_mod, block_mask=block_mask)
"""

MENDED = ATTENTION.replace(
    "    def score_mod",
    "    # Eager attention adds one row or one head to all of them: here each finds it in its own place\n"
    "    if score_mask is not None:\n"
    "        score_mask = score_mask.expand(*query.shape[:2], -1, -1)\n"
    "    if bias is not None:\n"
    "        bias = bias.expand(*query.shape[:2], -1, -1)\n"
    "\n"
    "    def score_mod",
).replace("[batch][0]", "[batch][head]")

MODEL = """\
import torch
from torch import nn

from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel


class TinyAttention(nn.Module):
    def forward(self, states, attention_mask=None):
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, None)
        return attend(self, states, states, states, attention_mask, bias=self.bias(states))


class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def __init__(self, config):
        super().__init__(config)
        self.attention = TinyAttention()

    def forward(self, input_ids=None, attention_mask=None):
        return self.attention(self.embed_tokens(input_ids), attention_mask)
"""

TABLE = """\
from torch import nn

from .integrations.flex_attention import flex_attention_forward


class PreTrainedModel(nn.Module):
    _supports_flex_attn = False


class AttentionInterface:
    _global_mapping = {"sdpa": None, "flex_attention": flex_attention_forward}


ALL_ATTENTION_FUNCTIONS: AttentionInterface = AttentionInterface()
"""

INTEGRATION = "pkg/integrations/flex_attention.py"


@pytest.fixture
def planned(write_tree):
    def run(attention: str = ATTENTION, model: str = MODEL, table: str = TABLE):
        files = {
            INTEGRATION: attention,
            "pkg/models/tiny/modeling_tiny.py": model,
            "pkg/modeling_utils.py": table,
        }
        return plan([write_tree({**LIBRARY, **files}) / "pkg"])

    return run


def test_bias_and_mask_are_expanded_and_then_nothing_is_left(planned) -> None:
    found = planned()
    assert [(f.rule, f.path, f.span.line) for f in found.findings] == [
        ("FLEX008", "integrations/flex_attention.py", 14)
    ]
    (step,) = found.findings[0].steps
    assert (step.qualname, step.parameter) == ("flex_attention_forward", "bias")
    assert (step.path, step.line) == ("models/tiny/modeling_tiny.py", 10)
    apply(found)
    (change,) = found.changes
    assert change.path.read_text() == MENDED
    assert planned(MENDED).findings == []


def test_table_that_is_a_dict(planned) -> None:
    table = TABLE.partition("class AttentionInterface")[0]
    found = planned(table=table + 'ALL_ATTENTION_FUNCTIONS = {"flex_attention": flex_attention_forward}\n')
    assert [f.rule for f in found.findings] == ["FLEX008"]


def test_interface_that_is_called_where_it_is_looked_up(planned) -> None:
    model = MODEL.replace(
        "        attend = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, None)\n", ""
    )
    called = model.replace("attend(", 'ALL_ATTENTION_FUNCTIONS["flex_attention"](')
    assert [f.rule for f in planned(model=called).findings] == ["FLEX008"]


def test_interface_with_an_annotation_beside_other_classes_and_arguments(planned) -> None:
    norm = "class TinyNorm(nn.Module):\n    def forward(self, states):\n        return states\n"
    model = MODEL.replace("        attend = ALL", "        attend: object = ALL")
    model = model.replace("bias=self", "scale=1.0, bias=self").replace(
        "class TinyA", f"{norm}\n\nclass TinyA", 1
    )
    assert [f.rule for f in planned(model=model).findings] == ["FLEX008"]


def test_bias_that_may_not_be_missing(planned) -> None:
    always = ATTENTION.replace(
        "        if bias is not None:\n            score = score + bias[", "        score = score + bias["
    )
    found = planned(always)
    apply(found)
    assert "\n    bias = bias.expand(*query.shape[:2], -1, -1)\n" in found.changes[0].path.read_text()


LEFT_ALONE = {
    "no_layer_has_a_bias": (ATTENTION, MODEL.replace(", bias=self.bias(states)", ""), TABLE),
    "bias_for_something_else": (ATTENTION, MODEL.replace("return attend(", "return self.attend("), TABLE),
    "bias_that_is_expanded": (
        ATTENTION.replace(
            "    def score_mod", "    bias = bias.expand(*query.shape[:2], -1, -1)\n\n    def score_mod"
        ),
        MODEL,
        TABLE,
    ),
    "bias_of_one_number_a_head": (
        ATTENTION.replace("bias[batch, head, query_place, key_place]", "bias[batch, head, 0, 0]"),
        MODEL,
        TABLE,
    ),
    "mask_function": (ATTENTION.replace("def score_mod(score, ", "def mask_mod("), MODEL, TABLE),
    "table_of_somebody_else": (ATTENTION, MODEL, TABLE.replace("= AttentionInterface()", "= make_table()")),
    "no_flex_attention_in_the_table": (ATTENTION, MODEL, TABLE.replace('"flex_attention"', '"paged"')),
    "attention_function_of_somebody_else": (
        ATTENTION,
        MODEL,
        TABLE.replace("from .integrations", "from kernels"),
    ),
}


@pytest.mark.parametrize(("attention", "model", "table"), LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_noop(planned, attention: str, model: str, table: str) -> None:
    assert [f for f in planned(attention, model, table).findings if f.rule == "FLEX008"] == []


@pytest.mark.torch
def test_scores_are_those_of_eager_attention() -> None:
    torch = pytest.importorskip("torch")

    def every_score(query: Any, key: Any, value: Any, score_mod: Any, block_mask: Any) -> Any:
        rows, heads, queries, keys = (torch.arange(n) for n in (*query.shape[:3], key.shape[2]))
        return score_mod(
            torch.zeros(()), rows[:, None, None, None], heads[:, None, None], queries[:, None], keys
        )

    namespace: dict[str, Any] = {"flex_attention": every_score, "BlockMask": ()}
    at_once = MENDED.replace("[batch][head][query_place][key_place]", "[batch, head, query_place, key_place]")
    exec(at_once.removeprefix(IMPORT), namespace)
    query = torch.zeros(2, 3, 4, 8)
    mask, bias = torch.randn(2, 3, 4, 4), torch.randn(1, 3, 4, 4)
    scores = namespace["flex_attention_forward"](None, query, query, query, mask, bias=bias)
    assert torch.equal(scores, mask + bias)
