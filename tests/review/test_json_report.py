"""JSON and JSON Lines, read back by a validator of their schemas."""

from __future__ import annotations

import json

import jsonschema
import pytest
from referencing import Registry, Resource

from codemods.review.json_report import render_json, render_json_lines, schema


def validate_line(line: dict[str, object]) -> None:
    registry = Registry().with_resource("findings.schema.json", Resource.from_contents(schema()))
    jsonschema.Draft202012Validator(schema("lines"), registry=registry).validate(line)


def test_json_is_what_its_schema_says(report):
    document = json.loads(render_json(report, "flex_passthrough"))
    jsonschema.validate(document, schema())
    assert document["findings"][0]["column"] == 9  # editors count from 1
    assert document["summary"]["would_fix"] == 2
    assert {f["decision"] for f in document["findings"]} == {d["id"] for d in document["decisions"]}


@pytest.mark.parametrize("path", [["findings", 0], ["decisions", 0], ["problems", 0], ["summary"], []])
def test_schema_refuses_what_it_does_not_know(report, path):
    document = part = json.loads(render_json(report, "flex_passthrough"))
    for step in path:
        part = part[step]
    part["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema())


def test_every_line_is_what_its_schema_says(report):
    lines = [json.loads(line) for line in render_json_lines(report, "flex_passthrough").splitlines()]
    for line in lines:
        validate_line(line)
    assert [line["type"] for line in lines] == [
        "run",
        *["decision"] * 4,
        *["finding"] * 4,
        "problem",
        "notice",
        "summary",
    ]


def test_line_schema_refuses_what_it_does_not_know():
    for line in ({"type": "guess"}, {"type": "notice"}, {"type": "notice", "message": "a", "surprise": 1}):
        with pytest.raises(jsonschema.ValidationError):
            validate_line(line)
