"""``fleet apply``: the one command that changes a source."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from codemods.fleet.apply import apply, apply_branch
from codemods.fleet.commands.outcome import CONTEXT, DONE, TROUBLE, named_rows, told
from codemods.fleet.failure import StageFailure
from codemods.fleet.options import work_option
from codemods.fleet.place import Place


@click.command("apply", context_settings=CONTEXT)
@click.argument("repository", nargs=-1, required=True)
@work_option
@click.option("--branch", is_flag=True, help="Bring in the branch that `run --branch` made; no file changes.")
@told
def apply_command(repository: tuple[str, ...], branch: bool, work: Path) -> None:
    """Write the patches of these REPOSITORY names into their checkouts or folders.

    This alone changes a source. All files of a repository are written, or none; never over a change made
    since the run.
    """
    place = Place(work)
    rows = named_rows(repository, place.ledger())
    bring = apply_branch if branch else apply
    failed = False
    for row in rows:
        try:
            click.echo(f"{row.name}: {bring(row, place.results)}", err=True)
        except StageFailure as failure:
            click.echo(f"{row.name}: {failure.reason}", err=True)
            failed = True
    sys.exit(TROUBLE if failed else DONE)
