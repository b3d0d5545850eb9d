"""FLEX001: what gets the passthrough, and what stays as it is."""

from textwrap import indent

import pytest

from codemods.flex_passthrough.api import Settings, apply, plan
from tests.flex_passthrough.conftest import FILE, HEAD, LIBRARY, MENDED_HEAD

MODEL = """\
class TinyAttention(nn.Module):
    def forward(self, hidden_states, attention_mask=None):
        attention_interface = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
        return attention_interface(self, hidden_states, attention_mask)


class TinyPreTrainedModel(PreTrainedModel):
    _supports_flex_attn = CLAIM


class TinyModel(TinyPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.layers = nn.ModuleList([TinyAttention() for _ in range(config.num_hidden_layers)])

    def forward(self, input_ids=None, attention_mask=None):
        hidden_states = self.embed_tokens(input_ids)
        causal_mask = self._update_causal_mask(attention_mask, hidden_states)
        for layer in self.layers:
            hidden_states = layer(hidden_states, attention_mask=causal_mask)
        return hidden_states

    def _update_causal_mask(self, attention_mask, input_tensor):
"""

BUILD = """\
if attention_mask is not None and attention_mask.dim() == 4:
    return attention_mask
return torch.triu(input_tensor.new_ones(4, 4))
"""

GUARD = """\
if self.config._attn_implementation == "flex_attention":
    if isinstance(attention_mask, BlockMask):
        return attention_mask

"""

ASKS = 'if self.config._attn_implementation == "flash_attention_2":\n    return attention_mask\n'
DOCSTRING = '"""Make the mask that the layers use."""\n'


def model(body: str, claim: str = "True") -> str:
    return MODEL.replace("CLAIM", claim) + indent(body, " " * 8)


ANNOTATED = 'def _update_causal_mask(self, attention_mask: Union[torch.Tensor, "BlockMask"], input_tensor):'


def typed(source: str, signature: str) -> str:
    return source.replace("def _update_causal_mask(self, attention_mask, input_tensor):", signature)


def test_mask_is_annotated_on_request(check_transformed):
    plain = ANNOTATED.replace('Union[torch.Tensor, "BlockMask"]', "torch.Tensor")
    before, after = HEAD + model(ASKS + BUILD), "from typing import Union\n\n" + MENDED_HEAD + model(
        ASKS + GUARD + BUILD
    )
    check_transformed(typed(before, plain), typed(after, ANNOTATED), Settings(annotate=True))


def test_mask_is_not_annotated_unasked(check_transformed):
    plain = ANNOTATED.replace('Union[torch.Tensor, "BlockMask"]', "torch.Tensor")
    before, after = HEAD + model(ASKS + BUILD), MENDED_HEAD + model(ASKS + GUARD + BUILD)
    check_transformed(typed(before, plain), typed(after, plain))


def test_mask_that_has_its_guard_is_not_annotated(check_noop):
    plain = ANNOTATED.replace('Union[torch.Tensor, "BlockMask"]', "torch.Tensor")
    check_noop(typed(MENDED_HEAD + model(ASKS + GUARD + BUILD), plain), Settings(annotate=True))


def test_after_the_flash_attention_branch(check_transformed):
    check_transformed(HEAD + model(ASKS + BUILD), MENDED_HEAD + model(ASKS + GUARD + BUILD))


def test_after_the_docstring(check_transformed):
    body = 'if self.config._attn_implementation == "sdpa":\n    return None\n' + BUILD
    check_transformed(
        HEAD + model(DOCSTRING + body),
        MENDED_HEAD + model(DOCSTRING + GUARD + body),
    )


def test_asks_as_the_method_asks(check_transformed):
    asks = ASKS.replace("self.config.", "self.config.text_config.")
    guard = GUARD.replace("self.config.", "self.config.text_config.")
    check_transformed(HEAD + model(asks + BUILD), MENDED_HEAD + model(asks + guard + BUILD))


