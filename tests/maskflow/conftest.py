"""A model in a few lines, and what a BlockMask meets in it."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent, indent

import pytest

from codemods.maskflow.flow import MaskFlow
from codemods.maskflow.program.hierarchy import Hierarchy
from codemods.maskflow.program.index import Class, Index
from codemods.maskflow.reach import Reach
from codemods.source.tree import locate_tree

Follow = Callable[..., Reach]

BASE = """
    import torch
    from torch import nn


    class PreTrainedModel(nn.Module):
        _supports_flex_attn = False


    ALL_ATTENTION_FUNCTIONS = {}
"""

HEAD = """
    import torch
    from functools import partial
    from torch import nn
    from torch.nn.attention.flex_attention import BlockMask
    from .modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
"""


@pytest.fixture
def follow(write_tree) -> Follow:
    """Write modules of a package, then follow a BlockMask into the class called ``Model``."""

    def run(model: str, **modules: str) -> Reach:
        files = {"pkg/modeling_utils.py": BASE, "pkg/modeling_model.py": dedent(HEAD) + dedent(model)}
        files |= {f"pkg/{name}.py": dedent(HEAD) + dedent(text) for name, text in modules.items()}
        root = write_tree(files)
        index = Index(locate_tree(root / "pkg"))
        module = index.module_at(root / "pkg" / "modeling_model.py")
        assert module is not None, index.problems
        entry = index.resolve(module, "Model")
        assert isinstance(entry, Class)
        reach = MaskFlow(index, Hierarchy(index)).follow(entry)
        assert reach is not None
        return reach

    return run


@pytest.fixture
def forward(follow) -> Follow:
    """Follow a BlockMask into a model whose ``forward`` has this body."""

    def run(body: str, parameters: str = "input_ids=None, attention_mask=None", **modules: str) -> Reach:
        head = "class Model(PreTrainedModel):\n    _supports_flex_attn = True\n\n"
        head += "    def __init__(self, config):\n        super().__init__(config)\n\n"
        code = indent(dedent(body).strip(), " " * 8)
        return follow(f"{head}    def forward(self, {parameters}):\n{code}\n", **modules)

    return run


@pytest.fixture
def operations(forward) -> Callable[..., list[str]]:
    """Return what a ``forward`` with this body does wrong to its ``attention_mask``."""
    return lambda *args, **modules: [site.operation for site in forward(*args, **modules).sites]
