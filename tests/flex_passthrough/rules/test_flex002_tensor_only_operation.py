"""FLEX002: what gets a guard, what a BlockMask is kept out of, and what is left alone."""

from textwrap import indent

import pytest

from codemods.flex_passthrough.settings import Settings
from tests.flex_passthrough.conftest import HEAD as LIBRARY_HEAD
from tests.flex_passthrough.conftest import MENDED_HEAD

HEAD = """\
import torch
from torch import nn

from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel


"""

MODEL = """\
class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def forward(self, input_ids=None, attention_mask=None, position_ids=None):
        states = self.embed_tokens(input_ids)
"""

REST = """\
attention_interface = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
return attention_interface(self, states, attention_mask=attention_mask)
"""


def model(body: str, helper: str = "") -> str:
    return HEAD + helper + MODEL + indent(body + REST, " " * 8)


GUARDED = {
    "padding_set_to_zero": (
        "if attention_mask is not None:\n"
        "    states = (states * attention_mask[:, :, None]).to(states.dtype)\n",
        "attention_mask is not None",
        "isinstance(attention_mask, torch.Tensor)",
    ),
    "padding_set_to_zero_with_the_dtype_noted": (
        "if attention_mask is not None:\n"
        "    dtype = states.dtype\n"
        "    states = (states * attention_mask.unsqueeze(-1)).to(dtype)\n",
        "attention_mask is not None",
        "isinstance(attention_mask, torch.Tensor)",
    ),
    "padding_filled_with_zeros": (
        "if attention_mask is not None:\n"
        "    attention_mask = attention_mask.to(dtype=torch.bool)\n"
        "    states = states.masked_fill(~attention_mask.unsqueeze(1).unsqueeze(-1), 0)\n",
        "attention_mask is not None",
        "isinstance(attention_mask, torch.Tensor)",
    ),
    "tokens_counted": (
        "lengths = attention_mask.sum(-1) if attention_mask is not None else input_ids.shape[1]\n",
        "attention_mask is not None",
        "isinstance(attention_mask, torch.Tensor)",
    ),
    "question_in_a_test": (
        "if attention_mask is not None and not torch.all(attention_mask == 1):\n    states = states * 2\n",
        "attention_mask is not None",
        "isinstance(attention_mask, torch.Tensor)",
    ),
    "mask_that_would_be_dropped": (
        "attention_mask = attention_mask if attention_mask is not None and 0 in attention_mask else None\n",
        "attention_mask if attention_mask is not None and 0 in attention_mask else None",
        "(\n"
        "    attention_mask\n"
        "    if attention_mask is not None\n"
        "    and (not isinstance(attention_mask, torch.Tensor) or 0 in attention_mask)\n"
        "    else None\n"
        ")",
    ),
    "mask_that_would_be_dropped_in_a_block": (
        "if 0 in attention_mask:\n    states = states * 2\nelse:\n    attention_mask = None\n",
        "0 in attention_mask",
        "not isinstance(attention_mask, torch.Tensor) or 0 in attention_mask",
    ),
    "mask_that_is_dropped_where_it_hides_nothing": (
        "if torch.all(attention_mask == 1):\n    attention_mask = None\n",
        "torch.all(attention_mask == 1)",
        "isinstance(attention_mask, torch.Tensor) and torch.all(attention_mask == 1)",
    ),
    "question_in_a_comprehension": (
        "states = sum(each for each in [states, states] if attention_mask.dim() == 2)\n",
        "attention_mask.dim() == 2",
        "isinstance(attention_mask, torch.Tensor) and attention_mask.dim() == 2",
    ),
    "question_among_others_in_a_comprehension": (
        "states = sum(each for each in [states] if self.training and attention_mask.dim() == 2)\n",
        "attention_mask.dim() == 2",
        "isinstance(attention_mask, torch.Tensor) and attention_mask.dim() == 2",
    ),
    "question_beside_a_lower_triangle": (
        "states = torch.tril(states)\nif attention_mask.dim() == 2:\n    states = states * 2\n",
        "attention_mask.dim() == 2",
        "isinstance(attention_mask, torch.Tensor) and attention_mask.dim() == 2",
    ),
    "only_converted": (
        "if attention_mask is not None:\n    attention_mask = attention_mask.contiguous()\n",
        "attention_mask is not None",
        "isinstance(attention_mask, torch.Tensor)",
    ),
    "padding_set_to_zero_after_a_conversion": (
        "if attention_mask is not None:\n"
        "    attention_mask = attention_mask.to(dtype=states.dtype)\n"
        "    states = states * attention_mask.unsqueeze(-1)\n",
        "attention_mask is not None",
        "isinstance(attention_mask, torch.Tensor)",
    ),
    "padding_set_to_zero_by_a_converted_factor": (
        "if attention_mask is not None:\n    states = states * attention_mask.unsqueeze(-1).to(torch.half)\n",
        "attention_mask is not None",
        "isinstance(attention_mask, torch.Tensor)",
    ),
    "question_among_others": (
        "if attention_mask is not None and self.training:\n"
        "    states = states * attention_mask.unsqueeze(-1)\n",
        "attention_mask is not None",
        "isinstance(attention_mask, torch.Tensor)",
    ),
    "question_whether_anything_is_hidden": (
        "if attention_mask is not None:\n    any_ = torch.any(attention_mask == 0)\nelse:\n    any_ = 0\n",
        "attention_mask is not None",
        "isinstance(attention_mask, torch.Tensor)",
    ),
    "question_that_the_other_arm_answers": (
        "if attention_mask is not None:\n    all_ = torch.all(attention_mask == 1)\nelse:\n    all_ = True\n",
        "attention_mask is not None",
        "isinstance(attention_mask, torch.Tensor)",
    ),
    "mean_of_all_tokens": (
        "if attention_mask is None:\n"
        "    pooled = states.mean(dim=1)\n"
        "else:\n"
        "    attention_mask = attention_mask.to(states.device)\n"
        "    pooled = (states * attention_mask.unsqueeze(-1)).sum(dim=1)\n"
        "    pooled /= attention_mask.sum(dim=1, keepdim=True)\n",
        "attention_mask is None",
        "not isinstance(attention_mask, torch.Tensor)",
    ),
    "mean_of_all_tokens_otherwise": (
        "if attention_mask is not None:\n"
        "    weighted = states * attention_mask[..., None]\n"
        "    pooled = weighted.sum(dim=1) / attention_mask.sum(dim=1, keepdim=True)\n"
        "else:\n"
        "    pooled = states.mean(dim=1)\n",
        "attention_mask is not None",
        "isinstance(attention_mask, torch.Tensor)",
    ),
    "positions_counted_from_a_second_name": (
        "counted = attention_mask\n"
        "if counted is None:\n"
        "    counted = torch.ones(states.shape[0], states.shape[1])\n"
        "if position_ids is None:\n"
        "    position_ids = torch.cumsum(counted, dim=1) * counted - 1\n",
        "counted is None",
        "not isinstance(counted, torch.Tensor)",
    ),
}


