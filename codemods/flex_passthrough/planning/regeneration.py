"""From mirrored edits to regenerated files, where the repository's own converter is at hand.

The plan edits every generated file like its root. Where the repository can regenerate those files
itself, its tools have the last word: the roots and the copies go in, and what comes back takes the place
of the mirrored text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from codemods.flex_passthrough.planning.proposed import RegenerationError
from codemods.flex_passthrough.scan import Progress
from codemods.flex_passthrough.settings import Mode, Settings
from codemods.modelrepo.banner import is_modular
from codemods.modelrepo.family import Repository
from codemods.modelrepo.tooling.checkout import find_checkout
from codemods.review.change import Change
from codemods.source.problem import Problem, printable
from codemods.source.tree import Tree

if TYPE_CHECKING:
    from codemods.modelrepo.tooling.regenerate import Failure, RegenerationResult, Report


class Regenerated(Struct, frozen=True):
    """The changes as they are to be written.

    Attributes:
        changes: every file of the plan that changes after all.
        failed: files that keep their old text because the converter failed, and why.
        stale: files that keep their old text because the converter's output does not change with the
            edit: they were not what it makes of their modular file before.
        problems: the models that the repository's tools failed on, and why.
        notices: what the user should know, a line each.
    """

    changes: list[Change]
    failed: Mapping[str, str] = field(default_factory=dict)
    stale: frozenset[str] = frozenset()
    problems: Sequence[Problem] = ()
    notices: Sequence[str] = ()


def regenerate_changes(
    tree: Tree, repository: Repository, changes: list[Change], settings: Settings, progress: Progress | None
) -> Regenerated:
    """Let the repository's converter write what is generated.

    In mode ``auto`` the mirrored changes stand where there is no converter, or it cannot be run.

    Raises:
        RegenerationError: in mode ``modular``, where it cannot be run.
    """
    mode = settings.mode
    unchanged = Regenerated(changes)
    if mode in (Mode.IN_PLACE, Mode.MIRROR) or not any(_has_followers(change) for change in changes):
        return unchanged
    checkout = find_checkout(tree)
    if checkout is None:
        if mode is Mode.MODULAR:
            raise RegenerationError(
                "--mode modular: no utils/modular_model_converter.py above the tree; use auto"
            )
        return unchanged
    # What runs tools is loaded where there are any: a hook has no time for it.
    from codemods.modelrepo.tooling.regenerate import Options, regenerate
    from codemods.modelrepo.tooling.scratch import ScratchError
    from codemods.modelrepo.tooling.toolchain import ToolMissingError, find_toolchain

    try:
        toolchain = find_toolchain(checkout.root, cache_folder() / "tools", settings.python)
        result = regenerate(
            repository,
            checkout,
            toolchain,
            changed={change.path: change.after for change in changes if change.how != "mirrored"},
            expected={change.path: change.after for change in changes if change.how == "mirrored"},
            options=Options(
                settings.processes,
                settings.seconds,
                cache_folder() / "conversions",
                reporter("regenerating {}", progress),
            ),
        )
    except (ToolMissingError, ScratchError) as error:
        if mode is Mode.MODULAR:
            raise RegenerationError(f"--mode modular: {error}") from None
        return Regenerated(changes, notices=[f"the converter was not run: {error}"])
    failed = _failures(tree, changes, result)
    left = frozenset(change.name for change in changes if change.path not in result.files)
    notices = [toolchain.notice] if toolchain.notice else []
    problems = [_problem(tree, failure) for failure in result.failures]
    return Regenerated(_merge(tree, changes, result), failed, left - failed.keys(), problems, notices)


def _has_followers(change: Change) -> bool:
    """Whether a change shows that the converter has to run."""
    return change.how == "mirrored" or is_modular(change.path)


def _merge(tree: Tree, changes: Sequence[Change], result: RegenerationResult) -> list[Change]:
    planned = {change.path: change for change in changes}
    merged = []
    for path, after in result.files.items():
        before = planned[path].before if path in planned else path.read_bytes()
        how = planned[path].how if result.actions[path] == "edited" else result.actions[path]
        merged.append(Change(path, tree.display(path), before, after, how))
    return sorted(merged, key=lambda change: change.name)


def _failures(tree: Tree, changes: Sequence[Change], result: RegenerationResult) -> dict[str, str]:
    """Return, for each planned file of a model that could not be regenerated, the reason."""
    reasons = {failure.path.parent: failure.reason for failure in result.failures}
    return {
        change.name: printable(reasons[change.path.parent])
        for change in changes
        if change.path not in result.files and change.path.parent in reasons
    }


def _problem(tree: Tree, failure: Failure) -> Problem:
    """Say which model could not be regenerated; nobody may have found anything in its own files."""
    reason = f"could not be regenerated, so that its files are left as they are: {failure.reason}"
    return Problem(tree.display(failure.path), 1, 1, reason)


def cache_folder() -> Path:
    """Return the folder for what runs leave for the next: tools and conversions."""
    import platformdirs

    return platformdirs.user_cache_path("model-codemods", appauthor=False)


def reporter(what: str, progress: Progress | None) -> Report:
    """Return a report for a bar that says ``what`` is going on."""

    def report(done: int, total: int, name: str) -> None:
        if progress is not None:
            progress(what.format(name), done, total)

    return report
