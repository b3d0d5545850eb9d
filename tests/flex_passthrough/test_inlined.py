"""A method that only calls its parent's is mended with the parent, by any rule."""

from textwrap import dedent

import pytest

from codemods.flex_passthrough.api import apply, plan

BANNER = "# This file was automatically generated from pkg/models/oak/modular_oak.py.\n"
BASE = """
    from torch import nn


    class PreTrainedModel(nn.Module):
        pass


    ALL_ATTENTION_FUNCTIONS = {}
"""
MODEL = """\
import torch

from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel


class NAMEModel(PreTrainedModel):
    _supports_flex_attn = True

    def forward(self, input_ids=None, attention_mask=None):
        states = ALL_ATTENTION_FUNCTIONS["x"](self, input_ids, attention_mask=attention_mask)
OWN        if attention_mask is not None:
            states = states * attention_mask.unsqueeze(-1)
        return states
"""
MODULAR = """\
from ..elm.modeling_elm import ElmModel


class OakModel(ElmModel):
    def forward(self, **super_kwargs):
OWN        return super().forward(**super_kwargs)
"""
GUARD = "isinstance(attention_mask, torch.Tensor)"


@pytest.fixture
def family(write_tree):
    def write(own: str = ""):
        files = {
            "pkg/modeling_utils.py": dedent(BASE),
            "pkg/models/elm/modeling_elm.py": MODEL.replace("NAME", "Elm").replace("OWN", ""),
            "pkg/models/oak/modeling_oak.py": BANNER + MODEL.replace("NAME", "Oak").replace("OWN", own),
            "pkg/models/oak/modular_oak.py": MODULAR.replace("OWN", own),
        }
        return write_tree(files) / "pkg"

    return write


def test_mended_with_its_parent(family):
    root = family()
    planned = plan([root])
    assert {finding.root for finding in planned.findings} == {
        ("models/elm/modeling_elm.py", "ElmModel.forward")
    }
    assert planned.changes
    apply(planned)
    for name in ("elm", "oak"):
        assert GUARD in (root / "models" / name / f"modeling_{name}.py").read_text()
    assert "isinstance" not in (root / "models/oak/modular_oak.py").read_text()
    assert plan([root]).changes == []


def test_lines_of_its_own_are_its_own(family):
    planned = plan([family("        states = attention_mask.dim()\n")])
    roots = {finding.path: finding.root[0] for finding in planned.findings}
    assert roots["models/oak/modeling_oak.py"] == "models/oak/modular_oak.py"
