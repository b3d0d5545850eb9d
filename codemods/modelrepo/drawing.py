"""Drawing family trees for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.markup import escape
from rich.tree import Tree as RichTree

from codemods.modelrepo.pedigree import Pedigree, Relative
from codemods.source.tree import Tree

# More names than a line of a terminal holds would hide the shape of the tree.
MAXIMUM_NAMES = 4


def draw(pedigree: Pedigree, tree: Tree) -> RichTree:
    """Return the drawing of a family tree: its files, what they come from, what comes from them."""
    drawing = RichTree(f"[bold]{escape(pedigree.model)}[/]")
    files = drawing.add("files")
    for path, modular in pedigree.files:
        origin = f" [dim]generated from {escape(modular.name)}[/]" if modular is not None else ""
        files.add(f"{escape(tree.display(path))}{origin}")
    if pedigree.ancestors:
        _add(drawing.add("comes from"), pedigree.ancestors)
    if pedigree.descendants:
        _add(drawing.add("is followed by"), pedigree.descendants)
    return drawing


def _add(drawing: RichTree, relatives: Iterable[Relative]) -> None:
    for relative in relatives:
        names: dict[str, list[str]] = {}
        for link in relative.links:
            names.setdefault(link.kind, []).extend(link.names)
        links = "; ".join(_describe(kind, taken) for kind, taken in names.items())
        elsewhere = " [dim](its own relatives are shown elsewhere)[/]" if relative.repeated else ""
        _add(drawing.add(f"[bold]{escape(relative.model)}[/] {links}{elsewhere}"), relative.relatives)


def _describe(kind: str, names: Sequence[str]) -> str:
    shown = ", ".join(names[:MAXIMUM_NAMES]) or "functions"
    more = len(names) - MAXIMUM_NAMES
    return f"[dim]{kind}[/] {escape(shown)}" + (f" and {more} more" if more > 0 else "")
