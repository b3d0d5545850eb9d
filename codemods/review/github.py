"""GitHub: annotations, which a workflow shows beside the code, and the summary of a job.

Annotations are lines on stdout: ``::error file=...,line=...::message``. What the reader must not be
able to forge, the end of a line or of a property, is written percent-encoded, as GitHub asks. For other
characters that do not print GitHub has no code: they are written with a backslash, and GitHub will not find a
file of such a name, but nothing of it steers the terminal that a log is read in.
"""

from __future__ import annotations

from collections.abc import Iterator

from codemods.review.decision import Decision
from codemods.review.finding import Finding, Status
from codemods.review.place import repository_name
from codemods.review.report import Report
from codemods.review.say import WORDS, plural
from codemods.source.problem import printable

_LEVELS = {
    Status.WOULD_FIX: "error",
    Status.FAILED: "error",
    Status.FIXED: "notice",
    Status.SKIPPED: "notice",
}


def render_annotations(report: Report) -> str:
    """Return one annotation for each problem and each finding, decision by decision."""
    return "".join(f"{line}\n" for line in _annotations(report))


def _annotations(report: Report) -> Iterator[str]:
    for problem in report.problems:
        path = repository_name(report, problem.path)
        yield _command(
            "error", problem.message, file=path, line=problem.line, col=problem.column, title="cannot be read"
        )
    for decision in report.decisions:
        for finding in decision.findings:
            yield _annotation(report, decision, finding)


def _annotation(report: Report, decision: Decision, finding: Finding) -> str:
    span = finding.span
    place: dict[str, object] = {
        "file": repository_name(report, finding.path),
        "line": span.line,
        "endLine": span.end_line,
    }
    if span.line == span.end_line:  # GitHub takes columns only within one line
        place |= {"col": span.column + 1, "endColumn": span.end_column + 1}
    root = f"{decision.root[0]} {decision.root[1]}"
    message = f"{finding.message} [{WORDS[finding.status]}]"
    if finding.reason:
        message += f" {finding.reason}"
    if decision.followers:
        message += f"\nroot: {root}; {plural(decision.followers, 'file')} follow"
    title = f"{finding.rule} {decision.name} ({decision.id})"
    return _command(_LEVELS[finding.status], message, **place, title=title)


def _command(level: str, message: str, **properties: object) -> str:
    listed = ",".join(f"{key}={_property(str(value))}" for key, value in properties.items())
    shown = "\n".join(printable(line) for line in message.splitlines())
    return f"::{level} {listed}::{_data(shown)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    text = "".join(each if each in "\r\n" else printable(each) for each in text)
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def render_summary(report: Report) -> str:
    """Return the report as Markdown for the summary of a job."""
    lines = ["## flex_passthrough", ""]
    done, todo = report.count(Status.FIXED), report.count(Status.WOULD_FIX)
    if done or todo:
        what = f"{plural(done or todo, 'finding')} {'fixed' if done else 'to fix'}"
        lines += [f"**{what}** in {plural(len(report.changes), 'file')}.", ""]
    elif not report.findings:
        lines += [f"Nothing to fix in {plural(report.files_seen, 'file')}.", ""]
    if report.decisions:
        lines += ["| decision | rule | root | findings | files | status |", "|---|---|---|---:|---:|---|"]
        lines += [_row(decision) for decision in report.decisions]
        lines.append("")
    lines += [f"- {_cell(str(problem))}" for problem in report.problems]
    lines += [f"- {_cell(notice)}" for notice in report.notices]
    return "\n".join(lines).rstrip("\n") + "\n"


def _row(decision: Decision) -> str:
    root = f"{_cell(decision.root[0])}<br>{_cell(decision.root[1])}"
    status = WORDS[decision.status] + (f": {_cell(decision.reason)}" if decision.reason else "")
    cells = (
        f"`{decision.id}`",
        f"{decision.rule} {decision.name}",
        root,
        len(decision.findings),
        len(decision.changes),
        status,
    )
    return f"| {' | '.join(map(str, cells))} |"


def _cell(text: str) -> str:
    """Return ``text`` so that Markdown shows it as it is."""
    text = printable(text).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{character}" if character in "\\`*_[]|#~" else character for character in text)
