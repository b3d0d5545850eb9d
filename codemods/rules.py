"""``python -m codemods.rules [ID]``: the rules, and the page of one."""

from __future__ import annotations

from codemods.source.import_path import forget_working_directory

forget_working_directory()

# ruff: noqa: E402 - not before the import path is safe
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from codemods.flex_passthrough.command.config import ConfigError, rule_ids
from codemods.flex_passthrough.rules import RULES

# Where the pages are: beside the package when it is installed, in the repository otherwise.
_PAGES = (
    Path(__file__).parent / "flex_passthrough" / "rules" / "pages",
    Path(__file__).parents[1] / "docs" / "rules",
)


def page(rule: str) -> str:
    """Return the documentation page of a rule, as Markdown."""
    for folder in _PAGES:
        path = folder / f"{rule}.md"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    return f"# {rule} {RULES[rule].name}\n\n{RULES[rule].summary}\n"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("rule", required=False)
def command(rule: str | None) -> None:
    """List the rules, or show one: what it finds, why, its mend before and after, how safe that is.

    RULE is an id or a name. On a terminal pages are formatted; in a pipe they are plain Markdown.
    """
    console = Console()
    if rule is None:
        table = Table("rule", "name", "finds", box=None, pad_edge=False)
        for known in RULES.values():
            table.add_row(known.id, known.name, known.summary)
        console.print(table)
        return
    try:
        (found,) = rule_ids([rule], "rules")
    except ConfigError as error:
        raise click.UsageError(str(error)) from None
    if console.is_terminal:
        console.print(Markdown(page(found)))
    else:
        sys.stdout.write(page(found))


if __name__ == "__main__":
    command(prog_name="codemods.rules")