@pytest.mark.parametrize(("body", "test", "guard"), GUARDED.values(), ids=GUARDED)
def test_guarded(check_transformed, body, test, guard):
    check_transformed(model(body), model(body.replace(test, guard, 1)), Settings(line_length=110))


POOLED = """\
states = self.model(states, attention_mask=attention_mask)
if self.config.pooling == "mean":
    if attention_mask is None:
        attention_mask = torch.ones(states.shape[:2])
    states = (states * attention_mask.unsqueeze(-1)).sum(dim=1) / attention_mask.sum(dim=1)
return states
"""


def test_weights_after_attention_had_the_mask(check_transformed):
    before = HEAD + MODEL + indent(POOLED, " " * 8)
    guard = "not isinstance(attention_mask, torch.Tensor)"
    check_transformed(before, before.replace("attention_mask is None", guard))


RECURRENT = """\
def recurrent_mask(states, attention_mask):
    if attention_mask is None or attention_mask.ndim != 2:
        return None
    return attention_mask[:, -states.shape[1] :].contiguous()


"""


@pytest.mark.parametrize("asked", ["ndim", "dim()"])
def test_leaves_with_what_four_dimensions_get(check_transformed, asked):
    body = "self.mixer(states, attention_mask=recurrent_mask(states, attention_mask))\n"
    before = RECURRENT.replace("ndim", asked)
    guarded = before.replace("attention_mask is None", "not isinstance(attention_mask, torch.Tensor)")
    check_transformed(model(body, before), model(body, guarded))


@pytest.mark.parametrize("asked", ["ndim", "dim()"])
def test_leaves_where_nothing_was_asked_for_none(check_transformed, asked):
    body = "self.mixer(states, attention_mask=recurrent_mask(states, attention_mask))\n"
    before = RECURRENT.replace("attention_mask is None or attention_mask.ndim", f"attention_mask.{asked}")
    guarded = before.replace("if att", "if not isinstance(attention_mask, torch.Tensor) or att")
    check_transformed(model(body, before), model(body, guarded))


def test_what_a_guard_asks_for_is_imported(check_transformed):
    body = "if attention_mask is not None:\n    states = states * attention_mask.unsqueeze(-1)\n"
    guarded = body.replace("attention_mask is not None", "isinstance(attention_mask, torch.Tensor)")
    without = model(body).replace("import torch\n", "", 1)
    check_transformed(without, model(guarded))


