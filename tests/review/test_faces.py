"""Every face shows the same decisions in the same order."""

from __future__ import annotations

import io
import json
import re

import pytest
from rich.console import Console

from codemods.review import patch_view
from codemods.review.github import render_annotations, render_summary
from codemods.review.html.page import render
from codemods.review.json_report import render_json, render_json_lines
from codemods.review.mbox import render_mbox
from codemods.review.report import Report
from codemods.review.sarif import render_sarif


def terminal(report: Report) -> str:
    out = io.StringIO()
    patch_view.print_plan(report, Console(file=out, width=200), every_file=True)
    return out.getvalue()


def sarif(report: Report) -> str:
    results = json.loads(render_sarif(report, "tool"))["runs"][0]["results"]
    return " ".join(result["partialFingerprints"]["decision/v1"] for result in results)


ALL = {
    "json": lambda report: json.dumps(json.loads(render_json(report, "tool"))["decisions"]),
    "jsonl": lambda report: render_json_lines(report, "tool"),
    "sarif": sarif,
    "annotations": render_annotations,
    "job summary": render_summary,
    "html": render,
}
# What shows only what changes.
CHANGING = {"terminal": terminal, "mbox": lambda report: render_mbox(report, "tool").decode()}


def ids(text: str, known: set[str]) -> list[str]:
    return list(dict.fromkeys(found for found in re.findall(r"[0-9a-f]{12}", text) if found in known))


@pytest.mark.parametrize("face", ALL)
def test_all_decisions_in_order(report, face):
    wanted = [decision.id for decision in report.decisions]
    assert ids(ALL[face](report), set(wanted)) == wanted


@pytest.mark.parametrize("face", CHANGING)
def test_all_decisions_that_change_something_in_order(report, face):
    wanted = [decision.id for decision in report.decisions if decision.changes]
    assert ids(CHANGING[face](report), {decision.id for decision in report.decisions}) == wanted


def test_a_report_put_together_in_another_order_is_the_same(report):
    other = Report(report.root, files_seen=report.files_seen, notices=report.notices)
    for decision in reversed(report.decisions):
        other.add(Report(report.root, findings=list(reversed(decision.findings)), decisions=[decision]))
    other.changes, other.problems = report.changes, report.problems
    for show in (*ALL.values(), *CHANGING.values()):
        assert show(other) == show(report)
