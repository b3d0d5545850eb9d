"""The command: many repositories, each in a copy of its own."""

from __future__ import annotations

import click

import codemods
from codemods.fleet.commands.apply import apply_command
from codemods.fleet.commands.look import report_command, show_command, status_command
from codemods.fleet.commands.outcome import CONTEXT, EPILOG
from codemods.fleet.commands.run import resume_command, run_command


@click.group(epilog=EPILOG, context_settings=CONTEXT)
@click.version_option(codemods.__version__, prog_name="fleet")
def command() -> None:
    """Plan, mend and verify many repositories, each in a copy of its own.

    Sources stay as they are, and nothing is pushed anywhere: each repository gets a patch and a report
    below the work directory. A run can be stopped at any time, and resumed.
    """


for _each in (run_command, resume_command, status_command, report_command, show_command, apply_command):
    command.add_command(_each)


def main() -> None:
    """Run the command; the entry point of the package."""
    command(prog_name="fleet")