LOSS = """\
def router_loss(logits, attention_mask=None):
    if logits is None or not isinstance(logits, tuple):
        return 0
    if attention_mask is not None:
        weights = attention_mask.reshape(-1).to(logits[0].device)
    total = 0.0
    for each in logits:
        if attention_mask is None:
            total = total + each.sum()
        else:
            total = total + (each * weights).sum()
    return total


"""
ROUTED = """\
@dataclass
class Output:
    states: torch.Tensor
    router_logits: tuple | None = None


"""


def test_loss_that_weighs_tokens_counts_all_of_them(check_transformed):
    body = "outputs = Output(states)\nloss = router_loss(outputs.router_logits, attention_mask)\n"
    mended = LOSS.replace("attention_mask is not None", "isinstance(attention_mask, torch.Tensor)")
    mended = mended.replace("attention_mask is None", "not isinstance(attention_mask, torch.Tensor)")
    check_transformed(model(body, LOSS + ROUTED), model(body, mended + ROUTED), Settings(line_length=110))


PICKED = """\
if labels is not None:
    if attention_mask is not None:
        picked = attention_mask[:, 1:] != 0
        shifted = states[:, :-1][picked]
    else:
        shifted = states[:, :-1].contiguous()
    states = states + shifted.sum()
"""


def labelled(body: str) -> str:
    return model(body).replace("position_ids=None", "position_ids=None, labels=None")


def test_loss_that_picks_tokens_takes_all_of_them(check_transformed):
    guarded = PICKED.replace("attention_mask is not None", "isinstance(attention_mask, torch.Tensor)")
    check_transformed(labelled(PICKED), labelled(guarded))


PICKS_LEFT_ALONE = {
    "no_labels_asked_for": PICKED.replace("labels is not None", "self.training"),
    "no_way_without_a_mask": PICKED.replace("    else:\n        shifted = states[:, :-1].contiguous()\n", ""),
    "refuses_to_go_without": PICKED.replace("shifted = states[:, :-1].contiguous()", "raise ValueError"),
    "changes_the_mask": PICKED.replace("picked =", "attention_mask = picked ="),
    "asks_for_something_else": PICKED.replace("attention_mask is not None", "position_ids is not None"),
}


@pytest.mark.parametrize("body", PICKS_LEFT_ALONE.values(), ids=PICKS_LEFT_ALONE)
def test_pick_is_reported_only(check_noop, body):
    planned = check_noop(labelled(body))
    assert {finding.safety.value for finding in planned.findings} == {"report"}


CUT = """\
if labels is not None:
    if attention_mask is not None:
        shift_mask = attention_mask[:, -(states.shape[1] - 1) :].to(states.device)
        shifted = states[..., :-1, :][shift_mask.to(states.device) != 0].contiguous()
        wanted = labels[..., 1:][shift_mask != 0].contiguous()
    else:
        shifted = states[..., :-1, :].contiguous()
        wanted = labels[..., 1:].contiguous()
    states = states + self.loss(shifted.view(-1, shifted.size(-1)), wanted.view(-1).to(shifted.device))
"""


@pytest.mark.parametrize("last", ["shifted.size(-1)", "shifted.shape[-1]"])
def test_loss_that_would_take_all_tokens_anyway_is_no_finding(check_noop, last):
    """No BlockMask is equal to 0, and what one dimension more would change is flattened away."""
    assert not check_noop(labelled(CUT.replace("shifted.size(-1)", last))).findings


def test_loss_that_flattens_labels_otherwise_is_no_finding(check_noop):
    assert not check_noop(labelled(CUT.replace("wanted.view(-1)", "wanted.flatten()"))).findings


CUTS = {
    "a_test_that_takes_no_token": CUT.replace("!= 0", "== 1"),
    "a_slice_without_a_negative_start": CUT.replace("-(states.shape[1] - 1) :", "1:"),
    "a_conversion_that_a_block_mask_refuses": CUT.replace(".to(states.device)\n", ".to(states.dtype)\n"),
    "the_slice_used_otherwise": CUT.replace(
        "        wanted = labels[..., 1:][shift_mask != 0]",
        "        wanted = labels[..., 1:][shift_mask > 0]",
    ),
    "what_is_picked_goes_through_a_function": CUT.replace(
        "labels[..., 1:][shift_mask != 0].contiguous()", "taken(labels[..., 1:][shift_mask != 0])"
    ),
    "dimensions_that_are_looked_at": CUT.replace("wanted.view(-1)", "wanted.view(labels.shape[0], -1)"),
    "tokens_used_as_they_are": CUT.replace("wanted.view(-1).to(shifted.device)", "wanted"),
    "tokens_turned_around": CUT.replace("wanted.view(-1).to(shifted.device)", "wanted.mT + 0"),
    "a_slice_of_three_dimensions": CUT.replace("- 1) :]", "- 1) :, 0]"),
}