def test_asks_as_the_class_asks(check_transformed):
    """The method has no question of its own; ``forward`` of the same class has one."""
    question = "        if self.config._attn_implementation == 'eager':\n            attention_mask = None\n"
    source = model(BUILD).replace(
        "        causal_mask = self._update", question + "        causal_mask = self._update"
    )
    mended = source.replace(
        indent(BUILD, " " * 8), indent(GUARD.replace('"', "'"), " " * 8).rstrip(" ") + indent(BUILD, " " * 8)
    )
    check_transformed(HEAD + source, MENDED_HEAD + mended)


def test_where_nothing_asks_the_import_guard_is_asked(check_transformed):
    """BlockMask is not bound on a torch without flex attention, and tensors must pass there too."""
    source = model(BUILD).replace("ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]", "TABLE")
    source = source.replace("TABLE", "ALL_ATTENTION_FUNCTIONS[self.kind]")
    guard = GUARD.replace(
        'self.config._attn_implementation == "flex_attention"', "is_torch_flex_attn_available()"
    )
    mended = source.replace(
        indent(BUILD, " " * 8), indent(guard, " " * 8).rstrip(" ") + indent(BUILD, " " * 8)
    )
    check_transformed(HEAD + source, MENDED_HEAD + mended)


def test_method_that_only_loses_the_mask(check_transformed):
    body = ASKS + "return torch.triu(input_tensor.new_ones(4, 4))\n"
    guarded = ASKS + GUARD + "return torch.triu(input_tensor.new_ones(4, 4))\n"
    check_transformed(HEAD + model(body), MENDED_HEAD + model(guarded))


@pytest.mark.parametrize(
    "joined", ["attention_mask.bool() & chunks", "chunks | attention_mask[:, None, None, :]"]
)
def test_method_that_joins_a_mask_of_its_own_is_reported_only(check_noop, joined):
    """A passthrough would quietly lose the chunks."""
    own = "chunks = input_tensor.new_ones(4, 4)\n"
    choice = f"attention_mask = chunks if attention_mask is None else {joined}\nreturn attention_mask\n"
    (finding,) = check_noop(HEAD + model(own + choice)).findings
    assert finding.reason.startswith("it joins a mask of its own to the one it is given")


@pytest.mark.parametrize(
    "joined",
    ["attention_mask.bool()", "chunks & others", "attention_mask.bool() & others"],
)
def test_method_that_joins_no_mask_of_its_own_gets_the_passthrough(check_transformed, joined):
    body = (
        "chunks = others = input_tensor.new_ones(4, 4)\n"
        f"attention_mask = chunks if attention_mask is None else {joined}\n"
        "return attention_mask.view(4, 4)\n"
    )
    check_transformed(HEAD + model(ASKS + body), MENDED_HEAD + model(ASKS + GUARD + body))


def test_method_that_only_loses_the_mask_is_told_as_such(plan_for):
    (finding,) = plan_for(HEAD + model("return torch.triu(input_tensor.new_ones(4, 4))\n")).findings
    assert finding.message.endswith(
        "does not hand a BlockMask back: the BlockMask does not come back from it"
    )


def test_the_guard_of_the_library_is_imported_where_only_the_passthrough_asks_it(check_transformed):
    """BlockMask comes from a module of the tree, and stays where it comes from."""
    head = HEAD.replace("import logging\n", "import logging\nfrom ...masking import BlockMask\n")
    mended_head = head.replace("import logging\n", "import is_torch_flex_attn_available, logging\n")
    source = model(BUILD).replace("self.config._attn_implementation", "self.kind")
    guard = GUARD.replace(
        'self.config._attn_implementation == "flex_attention"', "is_torch_flex_attn_available()"
    )
    mended = source.replace(indent(BUILD, " " * 8), indent(guard, " " * 8) + indent(BUILD, " " * 8))
    check_transformed(head + source, mended_head + mended)


