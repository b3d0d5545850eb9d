"""``python -m codemods.verify env``: the environments that ``--env auto`` made."""

from __future__ import annotations

import sys
import time

import click
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from codemods.verify.environments.store import clean, environments, store


@click.group(
    help="The environments that --env auto made, in a folder of your user cache.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
def env() -> None:
    """Gather the commands below."""


@env.command("list", help="Show each environment: what it is for, its size, when it was used last.")
def show() -> None:
    """Print a table."""
    found = environments()
    if not found:
        click.echo(f"no environments in {store()}", err=True)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("environment", "size", "last used", "requirements"):
        table.add_column(column, overflow="fold")
    for one in found:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.used))
        pins = ", ".join([one.pins.torch, *one.pins.packages]) if one.pins else "not finished"
        table.add_row(one.folder.name, decimal(one.size), used, pins)
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table)


@env.command("clean", help="Remove the environments that are named, or all of them.")
@click.argument("names", nargs=-1, metavar="[ENVIRONMENT]...")
def remove(names: tuple[str, ...]) -> None:
    """Remove environments that no run uses."""
    found = {one.folder.name: one for one in environments()}
    unknown = [name for name in names if name not in found]
    if unknown:
        known = ", ".join(found) or "none"
        raise click.BadParameter(f"no environment {unknown[0]!r}. There are: {known}.", param_hint="'ENV'")
    for name in names or found:
        if clean(found[name]):
            click.echo(f"removed {name} ({decimal(found[name].size)})", err=True)
        else:
            click.echo(f"kept {name}: another run uses it", err=True)
