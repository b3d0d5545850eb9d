"""The report for a person at a terminal: problems, findings grouped by root, and the end summary."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from codemods.review.finding import Finding, Safety, Status
from codemods.review.report import Report
from codemods.source.problem import printable

_STYLES = {Status.FIXED: "green", Status.WOULD_FIX: "cyan", Status.SKIPPED: "yellow", Status.FAILED: "red"}
_WORDS = {
    Status.FIXED: "fixed",
    Status.WOULD_FIX: "would fix",
    Status.SKIPPED: "skipped",
    Status.FAILED: "failed",
}


def _say(console: Console, line: Text) -> None:
    """Print one line as it is: a terminal may wrap it, but nothing in it is cut or interpreted."""
    console.print(line, soft_wrap=True, highlight=False)


def print_problems(report: Report, console: Console) -> None:
    """Print one line for each file or folder that could not be read."""
    for problem in report.problems:
        _say(console, Text(str(problem)))


def print_findings(report: Report, console: Console, *, verbosity: int) -> None:
    """Print the findings, grouped by root: failures always, the rest from verbosity 1, paths from 2."""
    for root, findings in _by_root(report):
        shown = [f for f in findings if verbosity >= 1 or f.status is Status.FAILED]
        if not shown:
            continue
        _say(console, Text.assemble((printable(root[0]), "bold"), f" {root[1]}"))
        for finding in shown:
            _say(console, _line(finding))
            if verbosity >= 2:
                for line in explain(finding):
                    _say(console, Text(f"      {line}", style="dim"))


def _by_root(report: Report) -> Iterator[tuple[tuple[str, str], list[Finding]]]:
    grouped: dict[tuple[str, str], list[Finding]] = {}
    for finding in report.findings:
        grouped.setdefault(finding.root, []).append(finding)
    yield from sorted(grouped.items())


def _line(finding: Finding) -> Text:
    place = f"{printable(finding.path)}:{finding.span.line}:{finding.span.column + 1}"
    text = Text.assemble(
        "  ",
        (place, "cyan"),
        ": ",
        (finding.rule, "bold"),
        f" {printable(finding.message)} ",
        (f"[{_WORDS[finding.status]}]", _STYLES[finding.status]),
    )
    if finding.reason:
        text.append(f" {printable(finding.reason)}")
    return text


def explain(finding: Finding) -> Iterator[str]:
    """Yield the way of the BlockMask to a finding, call by call."""
    for depth, step in enumerate(finding.steps):
        where = f"{printable(step.path)}:{step.line}"
        verb = "enters" if depth == 0 else "is passed to"
        yield f"{'  ' * depth}{where}: the BlockMask {verb} {step.qualname}({step.parameter})"
    models = ", ".join(finding.models[:4]) + (", ..." if len(finding.models) > 4 else "")
    yield f"reached through {models}"


def print_summary(report: Report, console: Console) -> None:
    """Print the end summary: each file and how it changed, what was fixed, and what was not, and why."""
    if report.changes:
        width = max(len(change.how) for change in report.changes)
        for change in report.changes:
            _say(console, Text.assemble((f"{change.how:<{width}}  ", "dim"), printable(change.name)))
        _say(console, _headline(report))
        parts = ", ".join(f"{count} {how}" for how, count in report.how_files_change())
        _say(console, Text(f"  files: {parts}"))
        if any(change.how == "mirrored" for change in report.changes):
            _say(
                console,
                Text("  mirrored: generated files were edited like their root; no converter was run"),
            )
    elif not report.count(Status.FAILED) and not report.problems:
        _say(console, Text(f"Nothing to fix in {_plural(report.files_seen, 'file')}."))
    for notice in report.notices:
        _say(console, Text(f"  {printable(notice)}"))
    for reason, count in report.skipped_reasons():
        _say(console, Text(f"  {count} skipped: {reason}", style="yellow"))
    failed = report.count(Status.FAILED)
    if failed:
        _say(console, Text(f"  {failed} failed, see above", style="red"))
    hidden = sum(f.safety is Safety.UNSAFE and f.status is Status.SKIPPED for f in report.findings)
    if hidden:
        _say(
            console,
            Text(f"  {_plural(hidden, 'hidden fix', 'hidden fixes')} can be enabled with --unsafe-fixes"),
        )
    if report.problems:
        places = _plural(len(report.problems), "file or folder", "files or folders")
        _say(console, Text(f"  {places} could not be read or parsed, see above", style="red"))


def _headline(report: Report) -> Text:
    done = report.count(Status.FIXED)
    status = Status.FIXED if done else Status.WOULD_FIX
    count = done or report.count(Status.WOULD_FIX)
    roots = len(report.roots(status))
    word = "Fixed" if done else "Would fix"
    files = _plural(len(report.changes), "file")
    return Text.assemble(
        (f"{word} {_plural(count, 'finding')}", f"bold {_STYLES[status]}"),
        f" at {_plural(roots, 'root')} in {files}.",
    )


def _plural(count: int, word: str, plural: str | None = None) -> str:
    return f"{count} {word if count == 1 else plural or word + 's'}"
