"""Wrong repairs, each written into a copy of a right model: the harness has to see every one."""

from __future__ import annotations

from pathlib import Path

import pytest

from codemods.verify.cases import select
from codemods.verify.locate import locate
from codemods.verify.results import Report
from codemods.verify.run import Options, run

from .variants import Variant, tree_of_variants

pytestmark = pytest.mark.torch

PASSTHROUGH = "            return attention_mask\n"
WINDOW = "mask_mod(b, h, q, k) & (q + first - k < window)"

# Of the encoder-decoder, which has a method for each of its three masks.
PASSED = "        if isinstance(attention_mask, BlockMask):\n            return attention_mask\n"
ENCODER = f"    def _update_encoder_mask(self, attention_mask, hidden):\n{PASSED}"
CROSS = f"    def _update_cross_mask(self, attention_mask, hidden):\n{PASSED}"
DECODER = f"    def _update_causal_mask(self, attention_mask, hidden, first):\n{PASSED}"

BLOCK_CASES = {"block_causal", "block_document", "block_sliding"}

# A model of parts: its forward takes what its own configuration, above that of the language model, lacks.
ROUTED = """\
class PlainForCausalLM(PreTrainedModel):
    def forward(self, input_ids, attention_mask=None, labels=None, output_router_logits=None, **kwargs):
        if output_router_logits and hasattr(attention_mask, "mask_mod"):
            raise TypeError("the router's loss takes a tensor")
        return super().forward(input_ids, attention_mask, labels=labels, **kwargs)

"""

# What makes a BlockMask of a 2-D mask, as right models did before there were windows.
DENSE_IN_WINDOW = "        mask = dense_causal_mask(attention_mask, hidden, first)\n"
CONVERTS = f"""\
        flex = self.config._attn_implementation == "flex_attention"
        if flex and attention_mask is not None and attention_mask.dim() == 2:

            def seen(b, h, q, k):
                return (q + first >= k) & (attention_mask[b, k] > 0)

            return create_block_mask(seen, batch, None, tokens, first + tokens, device=hidden.device)
{DENSE_IN_WINDOW}"""

# name -> (model, text of the right model, text of the mutant, the cases that must turn red)
MUTANTS = {
    "returns_none": ("plain", PASSTHROUGH, "            return None\n", BLOCK_CASES),
    "returns_none_without_a_mask": (
        "plain",
        "        return dense_causal_mask",
        "        if attention_mask is None and self.config._attn_implementation == 'flex_attention':\n"
        "            return None\n"
        "        return dense_causal_mask",
        {"none"},
    ),
    "falls_back_to_causal": (
        "plain",
        PASSTHROUGH,
        "            attention_mask = None\n",
        {"block_document", "block_sliding"},
    ),
    "converts_to_a_boolean_tensor": (
        "plain",
        PASSTHROUGH,
        "            return attention_mask.to_dense()\n",
        BLOCK_CASES,
    ),
    "converts_tensors": (
        "windowed", DENSE_IN_WINDOW, CONVERTS, {"ones", "left_padding", "right_padding"}
    ),
    "slices_the_block_mask": (
        "plain",
        PASSTHROUGH,
        "            return attention_mask[:1]\n",
        {"block_document"},
    ),
    "drops_the_window": ("windowed", WINDOW, "mask_mod(b, h, q, k)", {"block_causal", "block_document"}),
    "drops_the_mask_for_the_window": ("windowed", WINDOW, "(q >= k) & (q - k < window)", {"block_document"}),
    "window_one_short": ("windowed", WINDOW, WINDOW.replace("window", "window - 1"), {"block_causal"}),
    "window_one_long": ("windowed", WINDOW, WINDOW.replace("<", "<="), {"block_causal"}),
    "window_forgets_the_cache": (
        "windowed",
        WINDOW,
        "mask_mod(b, h, q, k) & (q - k < window)",
        {"block_offset"},
    ),
    "falls_back_when_cached": (
        "plain",
        PASSTHROUGH,
        "            return None if first else attention_mask\n",
        {"block_offset"},
    ),
    "not_causal_when_cached": (
        "plain",
        "        return dense_causal_mask",
        "        if first and self.config._attn_implementation == 'flex_attention':\n"
        "            return None\n"
        "        return dense_causal_mask",
        {"offset", "generate_dynamic_padded"},
    ),
    "only_without_training": (
        "plain",
        PASSTHROUGH,
        "            return None if self.training else attention_mask\n",
        {"loss"},
    ),
    "only_without_gradients": (
        "plain",
        PASSTHROUGH,
        "            return None if hidden.requires_grad else attention_mask\n",
        {"backward_document"},
    ),
    "only_without_router_logits": (
        "plain",
        "class PlainForCausalLM(PreTrainedModel):\n",
        ROUTED,
        {"loss"},
    ),
    "one_mask_for_each_row": (
        "plain",
        PASSTHROUGH,
        "            return attention_mask if attention_mask.shape[0] == hidden.shape[0] else None\n",
        {"block_shared"},
    ),
    "several_rows_only": (
        "plain",
        PASSTHROUGH,
        "            return attention_mask if len(hidden) > 1 else None\n",
        {"block_single"},
    ),
    "one_block_only": (
        "plain",
        PASSTHROUGH,
        "            return attention_mask if hidden.shape[1] <= 128 else None\n",
        {"block_uneven"},
    ),
    "ignores_padding": (
        "plain",
        "        return dense_causal_mask(attention_mask, hidden, first)",
        "        flex = self.config._attn_implementation == 'flex_attention'\n"
        "        two = attention_mask is not None and attention_mask.dim() == 2\n"
        "        return dense_causal_mask(None if flex and two else attention_mask, hidden, first)",
        {"left_padding"},
    ),
    "rebuilds_dense_masks": (
        "plain",
        "        return dense_causal_mask(attention_mask, hidden, first)",
        "        flex = self.config._attn_implementation == 'flex_attention'\n"
        "        four = attention_mask is not None and attention_mask.dim() == 4\n"
        "        return dense_causal_mask(None if flex and four else attention_mask, hidden, first)",
        {"dense_4d"},
    ),
    "encoder_takes_no_mask": ("paired", ENCODER, ENCODER.replace("attention_mask\n", "None\n"), BLOCK_CASES),
    "cross_attention_takes_none": ("paired", CROSS, CROSS.replace("attention_mask\n", "None\n"), BLOCK_CASES),
    "decoder_falls_back_to_causal": (
        "paired",
        DECODER,
        DECODER.replace("return attention_mask\n", "attention_mask = None\n"),
        {"decoder_document", "block_offset"},
    ),
    "decoder_takes_the_encoders_mask": (
        "paired",
        "self._update_causal_mask(decoder_attention_mask, hidden, first)",
        "self._update_causal_mask(attention_mask, hidden, first)",
        {"decoder_document", "block_offset"},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def mutants(tinyformers: Path, torch_python: str, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """One tree that has every mutant as a model of its own, run once."""
    variants = {name: Variant(model, right, wrong) for name, (model, right, wrong, _) in MUTANTS.items()}
    tree = tree_of_variants(tinyformers, tmp_path_factory.mktemp("mutants") / "mutants", variants)
    cases = select(sorted(set().union(*(must for *_, must in MUTANTS.values()))))
    return run(locate(tree), Options(cases=cases, python=torch_python))


@pytest.mark.parametrize("name", MUTANTS)
def test_the_mutant_turns_red(mutants: Report, name: str) -> None:
    must = MUTANTS[name][3]
    red = {
        cell.case for cell in mutants.cells if cell.model_type == name and cell.verdict in ("wrong", "crash")
    }
    assert must <= red
