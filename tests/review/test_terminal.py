"""What a person reads at a terminal."""

from __future__ import annotations

import io

import pytest
from msgspec.structs import replace
from rich.console import Console

from codemods.review import patch_view, terminal
from codemods.review.finding import Status
from codemods.review.report import Report


def text(render, *arguments: object, width: int = 40, **options: object) -> str:
    out = io.StringIO()
    render(*arguments, Console(file=out, width=width), **options)
    return out.getvalue()


def test_summary_says_what_how_and_where(report):
    said = text(terminal.print_summary, report)
    assert "Would fix 2 findings at 2 roots in 2 files." in said
    assert "files: 1 edited, 1 mirrored" in said
    for change in report.changes:
        assert f"{change.how:<8}  {change.name}\n" in said
    assert "no converter" in " ".join(said.split())


def test_summary_of_nothing(tmp_path):
    assert text(terminal.print_summary, Report(tmp_path, files_seen=1)) == "Nothing to fix in 1 file.\n"


def test_summary_counts_reasons_and_hidden_fixes(report):
    said = text(terminal.print_summary, report)
    assert "1 skipped: a <b>decision</b>" in said
    assert "1 skipped: no model claims it" in said
    assert "1 hidden fix can be enabled" in said


def test_failures_are_shown_even_when_nothing_was_asked(report):
    report.findings[0].status, report.findings[0].reason = Status.FAILED, "base.py: changed on disk"
    said = text(terminal.print_findings, report, verbosity=0)
    assert "[failed] base.py: changed on disk" in said


def test_nothing_is_listed_unless_asked(report):
    assert text(terminal.print_findings, report, verbosity=0) == ""


def test_findings_stand_below_their_root(report):
    lines = text(terminal.print_findings, report, verbosity=1).splitlines()
    at = lines.index("models/base.py Base.mask")
    assert lines[at + 1].startswith("  models/a.py:5:9: FLEX001 ")


def test_explanation_follows_the_mask(report):
    said = text(terminal.print_findings, report, verbosity=2)
    assert "models/a.py:8: the BlockMask enters A.forward(attention_mask)" in said
    assert "models/a.py:5: the BlockMask is passed to A.mask(attention_mask)" in said


def test_explanation_names_what_is_no_mask(report):
    step, *others = report.findings[0].steps
    report.findings[0].steps = (replace(step, parameter="q_offset"), *others)
    said = text(terminal.print_findings, report, verbosity=2)
    assert "models/a.py:8: q_offset enters A.forward(q_offset)" in said


@pytest.mark.parametrize("width", [20, 80])
def test_names_cannot_forge_a_line(report, width):
    report.decisions[1].findings[0].path = "evil\n\x1b[31m.py"
    said = text(terminal.print_findings, report, verbosity=1, width=width)
    assert "\x1b" not in said
    assert "evil\\n\\x1b[31m.py" in said
    assert "models/c\\u202e.py" in said


def test_a_plan_reads_as_its_decisions(report):
    said = text(patch_view.print_plan, report, width=100, every_file=False)
    heads = [line for line in said.splitlines() if line.startswith("FLEX")]
    assert [head.split("  ")[:2] for head in heads] == [
        ["FLEX002 tensor-only-operation", "models/base.py:8 Base.forward"],
        ["FLEX001 missing-passthrough", "models/base.py:5 Base.mask"],
    ]
    assert said.count("1 file follows: 1 mirrored") == 2
    assert said.count("+        if isinstance(attention_mask, BlockMask):") == 1  # the root's
    assert "\n  models/a.py  mirrored\n" in said


def test_every_file_is_shown_when_asked(report):
    said = text(patch_view.print_plan, report, width=100, every_file=True)
    assert said.count("+        if isinstance(attention_mask, BlockMask):") == 2


@pytest.mark.parametrize("width", [24, 60, 200])
def test_stat_counts_lines_and_keeps_to_the_width(report, width):
    lines = text(patch_view.print_stat, report, width=width).splitlines()
    assert lines[-1] == "2 decisions, 2 files changed, 8 insertions(+), 2 deletions(-)"
    rows = [line for line in lines if " | " in line]
    assert len(rows) == 4
    assert all(len(row) <= max(width, 40) for row in rows)
    assert any(row.endswith("3 +++") for row in rows)


def test_colours_only_where_they_are_wanted(report, monkeypatch):
    def shown(**environment: str) -> str:
        out = io.StringIO()
        console = Console(file=out, force_terminal=True, _environ={"TERM": "xterm-256color", **environment})
        patch_view.print_plan(report, console, every_file=False)
        return out.getvalue()

    assert "\x1b[32m+" in shown()
    assert "\x1b[32m" not in shown(NO_COLOR="1")
    assert "\x1b" not in shown(TERM="dumb")
