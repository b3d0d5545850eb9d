"""The report as JSON, whole or line by line.

``findings.schema.json`` and ``lines.schema.json`` beside this file describe both; tests hold them to that.
What does not print is written as an escape, which means the same to who reads JSON: a report is looked at in
terminals and editors, too, where a file name could steer or turn around the line it stands in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from typing import Any

import codemods
from codemods.review.report import Report
from codemods.review.rows import Row, decision_rows, finding_rows, problem_row, summary_row

SCHEMA_VERSION = 1
_MAY_NOT_PRINT = re.compile(r"[^\n -~]")


def schema(name: str = "findings") -> dict[str, Any]:
    """Return a JSON schema: ``findings`` for the whole report, ``lines`` for one line of it."""
    path = resources.files("codemods.review").joinpath(f"{name}.schema.json")
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def render_json(report: Report, tool: str) -> str:
    """Return the report as one JSON document, ending with a newline."""
    document = {
        **_head(report, tool),
        "decisions": decision_rows(report),
        "findings": finding_rows(report),
        "files": [{"path": change.name, "how": change.how} for change in report.changes],
        "problems": [problem_row(problem) for problem in report.problems],
        "unknown": [problem_row(place) for place in report.unknown],
        "notices": list(report.notices),
        "summary": summary_row(report),
    }
    return _dumped(document, indent=2) + "\n"


def render_json_lines(report: Report, tool: str) -> str:
    """Return the report as JSON Lines: the run, its decisions, findings, problems, and the summary last."""
    return "".join(_dumped(line) + "\n" for line in _lines(report, tool))


def _dumped(value: Row, indent: int | None = None) -> str:
    return _MAY_NOT_PRINT.sub(_escaped, json.dumps(value, indent=indent, ensure_ascii=False))


def _escaped(found: re.Match[str]) -> str:
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]


def _lines(report: Report, tool: str) -> Iterator[Row]:
    yield {"type": "run", **_head(report, tool)}
    for decision in decision_rows(report):
        yield {"type": "decision", **decision}
    for finding in finding_rows(report):
        yield {"type": "finding", **finding}
    for problem in report.problems:
        yield {"type": "problem", **problem_row(problem)}
    for place in report.unknown:
        yield {"type": "unknown", **problem_row(place)}
    for notice in report.notices:
        yield {"type": "notice", "message": notice}
    yield {"type": "summary", **summary_row(report)}


def _head(report: Report, tool: str) -> Row:
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": tool,
        "version": codemods.__version__,
        "root": str(report.root),
    }
