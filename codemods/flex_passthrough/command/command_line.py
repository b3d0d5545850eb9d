"""The command's options, in the groups that ``--help`` shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

import codemods
from codemods.flex_passthrough.command.output import FORMATS
from codemods.flex_passthrough.settings import Mode

_Function = TypeVar("_Function", bound=Callable[..., Any])
_PATH = click.Path(path_type=Path)
_OTHER = "Other"


class GroupedOption(click.Option):
    """An option that ``--help`` shows in a group of its own."""

    def __init__(self, *arguments: Any, group: str = _OTHER, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose ``--help`` shows options in groups, in the order in which they are declared."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one section for each group."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(context):
            record = parameter.get_help_record(context)
            if record is not None:
                groups.setdefault(getattr(parameter, "group", _OTHER), []).append(record)
        for group, records in sorted(groups.items(), key=lambda pair: pair[0] == _OTHER):
            with formatter.section(group):
                formatter.write_dl(records)


def _group(name: str, *options: tuple[tuple[str, ...], dict[str, Any]]) -> list[Callable[..., Any]]:
    return [
        click.option(*flags, cls=GroupedOption, group=name, **attributes) for flags, attributes in options
    ]


def _option(*flags: str, **attributes: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    return flags, attributes


_WHAT_HAPPENS = _group(
    "What happens",
    _option("--dry-run", "--diff", "dry_run", is_flag=True, help="Print the patch and write nothing."),
    _option("--check", is_flag=True, help="Write nothing; exit 1 if anything would change."),
    _option("--stat", is_flag=True, help="Print how many lines would change in which file; write nothing."),
    _option(
        "-i",
        "--interactive",
        is_flag=True,
        help="Ask about each decision: a root with all that follows it. ? lists the keys.",
    ),
    _option(
        "--decisions",
        metavar="FILE",
        type=_PATH,
        help="Leave out what this file rejects; with --interactive, add what is rejected to it.",
    ),
    _option("--exit-nonzero-on-fix", is_flag=True, help="Exit 1 if files were rewritten, for pre-commit."),
    _option(
        "--check-repository",
        is_flag=True,
        help="Run the repository's own consistency checks on a copy, without and with the changes; write "
        "nothing if they have more to say.",
    ),
)

_VERIFICATION = _group(
    "Verification, which runs the tree's code",
    _option(
        "--verify",
        is_flag=True,
        help="Run the models that are rewritten, before and after, against eager attention; exit 3 if "
        "one crashes, is wrong, or is not what it was.",
    ),
    _option(
        "--verify-case",
        metavar="NAME",
        multiple=True,
        callback=lambda context, parameter, names: _known_cases(names),
        help="This case, group of cases, or 'all', as in python -m codemods.verify --help (repeatable).",
    ),
    _option(
        "--env",
        type=click.Choice(["auto"]),
        help="Run them in an environment made of what the tree requires, from --python.",
    ),
    _option("-y", "--yes", is_flag=True, help="Run them without asking or telling."),
)

_WHAT_IS_MENDED = _group(
    "What is mended, and how",
    _option("--select", metavar="RULE,...", help="Ask only these rules, by id or name."),
    _option("--ignore", metavar="RULE,...", help="Do not ask these rules."),
    _option("--exclude", metavar="GLOB", multiple=True, help="Leave these paths alone (gitignore style)."),
    _option(
        "--changed-only",
        is_flag=True,
        help="Only what concerns files that differ from --base-ref, committed or not.",
    ),
    _option("--base-ref", metavar="REF", default="main", show_default=True, help="A commit of git."),
    _option(
        "--stdin-filename",
        metavar="FILE",
        type=_PATH,
        help="Where the text that PATH `-` stands for belongs; what becomes of it goes to stdout.",
    ),
    _option("--unsafe-fixes", is_flag=True, help="Also mend models that do not claim flex attention."),
    _option(
        "--annotate",
        is_flag=True,
        help="Also name BlockMask in the annotation of each mask that gets a guard: Union[torch.Tensor, "
        '"BlockMask"] or "torch.Tensor | BlockMask", as the file writes unions.',
    ),
    _option(
        "--mode",
        type=click.Choice([mode.value for mode in Mode]),
        help="auto: edit the root, generated files and copies follow. mirror: likewise, but never run the "
        "repository's converter. in-place: edit each offending definition itself. modular: only through "
        "the converter. --check mirrors what auto would regenerate: it runs nothing.",
    ),
    _option(
        "--python",
        metavar="INTERPRETER",
        type=_PATH,
        help="What runs the repository's converter, and the models with --verify; it needs what they "
        "import. Bases outside the paths are read from the transformers that is installed for it "
        "(default: this interpreter).",
    ),
    _option(
        "-j",
        "--jobs",
        metavar="N",
        type=click.IntRange(min=1),
        help="How many processes scan and convert beside each other (default: one for each processor).",
    ),
    _option(
        "--timeout",
        metavar="SECONDS",
        type=click.FloatRange(min=0, min_open=True),
        default=300,
        show_default=True,
        help="How long one conversion may take.",
    ),
    _option("--config", type=_PATH, help="Take [tool.flex_passthrough] from this file."),
    _option("--no-cache", is_flag=True, help="Neither use nor keep what runs remember of unchanged files."),
    _option(
        "--clear-cache",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=lambda context, parameter, asked: _clear_cache(context) if asked else None,
        help="Forget what earlier runs remember, and exit.",
    ),
)

_WHAT_IS_SHOWN = _group(
    "What is shown, and where",
    _option(
        "--output-format",
        type=click.Choice(FORMATS),
        default="text",
        help="What goes to stdout. mbox: a commit for each decision, for `git am`.",
    ),
    _option("--output", type=_PATH, help="Write what would go to stdout to this file."),
    _option(
        "--html",
        metavar="FILE",
        type=_PATH,
        help="Write the whole report as one page, too; with --verify, what came of the models is in it.",
    ),
    _option(
        "--verdicts",
        metavar="FILE",
        type=_PATH,
        help="Show in that page what `python -m codemods.verify --output-format json` found.",
    ),
    _option("--no-pager", is_flag=True, help="Never show a long patch in a pager."),
    _option("--explain", is_flag=True, help="Show the way of the BlockMask to each finding."),
    _option(
        "--show-graph",
        metavar="MODEL",
        help="Draw what MODEL's files come from and what is made from them; look for nothing.",
    ),
    _option("-q", "--quiet", is_flag=True, help="Say nothing but problems and failures."),
    _option("-v", "--verbose", count=True, help="List findings; twice: with the way of the BlockMask."),
    _option("--no-progress", is_flag=True, help="No progress bar, even on a terminal."),
    _option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        help="NO_COLOR is respected.",
    ),
)


def _known_cases(names: tuple[str, ...]) -> tuple[str, ...]:
    from codemods.verify.cases import select

    try:
        select(names)
    except KeyError as error:
        raise click.BadParameter(
            f"no case {error.args[0]!r}; python -m codemods.verify --help lists them"
        ) from None
    return names


def _clear_cache(context: click.Context) -> None:
    from codemods.flex_passthrough.cache import PlanCache

    PlanCache().clear()
    context.exit()


def with_options(function: _Function) -> _Function:
    """Give a command its paths and all options."""
    decorators: Sequence[Callable[..., Any]] = [
        click.argument("paths", nargs=-1, required=True, type=_PATH),
        *_WHAT_HAPPENS,
        *_VERIFICATION,
        *_WHAT_IS_MENDED,
        *_WHAT_IS_SHOWN,
        click.version_option(codemods.__version__, prog_name="flex_passthrough"),
    ]
    for decorate in reversed(decorators):
        function = decorate(function)
    return function
