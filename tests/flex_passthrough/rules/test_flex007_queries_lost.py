"""FLEX007: queries that the mask of the keys does not number see all keys."""

from __future__ import annotations

from typing import Any

import pytest

from codemods.flex_passthrough.api import apply, plan
from tests.flex_passthrough.conftest import LIBRARY

BUILDER = """\
import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask


def build_block_mask(mask_2d, query_length=None, key_length=None, is_causal=True):
    batch_size, total = mask_2d.shape
    key_length = key_length or total
    query_length = query_length or total
    mask_2d = torch.nn.functional.pad(mask_2d, value=0, pad=(0, key_length))
    numbers = mask_2d.clone()

    def causal(batch, head, query, key):
        same = numbers[batch, query] == numbers[batch, key]
        return (query >= key) & same & (mask_2d[batch, query] > 0)

    def chunked(batch, head, query, key):
        same = chunks[batch, query] == chunks[batch, key]
        return same & causal(batch, head, query, key)

    def full(batch, head, query, key):
        same = numbers[batch, query] == numbers[batch, key]
        return same & (mask_2d[batch, key] > 0)

    return create_block_mask(causal if is_causal else full, batch_size, None, query_length, key_length)
"""

MENDED = BUILDER.replace("pad=(0, key_length)", "pad=(0, max(query_length, key_length))").replace(
    "        return same & (mask_2d[batch, key]",
    "        # Queries of another sequence that the mask of the keys does not number see all of them\n"
    "        same = same | (numbers[batch, query] == 0)\n"
    "        return same & (mask_2d[batch, key]",
)

MODEL = """\
import torch
from torch import nn

from ...integrations.flex_attention import BlockMask, build_block_mask
from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel


class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def cross_mask(self, attention_mask, states):
        if self.config._attn_implementation == "flex_attention":
            if isinstance(attention_mask, torch.Tensor):
                length = states.shape[1]
                attention_mask = build_block_mask(attention_mask, query_length=length, is_causal=False)
        return attention_mask

    def forward(self, input_ids=None, attention_mask=None):
        states = self.embed_tokens(input_ids)
        mask = self.cross_mask(attention_mask, states)
        return ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation](self, states, mask)
"""

INTEGRATION = "pkg/integrations/flex_attention.py"


@pytest.fixture
def planned(write_tree):
    def run(builder: str = BUILDER, model: str = MODEL):
        files = {INTEGRATION: builder, "pkg/models/tiny/modeling_tiny.py": model}
        return plan([write_tree({**LIBRARY, **files}) / "pkg"])

    return run


def test_builder_is_mended_and_then_nothing_is_left(planned) -> None:
    found = planned()
    assert [(f.rule, f.path, f.span.line) for f in found.findings] == [
        ("FLEX007", "integrations/flex_attention.py", 21)
    ]
    assert [step.qualname for step in found.findings[0].steps] == [
        "TinyModel.forward",
        "TinyModel.cross_mask",
        "build_block_mask",
    ]
    assert found.findings[0].message == (
        "queries are looked up among the keys, and see nothing where those are padding or end"
    )
    (change,) = found.changes
    apply(found)
    assert change.path.read_text() == MENDED
    assert planned(MENDED).findings == []


def test_builder_that_takes_everything_by_name(planned) -> None:
    named = MODEL.replace("build_block_mask(attention_mask", "build_block_mask(mask_2d=attention_mask")
    (finding,) = planned(BUILDER.replace("mask(mask_2d,", "mask(*, mask_2d,"), named).findings
    assert (finding.steps[-1].parameter, finding.status.value) == ("mask_2d", "would-fix")


REST = """\
    def full(batch, head, query, key):
        return mask_2d[batch, key] > 0

    return create_block_mask(causal if is_causal else full, batch_size, None, query_length, key_length)
"""

LEFT_ALONE = {
    "mask_of_its_own_queries": (BUILDER, MODEL.replace("query_length=length, ", "")),
    "mask_of_somebody_else_s_making": (BUILDER, MODEL.replace("= build_block_mask(", "= self.build(")),
    "maker_of_dense_masks": (
        BUILDER.replace("def build_block_mask", "def build").replace(
            "create_block_mask(causal", "stack(causal"
        )
        + "\n\nbuild_block_mask = build\n",
        MODEL,
    ),
    "causal": (BUILDER, MODEL.replace(", is_causal=False", "")),
    "looks_no_query_up": (BUILDER.partition("    def full")[0] + REST, MODEL),
}


@pytest.mark.parametrize(("builder", "model"), LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_noop(planned, builder: str, model: str) -> None:
    assert planned(builder, model).findings == []


def test_mask_that_is_not_lengthened_is_not_mended(planned) -> None:
    found = planned(BUILDER.replace("pad=(0, key_length)", "pad=(1, key_length)"))
    (finding,) = found.findings
    assert (finding.status.value, found.changes) == ("failed", [])
    assert "does not lengthen its mask in a way that is known" in finding.reason


@pytest.mark.torch
def test_every_query_sees_what_a_dense_mask_shows() -> None:
    torch = pytest.importorskip("torch")
    namespace: dict[str, Any] = {}
    exec(MENDED, namespace)
    build = namespace["build_block_mask"]

    def seen(mask: Any, queries: int) -> Any:
        made = build(mask, query_length=queries, is_causal=False)
        rows, places = range(len(mask)), torch.arange(queries)[:, None]
        return torch.stack([made.mask_mod(row, 0, places, torch.arange(mask.shape[1])) for row in rows])

    padded = torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1]])
    for queries in (1, 4, 11):
        assert torch.equal(seen(padded, queries), padded.bool()[:, None, :].expand(2, queries, 4))
    packed = torch.tensor([[1, 1, 2, 2]])
    assert torch.equal(seen(packed, 4), packed[:, :, None] == packed[:, None, :])