@pytest.mark.parametrize("body", CUTS.values(), ids=CUTS)
def test_loss_that_picks_in_another_way_is_mended(check_transformed, body):
    guarded = body.replace("attention_mask is not None", "isinstance(attention_mask, torch.Tensor)")
    check_transformed(labelled(body), labelled(guarded))


def test_pick_beside_something_else_is_reported_only(check_noop):
    """What else the arm does would be done no more behind a guard, and nobody knows whether it must be."""
    planned = check_noop(labelled(CUT.replace("    else:", "        self.counted(labels)\n    else:")))
    assert {finding.safety.value for finding in planned.findings} == {"report"}


LOSSES_LEFT_ALONE = {
    "has_no_way_without_a_mask": LOSS.replace("    total = 0.0", "    total = attention_mask.sum()"),
    "changes_the_mask": LOSS.replace("    total = 0.0", "    total = 0.0\n    attention_mask = logits"),
    "of_another_mask": LOSS.replace(
        "    total = 0.0",
        "    weighed = attention_mask\n    total = 0.0 if weighed is None else weighed.reshape(-1).sum()",
    ).replace("attention_mask.reshape(-1).to(logits[0].device)", "1"),
    "no_loss": LOSS.replace("router_loss", "router_bias"),
}


@pytest.mark.parametrize("helper", LOSSES_LEFT_ALONE.values(), ids=LOSSES_LEFT_ALONE)
def test_loss_is_reported_only(check_noop, helper):
    name = "router_bias" if "router_bias" in helper else "router_loss"
    planned = check_noop(model(f"loss = {name}(states, attention_mask)\n", helper))
    assert {finding.safety.value for finding in planned.findings} == {"report"}


COUNTED = """\
if cache_position is None:
    cache_position = torch.arange(seen, seen + states.shape[1])
if position_ids is None:
    # padding has no position
    position_ids = torch.cumsum(attention_mask, dim=1)
    position_ids = (position_ids * attention_mask - 1).long()
    position_ids = position_ids[:, seen:]
states = states + self.places(position_ids)
"""

NUMBERED = """\
if position_ids is None and not isinstance(attention_mask, torch.Tensor):
    # A BlockMask says nothing of padding
    position_ids = cache_position.unsqueeze(0)
elif position_ids is None:
"""


def cached(body: str) -> str:
    return model(body).replace("position_ids=None", "position_ids=None, cache_position=None, seen=0")


def test_positions_counted_from_the_mask_are_those_of_the_cache(check_transformed):
    check_transformed(
        cached(COUNTED),
        cached(COUNTED.replace("if position_ids is None:\n", NUMBERED)),
        Settings(line_length=110),
    )


COUNTS_LEFT_ALONE = {
    "no_positions_of_the_cache": COUNTED.partition("if position_ids")[2].join(["if position_ids", ""]),
    "positions_of_the_cache_perhaps": COUNTED.replace("if cache_position is None:", "if seen:"),
    "something_else_beside_it": COUNTED.replace(
        "    # padding has no position\n", "    self.counted(position_ids)\n"
    ),
    "asked_in_another_way": COUNTED.replace("if position_ids is None:", "if self.counts:"),
    "another_count": COUNTED.replace("* attention_mask - 1", "- attention_mask"),
    "another_way_without_positions": COUNTED.replace(
        "states = states + self", "else:\n    position_ids = position_ids + 1\nstates = states + self"
    ),
}


@pytest.mark.parametrize("body", COUNTS_LEFT_ALONE.values(), ids=COUNTS_LEFT_ALONE)
def test_other_counts_are_reported_only(check_noop, body):
    planned = check_noop(cached(body))
    assert {finding.safety.value for finding in planned.findings} == {"report"}


