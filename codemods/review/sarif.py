"""SARIF 2.1.0: the findings as code hosts and editors import them, each with its fix."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import codemods
from codemods.review.change import Change
from codemods.review.decision import Decision
from codemods.review.finding import Finding, Safety, Status, Step
from codemods.review.place import repository_name, repository_top
from codemods.review.report import Report
from codemods.review.say import plural
from codemods.rewrite.diff import Hunk, hunks

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Safety.SAFE: "error", Safety.UNSAFE: "warning", Safety.REPORT: "note"}

Json = dict[str, Any]


def render_sarif(report: Report, tool: str) -> str:
    """Return the report as a SARIF log with one run, ending with a newline."""
    rules = {decision.rule: decision for decision in report.decisions}
    order = sorted(rules)
    run = {
        "tool": {
            "driver": {
                "name": tool,
                "version": codemods.__version__,
                "rules": [
                    {
                        "id": rule,
                        "name": rules[rule].name,
                        "shortDescription": {"text": rules[rule].why},
                    }
                    for rule in order
                ],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"TOP": {"uri": repository_top(report.root).as_uri() + "/"}},
        "invocations": [
            {
                "executionSuccessful": not report.problems,
                "toolExecutionNotifications": [
                    {
                        "level": "error",
                        "message": {"text": problem.message},
                        "locations": [_location(report, problem.path, {"startLine": problem.line})],
                    }
                    for problem in report.problems
                ],
            }
        ],
        "results": list(_results(report, order)),
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _results(report: Report, rules: list[str]) -> Iterator[Json]:
    seen: Counter[tuple[str, ...]] = Counter()
    for decision in report.decisions:
        fixes = _fixes(report, decision)
        for finding in decision.findings:
            key = (finding.rule, repository_name(report, finding.path), finding.qualname, finding.message)
            seen[key] += 1
            yield {
                **_result(report, decision, finding),
                "ruleIndex": rules.index(finding.rule),
                "partialFingerprints": {
                    "decision/v1": decision.id,
                    # Lines play no part: a finding stays the same one when code above it moves.
                    "finding/v1": _hash(*key, str(seen[key])),
                },
                **({"fixes": fixes} if fixes and finding.mendable else {}),
            }


def _result(report: Report, decision: Decision, finding: Finding) -> Json:
    span = finding.span
    region = {
        "startLine": span.line,
        "startColumn": span.column + 1,
        "endLine": span.end_line,
        "endColumn": span.end_column + 1,
    }
    location = _location(report, finding.path, region)
    location["logicalLocations"] = [{"fullyQualifiedName": finding.qualname, "kind": "function"}]
    result: Json = {
        "ruleId": finding.rule,
        "level": _LEVELS[finding.safety],
        "message": {"text": finding.message + (f" ({finding.reason})" if finding.reason else "")},
        "locations": [location],
        "relatedLocations": [
            {
                **_location(report, decision.root[0], {"startLine": decision.line}),
                "message": {"text": f"the root that is edited: {decision.root[1]}"},
            }
        ],
        "properties": {
            "decision": decision.id,
            "safety": finding.safety.value,
            "status": finding.status.value,
            "models": list(finding.models),
        },
    }
    if finding.steps:
        steps = [{"location": _step(report, step)} for step in finding.steps]
        result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    if decision.rejected:
        result["suppressions"] = [{"kind": "external", "justification": "rejected"}]
    return result


def _step(report: Report, step: Step) -> Json:
    location = _location(report, step.path, {"startLine": step.line})
    location["message"] = {"text": f"{step.what} enters {step.qualname}({step.parameter})"}
    return location


def _location(report: Report, name: str, region: Json) -> Json:
    return {"physicalLocation": {"artifactLocation": _artifact(report, name), "region": region}}


def _artifact(report: Report, name: str) -> Json:
    uri = quote(repository_name(report, name).encode("utf-8", "surrogateescape"))
    return {"uri": uri, "uriBaseId": "TOP"}


def _fixes(report: Report, decision: Decision) -> list[Json]:
    """Return the decision's one fix: all its files, for it is made whole or not at all."""
    if not decision.changes or decision.status not in (Status.WOULD_FIX, Status.FIXED):
        return []
    changes = [
        {
            "artifactLocation": _artifact(report, change.name),
            "replacements": [_replacement(*part) for part in replacements(change)],
        }
        for change in decision.changes
    ]
    text = f"{decision.name} at {decision.root[1]}, in {plural(len(changes), 'file')}"
    return [{"description": {"text": text}, "artifactChanges": changes}]


def replacements(change: Change) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield what is replaced in a file: from which line on, counted from 1, which lines, by which."""
    for hunk in hunks(change.before, change.after):
        yield from _parts(hunk)


def _parts(hunk: Hunk) -> Iterator[tuple[int, bytes, bytes]]:
    line, start, old, new = hunk.start + 1, hunk.start + 1, b"", b""
    for mark, text in (*hunk.lines, (b" ", b"")):
        if mark == b" " and (old or new):
            yield start, old, new
            old = new = b""
        if mark == b" ":
            start = line + 1
        elif mark == b"-":
            old += text
        else:
            new += text
        line += mark != b"+"


def _replacement(line: int, old: bytes, new: bytes) -> Json:
    count = old.count(b"\n")
    rest = old.rpartition(b"\n")[2]  # a last line without an end
    region = {
        "startLine": line,
        "startColumn": 1,
        "endLine": line + count,
        "endColumn": len(rest.decode("utf-8", "replace")) + 1,
    }
    try:
        content = {"text": new.decode("utf-8")}
    except UnicodeDecodeError:
        content = {"binary": base64.b64encode(new).decode("ascii")}
    return {"deletedRegion": region, "insertedContent": content}


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
