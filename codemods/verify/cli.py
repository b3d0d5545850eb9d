"""The command line of the harness."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click
from rich.console import Console

from codemods import __version__
from codemods.verify.api import FAILURES, CannotVerify, Options, verify
from codemods.verify.cases import CASES, DEFAULT_GROUP, GROUPS, VERDICTS, select
from codemods.verify.consent import ask_or_tell
from codemods.verify.formats import as_json, junit, markdown, text
from codemods.verify.live import Terminal

ALL_OK, UNUSABLE, NOT_OK, INTERRUPTED = 0, 2, 3, 130
FORMATS = {"text": text, "json": as_json, "junit": junit, "markdown": markdown}


def _described(meanings: dict[str, str]) -> str:
    width = max(map(len, [*CASES, *VERDICTS])) + 2
    return "\n".join(f"  {name:{width}}{meaning}" for name, meaning in meanings.items())


def _group(name: str) -> str:
    default = " (the default)" if name == DEFAULT_GROUP else ""
    return f"\b\nCases of the group '{name}'{default}:\n{_described(GROUPS[name])}"


_CASES = "\n\n".join(map(_group, GROUPS))

_HELP = f"""Run tiny models of the tree at PATH under flex attention and compare them with eager attention.

PATH is a transformers-like package: its folder, the folder above it, a checkout with src/, or one
model's folder inside it. It may also be code that stands alone and imports an installed
transformers: a folder from the Hub, a vendored package, one file. The models run in a child
process, in the interpreter that --python names, from the code at PATH; they have random weights,
and nothing is downloaded. The process has a temporary home, none of your environment variables,
limits of time and memory, and, where the system allows to cut them off, no network and no file to
write but its own. It can still read your files: run code that you trust.

\b
--env auto installs what the tree requires (with pip, as you configured it) into an environment
that later runs use again; torch in its build for CPUs where there is no GPU.
  python -m codemods.verify env list          shows these environments
  python -m codemods.verify env clean [NAME]  removes them

{_CASES}

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
@click.option("--heads", is_flag=True, help="Task heads too, and bare models beside their heads.")
@click.option(
    "--case",
    "cases",
    multiple=True,
    metavar="NAME",
    help="This case, this group of cases, or 'all' (repeatable).",
)
@click.option(
    "--python",
    default=sys.executable,
    metavar="INTERPRETER",
    help="Run the models in this Python (default: this one).",
)
@click.option(
    "--env",
    type=click.Choice(["auto"]),
    help="Make an environment of what the tree requires, from --python, and keep it for later runs.",
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
@click.option(
    "--memory",
    type=click.FloatRange(min=0, min_open=True),
    default=4.0,
    show_default=True,
    metavar="GIB",
    help="Memory one model may take.",
)
@click.option("-y", "--yes", is_flag=True, help="Run the code at PATH without asking or telling.")
@click.option("--output-format", type=click.Choice(list(FORMATS)), default="text", show_default=True)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the report here."
)
@click.option(
    "--fail-on",
    default=",".join(FAILURES),
    show_default=True,
    metavar="WHAT,...",
    help="Exit with 3 for any of these; 'nothing' for never.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print no report, only errors; the exit status tells.")
@click.option("--no-progress", is_flag=True, help="No live table (there is none without a terminal).")
@click.version_option(__version__)
def main(
    path: Path,
    before: Path | None,
    models: tuple[str, ...],
    heads: bool,
    cases: tuple[str, ...],
    python: str,
    env: str | None,
    jobs: int,
    timeout: float,
    memory: float,
    yes: bool,
    output_format: str,
    output: Path | None,
    fail_on: str,
    quiet: bool,
    no_progress: bool,
) -> None:
    """Run the command."""
    failures = _failures(fail_on)
    options = Options(models, _cases(cases), python, env == "auto", jobs, timeout, int(memory * 2**30), heads)
    console = Console(stderr=True)
    try:
        with Terminal(console, show=console.is_terminal and not (no_progress or quiet)) as watcher:
            outcome = verify(
                path, options, before=before, consent=None if yes else ask_or_tell(quiet), watcher=watcher
            )
    except CannotVerify as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(UNUSABLE)
    except (KeyboardInterrupt, click.Abort):  # also a 'no' to the question
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    if not outcome.after.cells:
        checked = outcome.after.checked
        click.echo(f"nothing to run: none of {checked} model classes claims flex attention", err=True)
    if not quiet or output is not None:
        with _destination(output) as stream:
            FORMATS[output_format].write(outcome, stream)
    sys.exit(NOT_OK if outcome.failed(failures) else ALL_OK)


def _failures(fail_on: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in fail_on.split(",") if word.strip())
    unknown = [word for word in words if word not in (*FAILURES, "nothing")]
    if unknown:
        known = ", ".join((*FAILURES, "nothing"))
        raise click.BadParameter(f"{unknown[0]!r} is not one of {known}.", param_hint="'--fail-on'")
    return words


def _cases(names: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return select(names)
    except KeyError as error:
        known = ", ".join([*CASES, *GROUPS, "all"])
        close = difflib.get_close_matches(error.args[0], [*CASES, *GROUPS], n=1)
        hint = f"Did you mean {close[0]}?" if close else f"Known are: {known}."
        raise click.BadParameter(f"no case {error.args[0]!r}. {hint}", param_hint="'--case'") from None


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
