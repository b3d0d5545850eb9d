"""The same on a real checkout, where FLEX_PASSTHROUGH_CHECKOUT names one.

FLEX_PASSTHROUGH_PYTHON may name an interpreter that has libcst and the library's requirements.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from codemods.flex_passthrough.plan import make_plan
from codemods.flex_passthrough.settings import Settings
from codemods.maskflow.index import Index
from codemods.modelrepo.checkout import find_checkout
from codemods.modelrepo.family import Repository
from codemods.modelrepo.graph import ModularGraph
from codemods.modelrepo.regenerate import Options, regenerate
from codemods.modelrepo.toolchain import find_toolchain
from codemods.source.discover import discover
from codemods.source.tree import locate_tree

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        "FLEX_PASSTHROUGH_CHECKOUT" not in os.environ, reason="FLEX_PASSTHROUGH_CHECKOUT names no checkout"
    ),
]


def test_mirrored_edits_are_what_the_converter_writes(tmp_path: Path) -> None:
    root = Path(os.environ["FLEX_PASSTHROUGH_CHECKOUT"]).resolve()
    python = Path(os.environ.get("FLEX_PASSTHROUGH_PYTHON", sys.executable))
    tree = locate_tree(root)
    plan = make_plan(tree, [root / "src"], Settings())
    repository = Repository(Index(tree), discover([root / "src"]).files)
    by_hand, foreseen = {}, {}
    for change in plan.changes:
        is_generated = repository.layout.modular_of(change.path) is not None
        (foreseen if is_generated else by_hand)[change.path] = change.after
    checkout = find_checkout(tree)
    assert checkout is not None
    toolchain = find_toolchain(root, tmp_path / "tools", python)
    result = regenerate(repository, checkout, toolchain, by_hand, foreseen, Options(seconds=600))
    assert result.failures == ()
    assert result.files == by_hand | foreseen


def test_graph_has_every_modular_file_once_and_no_circle() -> None:
    root = Path(os.environ["FLEX_PASSTHROUGH_CHECKOUT"]).resolve()
    repository = Repository(Index(locate_tree(root)), discover([root / "src"]).files)
    graph = ModularGraph(repository.index, repository.layout)
    assert sorted(modular for level in graph.levels for modular in level) == list(repository.layout.modulars)
    assert graph.problems == ()
