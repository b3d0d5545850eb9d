"""The command: data on stdout, everything else on stderr, and an exit code that tells."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import codemods
from codemods.flex_passthrough import api
from codemods.flex_passthrough.config import ConfigError, find_config, load_config, rule_ids
from codemods.flex_passthrough.regeneration import RegenerationError
from codemods.flex_passthrough.settings import Mode, Settings
from codemods.review.finding import Status
from codemods.review.report import Report

DONE, FOUND, TROUBLE, INTERRUPTED = 0, 1, 2, 130

_EPILOG = """\b
Exit codes:
  0    nothing (left) to do, or all done
  1    findings, under --check
  2    usage or configuration error, or a file that could not be read, parsed or written
  130  interrupted; files are as they were or fully changed, never half
"""


@click.command(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--dry-run", "--diff", "dry_run", is_flag=True, help="Print the patch and write nothing.")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if anything would change.")
@click.option("--select", metavar="RULE,...", help="Ask only these rules, by id or name.")
@click.option("--ignore", metavar="RULE,...", help="Do not ask these rules.")
@click.option("--unsafe-fixes", is_flag=True, help="Also mend models that do not claim flex attention.")
@click.option(
    "--mode",
    type=click.Choice([mode.value for mode in Mode]),
    help="auto: edit the root, generated files and copies follow. in-place: edit each offending "
    "definition itself. modular: only through the repository's converter.",
)
@click.option(
    "--python",
    metavar="INTERPRETER",
    type=click.Path(path_type=Path),
    help="What runs the repository's converter; it needs what that imports (default: this interpreter).",
)
@click.option("--exclude", metavar="GLOB", multiple=True, help="Leave these paths alone (gitignore style).")
@click.option(
    "--config", type=click.Path(path_type=Path), help="Take [tool.flex_passthrough] from this file."
)
@click.option(
    "--output-format", type=click.Choice(["text", "json"]), default="text", help="What goes to stdout."
)
@click.option("--output", type=click.Path(path_type=Path), help="Write what would go to stdout to this file.")
@click.option(
    "--show-graph",
    metavar="MODEL",
    help="Draw what MODEL's files come from and what is made from them; look for nothing.",
)
@click.option("--explain", is_flag=True, help="Show the way of the BlockMask to each finding.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but problems and failures.")
@click.option("-v", "--verbose", count=True, help="List findings; twice: with the way of the BlockMask.")
@click.option("--no-progress", is_flag=True, help="No progress bar, even on a terminal.")
@click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", help="NO_COLOR is respected."
)
@click.version_option(codemods.__version__, prog_name="flex_passthrough")
def command(
    paths: tuple[Path, ...],
    dry_run: bool,
    check: bool,
    select: str | None,
    ignore: str | None,
    unsafe_fixes: bool,
    mode: str | None,
    python: Path | None,
    exclude: tuple[str, ...],
    config: Path | None,
    output_format: str,
    output: Path | None,
    show_graph: str | None,
    explain: bool,
    quiet: bool,
    verbose: int,
    no_progress: bool,
    color: str,
) -> None:
    """Make a flex-attention BlockMask pass through model code unharmed.

    PATHS are files, packages, checkouts or model folders; they are read, never imported or run.
    Files are rewritten in place unless --dry-run or --check is given. A file that never mentions an
    attention mask is not parsed.
    """
    console = _console(color)
    if show_graph is not None:
        _show_graph(paths[0], show_graph)
        return
    try:
        settings = _settings(paths, config, select, ignore, exclude, mode, unsafe_fixes)
        settings = replace(settings, python=python)
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    try:
        with _Progress(console, shown=console.is_terminal and not (quiet or no_progress)) as progress:
            plan = api.plan(paths, settings, progress)
        if not (dry_run or check):
            api.apply(plan)
    except KeyboardInterrupt:
        console.print("interrupted; nothing was half-written", highlight=False)
        sys.exit(INTERRUPTED)
    except (RegenerationError, ValueError) as error:  # ValueError: a pattern of --exclude
        raise click.UsageError(str(error)) from None
    _put(_data(plan, output_format, dry_run=dry_run), output)
    _report(plan, console, quiet=quiet, verbosity=2 if explain else verbose)
    sys.exit(_exit_code(plan, check=check))


def main() -> None:
    """Run the command; the entry point of the package."""
    command(prog_name="flex_passthrough")


def _show_graph(path: Path, model: str) -> None:
    from codemods.maskflow.index import Index
    from codemods.modelrepo.drawing import draw
    from codemods.modelrepo.family import Repository
    from codemods.modelrepo.pedigree import UnknownModelError, pedigree_of
    from codemods.source.discover import discover
    from codemods.source.problem import SourceError
    from codemods.source.tree import locate_tree

    try:
        tree = locate_tree(path)
        repository = Repository(Index(tree), discover([tree.root]).files)
        drawing = draw(pedigree_of(repository, model), tree)
    except (SourceError, UnknownModelError) as error:
        raise click.UsageError(str(error.args[0])) from None
    Console(width=None if sys.stdout.isatty() else 200).print(drawing)


def _settings(
    paths: tuple[Path, ...],
    config: Path | None,
    select: str | None,
    ignore: str | None,
    exclude: tuple[str, ...],
    mode: str | None,
    unsafe_fixes: bool,
) -> Settings:
    """Return the configuration file's settings, overruled by the command line's."""
    found = config or find_config(paths[0].resolve())
    settings = load_config(found, required=config is not None) if found else Settings()
    return replace(
        settings,
        select=rule_ids(select.split(","), "--select") if select else settings.select,
        ignore=rule_ids(ignore.split(","), "--ignore") if ignore else settings.ignore,
        exclude=(*settings.exclude, *exclude),
        mode=Mode(mode) if mode else settings.mode,
        unsafe_fixes=unsafe_fixes or settings.unsafe_fixes,
    )


def _data(plan: Report, output_format: str, *, dry_run: bool) -> bytes:
    if output_format == "json":
        from codemods.review.json_report import render_json

        return render_json(plan, "flex_passthrough").encode()
    if dry_run:
        from codemods.review.patch import render_patch

        return render_patch(plan)
    return b""


def _put(data: bytes, output: Path | None) -> None:
    if output is not None:
        try:
            output.write_bytes(data)
        except OSError as error:
            raise click.UsageError(f"--output {output}: {error.strerror}") from None
        return
    stdout: BinaryIO = sys.stdout.buffer
    try:
        stdout.write(data)
        stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as in `... | head`
        sys.stderr.close()
        sys.exit(DONE)


def _report(plan: Report, console: Console, *, quiet: bool, verbosity: int) -> None:
    from codemods.review import terminal

    terminal.print_problems(plan, console)
    terminal.print_findings(plan, console, verbosity=0 if quiet else verbosity)
    if not quiet:
        terminal.print_summary(plan, console)


def _exit_code(plan: Report, *, check: bool) -> int:
    if plan.problems or plan.count(Status.FAILED):
        return TROUBLE
    return FOUND if check and plan.changes else DONE


def _console(color: str) -> Console:
    forced = {"always": True, "never": False}.get(color)
    return Console(stderr=True, force_terminal=forced, no_color=True if forced is False else None)


class _Progress:
    """A progress bar on stderr, or nothing at all; either is called with (what, done, of)."""

    def __init__(self, console: Console, *, shown: bool) -> None:
        self._bar = (
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            if shown
            else None
        )
        self._task = self._bar.add_task("reading", total=None) if self._bar else None

    def __enter__(self) -> _Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, what: str, done: int, of: int) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=what, completed=done, total=of)
