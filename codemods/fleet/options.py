"""The options of the command, and what is made of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from codemods.fleet.conduct import Wishes
from codemods.fleet.place import DEFAULT
from codemods.fleet.said import options_from
from codemods.fleet.task import STAGES

# What is taken where nothing is said.
_DEFAULT = Wishes()

Command = TypeVar("Command", bound=Callable[..., None])

work_option = click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT,
    show_default=True,
    help="The folder that holds the ledger, the results and all copies.",
)
progress_option = click.option("--no-progress", is_flag=True, help="No live display, even on a terminal.")
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
check_option = click.option("--check", is_flag=True, help="Exit 1 if anything is to be mended.")

_RUN_OPTIONS = (
    click.option(
        "-j", "--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, help="Repositories at a time."
    ),
    click.option(
        "--select", metavar="RULE,...", help="Ask only these rules, where the manifest says nothing else."
    ),
    click.option("--ignore", metavar="RULE,...", help="Do not ask these rules."),
    click.option("--unsafe-fixes", is_flag=True, help="Also mend models that do not claim flex attention."),
    click.option(
        "--mode",
        metavar="MODE",
        help="mirror (the default here): generated files are edited like their root, and nothing that a "
        "repository holds is run. auto, modular: run its own converter.",
    ),
    click.option("--subdirectory", help="The folder to look at in each repository."),
    click.option(
        "--timeout",
        type=click.FloatRange(1),
        default=_DEFAULT.seconds,
        show_default=True,
        help="Seconds for one stage.",
    ),
    click.option(
        "--memory",
        type=click.FloatRange(0),
        default=_DEFAULT.memory,
        show_default=True,
        metavar="GIB",
        help="Memory for one repository; 0 for no limit.",
    ),
    click.option(
        "--retries",
        type=click.IntRange(0),
        default=_DEFAULT.retries,
        show_default=True,
        help="How often to try again what may pass: a crash, a network that fails.",
    ),
    click.option(
        "--store", default="", metavar="DIR|URL", help="Where plans are kept by content (default: in --work)."
    ),
    click.option(
        "--verify", is_flag=True, help="Run the mended models, before and after. This executes their code."
    ),
    click.option(
        "--python", metavar="INTERPRETER", help="What runs the models, where the manifest names none."
    ),
    click.option(
        "--engine",
        type=click.Choice(["local", "ray"]),
        default="local",
        show_default=True,
        help="local: processes on this machine. ray: a Ray cluster (the [ray] extra).",
    ),
    click.option(
        "--address",
        default="",
        metavar="HOST:PORT",
        help="The Ray cluster (default: one of this machine's own).",
    ),
    click.option(
        "--resource",
        multiple=True,
        metavar="STAGE:NAME=AMOUNT",
        help="What a stage asks of the cluster, such as verify:num_gpus=1 (repeatable).",
    ),
    click.option(
        "--branch", metavar="NAME", help="Also make a branch of this name, with one commit for each root."
    ),
    click.option("--author", metavar="'NAME <MAIL>'", default=_DEFAULT.author, help="Who makes the commits."),
    click.option(
        "--message",
        metavar="TEXT",
        default=_DEFAULT.message,
        help="The message of each commit, with {rule}, {name}, {why}, {root}, {path}, {files} in it.",
    ),
)


def run_options(function: Command) -> Command:
    """Give a command all options that say what is to be done, in their order in ``--help``."""
    for option in reversed(_RUN_OPTIONS):
        function = option(function)
    return function


def wishes(given: Mapping[str, Any]) -> Wishes:
    """Return what the run options ask of the whole run."""
    left_out = [stage for stage, wish in (("mend", "branch"), ("verify", "verify")) if not given[wish]]
    return Wishes(
        stages=tuple(stage for stage in STAGES if stage not in left_out),
        jobs=given["jobs"],
        seconds=given["timeout"],
        memory=given["memory"],
        retries=given["retries"],
        store=_absolute(given["store"]),
        branch=given["branch"] or _DEFAULT.branch,
        author=given["author"],
        engine=given["engine"],
        address=given["address"],
        resources=given["resource"],
        message=given["message"].replace("\\n", "\n"),
    )


def defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the command line says for every repository of which the manifest says nothing else."""
    words = {key: given[key].split(",") for key in ("select", "ignore") if given[key]}
    mode = {"mode": given["mode"]} if given["mode"] else {}
    options = options_from({**words, **mode}, "--")
    inside = {"subdirectory": given["subdirectory"]} if given["subdirectory"] else {}
    python = {"verify": {"python": _program(given["python"])}} if given["python"] else {}
    return {**options, **inside, **python, **({"unsafe-fixes": True} if given["unsafe_fixes"] else {})}


def _program(python: str) -> str:
    """Return an interpreter as it is named, on the search path, or by its whole path."""
    return str(Path(python).absolute()) if os.path.dirname(python) else python  # noqa: PTH120


def _absolute(store: str) -> str:
    return store if not store or "://" in store else str(Path(store).absolute())
