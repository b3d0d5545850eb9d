"""``fleet run`` and ``fleet resume``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, NoReturn

import click
from msgspec.structs import replace
from rich.console import Console

from codemods.fleet.commands.outcome import CONTEXT, DONE, EPILOG, FOUND, INTERRUPTED, TROUBLE, WORSE, told
from codemods.fleet.conduct import Wishes, conduct
from codemods.fleet.ledger import Ledger, LedgerError
from codemods.fleet.manifest import ManifestError, read_manifests
from codemods.fleet.options import (
    check_option,
    defaults,
    progress_option,
    quiet_option,
    run_options,
    wishes,
    work_option,
)
from codemods.fleet.pages import as_table
from codemods.fleet.place import DEFAULT, Place


@click.command("run", epilog=EPILOG, context_settings=CONTEXT)
@click.argument("manifest", nargs=-1, required=True)
@work_option
@run_options
@check_option
@progress_option
@quiet_option
@told
def run_command(
    manifest: tuple[str, ...], work: Path, check: bool, no_progress: bool, quiet: bool, **given: Any
) -> None:
    """Run all repositories of MANIFEST.

    MANIFEST is a .toml, .jsonl or .txt file, - for lines on standard input, or any number of checkouts,
    bare repositories, folders, archives, globs, git URLs and pinned requirements (name==version). What is
    done already, and has not changed since, is not done again.
    """
    listed = read_manifests(manifest, sys.stdin, defaults(given))
    if not listed:
        raise ManifestError(f"{' '.join(manifest)}: names no repository")
    place = Place(work)
    with place.owned() as ledger:
        ledger.list_repositories(listed)
        _go(place, ledger, wishes(given), check=check, no_progress=no_progress, quiet=quiet, pinned=False)


@click.command("resume", epilog=EPILOG, context_settings=CONTEXT)
@work_option
@click.option("-j", "--jobs", type=click.IntRange(1), help="Repositories at a time (default: as before).")
@check_option
@progress_option
@quiet_option
@told
def resume_command(work: Path, jobs: int | None, check: bool, no_progress: bool, quiet: bool) -> None:
    """Go on with a run that was stopped, and try again what failed.

    What is done and unchanged is passed over. Branches behind URLs stay at the commits first seen; `run`
    looks them up again.
    """
    place = Place(work)
    if not place.ledger_path.is_file():
        raise LedgerError(f"{work}: no fleet here; start one with `run`")
    with place.owned() as ledger:
        wished = Wishes.from_json(ledger.last_run())
        wished = replace(wished, jobs=jobs or wished.jobs)
        _go(place, ledger, wished, check=check, no_progress=no_progress, quiet=quiet, pinned=True)


def _go(
    place: Place, ledger: Ledger, wished: Wishes, *, check: bool, no_progress: bool, quiet: bool, pinned: bool
) -> NoReturn:
    console = Console(stderr=True)
    shown = console.is_terminal and not (no_progress or quiet)
    try:
        found = conduct(place, ledger, wished, console, shown=shown, pinned=pinned)
    except KeyboardInterrupt:
        work = f" --work {place.root}" if place.root != DEFAULT else ""
        click.echo(f"interrupted; go on with: python -m codemods.fleet resume{work}", err=True)
        sys.exit(INTERRUPTED)
    if not quiet:
        as_table.print_failures(found, console)
        console.print(as_table.summary(found), soft_wrap=True)
        page = place.page("html")
        console.print(
            f"patches in {place.root / 'results'}, all of it in {page}", soft_wrap=True, highlight=False
        )
    if found.count("failed"):
        sys.exit(TROUBLE)
    if found.total("regression"):
        sys.exit(WORSE)
    sys.exit(FOUND if check and found.total("would_fix") else DONE)
