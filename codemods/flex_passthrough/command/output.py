"""What a run leaves on stdout: data in the format that was asked for, and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click
from rich.console import Console

from codemods.review.report import Report

if TYPE_CHECKING:
    from codemods.flex_passthrough.command.options import Options

TOOL = "flex_passthrough"


FORMATS = ("text", "json", "jsonl", "sarif", "github", "patch", "mbox")


def show(report: Report, options: Options, verdicts: Mapping[str, Any] | None) -> None:
    """Put what was asked for where it belongs: stdout, a file, a pager, a job's summary.

    Args:
        report: what was planned, and what became of it.
        options: says what was asked for.
        verdicts: what came of the models, for the page; None where they were not run.
    """
    if options.html is not None:
        put(render_page(report, verdicts), options.html, "--html")
    at_terminal = options.output is None and options.output_format == "text" and sys.stdout.isatty()
    if options.stat or (options.dry_run and at_terminal):
        _show_to_person(report, options)
        return
    put(data(report, options.output_format, dry_run=options.dry_run), options.output)
    if options.output_format == "github":
        put_job_summary(report)


def _show_to_person(report: Report, options: Options) -> None:
    """Show the plan as its decisions, in colours, and page by page where it is long."""
    from codemods.review import patch_view

    forced = {"always": True, "never": False}.get(options.color)
    console = Console(force_terminal=forced, no_color=True if forced is False else None)
    with console.capture() as capture:
        if options.stat:
            patch_view.print_stat(report, console)
        else:
            patch_view.print_plan(report, console, every_file=options.verbose > 0)
    shown = capture.get()
    is_long = shown.count("\n") >= console.height
    if options.output is not None or not console.is_terminal or console.is_dumb_terminal:
        put(shown.encode(console.encoding, "backslashreplace"), options.output)
    elif is_long and not options.no_pager:
        click.echo_via_pager(shown, color=forced or _pager_shows_colours())
    else:
        put(shown.encode(console.encoding, "backslashreplace"), None)


def _pager_shows_colours() -> bool:
    """Return whether the reader's pager is less, told to show colours; others may show ``ESC[32m``.

    As with git, less is told so unless the reader has flags of their own.
    """
    flags = os.environ.setdefault("LESS", "FRX")
    program, *more = os.environ.get("PAGER", "").split() or ["less"]
    return Path(program).name == "less" and any(sign in "".join([flags, *more]) for sign in "rR")


def data(report: Report, output_format: str, *, dry_run: bool) -> bytes:
    """Return the report in ``output_format``; as text, that is the patch of a dry run."""
    if output_format == "text":
        output_format = "patch" if dry_run else ""
    if output_format == "patch":
        from codemods.review.patch import render_patch

        return render_patch(report)
    if output_format == "mbox":
        from codemods.review.mbox import render_mbox

        return render_mbox(report, TOOL)
    # A file name need not be text; what is not is escaped, in JSON and elsewhere.
    return _text(report, output_format).encode("utf-8", "backslashreplace")


def _text(report: Report, output_format: str) -> str:
    if output_format == "json":
        from codemods.review.json_report import render_json

        return render_json(report, TOOL)
    if output_format == "jsonl":
        from codemods.review.json_report import render_json_lines

        return render_json_lines(report, TOOL)
    if output_format == "sarif":
        from codemods.review.sarif import render_sarif

        return render_sarif(report, TOOL)
    if output_format == "github":
        from codemods.review.github import render_annotations

        return render_annotations(report)
    return ""


def render_page(report: Report, verdicts: Mapping[str, Any] | None) -> bytes:
    """Return the report as a page, with the verdicts that there are."""
    from codemods.review.html.page import render

    return render(report, verdicts).encode("utf-8", "backslashreplace")


def read_given(path: Path | None) -> Mapping[str, Any] | None:
    """Return the verdicts that the user has in a file, if any.

    Raises:
        click.UsageError: if they cannot be used; before anything is written.
    """
    if path is None:
        return None
    from codemods.review.html.verdicts import VerdictsError, read_verdicts

    try:
        return read_verdicts(path)
    except VerdictsError as error:
        raise click.UsageError(f"--verdicts {error}") from None


def put_job_summary(report: Report) -> None:
    """Add the report to the summary of the GitHub job that this runs in, if it does."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        from codemods.review.github import render_summary

        try:
            with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(render_summary(report))
        except OSError as error:
            raise click.UsageError(f"GITHUB_STEP_SUMMARY {path}: {error.strerror}") from None


def put(content: bytes, output: Path | None, option: str = "--output") -> None:
    """Write ``content`` to the file ``output``, or to stdout."""
    if output is not None:
        try:
            output.write_bytes(content)
        except OSError as error:
            raise click.UsageError(f"{option} {output}: {error.strerror}") from None
        return
    stdout: BinaryIO = sys.stdout.buffer
    try:
        stdout.write(content)
        stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as in `... | head`
        sys.stderr.close()
        sys.exit(0)
