"""The report as JSON. ``findings.schema.json`` beside this file describes it; tests hold it to that."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import codemods
from codemods.review.finding import Finding, Status
from codemods.review.report import Report

SCHEMA_VERSION = 1


def schema() -> dict[str, Any]:
    """Return the JSON schema of :func:`render_json`'s output."""
    text = resources.files("codemods.review").joinpath("findings.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def render_json(report: Report, tool: str) -> str:
    """Return the report as one JSON document, ending with a newline."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": tool,
        "version": codemods.__version__,
        "root": str(report.root),
        "findings": [finding_row(finding) for finding in report.findings],
        "files": [{"path": change.name, "how": change.how} for change in report.changes],
        "problems": [
            {"path": p.path, "line": p.line, "column": p.column, "message": p.message}
            for p in report.problems
        ],
        "summary": {
            "files_seen": report.files_seen,
            "files_changed": len(report.changes),
            **{status.value.replace("-", "_"): report.count(status) for status in Status},
            "problems": len(report.problems),
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def finding_row(finding: Finding) -> dict[str, Any]:
    """Return one finding as JSON data; lines and columns count from 1."""
    return {
        "rule": finding.rule,
        "path": finding.path,
        "line": finding.span.line,
        "column": finding.span.column + 1,
        "end_line": finding.span.end_line,
        "end_column": finding.span.end_column + 1,
        "qualname": finding.qualname,
        "message": finding.message,
        "safety": finding.safety.value,
        "origin": finding.origin,
        "root": {"path": finding.root[0], "qualname": finding.root[1]},
        "status": finding.status.value,
        "reason": finding.reason,
        "models": list(finding.models),
        "trace": [
            {"path": s.path, "line": s.line, "qualname": s.qualname, "parameter": s.parameter}
            for s in finding.steps
        ],
        "files": list(finding.files),
    }
