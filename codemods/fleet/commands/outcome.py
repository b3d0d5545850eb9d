"""How a command ends: its exit code, and one line where a user can do something about it."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import click

from codemods.fleet.entry import safe_name
from codemods.fleet.failure import StageFailure
from codemods.fleet.ledger import Ledger, LedgerError, RepositoryRow
from codemods.fleet.manifest import ManifestError
from codemods.fleet.said import EntryError

DONE, FOUND, TROUBLE, WORSE, INTERRUPTED = 0, 1, 2, 3, 130

EPILOG = """\b
Exit codes:
  0    every repository is done, or there was nothing to do in it
  1    something is to be mended, under --check
  2    usage error, or some repository failed; its reason is in the table
  3    nothing failed, but some model is worse than before, under --verify
  130  interrupted; `resume` goes on from there
"""
CONTEXT = {"help_option_names": ["-h", "--help"]}


def told(function: Callable[..., None]) -> Callable[..., None]:
    """Turn what a user can do something about into one line, without a traceback."""

    @wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> None:
        try:
            function(*arguments, **options)
        except (LedgerError, ManifestError, EntryError, StageFailure) as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(TROUBLE)

    return wrapped


def named_rows(names: Sequence[str], ledger: Ledger) -> list[RepositoryRow]:
    """Return the repositories of some names.

    Raises:
        LedgerError: if there is none of a name, with the name that is nearest.
    """
    rows = {row.name: row for row in ledger.repositories()}
    for name in names:
        if name not in rows:
            near = difflib.get_close_matches(safe_name(name), rows, n=1)
            raise LedgerError(f"no repository {name!r}{f'; did you mean {near[0]!r}?' if near else ''}")
    return [rows[name] for name in names]
