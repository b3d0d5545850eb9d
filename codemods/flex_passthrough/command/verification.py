"""``--verify``: the models of the files that change are run before anything is written, and again after.

So what would keep them from being run (no torch, a tree that cannot be imported, a user who says no) is
known while every file is as it was.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from codemods.flex_passthrough.api import apply
from codemods.flex_passthrough.command.options import Options
from codemods.flex_passthrough.planning.proposed import Proposed
from codemods.verify import api as harness
from codemods.verify.consent import ask_or_tell
from codemods.verify.locate import locate


class Verified(Struct):
    """What came of the models of the files that changed.

    Attributes:
        outcomes: before against after, for each tree.
        problem: why a tree that could be run before cannot be run after, in one line.
    """

    outcomes: list[harness.Outcome] = field(default_factory=list)
    problem: str = ""

    @property
    def failed(self) -> bool:
        """Whether a model crashes, is wrong, or is not what it was."""
        return bool(self.problem) or any(outcome.failed() for outcome in self.outcomes)

    def to_json(self) -> dict[str, Any]:
        """Return the verdicts of all trees, as the page shows them."""
        documents = [outcome.to_json() for outcome in self.outcomes]
        return {"results": [result for document in documents for result in document["results"]]}


def apply_and_verify(plan: Proposed, options: Options, watcher: harness.Watcher) -> Verified:
    """Write a plan and say what came of its models.

    Raises:
        CannotVerify: if models cannot be run; nothing is written then.
        click.Abort: if the user does not want them to be run; nothing is written either.
    """
    how = _how(options)
    consent = None if options.yes else ask_or_tell(options.quiet)
    files = [change.path for change in plan.changes]
    before = {
        path: harness.verify(path, how, files=files, consent=consent, watcher=watcher).after
        for path in _trees(options.paths, files)
    }
    verified = Verified()
    if any(written.problem for written in apply(plan, wait=watcher.step)):
        return verified
    try:
        for path, report in before.items():
            outcome = harness.verify(path, how, before=report, files=files, watcher=watcher)
            verified.outcomes.append(outcome)
    except harness.CannotVerify as error:
        verified.problem = str(error)
    return verified


def _how(options: Options) -> harness.Options:
    return harness.Options(
        cases=harness.select(options.verify_case),
        python=str(options.python or sys.executable),
        own_environment=options.env == "auto",
    )


def _trees(paths: Sequence[Path], files: Iterable[Path]) -> Iterator[Path]:
    """Yield one path for each tree that files change in; a path below another's tree is the same."""
    changed = {parent for file in files for parent in file.resolve().parents}
    seen = set()
    for path in paths:
        target = locate(path)
        if target.root in changed and (target.root, target.package) not in seen:
            seen.add((target.root, target.package))
            yield path
