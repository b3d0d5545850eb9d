"""A clear word before foreign code is run."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click


def ask_or_tell(quiet: bool = False) -> Callable[[str], None]:
    """Return what to do with the notice of what is going to run.

    On a terminal it is a question, and *no* ends the command (``click.Abort``); elsewhere, where
    nobody sits to answer, it is told, unless the user wants quiet.
    """

    def obtain(notice: str) -> None:
        if sys.stdin.isatty() and sys.stderr.isatty():
            click.confirm(f"{notice} Go on?", default=True, abort=True, err=True)
        elif not quiet:
            click.echo(notice, err=True)

    return obtain