def test_what_breaks_in_a_function_that_the_method_calls_is_named_with_its_place(plan_for):
    helper = "def widened(mask):\n    return mask.unsqueeze(1)\n\n\n"
    body = "return widened(attention_mask) * 2\n"
    (finding,) = plan_for(HEAD + helper + model(ASKS + body)).findings
    assert finding.message.endswith("in widened, modeling_tiny.py:9)")


def test_what_breaks_in_the_method_itself_comes_first_and_the_finding_is_at_its_name(plan_for):
    helper = "def widened(mask):\n    return mask.unsqueeze(1)\n\n\n"
    body = "mask = widened(attention_mask) * 2\nreturn attention_mask.dim() + mask\n"
    source = HEAD + helper + model(ASKS + body)
    (finding,) = plan_for(source).findings
    number = source[: source.index("attention_mask.dim()")].count("\n") + 1
    assert finding.message == (
        "_update_causal_mask does not hand a BlockMask back:"
        f" a BlockMask has no attribute 'dim' (attention_mask, line {number})"
    )
    line = source.splitlines()[finding.span.line - 1]
    assert line[finding.span.column : finding.span.end_column] == "_update_causal_mask"
    assert finding.span.end_line == finding.span.line


def test_not_claimed_is_skipped(check_noop):
    planned = check_noop(HEAD + model(ASKS + BUILD, claim="False"))
    (finding,) = planned.findings
    assert (finding.safety.value, finding.status.value) == ("unsafe", "skipped")


def test_not_claimed_on_request(check_transformed):
    check_transformed(
        HEAD + model(ASKS + BUILD, claim="False"),
        MENDED_HEAD + model(ASKS + GUARD + BUILD, claim="False"),
        Settings(unsafe_fixes=True),
    )


def test_a_claim_in_a_file_that_inherits_all_the_rest(write_tree):
    child = "from ..tiny.modeling_tiny import TinyModel\n\n\n"
    child += "class ChildModel(TinyModel):\n    _supports_flex_attn = True\n"
    files = {FILE: HEAD + model(ASKS + BUILD, claim="False"), "pkg/models/child/modeling_child.py": child}
    root = write_tree({**LIBRARY, **files})
    (finding,) = plan([root / "pkg"]).findings
    assert (finding.safety.value, finding.models) == ("safe", ("ChildModel",))


@pytest.mark.parametrize("settings", [Settings(ignore=("FLEX001",)), Settings(select=("FLEX002",))])
def test_not_selected(check_noop, settings):
    assert check_noop(HEAD + model(ASKS + BUILD), settings).findings == []


def test_not_in_an_excluded_folder(check_noop):
    assert check_noop(HEAD + model(ASKS + BUILD), Settings(exclude=("models/tiny/",))).findings == []


NOOPS = {
    "guard_is_there": ASKS + GUARD + BUILD,
    "guard_with_or": (
        "if attention_mask is None or isinstance(attention_mask, BlockMask):\n"
        "    return attention_mask\n" + BUILD
    ),
    "guard_for_tensors": (
        "if not isinstance(attention_mask, torch.Tensor):\n    return attention_mask\n" + BUILD
    ),
    "upstreams_form": (
        'if self.config._attn_implementation == "flex_attention":\n'
        "    if isinstance(attention_mask, torch.Tensor):\n"
        "        attention_mask = make_flex_block_causal_mask(attention_mask)\n"
        "    return attention_mask\n" + BUILD
    ),
    "returns_the_mask": "return attention_mask\n",
    "returns_it_unless_it_is_2d": (
        "if len(attention_mask.shape) == 2:\n"
        "    attention_mask = attention_mask.float()\n"
        "return attention_mask\n"
    ),
    "hands_it_to_something_unknown": "return self.config.mask_function(attention_mask)\n",
}


@pytest.mark.parametrize("name", NOOPS)
def test_not_needed(check_noop, name):
    assert check_noop(HEAD + model(NOOPS[name]), Settings(select=("FLEX001",))).findings == []


def test_not_when_no_model_calls_it(check_noop):
    source = model(ASKS + BUILD).replace("self._update_causal_mask(attention_mask, hidden_states)", "None")
    assert check_noop(HEAD + source).findings == []


