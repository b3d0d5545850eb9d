"""What flex attention is held against where the plain way to eager attention is no help."""

from __future__ import annotations

from pathlib import Path

import pytest

from codemods.verify.locate import locate
from codemods.verify.results import Cell, Report
from codemods.verify.run import Options, run

from .variants import Variant, tree_of_variants

pytestmark = pytest.mark.torch

DENSE = "        return dense_causal_mask(attention_mask, hidden, first)"
DENSE_IN_WINDOW = "        mask = dense_causal_mask(attention_mask, hidden, first)"
# What Llama's own flex branch of 2025 makes of a 2-D mask: attention within equal numbers.
DOCUMENTS = """\
        if attention_mask is not None and attention_mask.dim() == 2 and {flex}:
            from torch.nn.attention.flex_attention import create_block_mask

            def within(b, h, q, k):
                return (q >= k) & (attention_mask[b, q] == attention_mask[b, k]){window}

            batch, tokens = attention_mask.shape
            return create_block_mask(within, batch, None, tokens, tokens, device="cpu")
"""
FLEX = "self.config._attn_implementation == 'flex_attention'"

# A cache as big as the first call, of which a layer with a window keeps the last tokens only.
HEAD = "class PlainForCausalLM(PreTrainedModel):\n"
SMALL_CACHE = f"""\
class LastTokens(list):
    def get_max_cache_shape(self):
        return self.room

    def get_seq_length(self):
        return self[0][0].shape[2]


{HEAD}
    def forward(self, input_ids, attention_mask=None, past_key_values=None, use_cache=False):
        output = super().forward(input_ids, attention_mask, past_key_values, use_cache=use_cache)
        if output.past_key_values is not None:
            kept = [(key[:, :, -16:], value[:, :, -16:]) for key, value in output.past_key_values]
            output.past_key_values = LastTokens(kept)
            output.past_key_values.room = input_ids.shape[1]
        return output

"""

VARIANTS = {
    "has_a_small_cache": Variant("plain", HEAD, SMALL_CACHE),
    "needs_a_mask": Variant(
        "plain", DENSE, "        if attention_mask is None:\n            raise TypeError('no mask')\n" + DENSE
    ),
    "garbles": Variant(
        "plain",
        DENSE,
        "        if attention_mask is not None and attention_mask.dim() == 4:\n"
        "            return attention_mask * attention_mask[:, :1].roll(1, -1)\n" + DENSE,
    ),
    "numbers_documents": Variant(
        "windowed",
        DENSE_IN_WINDOW,
        DOCUMENTS.format(flex=FLEX, window=" & (q - k < self.config.sliding_window)") + DENSE_IN_WINDOW,
    ),
    "forgets_the_window": Variant(
        "windowed", DENSE_IN_WINDOW, DOCUMENTS.format(flex=FLEX, window="") + DENSE_IN_WINDOW
    ),
}


@pytest.fixture(scope="module")
def report(tinyformers: Path, torch_python: str, tmp_path_factory: pytest.TempPathFactory) -> Report:
    tree = tree_of_variants(tinyformers, tmp_path_factory.mktemp("references") / "references", VARIANTS)
    cases = ("none", "ones", "block_document", "packed_2d", "block_offset")
    return run(locate(tree), Options(cases=cases, python=torch_python))


def cell(report: Report, name: str, case: str) -> Cell:
    (found,) = (cell for cell in report.cells if (cell.model_type, cell.case) == (name, case))
    return found


def test_a_model_that_needs_a_mask_is_run_where_there_is_one(report: Report) -> None:
    assert cell(report, "needs_a_mask", "ones").verdict == "ok"
    without = cell(report, "needs_a_mask", "none")
    assert (without.verdict, without.reason) == (
        "not-runnable",
        "eager attention cannot run it: TypeError: no mask",
    )


def test_a_dense_mask_that_eager_attention_garbles_is_given_directly(report: Report) -> None:
    garbled = cell(report, "garbles", "block_document")
    assert garbled.verdict == "ok"
    assert "as the model garbles a dense mask" in str(garbled.reason)


def test_document_numbers_narrow_what_a_window_allows(report: Report) -> None:
    right = cell(report, "numbers_documents", "packed_2d")
    assert (right.verdict, right.max_abs_diff) == ("ok", 0.0)


def test_document_numbers_without_the_window_are_wrong(report: Report) -> None:
    assert cell(report, "forgets_the_window", "packed_2d").verdict == "wrong"


def test_a_cache_that_has_forgotten_the_first_call_gives_no_reference(report: Report) -> None:
    again = cell(report, "has_a_small_cache", "block_offset")
    assert again.verdict == "not-runnable"
    assert "has room for 40 tokens and counts 16 after 40" in str(again.reason)
    assert cell(report, "needs_a_mask", "block_offset").verdict == "ok"
