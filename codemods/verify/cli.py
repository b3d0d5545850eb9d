"""The command line of the harness."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from codemods import __version__
from codemods.verify import verify as harness
from codemods.verify.cases import CASES, VERDICTS
from codemods.verify.compare import Comparison
from codemods.verify.launch import WorkerFailed
from codemods.verify.locate import NoTree, locate
from codemods.verify.results import Report
from codemods.verify.table import print_comparison, print_report

ALL_OK, UNUSABLE, NOT_OK, INTERRUPTED = 0, 2, 3, 130


def _described(meanings: dict[str, str]) -> str:
    width = max(map(len, meanings)) + 2
    return "\n".join(f"  {name:{width}}{meaning}" for name, meaning in meanings.items())


_HELP = f"""Run tiny models of the tree at PATH under flex attention and compare them with eager attention.

PATH is a transformers-like package: its folder, the folder above it, a checkout with src/, or one
model's folder inside it. The models run in a child process, in the interpreter that --python
names, from the code at PATH; they have random weights, and nothing is downloaded.

\b
Cases:
{_described(CASES)}

\b
Verdicts:
{_described(VERDICTS)}

\b
Exit status:
  0    every case that could be run is ok
  2    wrong usage, or the tree cannot be imported
  3    some case is wrong or crashes, or something that was right is not any more
  130  interrupted
"""


@click.command(help=_HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--before", type=click.Path(path_type=Path), metavar="PATH", help="Compare with this tree, cell by cell."
)
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME",
    help="Only this model type or class (repeatable; * allowed).",
)
@click.option(
    "--case",
    "cases",
    multiple=True,
    type=click.Choice(list(CASES)),
    metavar="NAME",
    help="Only this case (repeatable).",
)
@click.option(
    "--python",
    default=sys.executable,
    metavar="INTERPRETER",
    help="Run the models in this Python (default: this one).",
)
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1),
    default=os.cpu_count() or 1,
    show_default=True,
    help="Models at a time.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(1),
    default=120.0,
    show_default=True,
    help="Seconds one model may take.",
)
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the report here."
)
@click.option("-q", "--quiet", is_flag=True, help="Print no report, only errors; the exit status tells.")
@click.option("--no-progress", is_flag=True, help="No progress bar (there is none without a terminal).")
@click.version_option(__version__)
def main(
    path: Path,
    before: Path | None,
    models: tuple[str, ...],
    cases: tuple[str, ...],
    python: str,
    jobs: int,
    timeout: float,
    output_format: str,
    output: Path | None,
    quiet: bool,
    no_progress: bool,
) -> None:
    """Run the command."""
    options = harness.Options(models, cases or tuple(CASES), python, jobs, timeout)
    show = sys.stderr.isatty() and not no_progress and not quiet
    try:
        old = None if before is None else _verify(before, options, "before", show)
        new = _verify(path, options, "after" if before else "verify", show)
    except (NoTree, WorkerFailed) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(UNUSABLE)
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    result = new if old is None else Comparison(old, new)
    if not new.cells:
        click.echo(f"nothing to run: none of {new.checked} model classes claims flex attention", err=True)
    if not quiet or output is not None:
        with _destination(output) as stream:
            _write(result, output_format, stream)
    sys.exit(NOT_OK if failed(result) else ALL_OK)


def failed(result: Report | Comparison) -> bool:
    """Say whether a result should fail a build: a cell that is not ok, or a regression."""
    report = result.after if isinstance(result, Comparison) else result
    if any(cell.verdict in ("crash", "wrong") for cell in report.cells):
        return True
    return isinstance(result, Comparison) and result.changes()["regression"] > 0


def _verify(path: Path, options: harness.Options, title: str, show: bool) -> Report:
    target = locate(path)
    try:
        with _progress(title, show) as on_progress:
            return harness.verify(target, options, on_progress)
    except WorkerFailed as error:
        raise WorkerFailed(f"{path}: {error}") from error


@contextmanager
def _progress(title: str, show: bool) -> Iterator[Callable[[harness.Progress], None]]:
    """Show a bar on standard error while models run."""
    if not show:
        yield lambda progress: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"{title}: importing", total=None)

        def advance(progress: harness.Progress) -> None:
            name = f"{title}: {progress.cell.class_name}" if progress.cell else title
            bar.update(task, description=name, completed=progress.done, total=progress.total)

        yield advance


@contextmanager
def _destination(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    try:
        stream = output.open("w", encoding="utf-8")
    except OSError as error:
        click.echo(f"error: {output}: cannot be written: {error.strerror}", err=True)
        sys.exit(UNUSABLE)
    with stream:
        yield stream


def _write(result: Report | Comparison, output_format: str, stream: TextIO) -> None:
    if output_format == "json":
        json.dump(result.to_json(), stream, indent=2)
        stream.write("\n")
        return
    console = Console(file=stream) if stream.isatty() else Console(file=stream, width=160)
    if isinstance(result, Comparison):
        print_comparison(console, result)
    else:
        print_report(console, result)
