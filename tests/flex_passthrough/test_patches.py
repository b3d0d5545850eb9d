"""Functions that are put into a class from outside: they are members of it like any other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from codemods.flex_passthrough.api import Plan, Settings, plan
from codemods.review.finding import Status

from .conftest import LIBRARY
from .test_installed import LIBRARY as INSTALLED
from .test_installed import SITE

MODEL = """
    import torch
    from torch import nn

    from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel


    class TinyModel(PreTrainedModel):
        _supports_flex_attn = True

        def forward(self, input_ids=None, attention_mask=None):
            states = self.embed_tokens(input_ids)
            attention_mask = self._update_causal_mask(attention_mask)
            attention_interface = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
            return attention_interface(self, states, attention_mask=attention_mask)

        def _update_causal_mask(self, attention_mask):
            return attention_mask
"""
FUNCTION = """\
import torch
from pkg.models.tiny import modeling_tiny
from pkg.models.tiny.modeling_tiny import TinyModel


def update_causal_mask(self, attention_mask):
    return attention_mask.bool()


"""


@pytest.fixture
def plan_patch(write_tree) -> Callable[[str], Plan]:
    """Plan for a package with a right model and a file that patches it."""

    def run(patch: str) -> Plan:
        files = {"pkg/models/tiny/modeling_tiny.py": MODEL, "pkg/patch.py": FUNCTION + patch}
        return plan([write_tree({**LIBRARY, **files}) / "pkg"])

    return run


PATCHES = {
    "assigned": "TinyModel._update_causal_mask = update_causal_mask\n",
    "through_its_module": "modeling_tiny.TinyModel._update_causal_mask = update_causal_mask\n",
    "by_setattr": 'setattr(TinyModel, "_update_causal_mask", update_causal_mask)\n',
    "in_a_function": "def patch():\n    TinyModel._update_causal_mask = update_causal_mask\n",
    "in_a_function_that_imports": (
        "def patch():\n"
        "    from pkg.models.tiny.modeling_tiny import TinyModel as Tiny\n\n"
        "    if True:\n"
        "        Tiny._update_causal_mask = update_causal_mask  # faster\n"
    ),
}


@pytest.mark.parametrize("patch", PATCHES.values(), ids=PATCHES)
def test_function_that_becomes_a_mask_method(plan_patch, patch):
    planned = plan_patch(patch)
    assert planned.problems == []
    (finding,) = planned.findings
    assert (finding.rule, finding.qualname, finding.path) == ("FLEX001", "update_causal_mask", "patch.py")
    (change,) = planned.changes
    assert b"return attention_mask\n\n    return attention_mask.bool()" in change.after


NOTHING_PUT = {
    "under_another_name": "TinyModel._update_something = update_causal_mask\n",
    "into_a_class_that_is_not_known": "from elsewhere import Other\n\nOther.forward = update_causal_mask\n",
    "what_is_no_function": "TinyModel._update_causal_mask = TinyModel.forward_mask\n",
    "into_one_object": "def patch(model):\n    model._update_causal_mask = update_causal_mask\n",
    "to_itself": "TinyModel._update_causal_mask = TinyModel._update_causal_mask\n",
}


@pytest.mark.parametrize("patch", NOTHING_PUT.values(), ids=NOTHING_PUT)
def test_nothing_is_put_into_the_model(plan_patch, patch):
    planned = plan_patch(patch)
    assert (planned.findings, planned.changes, planned.problems) == ([], [], [])


def test_patch_of_an_installed_library_is_edited_where_it_stands(write_tree):
    patch = """
        import transformers


        def forward(self, input_ids=None, attention_mask=None):
            return attention_mask.bool()


        def apply():
            transformers.models.elm.modeling_elm.ElmModel.forward = forward
    """
    root = write_tree({**INSTALLED, "mine/patch.py": patch})
    planned = plan([root / "mine"], Settings(python=root / "env/bin/python"))
    assert [(finding.rule, finding.qualname) for finding in planned.findings] == [("FLEX002", "forward")]
    assert {finding.status for finding in planned.findings} == {Status.SKIPPED}
    assert SITE not in "".join(change.name for change in planned.changes)
