"""Findings and decisions as plain data, which every format for machines is made of."""

from __future__ import annotations

from typing import Any

from codemods.review.change import Change
from codemods.review.decision import Decision
from codemods.review.finding import Finding, Status
from codemods.review.report import Report
from codemods.rewrite.diff import unified_diff
from codemods.source.problem import Problem

Row = dict[str, Any]


def decision_rows(report: Report) -> list[Row]:
    """Return the report's decisions, in order."""
    return [decision_row(decision) for decision in report.decisions]


def finding_rows(report: Report) -> list[Row]:
    """Return the report's findings, in order, each with the id of the decision that answers it."""
    ids = {id(finding): decision.id for decision in report.decisions for finding in decision.findings}
    return [finding_row(finding, ids.get(id(finding))) for finding in report.findings]


def decision_row(decision: Decision) -> Row:
    """Return one decision as data; what concerns only one of its findings is in those."""
    path, qualname = decision.root
    return {
        "id": decision.id,
        "rule": decision.rule,
        "name": decision.name,
        "why": decision.why,
        "root": {"path": path, "qualname": qualname, "line": decision.line},
        "status": decision.status.value,
        "safety": decision.safety.value,
        "reason": decision.reason,
        "rejected": decision.rejected,
        "models": decision.models,
        "members": [
            {
                "path": member.path,
                "qualname": member.qualname,
                "line": member.line,
                "role": member.role,
                "via": {"path": member.via[0], "qualname": member.via[1]} if member.via else None,
            }
            for member in decision.members
        ],
        "files": [
            {"path": change.name, "how": change.how, "diff": diff_text(change)} for change in decision.changes
        ],
    }


def finding_row(finding: Finding, decision: str | None) -> Row:
    """Return one finding as data; lines and columns count from 1."""
    return {
        "rule": finding.rule,
        "decision": decision,
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
        "way": finding.way,
        "status": finding.status.value,
        "reason": finding.reason,
        "models": list(finding.models),
        "trace": [
            {"path": s.path, "line": s.line, "qualname": s.qualname, "parameter": s.parameter}
            for s in finding.steps
        ],
        "files": list(finding.files),
    }


def problem_row(problem: Problem) -> Row:
    """Return one problem as data."""
    return {
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
    }


def summary_row(report: Report) -> Row:
    """Return the numbers of the report."""
    return {
        "files_seen": report.files_seen,
        "files_changed": len(report.changes),
        **{status.value.replace("-", "_"): report.count(status) for status in Status},
        "problems": len(report.problems),
    }


def diff_text(change: Change) -> str:
    """Return what changes in a file, to be read: bytes that are no UTF-8 show as replacements."""
    return unified_diff(change.name, change.before, change.after).decode("utf-8", "replace")
