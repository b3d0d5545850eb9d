"""``check_noop(source)`` and ``check_transformed(before, after)`` on a package of one model."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from codemods.flex_passthrough.api import Plan, Settings, apply, plan
from codemods.flex_passthrough.remembered.memory import Memory
from codemods.modelrepo.tooling.toolchain import find_toolchain

# A package in the style of a transformers of 2025, as far as masks are concerned.
LIBRARY = {
    "pkg/modeling_utils.py": """
        from torch import nn


        class PreTrainedModel(nn.Module):
            _supports_flex_attn = False


        ALL_ATTENTION_FUNCTIONS = {}
    """,
    "pkg/utils/__init__.py": """
        def is_torch_flex_attn_available():
            return True


        class logging: ...
    """,
}

HEAD = """\
import torch
from torch import nn

from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
from ...utils import logging


"""

MENDED_HEAD = """\
import torch
from torch import nn

from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
from ...utils import is_torch_flex_attn_available, logging

if is_torch_flex_attn_available():
    from torch.nn.attention.flex_attention import BlockMask


"""

FILE = "pkg/models/tiny/modeling_tiny.py"


GROVE = Path(__file__).parents[2] / "fixtures" / "modular"


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    """What runs remember of single files, in a place of its own."""
    return Memory(tmp_path / "memory" / "scans.sqlite")


@pytest.fixture
def grove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a small modular repository, converter and all, that pins the ruff at hand."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    copy = tmp_path / "grove"
    shutil.copytree(GROVE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    version = find_toolchain(GROVE.parent, tmp_path / "none", install=False).ruff_version
    setup = copy / "setup.py"
    setup.write_text(setup.read_text("utf-8").replace("ruff==0.11.2", f"ruff=={version}"), "utf-8")
    return copy


@pytest.fixture
def plan_for(write_tree) -> Callable[..., Plan]:
    """Plan for a package whose model file holds ``source``."""

    def run(source: str, settings: Settings | None = None) -> Plan:
        root = write_tree({**LIBRARY, FILE: dedent(source)})
        return plan([root / "pkg"], settings)

    return run


@pytest.fixture
def check_transformed(plan_for) -> Callable[..., None]:
    """The model file becomes ``after``, and then nothing is left to do."""

    def check(before: str, after: str, settings: Settings | None = None) -> None:
        planned = plan_for(before, settings)
        assert planned.problems == []
        apply(planned)
        (change,) = planned.changes
        assert change.path.read_text() == after
        again = plan([change.path.parents[2]], settings)
        assert [c.name for c in again.changes] == []

    return check


@pytest.fixture
def check_noop(plan_for) -> Callable[..., Plan]:
    """Nothing changes."""

    def check(source: str, settings: Settings | None = None) -> Plan:
        planned = plan_for(source, settings)
        assert [change.after.decode() for change in planned.changes] == []
        assert planned.problems == []
        return planned

    return check
