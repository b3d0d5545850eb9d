"""The fleet on a terminal: a table, or what one repository came to."""

from __future__ import annotations

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from codemods.fleet.overview import Overview, Row
from codemods.fleet.pages.as_json import STATES
from codemods.review.say import plural
from codemods.source.problem import printable

_STYLES = {"done": "green", "failed": "red", "skipped": "yellow", "pending": "dim"}
_NUMBERS = ("findings", "would_fix", "files")


def table(overview: Overview) -> RenderableType:
    """Return a table with a row for each repository, and its reason or notes."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    grid.add_column("repository", overflow="fold")
    grid.add_column("state")
    for number in _NUMBERS:
        grid.add_column(number.replace("_", " "), justify="right")
    grid.add_column("reason, notes", overflow="fold")
    for row in overview.rows:
        words = [f"{row.stage}: {row.reason}"] if row.reason else []
        grid.add_row(
            Text(row.name),
            Text(row.state, _STYLES[row.state]),
            *(Text(str(row.numbers.get(number, ""))) for number in _NUMBERS),
            Text(printable("; ".join([*words, *row.notes]))),
        )
    return grid


def summary(overview: Overview) -> Text:
    """Return one line of numbers."""
    line = Text(f"{plural(len(overview.rows), 'repository', 'repositories')}:", style="bold")
    for state in STATES:
        if overview.count(state):
            line.append(f" {overview.count(state)} {state}", _STYLES[state])
    line.append(f". {overview.total('findings')} findings, {overview.total('would_fix')} mended in ")
    line.append(f"{overview.total('files')} files.")
    if overview.verified:
        line.append(
            f" {overview.total('fixed')} cells verified as fixed, {overview.total('regression')} worse."
        )
    return line


def print_failures(overview: Overview, console: Console) -> None:
    """Print a line for each repository that failed, whole whatever the width of the terminal."""
    for row in overview.rows:
        if row.state == "failed":
            line = Text.assemble(
                f"  {row.name}: ", (f"{row.stage}: {printable(row.reason)}", _STYLES["failed"])
            )
            console.print(line, soft_wrap=True, highlight=False)


def render(overview: Overview) -> str:
    """Return the table and the numbers as plain text, for a file."""
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table(overview))
        console.print(summary(overview))
    return captured.get()


def print_row(row: Row, results: str, console: Console) -> None:
    """Print all that is known of one repository."""

    def say(label: str, text: str, style: str = "") -> None:
        if text:
            line = Text.assemble((f"{label:10}", "dim"), (printable(text), style))
            console.print(line, soft_wrap=True, highlight=False)

    say("name", row.name, "bold")
    say("source", row.source + (f" at {row.ref}" if row.ref else ""))
    say("commit", row.commit)
    say("content", row.content)
    say("state", row.state, _STYLES[row.state])
    for stage in row.stages:
        words = f"{stage.stage} {stage.outcome} in {stage.seconds:.1f} s"
        words += f", {stage.attempts} attempts" if stage.attempts > 1 else ""
        words += ", found in the store" if stage.reused else ""
        say("stage", f"{words}{': ' if stage.reason else ''}{stage.reason}")
    for note in row.notes:
        say("note", note)
    say("numbers", ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in row.numbers.items() if n))
    for artifact, label in row.links.items():
        say(label, f"{results}/{artifact}")
