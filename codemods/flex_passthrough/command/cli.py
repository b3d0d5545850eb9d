"""The command: data on stdout, everything else on stderr, and an exit code that tells."""

from __future__ import annotations

import gc
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import replace
from rich.console import Console

from codemods.flex_passthrough.cache import PlanCache, plan_of
from codemods.flex_passthrough.command import output
from codemods.flex_passthrough.command.command_line import GroupedCommand, with_options
from codemods.flex_passthrough.command.interruption import attend
from codemods.flex_passthrough.command.leaving import leave
from codemods.flex_passthrough.command.options import Options
from codemods.flex_passthrough.command.progress import ProgressBar
from codemods.flex_passthrough.planning.proposed import Proposed, RegenerationError
from codemods.review.finding import Status
from codemods.source.problem import SourceError, printable
from codemods.verify.problem import CannotVerify

if TYPE_CHECKING:
    from codemods.flex_passthrough.command.verification import Verified
    from codemods.flex_passthrough.settings import Settings

DONE, FOUND, TROUBLE, UNPROVEN, INTERRUPTED = 0, 1, 2, 3, 130

_EPILOG = """\b
Exit codes:
  0    nothing (left) to do, or all done
  1    findings, under --check; files rewritten, under --exit-nonzero-on-fix
  2    usage or configuration error, or a file that could not be read, parsed or written
  3    nothing was written: the repository's own checks would have more to say (--check-repository)
  3    rewritten, and the verification (--verify) failed
  130  interrupted; files are as they were or fully changed, never half
"""


@click.command(cls=GroupedCommand, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@with_options
def command(**arguments: Any) -> None:
    """Make a flex-attention BlockMask pass through model code unharmed.

    PATHS are files, packages, checkouts or model folders; they are read, never imported or run.
    Files are rewritten in place unless --dry-run or --check is given. A file that never mentions an
    attention mask is not parsed.
    """
    options = Options(**arguments)
    console = _console(options.color)
    if options.show_graph is not None:
        from codemods.flex_passthrough.command.show_graph import show_graph

        show_graph(options.paths[0], options.show_graph)
        return
    if options.reads_stdin:
        _mend_stdin(options, console)
    verdicts = output.read_given(options.verdicts)
    try:
        plan, verified = _run(options, console)
    except (KeyboardInterrupt, click.Abort):
        console.print("interrupted; nothing was half-written", highlight=False)
        sys.exit(INTERRUPTED)
    except (RegenerationError, ValueError) as error:  # ValueError: a configuration, a pattern of --exclude
        raise click.UsageError(str(error)) from None
    except CannotVerify as error:
        console.print(
            f"cannot verify, so nothing was written: {error}", highlight=False, markup=False, soft_wrap=True
        )
        sys.exit(TROUBLE)
    output.show(plan, options, verified.to_json() if verified is not None else verdicts)
    _report(plan, console, options)
    if verified is not None:
        _show(verified, options)
    sys.exit(_exit_code(plan, verified, options))


def main() -> None:
    """Run the command; the entry point of the package."""
    gc.disable()  # a collection looks through millions of objects, most of which are needed to the end
    script = Path(sys.argv[0]).name
    # Completion is for the name under which the shell knows the command.
    name = "flex-passthrough" if script == "flex-passthrough" else "flex_passthrough"
    try:
        command(prog_name=name)
    except SystemExit as end:
        leave(end.code if isinstance(end.code, int) else DONE)


def _mend_stdin(options: Options, console: Console) -> None:
    """Read one file from stdin and write what becomes of it to stdout; with ``--check`` only tell."""
    from codemods.flex_passthrough.command.stdin import mend_text

    assert options.stdin_filename is not None
    data = sys.stdin.buffer.read()
    try:
        after, plan = mend_text(data, options.stdin_filename, options.settings())
    except (ValueError, SourceError) as error:
        raise click.UsageError(str(error)) from None
    if not options.check:
        output.put(after, options.output)
    _report(plan, console, replace(options, quiet=True))
    sys.exit(_exit_code(plan, None, options))


def _run(options: Options, console: Console) -> tuple[Proposed, Verified | None]:
    """Plan, write unless the options say otherwise, and verify if they say so."""
    settings = options.settings()
    say = partial(console.print, soft_wrap=True, highlight=False, markup=False)
    if not attend(options.paths, say, writes=options.writes):
        sys.exit(TROUBLE)
    shown = console.is_terminal and not (options.quiet or options.no_progress)
    bar = ProgressBar(console, shown=shown)
    if options.interactive or options.changed_only or options.decisions is not None:
        plan: Proposed = _choose(options, settings, console, bar)
    else:
        with bar as progress:
            cache = None if options.no_cache else PlanCache()
            plan = plan_of(options.paths, settings, progress, cache)
    if not options.writes or plan.is_refused:
        return plan, None
    if options.verify and plan.changes:
        from codemods.flex_passthrough.command.verification import apply_and_verify
        from codemods.verify.live import Terminal

        with Terminal(console, show=shown) as watcher:
            return plan, apply_and_verify(plan, options, watcher)
    from codemods.flex_passthrough import api

    api.apply(plan, wait=say)
    return plan, None


def _choose(options: Options, settings: Settings, console: Console, bar: ProgressBar) -> Proposed:
    """Plan what is left in, which takes all that a plan is made from: nothing of it is remembered."""
    from codemods.flex_passthrough.command import choosing

    with bar as progress:
        plan = choosing.plan(options, settings, progress)
    return choosing.ask(plan, options, console) if options.interactive else plan


def _report(plan: Proposed, console: Console, options: Options) -> None:
    from codemods.review import terminal

    terminal.print_problems(plan, console)
    terminal.print_findings(plan, console, verbosity=options.verbosity)
    if not options.quiet:
        terminal.print_summary(plan, console)
    for check in plan.checks:
        if check.is_worse or not options.quiet:
            style = "red" if check.is_worse else None
            console.print(
                f"  {printable(str(check))}", style=style, markup=False, highlight=False, soft_wrap=True
            )


def _show(verified: Verified, options: Options) -> None:
    """Show on stderr what came of the models; quietly, only where something failed."""
    from codemods.verify.formats import text

    for outcome in verified.outcomes:
        if outcome.failed() or not options.quiet:
            text.write(outcome, sys.stderr)
    if verified.problem:
        click.echo(f"rewritten, and now it cannot be run: {verified.problem}", err=True)


def _exit_code(plan: Proposed, verified: Verified | None, options: Options) -> int:
    if plan.is_refused:
        return UNPROVEN
    if plan.problems or plan.count(Status.FAILED):
        return TROUBLE
    if verified is not None and verified.failed:
        return UNPROVEN
    found = options.check or (options.exit_nonzero_on_fix and options.writes)
    return FOUND if found and plan.changes else DONE


def _console(color: str) -> Console:
    forced = {"always": True, "never": False}.get(color)
    return Console(stderr=True, force_terminal=forced, no_color=True if forced is False else None)
