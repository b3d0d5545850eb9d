"""``python -m codemods.undo [RUN]``: take back what a run wrote."""

from __future__ import annotations

from codemods.source.import_path import forget_working_directory

forget_working_directory()

# ruff: noqa: E402 - not before the import path is safe
import sys
from collections.abc import Sequence
from datetime import datetime, timezone

import click

from codemods.rewrite.journal import Entry, JournalError, Run, read_entries
from codemods.rewrite.recovery import recover, roll_back
from codemods.rewrite.store import Store
from codemods.rewrite.transaction import Change, write_all
from codemods.rewrite.write import holds
from codemods.source.problem import Problem, printable

DONE, TROUBLE = 0, 2

_EPILOG = """\b
Exit codes:
  0  done
  2  usage error, or not every file was restored and the lines above say why
"""


class UndoRefused(Exception):
    """A run that cannot be taken back, with a line for each reason.

    Attributes:
        restored: how many files were restored all the same: none, but where an interrupted run could be
            taken back in part only. What is left of it is tried again by the next command.
    """

    def __init__(self, problems: Sequence[Problem], restored: int = 0) -> None:
        super().__init__(*problems)
        self.problems = tuple(problems)
        self.restored = restored


def undo(run: Run, store: Store) -> list[Change]:
    """Restore every file that ``run`` wrote, byte for byte, and forget the run; return what was written.

    A file that holds its old content already is left alone.

    Raises:
        UndoRefused: if a file changed since the run wrote it, or cannot be written. No file is written
            then.
        JournalError: if the journal is damaged, or cannot be locked.
    """
    if run.state != "done":
        return _undo_interrupted(run, store)
    changes = []
    for entry in read_entries(run):
        change = Change(entry.target, entry.name, entry.after, entry.before)
        if not _holds_old(change):
            changes.append(change)
    outcomes = write_all(changes, run.root, undoes=run.id, store=store, wait=_say)
    problems = list(dict.fromkeys(outcome.problem for outcome in outcomes if outcome.problem))
    if problems:
        raise UndoRefused(problems)
    if not changes:
        run.forget()
    return changes


def _undo_interrupted(run: Run, store: Store) -> list[Change]:
    with store.locked(_say):
        entries = read_entries(run)
        changed = [entry.name for entry in entries if _has_changed(entry)]
        if changed:
            reason = "has changed since then; it is left as it is"
            raise UndoRefused([Problem(name, 1, 1, reason) for name in changed])
        recovery = roll_back(run)
    if recovery.problems:
        raise UndoRefused(recovery.problems, recovery.written)
    return [Change(entry.target, entry.name, entry.after, entry.before) for entry in entries]


def _has_changed(entry: Entry) -> bool:
    """Say whether a file of an interrupted run holds neither its old content nor its new."""
    return not holds(entry.target, entry.before) and not holds(entry.target, entry.after)


def _holds_old(change: Change) -> bool:
    try:
        return change.path.read_bytes() == change.after
    except OSError:
        return False


@click.command(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("run", required=False)
@click.option("--list", "list_runs", is_flag=True, help="List the runs that can be undone; write nothing.")
@click.option("--recover", "only_recover", is_flag=True, help="Finish or roll back interrupted runs only.")
@click.option(
    "--forget", is_flag=True, help="Remove the journal of RUN, or of all finished runs; undo nothing."
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but problems.")
def command(run: str | None, list_runs: bool, only_recover: bool, forget: bool, quiet: bool) -> None:
    """Restore the files that a run wrote, byte for byte, and forget the run.

    RUN is an id that --list shows, and that every run tells; when left out it is the latest run. All of
    its files are restored, or none: where one changed since, it says so and leaves everything alone.

    Journals lie in the user's state folder, or the one that CODEMODS_STATE_DIR names: the last 20 runs,
    for up to 30 days.
    """
    store = Store.default()
    try:
        if list_runs:
            sys.exit(_list(store))
        if only_recover:
            sys.exit(_recover(store, quiet=quiet))
        if forget:
            sys.exit(_forget(store, run))
        chosen = _chosen(store, run)
        restored = undo(chosen, store)
    except UndoRefused as error:
        for problem in error.problems:
            _say(str(problem))
        _say(f"{_files(error.restored)} restored, not all" if error.restored else "nothing was restored")
        sys.exit(TROUBLE)
    except (JournalError, OSError) as error:
        _say(str(error))
        sys.exit(TROUBLE)
    if not quiet:
        _say(f"Undid run {chosen.id} in {chosen.root}: {_files(len(restored))} restored.")


def _chosen(store: Store, name: str | None) -> Run:
    runs = store.runs()
    if name is None:
        problems = store.problems()  # one of these may be the latest
        if problems:
            which = Problem(str(store.folder), 1, 1, "name the run to undo; see --list")
            raise UndoRefused([*problems, which])
        if not runs:
            raise click.UsageError("there is no run to undo")
        return runs[-1]
    for run in runs:
        if run.id == name:
            return run
    raise _no_such(name)


def _no_such(name: str) -> click.UsageError:
    return click.UsageError(f"there is no run {printable(name)}; see --list")


def _list(store: Store) -> int:
    for run in store.runs():
        begun = datetime.strptime(run.id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=timezone.utc)
        state = "" if run.state == "done" else "  interrupted"
        what = f"  undoing {run.undoes}" if run.undoes else ""
        when = begun.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        click.echo(f"{run.id}  {when}  {_files(len(run.files))}  {printable(str(run.root))}{what}{state}")
    problems = store.problems()
    for problem in problems:
        _say(str(problem))
    return TROUBLE if problems else DONE


def _recover(store: Store, *, quiet: bool) -> int:
    recoveries = recover(store=store, wait=_say)
    for recovery in recoveries:
        _say(str(recovery))
        for problem in recovery.problems:
            _say(f"  {problem}")
    if not recoveries and not quiet:
        _say("no run was interrupted")
    return TROUBLE if any(recovery.problems for recovery in recoveries) else DONE


def _forget(store: Store, name: str | None) -> int:
    with store.locked(_say):
        for known in [name] if name else [run.id for run in store.runs() if run.state == "done"]:
            if not store.forget(known):
                raise _no_such(known)
    return DONE


def _files(count: int) -> str:
    return f"{count} file" if count == 1 else f"{count} files"


def _say(line: str) -> None:
    click.echo(printable(line), err=True)


if __name__ == "__main__":
    command(prog_name="codemods.undo")
