"""The report for a person at a terminal: problems, findings grouped by root, and the end summary."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from codemods.review.finding import Finding, Safety, Status
from codemods.review.report import Report
from codemods.review.say import STYLES, WORDS, plural, say
from codemods.source.problem import printable

# What a finding needs beyond tokens and masks.
_NEEDS = {"generation": "(with a cache)", "inputs": "(with other inputs)"}


def print_problems(report: Report, console: Console) -> None:
    """Print one line for each file or folder that could not be read."""
    for problem in report.problems:
        say(console, str(problem))


def print_findings(report: Report, console: Console, *, verbosity: int) -> None:
    """Print the findings, grouped by root: failures always, the rest from verbosity 1, paths from 2.

    From verbosity 1 on also the places where a mask could not be followed.
    """
    last = None
    for decision in report.decisions:
        shown = [f for f in decision.findings if verbosity >= 1 or f.status is Status.FAILED]
        if shown and decision.root != last:
            last = decision.root
            say(console, Text.assemble((printable(last[0]), "bold"), f" {last[1]}"))
        for finding in shown:
            say(console, _line(finding))
            if verbosity >= 2:
                for line in explain(finding):
                    say(console, Text(f"      {line}", style="dim"))
    for place in report.unknown if verbosity >= 1 else ():
        say(console, Text(str(place), style="dim"))


def _line(finding: Finding) -> Text:
    place = f"{printable(finding.path)}:{finding.span.line}:{finding.span.column + 1}"
    text = Text.assemble(
        "  ",
        (place, "cyan"),
        ": ",
        (finding.rule, "bold"),
        f" {printable(finding.message)} ",
        (f"[{WORDS[finding.status]}]", STYLES[finding.status]),
    )
    if finding.way in _NEEDS:
        text.append(f" {_NEEDS[finding.way]}", "dim")
    if finding.reason:
        text.append(f" {printable(finding.reason)}")
    return text


def explain(finding: Finding) -> Iterator[str]:
    """Yield the way of the BlockMask to a finding, call by call."""
    for depth, step in enumerate(finding.steps):
        where = f"{printable(step.path)}:{step.line}"
        verb = "enters" if depth == 0 else "is passed to"
        yield f"{'  ' * depth}{where}: {step.what} {verb} {step.qualname}({step.parameter})"
    models = ", ".join(finding.models[:4]) + (", ..." if len(finding.models) > 4 else "")
    yield f"reached through {models}"


def print_summary(report: Report, console: Console) -> None:
    """Print the end summary: each file and how it changed, what was fixed, and what was not, and why."""
    if report.changes:
        width = max(len(change.how) for change in report.changes)
        for change in report.changes:
            say(console, Text.assemble((f"{change.how:<{width}}  ", "dim"), printable(change.name)))
        say(console, _headline(report))
        parts = ", ".join(f"{count} {how}" for how, count in report.how_files_change())
        say(console, f"  files: {parts}")
        if any(change.how == "mirrored" for change in report.changes):
            say(console, "  mirrored: generated files were edited like their root; no converter was run")
    elif not report.count(Status.FAILED) and not report.problems:
        is_left = any(f.safety is Safety.SAFE and f.status is Status.SKIPPED for f in report.findings)
        done = "Nothing was changed" if is_left else "Nothing to fix"
        say(console, f"{done} in {plural(report.files_seen, 'file')}.")
    for notice in report.notices:
        say(console, f"  {printable(notice)}")
    for reason, count in report.skipped_reasons():
        say(console, Text(f"  {count} skipped: {reason}", style="yellow"))
    failed = report.count(Status.FAILED)
    if failed:
        say(console, Text(f"  {failed} failed, see above", style="red"))
    if report.unknown:
        places = plural(len(report.unknown), "place")
        say(console, Text(f"  {places} where a mask could not be followed; -v lists them", style="dim"))
    hidden = sum(f.safety is Safety.UNSAFE and f.status is Status.SKIPPED for f in report.findings)
    if hidden:
        fixes = plural(hidden, "hidden fix", "hidden fixes")
        say(console, f"  {fixes} can be enabled with --unsafe-fixes")
    if report.problems:
        places = plural(len(report.problems), "file or folder", "files or folders")
        say(console, Text(f"  {places} left as they are, see above", style="red"))


def _headline(report: Report) -> Text:
    done = report.count(Status.FIXED)
    status = Status.FIXED if done else Status.WOULD_FIX
    count = done or report.count(Status.WOULD_FIX)
    word = "Fixed" if done else "Would fix"
    return Text.assemble(
        (f"{word} {plural(count, 'finding')}", f"bold {STYLES[status]}"),
        f" at {plural(len(report.roots(status)), 'root')} in {plural(len(report.changes), 'file')}.",
    )
