"""Mend: a branch with one commit for each root, made in the clone and handed back as a bundle.

The commits are made from objects alone: nothing is checked out, and no hook or filter has a part in it.
Their dates are those of the commit they stand on, so the same content gives the same commits.
"""

from __future__ import annotations

import re

from codemods.fleet.failure import StageFailure
from codemods.fleet.sources.git import git
from codemods.fleet.sources.repository import GitRepository
from codemods.fleet.stages.bench import Bench
from codemods.fleet.stages.series import Step, load
from codemods.fleet.task import BranchStyle, Finished

_AUTHOR = re.compile(r"\s*(?P<name>[^<>]+?)\s*<(?P<mail>[^<>\s]*)>\s*")


def mend(bench: Bench) -> Finished:
    """Commit the patch, root by root."""
    assert bench.plan is not None
    steps = load(bench.plan["series.json"])
    if not steps:
        return Finished("mend", "done", summary={"commits": 0})
    if not isinstance(bench.source, GitRepository):
        return Finished("mend", "done", notes=("no git repository: no branch, only the patch",))
    style = bench.task.style
    base = bench.source.fetch()
    identity = _identity(bench, base, style)
    tip = base
    for step in steps:
        tip = _commit(bench, tip, step, style, identity)
        bench.say(f"{tip[:12]} {message(style, step).splitlines()[0]}")
    clone = bench.source.clone
    git("--git-dir", clone, "update-ref", f"refs/heads/{style.branch}", tip)
    revisions = (f"refs/heads/{style.branch}", f"^{base}")
    bundle = git("--git-dir", clone, "-c", "pack.threads=1", "bundle", "create", "-q", "-", *revisions)
    return Finished(
        "mend",
        "done",
        content=tip,
        summary={"commits": len(steps), "branch": style.branch},
        artifacts={"branch.bundle": bundle},
    )


def message(style: BranchStyle, step: Step) -> str:
    """Return the message of a commit."""
    files = f"{step.files} file{'s' if step.files != 1 else ''}"
    return style.message.format(
        rule=step.rule, name=step.name, why=step.why, root=step.root, path=step.path, files=files
    )


def checked(style: BranchStyle) -> BranchStyle:
    """Return the style if commits can be made in it.

    Raises:
        StageFailure: if the author is no name with an address, or the message holds an unknown field.
    """
    if not _AUTHOR.fullmatch(style.author):
        raise StageFailure(f"--author {style.author!r}: write it as 'Name <address>'")
    try:
        message(style, Step("", "", "", "", "", 1, ""))
    except (KeyError, IndexError, ValueError) as error:
        known = "{rule}, {name}, {why}, {root}, {path} and {files}"
        raise StageFailure(f"--message: cannot be filled in ({error}); it may hold {known}") from None
    git("check-ref-format", "--branch", style.branch)
    return style


def _identity(bench: Bench, base: str, style: BranchStyle) -> dict[str, str]:
    assert isinstance(bench.source, GitRepository)
    clone = bench.source.clone
    date = git("--git-dir", clone, "show", "-s", "--format=%cI", base).decode().strip()
    author = _AUTHOR.fullmatch(style.author)
    assert author is not None
    who = {"NAME": author["name"], "EMAIL": author["mail"], "DATE": date}
    return {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}


def _commit(bench: Bench, parent: str, step: Step, style: BranchStyle, identity: dict[str, str]) -> str:
    assert isinstance(bench.source, GitRepository)
    clone = ("--git-dir", bench.source.clone)
    index = {"GIT_INDEX_FILE": str(bench.source.clone / "mend.index"), **identity}
    git(*clone, "read-tree", parent, environment=index)
    patch = step.patch.encode("utf-8", "surrogateescape")
    git(*clone, "apply", "--cached", "--whitespace=nowarn", "-", data=patch, environment=index)
    tree = git(*clone, "write-tree", environment=index).decode().strip()
    text = message(style, step).encode()
    made = git(*clone, "commit-tree", tree, "-p", parent, data=text, environment=index)
    return made.decode().strip()
