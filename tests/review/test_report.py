"""The faces of a report, read back as their readers read them."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from codemods.review import terminal
from codemods.review.finding import Finding, Safety, Status, Step
from codemods.review.json_report import render_json, schema
from codemods.review.patch import patch_base, render_patch
from codemods.review.report import Change, Report
from codemods.source.position import Span
from codemods.source.problem import Problem


def finding(**changes: object) -> Finding:
    values: dict[str, object] = {
        "rule": "FLEX001",
        "path": "models/a.py",
        "span": Span(3, 4, 3, 9),
        "qualname": "A.mask",
        "message": "does not hand a BlockMask back",
        "safety": Safety.SAFE,
        "origin": "generated",
        "root": ("models/base.py", "Base.mask"),
        "models": ("A", "AForCausalLM"),
        "steps": (
            Step("models/a.py", 1, "A.forward", "attention_mask"),
            Step("models/a.py", 2, "A.mask", "mask"),
        ),
        "status": Status.WOULD_FIX,
        "files": ("models/a.py", "models/base.py"),
    }
    return Finding(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def report(tmp_path: Path) -> Report:
    def change(name: str, how: str) -> Change:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"old\n")
        return Change(path, name, b"old\n", b"new\n", how)

    return Report(
        tmp_path,
        findings=[finding()],
        changes=[change("models/a.py", "mirrored"), change("models/base.py", "edited")],
        files_seen=9,
    )


def text(render, *arguments: object, **options: object) -> str:
    out = io.StringIO()
    render(*arguments, Console(file=out, width=40), **options)
    return out.getvalue()


def test_json_is_what_its_schema_says(report):
    report.problems = [Problem("x.py", 1, 1, "does not parse")]
    document = json.loads(render_json(report, "flex_passthrough"))
    jsonschema.validate(document, schema())
    assert document["findings"][0]["column"] == 5  # editors count from 1
    assert document["summary"]["would_fix"] == 1


def test_schema_refuses_what_it_does_not_know(report):
    document = json.loads(render_json(report, "flex_passthrough"))
    document["findings"][0]["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema())


def test_patch_is_taken_by_git(report):
    patch = render_patch(report)
    subprocess.run(["git", "apply", "-"], input=patch, cwd=report.root, check=True)
    assert {change.path.read_bytes() for change in report.changes} == {b"new\n"}


def test_patch_of_nothing_is_nothing(tmp_path):
    assert render_patch(Report(tmp_path)) == b""


def test_patch_base_is_the_top_of_a_repository(tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / "src" / "pkg").mkdir(parents=True)
    (tmp_path / "src" / "pkg" / "a.py").touch()
    assert patch_base(tmp_path / "src" / "pkg") == tmp_path
    assert patch_base(tmp_path / "src" / "pkg" / "a.py") == tmp_path


def test_summary_says_what_how_and_where(report):
    said = text(terminal.print_summary, report)
    assert "Would fix 1 finding at 1 root in 2 files." in said
    assert "files: 1 edited, 1 mirrored" in said
    for change in report.changes:
        assert f"{change.how:<8}  {change.name}\n" in said
    assert "no converter" in " ".join(said.split())


def test_summary_of_nothing(tmp_path):
    assert text(terminal.print_summary, Report(tmp_path, files_seen=1)) == "Nothing to fix in 1 file.\n"


def test_summary_counts_reasons_and_hidden_fixes(report):
    report.findings += [
        finding(safety=Safety.UNSAFE, status=Status.SKIPPED, reason="no model claims it"),
        finding(safety=Safety.REPORT, status=Status.SKIPPED, reason="a decision"),
    ]
    said = text(terminal.print_summary, report)
    assert "1 skipped: a decision" in said
    assert "1 skipped: no model claims it" in said
    assert "1 hidden fix can be enabled" in said


def test_failures_are_shown_even_when_nothing_was_asked(report):
    report.findings[0].status, report.findings[0].reason = Status.FAILED, "base.py: changed on disk"
    said = text(terminal.print_findings, report, verbosity=0)
    assert "[failed] base.py: changed on disk" in said


def test_nothing_is_listed_unless_asked(report):
    assert text(terminal.print_findings, report, verbosity=0) == ""


def test_findings_stand_below_their_root(report):
    first, second, *_ = text(terminal.print_findings, report, verbosity=1).splitlines()
    assert first == "models/base.py Base.mask"
    assert second.startswith("  models/a.py:3:5: FLEX001 ")


def test_explanation_follows_the_mask(report):
    said = text(terminal.print_findings, report, verbosity=2)
    assert "models/a.py:1: the BlockMask enters A.forward(attention_mask)" in said
    assert "models/a.py:2: the BlockMask is passed to A.mask(mask)" in said


def test_names_cannot_forge_a_line(report):
    report.findings[0].path = "evil\n\x1b[31m.py"
    said = text(terminal.print_findings, report, verbosity=1)
    assert "\x1b" not in said
    assert "evil\\n\\x1b[31m.py" in said


def test_reports_of_two_trees_become_one(report):
    other = Report(report.root, findings=[finding(path="a.py")], files_seen=1)
    report.add(other)
    assert [f.path for f in report.findings] == ["a.py", "models/a.py"]
    assert report.files_seen == 10
