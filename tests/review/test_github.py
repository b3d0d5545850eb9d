"""GitHub's annotations and job summaries."""

from __future__ import annotations

import io
import re

from msgspec.structs import replace
from rich.console import Console

from codemods.review import terminal
from codemods.review.github import render_annotations, render_summary
from codemods.review.report import Report
from codemods.source.problem import Problem


def parse(line: str) -> tuple[str, dict[str, str], str]:
    """Read a workflow command as the runner does."""
    found = re.fullmatch(r"::(\w+) ([^:]*)::(.*)", line)
    assert found, line

    def text(escaped: str) -> str:
        for code, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
            escaped = escaped.replace(code, character)
        return escaped

    properties = dict(part.split("=", 1) for part in found[2].split(","))
    return found[1], {key: text(value) for key, value in properties.items()}, text(found[3])


def test_annotations_are_read_as_they_were_meant(report):
    (report.root / ".git").mkdir()
    report.root = report.root / "models"
    report.decisions[0].findings[0].path = "odd, name: 100%.py"
    report.decisions[0].findings[0].message = "two\nlines, 5 %"
    lines = [parse(line) for line in render_annotations(report).splitlines()]
    assert len(lines) == 5
    level, place, message = lines[0]
    assert (level, place["file"], place["line"], place["col"]) == ("error", "models/x.py", "3", "7")
    assert message == "does not parse:\n50 % odd"
    level, place, message = lines[1]
    assert (level, place["file"], place["endLine"]) == ("error", "models/odd, name: 100%.py", "9")
    assert message.startswith("two\nlines, 5 % [would fix]\nroot: models/base.py Base.forward")
    assert [level for level, _, _ in lines[1:]] == ["error", "error", "notice", "notice"]


HOSTILE = "::stop-commands::x\n::error file=a::forged\r%0A::warning::\x1b[2J\u202e,a:b=c.py"


def test_no_name_forges_a_line_or_a_property(report):
    """A file of any name is one annotation about that file, and never a command of its own."""
    for decision in report.decisions:
        decision.root = (HOSTILE, HOSTILE)
        decision.findings = [
            replace(f, path=HOSTILE, message=HOSTILE, reason=HOSTILE) for f in decision.findings
        ]
    report.problems = [Problem(HOSTILE, 1, 1, HOSTILE)]
    lines = render_annotations(report).split("\n")
    assert len(lines) == 6 and lines.pop() == ""
    for line in lines:
        _, place, _ = parse(line)
        assert place["file"] == HOSTILE.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
        assert set(place) <= {"file", "line", "col", "endLine", "endColumn", "title"}
        assert "\x1b" not in line and "\u202e" not in line
    assert "\n::" not in render_summary(report) and "\x1b" not in render_summary(report)


def test_no_name_is_a_command_among_what_is_said(report):
    report.decisions[0].root = ("::error::forged.py", "f")
    report.problems = [Problem("::stop-commands::x.py", 1, 1, "no")]
    out = io.StringIO()
    console = Console(file=out, width=80)
    terminal.print_problems(report, console)
    terminal.print_findings(report, console, verbosity=2)
    assert "./::stop-commands::x.py:1:1: no\n" in out.getvalue()
    assert "./::error::forged.py f\n" in out.getvalue()
    assert [line for line in out.getvalue().splitlines() if line.lstrip().startswith("::")] == []


def test_a_finding_over_several_lines_has_no_columns(report):
    finding = report.decisions[0].findings[0]
    finding.span = replace(finding.span, end_line=12)
    _, place, _ = parse(render_annotations(report).splitlines()[1])
    assert "col" not in place and "endColumn" not in place


def test_summary_shows_decisions_and_nothing_of_it_is_markup(report):
    said = render_summary(report)
    rows = [line for line in said.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [decision.id for decision in report.decisions]
    assert "**2 findings to fix** in 2 files." in said
    assert "<b>" not in said
    assert "\\_" in render_summary(Report(report.root, notices=["_a|b_"]))


def test_summary_of_nothing(tmp_path):
    assert "Nothing to fix in 3 files." in render_summary(Report(tmp_path, files_seen=3))
