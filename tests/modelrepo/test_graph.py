from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemods.modelrepo.graph import ModularGraph, layers, strongly_connected

from .conftest import Read

NODES = st.integers(0, 7)
GRAPHS = st.dictionaries(NODES, st.sets(NODES)).map(
    lambda graph: {node: sorted(graph.get(node, set()) - {node}) for node in range(8)}
)


def reaches(graph: dict[int, list[int]], start: int) -> set[int]:
    seen: set[int] = set()
    waiting = list(graph[start])
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += graph[node]
    return seen


@given(GRAPHS)
def test_every_node_is_in_one_layer_after_what_it_waits_for(graph: dict[int, list[int]]) -> None:
    found = layers(graph)
    assert sorted(node for layer in found for node in layer) == sorted(graph)
    depth = {node: at for at, layer in enumerate(found) for node in layer}
    for node, others in graph.items():
        for other in others:
            in_a_circle = node in reaches(graph, other)
            assert in_a_circle or depth[other] < depth[node]


@given(GRAPHS)
def test_groups_are_those_that_reach_each_other(graph: dict[int, list[int]]) -> None:
    for group in strongly_connected(graph):
        for node in group:
            both_ways = {
                other for other in graph if other in reaches(graph, node) and node in reaches(graph, other)
            }
            assert group == both_ways | {node}


def test_long_chain_needs_no_deep_stack() -> None:
    chain = {number: [number - 1] if number else [] for number in range(3000)}
    assert len(layers(chain)) == 3000


def test_parents_come_in_earlier_levels(grove: Path, read: Read) -> None:
    repository = read(grove)
    graph = ModularGraph(repository.index, repository.layout)
    assert [[modular.parent.name for modular in level] for level in graph.levels(graph.layout.modulars)] == [
        ["birch", "elm2", "fern"],
        ["cedar", "rowan", "sorrel"],
        ["yew"],
    ]
    assert graph.problems == ()


@pytest.mark.parametrize(
    ("model", "sources"),
    [
        ("cedar", ["modeling_birch.py", "modeling_maple.py"]),
        ("fern", ["modeling_moss.py"]),
    ],
)
def test_sources_are_the_other_models_files(
    grove: Path, models: Path, read: Read, model: str, sources: list[str]
) -> None:
    repository = read(grove)
    graph = ModularGraph(repository.index, repository.layout)
    modular = models / model / f"modular_{model}.py"
    assert [path.name for path in graph.sources[modular]] == sources
