"""``fleet status``, ``fleet report`` and ``fleet show``: what is on record, also while a run is at work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.console import Console

from codemods.fleet.commands.outcome import CONTEXT, named_rows, told
from codemods.fleet.conduct import Wishes
from codemods.fleet.ledger import Ledger, RepositoryRow
from codemods.fleet.options import work_option
from codemods.fleet.overview import Overview, overview
from codemods.fleet.pages import as_csv, as_html, as_json, as_table
from codemods.fleet.place import Place
from codemods.fleet.status import print_status


@click.command("status", context_settings=CONTEXT)
@work_option
@told
def status_command(work: Path) -> None:
    """Say how far a run is, also while it is at work."""
    place = Place(work)
    print_status(place.ledger(), Console(soft_wrap=True), at_work=place.is_owned())


@click.command("report", context_settings=CONTEXT)
@work_option
@click.option("--format", "form", type=click.Choice(["text", "html", "csv", "json"]), default="text")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it here, not to stdout."
)
@told
def report_command(work: Path, form: str, output: Path | None) -> None:
    """Show what came of every repository.

    Links in the HTML page lead to the results below the work directory: write it there, or open the
    fleet.html that every run leaves in it.
    """
    ledger = Place(work).ledger()
    found = _overview(ledger, ledger.repositories())
    console = Console()
    if form == "text" and output is None and console.is_terminal:
        console.print(as_table.table(found))
        console.print(as_table.summary(found))
        return
    faces: dict[str, Callable[[Overview], str]] = {
        "html": as_html.render,
        "csv": as_csv.render,
        "json": as_json.render,
        "text": as_table.render,
    }
    text = faces[form](found)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"--output {output}: {error.strerror}") from None


@click.command("show", context_settings=CONTEXT)
@click.argument("repository")
@click.option("--patch", is_flag=True, help="Only the patch, byte for byte.")
@click.option("--log", is_flag=True, help="Only the log.")
@work_option
@told
def show_command(repository: str, patch: bool, log: bool, work: Path) -> None:
    """Show what came of one REPOSITORY."""
    place = Place(work)
    ledger = place.ledger()
    (row,) = _overview(ledger, named_rows([repository], ledger)).rows
    folder = place.results.of(row.name)
    if patch or log:
        path = folder / ("patch.diff" if patch else "log.txt")
        if path.is_file():
            sys.stdout.buffer.write(path.read_bytes())
        return
    as_table.print_row(row, str(folder), Console())


def _overview(ledger: Ledger, rows: Sequence[RepositoryRow]) -> Overview:
    return overview(rows, Wishes.from_json(ledger.last_run()).stages)
