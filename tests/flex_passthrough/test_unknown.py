"""Where a mask could not be followed is said, never taken for harmless."""

import json
from textwrap import indent

import pytest

from codemods.flex_passthrough.api import plan
from codemods.flex_passthrough.settings import Settings
from codemods.review.json_report import render_json, render_json_lines

HEAD = """\
import torch
from torch import nn

from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel


def refuse(mask):
    raise ValueError(mask)


def refuse_some(mask, states=None):
    if states is None:
        raise ValueError(mask)
    return mask


class TinyModel(PreTrainedModel):
    _supports_flex_attn = True

    def forward(self, input_ids=None, attention_mask=None):
"""
FIRST = HEAD.count("\n") + 1

NOT_FOLLOWED = "a call with a BlockMask could not be followed"
UNKNOWN = {
    "unknown_function": ("return self.config.attend(attention_mask)", [(FIRST, NOT_FOLLOWED)]),
    "function_from_elsewhere": (
        "import elsewhere\nreturn elsewhere.attend(input_ids, mask=attention_mask)",
        [(FIRST + 1, "a call of elsewhere.attend with a BlockMask could not be followed")],
    ),
    "dead_end": (
        "refuse(attention_mask)\nreturn attention_mask.dim()",
        [(7, "refuse never comes back with a BlockMask: what follows it was not looked at")],
    ),
    "comes_back_in_another_call": ("refuse_some(attention_mask, input_ids)\nrefuse_some(attention_mask)", []),
    "attention": (
        "return ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation](self, attention_mask)",
        [],
    ),
    "no_mask_in_it": ("return self.config.attend(input_ids)", []),
}


@pytest.fixture
def planned(plan_for):
    return lambda body, *settings: plan_for(HEAD + indent(body + "\n", " " * 8), *settings)


@pytest.mark.parametrize(("body", "places"), UNKNOWN.values(), ids=UNKNOWN)
def test_unknown(planned, body, places):
    assert [(place.line, place.message) for place in planned(body).unknown] == places


def test_models_without_a_claim_say_nothing(plan_for):
    body = "        return self.config.attend(attention_mask)\n"
    assert plan_for(HEAD.replace("attn = True", "attn = False") + body).unknown == []


def test_report_for_machines(planned):
    made = planned("return self.config.attend(attention_mask)")
    row = {"path": made.unknown[0].path, "line": FIRST, "column": 1, "message": NOT_FOLLOWED}
    assert json.loads(render_json(made, "tool"))["unknown"] == [row]
    lines = [json.loads(line) for line in render_json_lines(made, "tool").splitlines()]
    assert {"type": "unknown", **row} in lines


LIBRARY = "from transformers import masking_utils\nreturn masking_utils.create_causal_mask({})"
NOT_INSTALLED = (
    "masks go on into transformers, which is not installed here; --python names a Python that has it"
)


@pytest.mark.parametrize(("given", "notices"), [("attention_mask", [NOT_INSTALLED]), ("input_ids", [])])
def test_library_that_is_not_installed(planned, tmp_path, given, notices):
    made = planned(LIBRARY.format(given), Settings(python=tmp_path / "empty" / "bin" / "python"))
    assert made.notices == notices


def test_library_that_is_not_installed_and_called_itself(planned, tmp_path):
    body = "import transformers\nreturn transformers(attention_mask)"
    made = planned(body, Settings(python=tmp_path / "empty" / "bin" / "python"))
    assert made.notices == [NOT_INSTALLED]


@pytest.fixture
def older(tmp_path):
    """The interpreter of an environment with a transformers that has no ``masking_utils``."""
    site = tmp_path / "env/lib/python3.11/site-packages"
    (site / "transformers-4.51.3.dist-info").mkdir(parents=True)
    (site / "transformers-4.51.3.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: transformers\nVersion: 4.51.3\n"
    )
    (site / "transformers").mkdir()
    (site / "transformers/__init__.py").touch()
    (site / "transformers/cache_utils.py").write_text("def keep(mask): ...\n")
    (tmp_path / "env/bin").mkdir()
    (tmp_path / "env/pyvenv.cfg").touch()
    return tmp_path / "env/bin/python"


def test_library_that_lacks_the_module(planned, older):
    """EAGLE's models are of 4.53; beside 4.51.3 nothing was said of what could not be followed."""
    (notice,) = planned(LIBRARY.format("attention_mask"), Settings(python=older)).notices
    assert notice.startswith("masks go on into transformers.masking_utils, which the transformers that is")


@pytest.mark.parametrize(
    "body",
    [
        "from transformers import cache_utils\nreturn cache_utils.store(attention_mask)",
        "from transformers import Trainer\nreturn Trainer.keep(attention_mask)",
        "from transformers import keep\nreturn keep(attention_mask)",
    ],
)
def test_library_that_has_the_module_or_may_have(planned, older, body):
    made = planned(body, Settings(python=older))
    assert len(made.unknown) == 1
    assert made.notices == []


def test_library_that_is_not_to_be_read(planned):
    assert planned(LIBRARY.format("attention_mask"), Settings(installed=False)).notices == []


def test_planned_again(planned):
    made = planned("return self.config.attend(attention_mask)")
    assert made.without([]).unknown == made.unknown


def test_whole_folder(planned):
    made = planned("return self.config.attend(attention_mask)")
    assert plan([made.root]).unknown == made.unknown
