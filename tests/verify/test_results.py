from __future__ import annotations

import json
from importlib import resources
from typing import Any

import jsonschema
import pytest

from codemods.verify.outcome import Outcome
from codemods.verify.results import Cell, Report

SCHEMA = json.loads(resources.files("codemods.verify").joinpath("schema.json").read_text(encoding="utf-8"))

OK = Cell("qwen2", "Qwen2ForCausalLM", "none", "ok", 0.0, digests={"eager": "aa", "flex_attention": "aa"})
CRASH = Cell(
    "qwen2",
    "Qwen2ForCausalLM",
    "block_causal",
    "crash",
    exception="AttributeError: no attribute 'dim'",
    site="transformers/models/qwen2/modeling_qwen2.py:698 forward",
)


def report(*cells: Cell) -> Report:
    return Report({"package": "transformers"}, list(cells), checked=1)


def test_a_cell_comes_back_from_json_as_it_was() -> None:
    for cell in (OK, CRASH):
        assert Cell.from_json(json.loads(json.dumps(cell.to_json()))) == cell


def test_an_unknown_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown verdict 'fine'"):
        Cell.from_json({**OK.to_json(), "verdict": "fine"})


def test_the_summary_counts_every_verdict() -> None:
    expected = {"ok": 1, "crash": 1, "wrong": 0, "not-runnable": 0, "classes": 1}
    assert report(OK, CRASH).summary() == expected


def test_a_report_follows_the_schema() -> None:
    jsonschema.validate(report(OK, CRASH).to_json(), SCHEMA)


def test_an_empty_report_follows_the_schema() -> None:
    jsonschema.validate(report().to_json(), SCHEMA)


def test_a_comparison_follows_the_schema() -> None:
    jsonschema.validate(Outcome(report(OK, CRASH), before=report(OK)).to_json(), SCHEMA)


def test_the_schema_refuses_a_cell_without_a_verdict() -> None:
    data: dict[str, Any] = report(OK).to_json()
    del data["results"][0]["verdict"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, SCHEMA)
