"""Code outside a library that inherits from an installed one: the library is read, never edited."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from codemods.flex_passthrough.api import Plan, Settings, plan
from codemods.source.installed import installed_package, site_packages

SITE = "env/lib/python3.11/site-packages"
LIBRARY = {
    f"{SITE}/transformers-9.0.dist-info/METADATA": "Name: transformers\nVersion: 9.0\n",
    f"{SITE}/transformers/__init__.py": """
        import sys
        from typing import TYPE_CHECKING

        if TYPE_CHECKING:
            from .models import *
        else:
            raise SystemExit("the library was imported")
    """,
    f"{SITE}/transformers/models/__init__.py": "from .elm import *\nfrom .oak import *\n",
    f"{SITE}/transformers/models/elm/__init__.py": "from .modeling_elm import *\n",
    f"{SITE}/transformers/models/elm/modeling_elm.py": """
        from torch import nn


        class PreTrainedModel(nn.Module): ...


        class ElmModel(PreTrainedModel):
            _supports_flex_attn = True

            def _update_causal_mask(self, attention_mask):
                return attention_mask.bool()
    """,
    f"{SITE}/transformers/models/oak/__init__.py": "from .modeling_oak import *\n",
    f"{SITE}/transformers/models/oak/modeling_oak.py": "class OakModel: ...\n",
    "env/bin/python": "",
}

HUB = """\
import torch
from transformers import ElmModel


class HubModel(ElmModel):
    def forward(self, input_ids=None, attention_mask=None):
        if attention_mask is not None and attention_mask.dim() == 2:
            attention_mask = attention_mask.bool()
        return attention_mask
"""


@pytest.fixture
def plan_hub(write_tree) -> Callable[..., Plan]:
    def run(source: str = HUB, files: dict[str, str] | None = None, **settings: object) -> Plan:
        root = write_tree({**LIBRARY, "hub/modeling_hub.py": source, **(files or {})})
        chosen = Settings(python=root / "env/bin/python")
        return plan([root / "hub"], replace(chosen, **settings))

    return run


def test_a_claim_of_an_installed_ancestor_counts(plan_hub):
    planned = plan_hub()
    (finding,) = planned.findings
    assert (finding.rule, finding.safety.value, finding.path) == ("FLEX002", "safe", "modeling_hub.py")
    (change,) = planned.changes
    assert b"if isinstance(attention_mask, torch.Tensor) and attention_mask.dim() == 2:" in change.after


def test_what_breaks_in_the_library_is_told_and_not_edited(plan_hub):
    source = HUB.replace(
        "        return attention_mask\n",
        "        return self.attention(self._update_causal_mask(attention_mask))\n",
    ).replace("        if attention_mask is not None", "        if False")
    planned = plan_hub(source)
    assert (planned.findings, planned.changes) == ([], [])
    assert planned.notices == [
        "the installed transformers needs mending too: "
        "transformers.models.elm.modeling_elm.ElmModel._update_causal_mask"
    ]
    assert planned.without(()).notices == planned.notices


def test_not_when_nothing_is_installed(plan_hub, tmp_path):
    assert plan_hub(python=tmp_path / "elsewhere/bin/python").findings == []


def test_not_when_it_is_not_to_be_read(plan_hub):
    assert plan_hub(installed=False).findings == []


def test_a_library_within_the_tree_hides_the_installed_one(plan_hub):
    own = "class ElmModel:\n    pass\n"
    assert plan_hub(files={"transformers/__init__.py": own}).findings == []


def test_a_class_that_the_library_has_not_is_unknown(plan_hub):
    assert plan_hub(HUB.replace("ElmModel", "YewModel")).findings == []


def test_metadata_without_a_package_is_nothing(write_tree):
    root = write_tree({name: text for name, text in LIBRARY.items() if "dist-info" in name or "bin" in name})
    assert installed_package("transformers", root / "env/bin/python") is None


def test_an_interpreter_that_is_a_link_belongs_to_its_environment(write_tree):
    root = write_tree(LIBRARY)
    (root / "env/bin/python3").symlink_to(Path("/usr/bin/env"))
    assert site_packages(root / "env/bin/python3") == [root / SITE]
    assert installed_package("transformers", root / "env/bin/python3") == root / SITE / "transformers"