def test_not_a_method_of_that_name_without_a_mask(check_noop):
    source = model("return None\n").replace("(attention_mask, hidden_states)", "(hidden_states, 3)")
    assert check_noop(HEAD + source).findings == []


def test_not_a_tensorflow_twin(check_noop):
    source = model(ASKS + BUILD).replace("import torch\nfrom torch import nn", "import tensorflow as tf")
    source = HEAD.replace("import torch\nfrom torch import nn", "from keras import layers as nn") + source
    assert check_noop(source.replace("torch.", "tf.")).findings == []


def test_line_endings_and_mark_survive(write_tree, plan_for):
    planned = plan_for(HEAD + model(ASKS + BUILD))
    path = planned.changes[0].path
    raw = b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n")
    path.write_bytes(raw)

    again = plan([planned.root])
    apply(again)
    after = path.read_bytes()
    assert after.startswith(b"\xef\xbb\xbf")
    assert after.count(b"\r\n") == after.count(b"\n")
    assert after.replace(b"\r\n", b"\n").decode("utf-8-sig") == MENDED_HEAD + model(ASKS + GUARD + BUILD)


JOINING = """\
import torch
from torch import nn

from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
from ...utils import is_torch_flex_attn_available


if is_torch_flex_attn_available():
    from torch.nn.attention.flex_attention import BlockMask


class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def forward(self, input_ids=None, attention_mask=None):
        hidden_states = self.embed_tokens(input_ids)
        own = self.joined(hidden_states, attention_mask)
        return ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation](self, hidden_states, own)

    def joined(self, hidden_states, mask=None):
        own = self.kept(hidden_states)
        if mask is not None and not (is_torch_flex_attn_available() and isinstance(mask, BlockMask)):
            if mask.dtype == torch.bool:
                mask = torch.where(mask, 0.0, -1e9)
            own = own.masked_fill(mask != 0, -1e9)
        return own
"""

JOINED = JOINING.replace("import BlockMask\n", "import BlockMask, create_mask\n").replace(
    "        if mask is not None and",
    "        if is_torch_flex_attn_available() and isinstance(mask, BlockMask):\n"
    "            # It is joined to a dense mask: what its mask function says of each position takes part\n"
    "            mask = create_mask(mask.mask_mod, *mask.shape, device=mask.kv_num_blocks.device)\n"
    "        if mask is not None and",
)


def test_method_that_joins_masks_to_its_own_and_leaves_a_block_mask_out(check_transformed) -> None:
    check_transformed(JOINING, JOINED)


def test_what_comes_of_joined_masks_is_made_ready_for_attention_first(check_transformed) -> None:
    before, after = (
        each.replace("hidden_states, own)", "hidden_states, grouped)") for each in (JOINING, JOINED)
    )
    grouped = "        own = self.joined(hidden_states, attention_mask)\n"
    before, after = (
        each.replace(grouped, grouped + "        grouped = repeat(own, 2)\n") for each in (before, after)
    )
    check_transformed(before, after)


LEFT_OUT_FOR_GOOD = {
    "joined_like_the_others": JOINED,
    "knows_additive_masks_only": JOINING.replace("mask.dtype == torch.bool", "mask.dim() == 2"),
    "a_way_of_its_own": JOINING.replace(
        "        return own\n", "        else:\n            own = self.open(own)\n        return own\n"
    ),
    "is_handed_on_besides": JOINING.replace(
        "        return own\n", "        return self.narrowed(own, mask)\n"
    ),
    "takes_no_mask": JOINING.replace(
        "hidden_states, attention_mask)\n        return", "hidden_states)\n        return"
    ),
}


@pytest.mark.parametrize("source", LEFT_OUT_FOR_GOOD.values(), ids=LEFT_OUT_FOR_GOOD)
def test_block_mask_that_is_left_out_for_good(plan_for, source: str) -> None:
    assert plan_for(source).changes == []