LEFT_ALONE = {
    "filled_with_another_value": (
        "if attention_mask is not None:\n"
        "    states = states.masked_fill(~attention_mask.unsqueeze(-1), float('-inf'))\n"
    ),
    "pooled": "pooled = (states * attention_mask.unsqueeze(-1)).sum(1)\n",
    "bias_made_of_it": "if attention_mask is not None:\n    states = states + (1.0 - attention_mask)\n",
    "heads_made_of_it": "m = attention_mask.view(-1, 1, 1, 4) if attention_mask is not None else None\n",
    "another_name_gets_the_product": (
        "if attention_mask is not None:\n    pooled = states * attention_mask[:, :, None]\n"
    ),
    "weights_before_attention_has_the_mask": (
        "if attention_mask is None:\n"
        "    attention_mask = torch.ones(states.shape[:2])\n"
        "states = states * attention_mask.unsqueeze(-1)\n"
    ),
    "mean_of_something_else": (
        "if attention_mask is None:\n"
        "    pooled = states[:, 0]\n"
        "else:\n"
        "    pooled = (states * attention_mask.unsqueeze(-1)).sum(dim=1)\n"
    ),
    "mean_and_more": (
        "if attention_mask is None:\n"
        "    pooled = states.mean(dim=1)\n"
        "else:\n"
        "    pooled = (states * attention_mask.unsqueeze(-1)).sum(dim=1)\n"
        "    states = states * 2\n"
    ),
    "mean_and_a_word_about_it": (
        "if attention_mask is None:\n"
        "    pooled = states.mean(dim=1)\n"
        "else:\n"
        "    self.note(attention_mask.sum())\n"
        "    pooled = (states * attention_mask.unsqueeze(-1)).sum(dim=1)\n"
    ),
    "positions_counted_from_the_mask_itself": (
        "if attention_mask is None:\n"
        "    attention_mask = torch.ones(states.shape[0], states.shape[1])\n"
        "position_ids = torch.cumsum(attention_mask, dim=1)\n"
    ),
    "refused_by_the_model": (
        "if attention_mask is not None and attention_mask.ndim != 2:\n    raise ValueError('2-D')\n"
    ),
    "neither_padding_nor_conversion": (
        "if attention_mask is not None:\n    states = self.scale(attention_mask.unsqueeze(-1))\n"
    ),
    "asked_for_nothing": "if attention_mask is not None:\n    self.note(attention_mask.sum())\n",
    "turned_round": "if attention_mask is not None:\n    attention_mask = 1 - attention_mask\n",
    "asked_for_nothing_or_something_else": (
        "if attention_mask is not None:\n    self.note(attention_mask.sum())\nelse:\n    states = -states\n"
    ),
    "asked_and_noted": (
        "if attention_mask is not None:\n"
        "    self.note(torch.all(attention_mask == 1))\n"
        "else:\n"
        "    all_ = True\n"
    ),
    "counted_by_a_function": "lengths = (lambda: attention_mask.sum(-1))()\n",
    "counted_where_there_is_none": "n = 0 if attention_mask is None else attention_mask.sum(-1)\n",
    "more_than_a_count": ("if attention_mask is not None:\n    lengths = attention_mask.sum(-1).tolist()\n"),
}


