"""The command: data on stdout, everything else on stderr, and an exit code that tells."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console

import codemods
from codemods.fleet.conduct import Wishes, conduct
from codemods.fleet.entry import EntryError, options_from, safe_name
from codemods.fleet.failure import StageFailure
from codemods.fleet.ledger import Ledger, LedgerError
from codemods.fleet.manifest import ManifestError, read_manifests
from codemods.fleet.overview import Overview, overview
from codemods.fleet.pages import as_csv, as_html, as_json, as_table
from codemods.fleet.place import DEFAULT, Place
from codemods.fleet.task import STAGES

DONE, FOUND, TROUBLE, WORSE, INTERRUPTED = 0, 1, 2, 3, 130

_EPILOG = """\b
Exit codes:
  0    every repository is done, or there was nothing to do in it
  1    something is to be mended, under --check
  2    usage error, or some repository failed; its reason is in the table
  3    nothing failed, but some model is worse than before, under --verify
  130  interrupted; `resume` goes on from there
"""
_CONTEXT = {"help_option_names": ["-h", "--help"]}

work_option = click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT,
    show_default=True,
    help="The folder that holds the ledger, the results and all copies.",
)
progress_option = click.option("--no-progress", is_flag=True, help="No live display, even on a terminal.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")


@click.group(epilog=_EPILOG, context_settings=_CONTEXT)
@click.version_option(codemods.__version__, prog_name="fleet")
def command() -> None:
    """Plan, mend and verify many repositories, each in a copy of its own.

    Sources stay as they are, and nothing is pushed anywhere: each repository gets a patch and a report
    below the work directory. A run can be stopped at any time, and resumed.
    """


def _told(function: Callable[..., None]) -> Callable[..., None]:
    """Turn what a user can do something about into one line, without a traceback."""

    @wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> None:
        try:
            function(*arguments, **options)
        except (LedgerError, ManifestError, EntryError, StageFailure) as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(TROUBLE)

    return wrapped


@command.command("run", epilog=_EPILOG, context_settings=_CONTEXT)
@click.argument("manifest", nargs=-1, required=True)
@work_option
@click.option(
    "-j", "--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="Repositories at a time."
)
@click.option(
    "--select", metavar="RULE,...", help="Ask only these rules, where the manifest says nothing else."
)
@click.option("--ignore", metavar="RULE,...", help="Do not ask these rules.")
@click.option("--unsafe-fixes", is_flag=True, help="Also mend models that do not claim flex attention.")
@click.option(
    "--mode",
    metavar="MODE",
    help="mirror (the default here): generated files are edited like their root, and nothing that a "
    "repository holds is run. auto, modular: run its own converter.",
)
@click.option("--subdirectory", help="The folder to look at in each repository.")
@click.option(
    "--timeout",
    type=click.FloatRange(1),
    default=Wishes.seconds,
    show_default=True,
    help="Seconds for one stage.",
)
@click.option(
    "--memory",
    type=click.FloatRange(0),
    default=Wishes.memory,
    show_default=True,
    metavar="GIB",
    help="Memory for one repository; 0 for no limit.",
)
@click.option(
    "--retries",
    type=click.IntRange(0),
    default=Wishes.retries,
    show_default=True,
    help="How often to try again what may pass: a crash, a network that fails.",
)
@click.option(
    "--store", default="", metavar="DIR|URL", help="Where plans are kept by content (default: in --work)."
)
@click.option(
    "--verify", is_flag=True, help="Run the mended models, before and after. This executes their code."
)
@click.option("--python", metavar="INTERPRETER", help="What runs the models, where the manifest names none.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="local: processes on this machine. ray: a Ray cluster (the [ray] extra).",
)
@click.option(
    "--address", default="", metavar="HOST:PORT", help="The Ray cluster (default: one of this machine's own)."
)
@click.option(
    "--resource",
    multiple=True,
    metavar="STAGE:NAME=AMOUNT",
    help="What a stage asks of the cluster, such as verify:num_gpus=1 (repeatable).",
)
@click.option(
    "--branch", metavar="NAME", help="Also make a branch of this name, with one commit for each root."
)
@click.option("--author", metavar="'NAME <MAIL>'", default=Wishes.author, help="Who makes the commits.")
@click.option(
    "--message",
    metavar="TEXT",
    default=Wishes.message,
    help="The message of each commit, with {rule}, {name}, {why}, {root}, {path}, {files} in it.",
)
@click.option("--check", is_flag=True, help="Exit 1 if anything is to be mended.")
@progress_option
@quiet_option
@_told
def run_command(
    manifest: tuple[str, ...], work: Path, check: bool, no_progress: bool, quiet: bool, **given: Any
) -> None:
    """Run all repositories of MANIFEST.

    MANIFEST is a .toml, .jsonl or .txt file, - for lines on standard input, or any number of checkouts,
    bare repositories, folders, archives, globs, git URLs and pinned requirements (name==version). What is
    done already, and has not changed since, is not done again.
    """
    listed = read_manifests(manifest, sys.stdin, _defaults(given))
    if not listed:
        raise ManifestError(f"{' '.join(manifest)}: names no repository")
    left_out = [stage for stage, wish in (("mend", "branch"), ("verify", "verify")) if not given[wish]]
    wishes = Wishes(
        stages=tuple(stage for stage in STAGES if stage not in left_out),
        jobs=given["jobs"],
        seconds=given["timeout"],
        memory=given["memory"],
        retries=given["retries"],
        store=_absolute(given["store"]),
        branch=given["branch"] or Wishes.branch,
        author=given["author"],
        engine=given["engine"],
        address=given["address"],
        resources=given["resource"],
        message=given["message"].replace("\\n", "\n"),
    )
    place = Place(work)
    with place.owned() as ledger:
        ledger.list_repositories(listed)
        _go(place, ledger, wishes, check=check, no_progress=no_progress, quiet=quiet, pinned=False)


@command.command("resume", epilog=_EPILOG, context_settings=_CONTEXT)
@work_option
@click.option("-j", "--jobs", type=click.IntRange(1), help="Repositories at a time (default: as before).")
@click.option("--check", is_flag=True, help="Exit 1 if anything is to be mended.")
@progress_option
@quiet_option
@_told
def resume_command(work: Path, jobs: int | None, check: bool, no_progress: bool, quiet: bool) -> None:
    """Go on with a run that was stopped, and try again what failed.

    What is done and unchanged is passed over. Branches behind URLs stay at the commits first seen; `run`
    looks them up again.
    """
    place = Place(work)
    if not place.ledger_path.is_file():
        raise LedgerError(f"{work}: no fleet here; start one with `run`")
    with place.owned() as ledger:
        wishes = Wishes.from_json(ledger.last_run())
        wishes = replace(wishes, jobs=jobs or wishes.jobs)
        _go(place, ledger, wishes, check=check, no_progress=no_progress, quiet=quiet, pinned=True)


@command.command("status", context_settings=_CONTEXT)
@work_option
@_told
def status_command(work: Path) -> None:
    """Say how far a run is, also while it is at work."""
    from codemods.fleet.status import print_status

    print_status(Place(work).ledger(), Console(soft_wrap=True))


@command.command("report", context_settings=_CONTEXT)
@work_option
@click.option("--format", "form", type=click.Choice(["text", "html", "csv", "json"]), default="text")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write it here, not to stdout."
)
@_told
def report_command(work: Path, form: str, output: Path | None) -> None:
    """Show what came of every repository.

    Links in the HTML page lead to the results below the work directory: write it there, or open the
    fleet.html that every run leaves in it.
    """
    found = _overview(Place(work).ledger())
    if form == "text" and output is None:
        console = Console()
        console.print(as_table.table(found))
        console.print(as_table.summary(found))
        return
    faces: dict[str, Callable[[Overview], str]] = {
        "html": as_html.render,
        "csv": as_csv.render,
        "json": as_json.render,
        "text": _plain,
    }
    text = faces[form](found)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"--output {output}: {error.strerror}") from None


@command.command("show", context_settings=_CONTEXT)
@click.argument("repository")
@click.option("--patch", is_flag=True, help="Only the patch, byte for byte.")
@click.option("--log", is_flag=True, help="Only the log.")
@work_option
@_told
def show_command(repository: str, patch: bool, log: bool, work: Path) -> None:
    """Show what came of one REPOSITORY."""
    place = Place(work)
    row = next((row for row in _overview(place.ledger()).rows if row.name == repository), None)
    if row is None:
        _no_repository(repository, place)
    folder = place.results.of(row.name)
    if patch or log:
        path = folder / ("patch.diff" if patch else "log.txt")
        if path.is_file():
            sys.stdout.buffer.write(path.read_bytes())
        return
    as_table.print_row(row, str(folder), Console())


@command.command("apply", context_settings=_CONTEXT)
@click.argument("repository", nargs=-1, required=True)
@work_option
@click.option("--branch", is_flag=True, help="Bring in the branch that `run --branch` made; no file changes.")
@_told
def apply_command(repository: tuple[str, ...], branch: bool, work: Path) -> None:
    """Write the patches of these REPOSITORY names into their checkouts or folders.

    This alone changes a source. All files of a repository are written, or none; never over a change made
    since the run.
    """
    from codemods.fleet.apply import apply, apply_branch

    bring = apply_branch if branch else apply

    place = Place(work)
    ledger = place.ledger()
    rows = {row.name: row for row in ledger.repositories()}
    failed = False
    for name in repository:
        if name not in rows:
            _no_repository(name, place)
    for name in repository:
        try:
            click.echo(f"{name}: {bring(rows[name], place.results)}", err=True)
        except StageFailure as failure:
            click.echo(f"{name}: {failure.reason}", err=True)
            failed = True
    sys.exit(TROUBLE if failed else DONE)


def main() -> None:
    """Run the command; the entry point of the package."""
    command(prog_name="fleet")


def _go(
    place: Place, ledger: Ledger, wishes: Wishes, *, check: bool, no_progress: bool, quiet: bool, pinned: bool
) -> NoReturn:
    console = Console(stderr=True)
    shown = console.is_terminal and not (no_progress or quiet)
    try:
        found = conduct(place, ledger, wishes, console, shown=shown, pinned=pinned)
    except KeyboardInterrupt:
        work = f" --work {place.root}" if place.root != DEFAULT else ""
        click.echo(f"interrupted; go on with: python -m codemods.fleet resume{work}", err=True)
        sys.exit(INTERRUPTED)
    if not quiet:
        failed = Overview([row for row in found.rows if row.state == "failed"])
        if failed.rows:
            console.print(as_table.table(failed))
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


def _defaults(given: dict[str, Any]) -> dict[str, Any]:
    """Return what the command line says for every repository of which the manifest says nothing else."""
    words = {key: given[key].split(",") for key in ("select", "ignore") if given[key]}
    mode = {"mode": given["mode"]} if given["mode"] else {}
    options = options_from({**words, **mode}, "--")
    inside = {"subdirectory": given["subdirectory"]} if given["subdirectory"] else {}
    python = {"verify": {"python": given["python"]}} if given["python"] else {}
    return {**options, **inside, **python, **({"unsafe-fixes": True} if given["unsafe_fixes"] else {})}


def _absolute(store: str) -> str:
    return store if not store or "://" in store else str(Path(store).absolute())


def _overview(ledger: Ledger) -> Overview:
    return overview(ledger.repositories(), Wishes.from_json(ledger.last_run()).stages)


def _plain(found: Overview) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        console.print(as_table.table(found))
        console.print(as_table.summary(found))
    return captured.get()


def _no_repository(name: str, place: Place) -> NoReturn:
    import difflib

    names = [row.name for row in place.ledger().repositories()]
    near = difflib.get_close_matches(safe_name(name), names, n=1)
    raise LedgerError(f"no repository {name!r}{f'; did you mean {near[0]!r}?' if near else ''}")
