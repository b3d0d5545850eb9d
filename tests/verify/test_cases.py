from __future__ import annotations

import ast
from pathlib import Path

import pytest

import codemods.verify
from codemods.verify.cases import CASES, GROUPS, select

WORKER = Path(codemods.verify.__file__).parent / "worker"


def test_no_name_means_the_plain_masks() -> None:
    assert select() == tuple(GROUPS["masks"])


def test_all_means_all_in_order() -> None:
    assert select(["all"]) == tuple(CASES)


def test_a_group_means_its_cases() -> None:
    assert select(["training"]) == ("backward_none", "backward_document", "loss")


def test_cases_come_in_the_order_of_the_table_and_once() -> None:
    assert select(["ones", "none", "ones", "masks"]) == tuple(GROUPS["masks"])


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(KeyError, match="upside_down"):
        select(["none", "upside_down"])


def test_no_case_is_called_like_a_group() -> None:
    assert not CASES.keys() & {*GROUPS, "all"}


def test_the_worker_knows_the_same_cases() -> None:
    """Read, not imported: the worker needs torch."""
    assert keys_of("MASKS", "masks.py") | keys_of("_BUILDERS", "experiments.py") == set(CASES)


def keys_of(name: str, file: str) -> set[str]:
    """Return the string keys of a dictionary that a module of the worker assigns."""
    tree = ast.parse((WORKER / file).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            assert isinstance(node.value, ast.Dict)
            return {key.value for key in node.value.keys if isinstance(key, ast.Constant)}
    raise AssertionError(f"{file} has no {name}")
