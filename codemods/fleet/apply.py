"""Apply: bring a repository's patch into its source, on request and never otherwise."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from codemods.fleet.failure import StageFailure
from codemods.fleet.ledger import RepositoryRow
from codemods.fleet.results import Results
from codemods.fleet.sources.git import git, has_repository
from codemods.rewrite.transaction import Change, write_all


def apply(row: RepositoryRow, results: Results) -> str:
    """Write a repository's patch into its checkout or folder, all files or none.

    Returns:
        What was done, in a line.

    Raises:
        StageFailure: if there is no patch, nothing to apply it to, or the source has changed since.
    """
    patch = _patch(row, results)
    source = Path(row.entry.location)
    if row.entry.kind != "path" or not source.is_dir():
        raise StageFailure(f"only a checkout or a folder can be changed; the patch is {_place(row, results)}")
    if has_repository(source) and not (source / ".git").exists():
        raise StageFailure(f"a bare repository has no files to change; the patch is {_place(row, results)}")
    if not patch:
        return "nothing to apply"
    outcomes = write_all(_changes(row, results, source, patch), source, within=(source.resolve(),))
    for outcome in outcomes:
        if outcome.problem is not None:
            raise StageFailure(str(outcome.problem))
    return f"{len(outcomes)} files changed; undo it with: python -m codemods.undo {outcomes[0].run}"


def apply_branch(row: RepositoryRow, results: Results) -> str:
    """Bring the branch that a run made into its repository; neither files nor other branches change.

    Returns:
        What was done, in a line.

    Raises:
        StageFailure: if there is no such branch, or the repository has one of that name already.
    """
    made = row.stages.get("mend")
    bundle = results.of(row.name) / "branch.bundle"
    if row.entry.kind != "path" or made is None or made.outcome != "done" or not bundle.is_file():
        raise StageFailure("there is no branch to bring in; run with --branch NAME")
    name = f"refs/heads/{made.summary['branch']}"
    source = Path(row.entry.location)
    # No plus sign: a branch that is there and not an ancestor is never overwritten.
    git("-C", source, "fetch", "-q", "--no-tags", "--", bundle.absolute(), f"{name}:{name}", below=source)
    return f"branch {made.summary['branch']} with {made.summary['commits']} commits"


def _changes(row: RepositoryRow, results: Results, source: Path, patch: bytes) -> list[Change]:
    """Return what the patch makes of the files as they are now."""
    findings = json.loads((results.of(row.name) / "findings.json").read_text(encoding="utf-8"))
    names = [str(Path(row.entry.subdirectory, file["path"])) for file in findings["files"]]
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        scratch = Path(folder, "copy")
        before: dict[str, bytes] = {}
        for name in names:
            place = scratch / name
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(source / name, place)
            except OSError as error:
                raise StageFailure(f"{name}: {error.strerror or error}; run the fleet again") from None
            before[name] = place.read_bytes()
        try:
            git("-C", scratch, "apply", "--whitespace=nowarn", "-", data=patch, below=scratch)
        except StageFailure as failure:
            changed = f"the source has changed since, run the fleet again ({failure.reason})"
            raise StageFailure(changed) from None
        return [
            Change(source / name, name, old, (scratch / name).read_bytes()) for name, old in before.items()
        ]


def _patch(row: RepositoryRow, results: Results) -> bytes:
    plan = row.stages.get("plan")
    if plan is None or plan.outcome != "done":
        last = list(row.stages.values())[-1].reason if row.stages else "it was not looked at yet"
        raise StageFailure(f"there is no patch: {last}")
    try:
        return (results.of(row.name) / "patch.diff").read_bytes()
    except OSError:
        raise StageFailure("its patch was removed; `resume` makes it again") from None


def _place(row: RepositoryRow, results: Results) -> Path:
    return results.of(row.name) / "patch.diff"
