"""The graph of a modular repository: which modular file reads which other models' files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from codemods.maskflow.program.index import Import, Index
from codemods.modelrepo.layout import Layout
from codemods.source.problem import Problem

Node = TypeVar("Node", bound=Any)  # hashable, and in an order


class ModularGraph:
    """What each modular file is made from, and in which order they are converted."""

    def __init__(self, index: Index, layout: Layout) -> None:
        self.index = index
        self.layout = layout
        self._sources: dict[Path, tuple[Path, ...]] = {}

    @cached_property
    def sources(self) -> dict[Path, tuple[Path, ...]]:
        """The other models' files that each modular file imports from, in order."""
        return {modular: self.sources_of(modular) for modular in self.layout.modulars}

    def sources_of(self, modular: Path) -> tuple[Path, ...]:
        """Return the other models' files that a modular file imports from, in order."""
        if modular not in self._sources:
            self._sources[modular] = tuple(self._imported_by(modular))
        return self._sources[modular]

    @cached_property
    def parents(self) -> dict[Path, tuple[Path, ...]]:
        """The modular files that must be converted before each modular file."""
        return {modular: self._parents_of(modular) for modular in self.layout.modulars}

    def levels(self, modulars: Iterable[Path]) -> tuple[tuple[Path, ...], ...]:
        """Sort some modular files, parents in earlier levels than their children, in stable order.

        Those that import each other in a circle have no order; each gets a level of its own. No others are
        looked into.
        """
        wanted = set(modulars)
        return layers(
            {
                modular: [parent for parent in self._parents_of(modular) if parent in wanted]
                for modular in wanted
            }
        )

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Circles of modular files, one line each."""
        return tuple(self._circle(group) for group in strongly_connected(self.parents) if len(group) > 1)

    def _circle(self, group: frozenset[Path]) -> Problem:
        names = ", ".join(modular.name for modular in sorted(group))
        message = f"modular files import each other in a circle: {names}; converted until nothing changes"
        return Problem(self.layout.tree.display(min(group)), 1, 1, message)

    def _parents_of(self, modular: Path) -> tuple[Path, ...]:
        behind = (self.layout.modular_of(source) for source in self.sources_of(modular))
        others = dict.fromkeys(parent for parent in behind if parent is not None and parent != modular)
        return tuple(parent for parent in others if parent in self.layout.generated_by)

    def _imported_by(self, modular: Path) -> Iterator[Path]:
        module = self.index.module_at(modular)
        if module is None:
            return
        imports = (binding for binding in module.bindings.values() if isinstance(binding, Import))
        for name in dict.fromkeys(binding.module for binding in imports):
            path = self.index.tree.import_root.joinpath(*name.split(".")).with_suffix(".py")
            is_other_model = path.parent != modular.parent and path.parent.parent == modular.parent.parent
            if is_other_model and path.is_file():
                yield path


def layers(waits_for: Mapping[Node, Iterable[Node]]) -> tuple[tuple[Node, ...], ...]:
    """Sort nodes into layers so that each waits only for nodes of earlier layers.

    Nodes that wait for each other in a circle get consecutive layers of their own. Within a layer
    the order is that of the nodes.
    """
    groups = list(strongly_connected(waits_for))
    group_of = {node: group for group in groups for node in group}
    depth: dict[frozenset[Node], int] = {}
    found: dict[int, list[Node]] = {}
    for group in groups:  # what others wait for comes first
        above = {group_of[other] for node in group for other in waits_for[node]} - {group}
        depth[group] = max((depth[other] + len(other) for other in above), default=0)
        for offset, node in enumerate(sorted(group)):
            found.setdefault(depth[group] + offset, []).append(node)
    return tuple(tuple(sorted(found[layer])) for layer in sorted(found))


def strongly_connected(edges: Mapping[Node, Iterable[Node]]) -> Iterator[frozenset[Node]]:
    """Yield the groups of nodes that reach each other; whatever a group reaches comes before it.

    Tarjan's algorithm, written without recursion: a chain may be longer than the stack is deep.
    """
    number: dict[Node, int] = {}
    lowest: dict[Node, int] = {}
    stack: list[Node] = []
    for start in sorted(edges):
        if start in number:
            continue
        visits: list[tuple[Node, Iterator[Node]]] = []
        following: Node | None = start
        while following is not None or visits:
            if following is not None:
                number[following] = lowest[following] = len(number)
                stack.append(following)
                visits.append((following, iter(sorted(edges[following]))))
            node, rest = visits[-1]
            following = next((other for other in rest if other not in number or other in stack), None)
            if following is not None and following in number:
                lowest[node] = min(lowest[node], number[following])
                following = None
            elif following is None:
                visits.pop()
                if visits:
                    above = visits[-1][0]
                    lowest[above] = min(lowest[above], lowest[node])
                if lowest[node] == number[node]:
                    group = stack[stack.index(node) :]
                    del stack[stack.index(node) :]
                    yield frozenset(group)
