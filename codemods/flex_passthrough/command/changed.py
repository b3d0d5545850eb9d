"""``--changed-only --base-ref REF``: only what concerns files that differ from a commit of git.

A repository's configuration and attributes may name programs: filters, hooks, a file system monitor, a way
to fetch what is missing. ``git diff`` runs them, so git is asked for names and object ids only, and files
are compared here.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable, Set
from pathlib import Path

from codemods.flex_passthrough.planning.plan import Plan
from codemods.review.decision import Decision
from codemods.source.problem import SourceError, printable
from codemods.source.text import read_bytes

_SETTINGS = ("-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}")
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
# Far more than it needs: a configuration may include a FIFO, which git would read for ever.
_SECONDS = 120
_PYTHON = ("--", "*.py")


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
            _git(top, "diff-index", "--cached", "--name-only", "-z", base, *_PYTHON),
            _git(top, "ls-files", "--others", "--exclude-standard", "-z", *_PYTHON),
        ):
            found |= {Path(os.path.realpath(top / name)) for name in names.split("\0") if name}
        found |= _edited(top, _git(top, "ls-files", "--stage", "-z", *_PYTHON))
    return frozenset(found)


def _edited(top: Path, index: str) -> set[Path]:
    """Return the files that do not hold what the index, as git lists it, says of them."""
    found = set()
    for entry in index.split("\0"):
        about, _, name = entry.partition("\t")
        if about.startswith("100"):  # a regular file
            path, blob = Path(os.path.realpath(top / name)), about.split(" ")[1]
            if not _is_blob(path, blob):
                found.add(path)
    return found


def _is_blob(path: Path, blob: str) -> bool:
    """Whether a file holds what git has under an id, as it is or with line ends for another system."""
    try:
        data = read_bytes(path, path.name)
    except SourceError:
        return False
    return any(_blob_id(each, len(blob)) == blob for each in (data, data.replace(b"\r\n", b"\n")))


def _blob_id(data: bytes, digits: int) -> str:
    digest = hashlib.sha1(usedforsecurity=False) if digits == 40 else hashlib.sha256()
    digest.update(b"blob %d\0" % len(data))
    digest.update(data)
    return digest.hexdigest()


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
        done = subprocess.run(
            ["git", *_SETTINGS, *arguments],
            cwd=folder,
            env={**os.environ, **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise GitError(f"--changed-only: git does not answer within {_SECONDS} s") from None
    except OSError as error:
        raise GitError(f"--changed-only: git cannot be run: {error.strerror}") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode("utf-8", "replace").strip().splitlines()
        raise GitError(printable(f"--changed-only: {said[0] if said else 'git failed'}")) from None
    return os.fsdecode(done.stdout)
