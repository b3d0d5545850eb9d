"""What a run leaves on stdout: data in the format that was asked for, and nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import click

from codemods.review.report import Report

TOOL = "flex_passthrough"


def data(report: Report, output_format: str, *, dry_run: bool) -> bytes:
    """Return the report in ``output_format``; as text, that is the patch of a dry run."""
    if output_format == "json":
        from codemods.review.json_report import render_json

        return render_json(report, TOOL).encode("utf-8", "backslashreplace")
    if output_format == "jsonl":
        from codemods.review.json_report import render_json_lines

        return render_json_lines(report, TOOL).encode("utf-8", "backslashreplace")
    if dry_run:
        from codemods.review.patch import render_patch

        return render_patch(report)
    return b""


def put(content: bytes, output: Path | None) -> None:
    """Write ``content`` to the file ``output``, or to stdout."""
    if output is not None:
        try:
            output.write_bytes(content)
        except OSError as error:
            raise click.UsageError(f"--output {output}: {error.strerror}") from None
        return
    stdout: BinaryIO = sys.stdout.buffer
    try:
        stdout.write(content)
        stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as in `... | head`
        sys.stderr.close()
        sys.exit(0)
