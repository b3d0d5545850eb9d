"""``--changed-only --base-ref REF``: only what concerns files that differ from a commit of git."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Set
from pathlib import Path

from codemods.flex_passthrough.plan import Plan
from codemods.review.decision import Decision


class GitError(ValueError):
    """Git could not say what changed; the text is one line that says why."""


def changed_files(paths: Iterable[Path], ref: str) -> frozenset[Path]:
    """Return the files that differ from where the work branched off ``ref``, new ones too.

    Raises:
        GitError: where there is no repository, or no such commit.
    """
    tops = {_git(_folder(path), "rev-parse", "--show-toplevel").rstrip("\n") for path in paths}
    found: set[Path] = set()
    for top in map(Path, sorted(tops)):
        base = _git(top, "merge-base", "--end-of-options", ref, "HEAD").strip()
        for names in (
            _git(top, "diff", "--name-only", "-z", base),
            _git(top, "ls-files", "--others", "--exclude-standard", "-z"),
        ):
            found |= {Path(os.path.realpath(top / name)) for name in names.split("\0") if name}
    return frozenset(found)


def only_changed(plan: Plan, files: Set[Path]) -> Plan:
    """Return the plan with the decisions that concern one of ``files``, and no word of the others."""
    folder = plan.root if plan.root.is_dir() else plan.root.parent
    left = {decision.id for decision in plan.decisions if not _concerns(decision, files, folder)}
    kept = plan.without(left) if left else plan
    kept.decisions = [decision for decision in kept.decisions if decision.id not in left]
    kept.findings = [
        finding for finding in kept.findings if any(finding in d.findings for d in kept.decisions)
    ]
    return kept


def _concerns(decision: Decision, files: Set[Path], folder: Path) -> bool:
    names = {finding.path for finding in decision.findings} | {member.path for member in decision.members}
    return any(Path(os.path.normpath(folder / name)) in files for name in names)


def _folder(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=True)
    except OSError as error:
        raise GitError(f"--changed-only: git cannot be run: {error.strerror}") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().splitlines()
        raise GitError(f"--changed-only: {said[0] if said else 'git failed'}") from None
    return os.fsdecode(done.stdout)
