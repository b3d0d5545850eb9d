"""``--show-graph MODEL``: what a model's files come from, and what is made from them."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from codemods.maskflow.program.index import Index
from codemods.modelrepo.drawing import draw
from codemods.modelrepo.family import Repository
from codemods.modelrepo.pedigree import UnknownModelError, pedigree_of
from codemods.source.discover import discover
from codemods.source.problem import SourceError
from codemods.source.tree import locate_tree


def show_graph(path: Path, model: str) -> None:
    """Draw the family of ``model`` on stdout."""
    try:
        tree = locate_tree(path)
        repository = Repository(Index(tree), discover([tree.root]).files)
        drawing = draw(pedigree_of(repository, model), tree)
    except (SourceError, UnknownModelError) as error:
        raise click.UsageError(str(error.args[0])) from None
    Console(width=None if sys.stdout.isatty() else 200).print(drawing)