@pytest.mark.parametrize("body", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_reported_only(check_noop, body):
    planned = check_noop(model(body))
    assert {finding.safety.value for finding in planned.findings} == {"report"}
    assert all("no guard is known to be right here" in finding.reason for finding in planned.findings)


LAYERS = """\
class TinyLayer(nn.Module):
    def forward(self, states, attention_mask=None, cache_position=None, last_cache_position=0):
        if self.is_sliding and attention_mask is not None:
            length = max(cache_position.shape[0], self.sliding_window)
            if self.config._attn_implementation == "flash_attention_2":
                attention_mask = attention_mask[:, -length:]
            else:
                lowest = torch.finfo(attention_mask.dtype).min
                too_old = torch.tril(
                    torch.ones_like(attention_mask, dtype=torch.bool), diagonal=-self.sliding_window
                )
                attention_mask = torch.where(too_old, lowest, attention_mask)
                offset = max(0, last_cache_position - length)
                attention_mask = attention_mask[:, :, :, offset : offset + length]
        attend = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
        return attend(self, states, attention_mask=attention_mask)


class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def __init__(self, config):
        super().__init__(config)
        self.layers = nn.ModuleList([TinyLayer() for _ in range(config.num_hidden_layers)])

    def forward(self, input_ids=None, attention_mask=None, cache_position=None):
        states = self.embed_tokens(input_ids)
        for layer in self.layers:
            states = layer(states, attention_mask=attention_mask, cache_position=cache_position)
        return states
"""
IS_BLOCK_MASK = (
    'self.config._attn_implementation == "flex_attention" and isinstance(attention_mask, BlockMask)'
)
SLIDES = f"""\
            elif {IS_BLOCK_MASK}:
                # A BlockMask is not sliced: it gets the window and the offset in its mask function
                offset = max(0, last_cache_position - length)
                attention_mask = slide_block_mask(attention_mask, self.sliding_window, offset, length)
"""


def test_layer_that_cuts_a_window_out_gets_it_composed(plan_for):
    planned = plan_for(HEAD + LAYERS, Settings(line_length=119))
    (change,) = planned.changes
    assert {finding.status.value for finding in planned.findings} == {"would-fix"}
    assert change.after.decode().endswith(
        LAYERS.replace("            else:\n", SLIDES + "            else:\n")
    )


def test_question_beside_a_window_is_guarded_and_the_window_composed(plan_for):
    asks = "        if attention_mask is not None and attention_mask.dim() == 2:\n"
    layers = LAYERS.replace("        attend =", f"{asks}            states = states * 2\n        attend =")
    guard = asks.replace("attention_mask is not None", "isinstance(attention_mask, torch.Tensor)")
    (change,) = plan_for(HEAD + layers, Settings(line_length=119)).changes
    after = layers.replace("            else:\n", SLIDES + "            else:\n").replace(asks, guard)
    assert change.after.decode().endswith(after)


@pytest.mark.parametrize(("cut", "other"), [("torch.tril(", "torch.triu("), ("diagonal=", "offset=")])
def test_layer_that_cuts_something_else_out_is_reported_only(check_noop, cut, other):
    planned = check_noop(HEAD + LAYERS.replace(cut, other))
    assert {finding.safety.value for finding in planned.findings} == {"report"}


OWN_ATTENTION = """\
class TinyAttention(nn.Module):
    def forward(self, states, attention_mask=None):
        if attention_mask is None or attention_mask[0, 0, 0, 1] == 0:
            return kernel(states, None)
        return kernel(states, LowerTriangular())


class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def __init__(self, config):
        super().__init__(config)
        self.layers = nn.ModuleList([TinyAttention() for _ in range(config.num_hidden_layers)])

    def forward(self, input_ids=None, attention_mask=None):
        states = self.embed_tokens(input_ids)
        for layer in self.layers:
            states = layer(states, attention_mask=attention_mask)
        return states
"""
QUESTION = """\
def is_padded(attention_mask):
    if attention_mask is None or attention_mask.dim() == 2:
        return True
    return False


"""


def test_own_attention_that_only_looks_at_the_mask_is_reported_only(check_noop):
    """With a guard axolotl's attention would run, causal at best, and forget the BlockMask."""
    planned = check_noop(HEAD + OWN_ATTENTION)
    assert {finding.safety.value for finding in planned.findings} == {"report"}


def test_mask_that_only_another_arm_uses_is_forgotten_all_the_same(check_noop):
    """FastChat's attention adds the mask only where weights are asked for, and picks its own elsewhere."""
    arms = OWN_ATTENTION.replace(
        "        if attention_mask is None or",
        "        if self.weights:\n"
        "            return kernel(states + attention_mask, None)\n"
        "        elif attention_mask is None or",
    )
    planned = check_noop(HEAD + arms)
    assert {finding.safety.value for finding in planned.findings} == {"report"}


def test_guard_that_would_only_move_the_crash_is_not_made(check_noop):
    """Unsloth's attention cuts a mask of two dimensions in one way, and all others in another."""
    body = (
        "if attention_mask.dim() == 2:\n"
        "    states = states + attention_mask[-4:, :8]\n"
        "else:\n"
        "    states = states + attention_mask[..., :4, :8]\n"
    )
    planned = check_noop(model(body))
    assert {finding.safety.value for finding in planned.findings} == {"report"}


MAKES_ITS_OWN = """\
def canvas_mask(config, states, attention_mask=None):
    if attention_mask is None or attention_mask.all():
        return {"full": None}
    make = ALL_MASK_ATTENTION_FUNCTIONS[config._attn_implementation]
    return {"full": make(q_length=states.shape[1], attention_mask=attention_mask)}


"""


def test_guard_that_would_send_a_block_mask_to_a_maker_of_masks_is_not_made(check_noop):
    """DiffusionGemma's decoder makes its masks of padding: beyond the question a BlockMask breaks as well."""
    body = 'attention_mask = canvas_mask(self.config, states, attention_mask)["full"]\n'
    planned = check_noop(model(body, MAKES_ITS_OWN))
    assert {finding.safety.value for finding in planned.findings} == {"report"}


def test_maker_of_masks_is_given_what_is_no_block_mask(check_noop):
    """5.x hands a mask of four dimensions back before it makes any."""
    helper = MAKES_ITS_OWN.replace(
        "attention_mask is None or attention_mask.all()", "len(attention_mask.shape) == 4"
    ).replace('{"full": None}', '{"full": attention_mask}')
    body = 'attention_mask = canvas_mask(self.config, states, attention_mask)["full"]\n'
    assert check_noop(model(body, helper)).findings == []


def test_guard_before_a_test_that_asks_twice_moves_no_crash(check_transformed):
    """What stands in a test that gets a guard is out of reach, whatever it is: found by the fuzzer."""
    body = (
        "if attention_mask.dim() == 3:\n"
        "    states = states * 2\n"
        "elif attention_mask.dim() == [*attention_mask]:\n"
        "    states = states * 3\n"
    )
    before = model(body)
    after = before.replace(
        " attention_mask.dim()", " isinstance(attention_mask, torch.Tensor) and attention_mask.dim()"
    )
    check_transformed(before, after, Settings(line_length=110))


def test_question_asked_of_the_mask_alone_gets_its_guard(check_transformed):
    before = model("if is_padded(attention_mask):\n    states = states * 2\n", QUESTION)
    test, guard = (
        "attention_mask.dim() == 2",
        "isinstance(attention_mask, torch.Tensor) and attention_mask.dim() == 2",
    )
    check_transformed(before, before.replace(test, guard), Settings(line_length=110))


NOTHING_TO_SAY = {
    "tensor_only": (
        "if isinstance(attention_mask, torch.Tensor):\n    states = states * attention_mask[:, :, None]\n"
    ),
    "none_only": "if attention_mask is None:\n    attention_mask.sum()\n",
    "shape_and_device": "rows = attention_mask.shape[2]\nattention_mask = attention_mask.to(states.device)\n",
    "positions_of_tokens": "position_ids = torch.cumsum(torch.ones_like(input_ids), dim=1)\n",
}


@pytest.mark.parametrize("body", NOTHING_TO_SAY.values(), ids=NOTHING_TO_SAY)
def test_nothing_to_say(check_noop, body):
    assert check_noop(model(body)).findings == []


GENERATION = """\
ALL_MASK_ATTENTION_FUNCTIONS = {}


def create_causal_mask(config, attention_mask):
    return ALL_MASK_ATTENTION_FUNCTIONS[config._attn_implementation](attention_mask=attention_mask)


"""

PREPARE = """\

    def prepare_inputs_for_generation(self, input_ids, attention_mask=None, past_key_values=None):
        if past_key_values is not None and past_key_values.is_compileable:
            attention_mask = create_causal_mask(self.config, attention_mask)
            MAKE
        return {"input_ids": input_ids, "attention_mask": attention_mask}
"""


def generating(statement: str) -> str:
    return model("", GENERATION) + PREPARE.replace("MAKE", statement)


CONVERTED = {
    "mask": (
        "m = attention_mask\n            m = m.contiguous() if m is not None else None",
        "m = attention_mask\n            m = m.contiguous() if isinstance(m, torch.Tensor) else m",
    ),
    "mask_on_a_long_line": (
        "mask_12 = attention_mask\n"
        "            mask_12 = mask_12.contiguous() if mask_12 is not None else None",
        "mask_12 = attention_mask\n"
        "            mask_12 = (\n"
        "                mask_12.contiguous() if isinstance(mask_12, torch.Tensor) else mask_12\n"
        "            )",
    ),
    "rows_of_choices": (
        "m = attention_mask\n            m = m.view(-1, m.size(-1)) if m is not None else None",
        "m = attention_mask\n            m = m.view(-1, m.size(-1)) if isinstance(m, torch.Tensor) else m",
    ),
    "rows_of_choices_on_two_long_lines": (
        "m = a_long_mask = attention_mask\n"
        "            m = a_long_mask.view(-1, a_long_mask.size(-1)) if a_long_mask is not None else None",
        "m = a_long_mask = attention_mask\n"
        "            m = (\n"
        "                a_long_mask.view(-1, a_long_mask.size(-1))\n"
        "                if isinstance(a_long_mask, torch.Tensor)\n"
        "                else a_long_mask\n"
        "            )",
    ),
    "dict_of_masks": (
        "masks = {1: attention_mask}\n"
        "            masks = {k: m.bool() if m is not None else None for k, m in masks.items()}",
        "masks = {1: attention_mask}\n"
        "            masks = {\n"
        "                k: m.bool() if isinstance(m, torch.Tensor) else m for k, m in masks.items()\n"
        "            }",
    ),
}


@pytest.mark.parametrize(("statement", "mended"), CONVERTED.values(), ids=CONVERTED)
def test_mask_that_generation_makes(check_transformed, statement, mended):
    check_transformed(generating(statement), generating(mended), Settings(line_length=88))


def test_mask_that_generation_makes_and_hands_on(check_noop):
    assert check_noop(generating("attention_mask = attention_mask")).findings == []


def test_mask_that_generation_is_given(check_noop):
    """Without a mask function between, it is a tensor."""
    source = generating("attention_mask = attention_mask.contiguous()")
    source = source.replace("create_causal_mask(self.config, attention_mask)\n", "attention_mask\n")
    assert check_noop(source).findings == []


def test_mask_over_audio_is_reported_only(check_noop):
    body = "if attention_mask is not None:\n    attention_mask = attention_mask.contiguous()\n"
    planned = check_noop(model(body).replace("input_ids", "input_features"))
    (finding,) = planned.findings
    assert finding.reason.startswith("the mask is one of input_features")


def test_mask_by_layer_type_is_reported_only(check_noop):
    body = (
        "masks = {'full': attention_mask, 'linear': None}\n"
        "mask = masks[self.config.layer_types[0]]\n"
        "if mask is not None:\n"
        "    states = states * mask[:, :, None]\n"
    )
    (finding,) = check_noop(model(body)).findings
    assert finding.reason.startswith("the mask comes from a dict of masks by layer type")


LAYER = """\
class TinyAttention(nn.Module):
    def forward(self, states, attention_mask=None, own_mask=None):
        if self.config._attn_implementation == "flash_attention_2":
            self.is_causal = own_mask is not None
        else:
            if attention_mask is not None and own_mask is not None:
                attention_mask = attention_mask + own_mask
            elif own_mask is not None:
                attention_mask = own_mask
        attend = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
        return attend(self, states, states, states, attention_mask)


class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def __init__(self, config):
        super().__init__(config)
        self.attention = TinyAttention()

    def forward(self, input_ids=None, attention_mask=None):
        states = self.embed_tokens(input_ids)
        return self.attention(states, attention_mask, own_mask=torch.triu(states.new_ones(4, 4)))
"""

JOINED_LAYER = LAYER.replace(
    "            if attention_mask is not None and own",
    """\
            if self.config._attn_implementation == "flex_attention" and isinstance(attention_mask, BlockMask):
                # It is joined to a dense mask: what its mask function says of each position takes part
                if own_mask is not None:
                    seen = create_mask(attention_mask.mask_mod, *attention_mask.shape, device=own_mask.device)
                    attention_mask = own_mask.masked_fill(~seen, torch.finfo(own_mask.dtype).min)
            elif attention_mask is not None and own""",
)


def test_mask_that_is_added_to_one_of_the_layer_s_own(check_transformed) -> None:
    imports = MENDED_HEAD.replace("import BlockMask\n", "import BlockMask, create_mask\n")
    imports = imports.replace("\n\nif is_torch", "\n\n\nif is_torch")  # as is usual where lines are this wide
    check_transformed(LIBRARY_HEAD + LAYER, imports + JOINED_LAYER, Settings(line_length=119))


def test_own_mask_first_in_an_arm_of_its_own(plan_for) -> None:
    own_first = (
        LAYER.replace("attention_mask + own_mask", "own_mask + attention_mask")
        .replace(
            "        else:\n            if attention_mask is not None and own_mask is not None:\n    ",
            "        elif attention_mask is not None and own_mask is not None:\n",
        )
        .replace("            elif own_mask is not None:\n    ", "        elif own_mask is not None:\n")
    )
    (change,) = plan_for(LIBRARY_HEAD + own_first, Settings(line_length=119)).changes
    asked = 'self.config._attn_implementation == "flex_attention" and isinstance(attention_mask, BlockMask)'
    assert f"        elif {asked}:\n" in change.after.decode()
    compile(change.after, "modeling_tiny.py", "exec")


NOT_JOINED = {
    "no_mask_of_its_own_alone": LAYER.replace(
        "            elif own_mask is not None:\n                attention_mask = own_mask\n", ""
    ),
    "something_else_alone": LAYER.replace(
        "                attention_mask = own_mask\n", "                attention_mask = -own_mask\n"
    ),
    "whatever_else_there_is": LAYER.replace(
        "attention_mask is not None and own_mask is not None", "attention_mask is not None"
    ),
    "more_is_done_to_it": LAYER.replace(
        "attention_mask + own_mask\n",
        "attention_mask + own_mask\n                attention_mask = attention_mask * 2\n",
    ),
    "name_that_is_taken": LAYER.replace("attend = ALL", "seen = attend = ALL"),
}


@pytest.mark.parametrize("source", NOT_JOINED.values(), ids=NOT_JOINED)
def test_mask_that_is_added_to_what_may_be_no_mask(plan_for, source: str) -> None:
    planned = plan_for(LIBRARY_HEAD + source)
    assert planned.changes == []
    assert {f.rule for f in planned.findings} == {"FLEX002"}


ASKS_PADDING = """\
if attention_mask is not None:
    padded = torch.all(attention_mask)
else:
    padded = {}
states = states if padded else states * 2
"""


def test_question_that_another_arm_answers_with_a_constant_is_for_tensors(check_transformed):
    before = ASKS_PADDING.format("True")
    after = before.replace("attention_mask is not None", "isinstance(attention_mask, torch.Tensor)")
    check_transformed(model(before), model(after))


@pytest.mark.parametrize("answer", ["states.mean()", "self.config.padded"])
def test_question_that_another_arm_answers_in_another_way_is_reported(check_noop, answer):
    (finding,) = check_noop(model(ASKS_PADDING.format(answer))).findings
    assert finding.safety.value == "report"
    assert finding.message == "torch.all takes a tensor, not a BlockMask (attention_mask)"


def test_method_that_is_asked_of_the_mask_alone_forgets_none(check_transformed):
    """Whoever asks it still has the mask, be it a method or a function."""
    method = """
    def _is_padded(self, attention_mask):
        if attention_mask.dim() == 2:
            return True
        return False
"""
    source = model("if self._is_padded(attention_mask):\n    states = states * 2\n") + method
    asked = "attention_mask.dim() == 2"
    check_transformed(source, source.replace(asked, f"isinstance(attention_mask, torch.Tensor) and {asked}"))
