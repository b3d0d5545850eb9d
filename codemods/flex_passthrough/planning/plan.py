"""The plan: which roots are edited, which files follow, and what every file will hold afterwards.

Nothing is written here. A proposal is planned whole or not at all, so that a repository never ends up
with a root and its generated files apart. What somebody rejects is left out when the plan is made, not
cut out of its result: an import that two decisions share stays as long as one of them does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from codemods.flex_passthrough.beside.workers import Workers
from codemods.flex_passthrough.beside.workplace import Job
from codemods.flex_passthrough.library import NAME, libraries
from codemods.flex_passthrough.planning.ahead.edits import make_edits, make_files
from codemods.flex_passthrough.planning.ahead.families import find_families
from codemods.flex_passthrough.planning.decisions import as_decisions
from codemods.flex_passthrough.planning.editing import Bench, Workshop
from codemods.flex_passthrough.planning.era import refusal
from codemods.flex_passthrough.planning.mirroring import as_converted
from codemods.flex_passthrough.planning.proposal import propose
from codemods.flex_passthrough.planning.proposed import Proposed
from codemods.flex_passthrough.planning.regeneration import Regenerated, regenerate_changes
from codemods.flex_passthrough.planning.suppression import hold_back
from codemods.flex_passthrough.planning.trial import Planned, Trial, plan_trial, settle, try_proposal
from codemods.flex_passthrough.remembered.answers import Answers
from codemods.flex_passthrough.remembered.made import Made
from codemods.flex_passthrough.remembered.memory import Memory
from codemods.flex_passthrough.scan import Diagnosed, Progress, Scan, scan
from codemods.flex_passthrough.settings import Mode, Settings
from codemods.maskflow.program.index import Index
from codemods.modelrepo.family import Repository
from codemods.modelrepo.recall import LAYOUT
from codemods.review.finding import Finding, Status
from codemods.review.report import Report
from codemods.source.discover import Discovery, discover
from codemods.source.problem import Problem
from codemods.source.tree import Tree

if TYPE_CHECKING:
    from codemods.modelrepo.tooling.consistency import Comparison


class Plan(Proposed):
    """What a run proposes, with all that it takes to plan again."""

    drafts: list[Draft] = field(default_factory=list)

    @property
    def read(self) -> set[Path]:
        """The files that the analysis looked into, wherever they are."""
        return {path for draft in self.drafts for path in draft.read}

    @property
    def missing(self) -> set[Path]:
        """The files that the analysis looked for, and that are not there."""
        return {path for draft in self.drafts for path in draft.missing}

    def add(self, other: Report) -> None:
        """Take over all of another plan with the same root."""
        super().add(other)
        if isinstance(other, Plan):
            self.checks += other.checks
            self.drafts += other.drafts

    def without(
        self, rejected: Iterable[str], progress: Progress | None = None, *, left: Iterable[str] = ()
    ) -> Plan:
        """Return the plan that leaves out some more decisions. The tree is not read again.

        Args:
            rejected: ids of decisions that somebody said no to.
            progress: told (what is done, steps done, steps in all).
            left: ids of decisions that nobody said anything to.
        """
        again = Plan(self.root, problems=self.problems, bounds=self.bounds)
        rejected, left = frozenset(rejected), frozenset(left)
        for draft in self.drafts:
            again.add(draft.without(rejected, left).plan(progress))
        return again

    def text_to_edit(self, decision: str) -> str:
        """Return the definition that stands for a decision, as the decision leaves it.

        Raises:
            EditRefusedError: if the decision changes no definition.
        """
        from codemods.flex_passthrough.planning import by_hand  # few runs edit anything by hand

        draft, trial = self._trial(decision)
        return by_hand.text_to_edit(trial, draft.workshop)

    def edited(self, decision: str, text: str, progress: Progress | None = None) -> tuple[Plan, str]:
        """Return the plan in which a decision's definition is ``text``, and all that follows it likewise.

        Args:
            decision: the id of the decision.
            text: the definition as somebody wants it.
            progress: told (what is done, steps done, steps in all).

        Returns:
            The plan, and the id of the decision in it: another edit is another decision.

        Raises:
            EditRefusedError: if the edit cannot be made, here and in every follower; in one line.
        """
        from codemods.flex_passthrough.planning import by_hand

        changed, trial = self._trial(decision)
        after = by_hand.edited(trial, text, changed.workshop)
        again = Plan(self.root, problems=self.problems, bounds=self.bounds)
        for draft in self.drafts:
            again.add((draft.with_edited(trial, after) if draft is changed else draft).plan(progress))
        by_hand.check_nothing_is_lost(self.decisions, again.decisions, decision, after.id)
        return again, after.id

    def _trial(self, decision: str) -> tuple[Draft, Trial]:
        return next((draft, trial) for draft in self.drafts for trial in draft.trials if trial.id == decision)


class Draft(Struct, frozen=True):
    """One tree, read and analysed: all that a plan is made from."""

    tree: Tree
    files: Sequence[Path]
    problems: Sequence[Problem]
    unknown: Sequence[Problem]
    index: Index
    answers: Answers
    repository: Repository
    workshop: Workshop
    trials: Sequence[Trial]
    settings: Settings
    depends_on: frozenset[str] = frozenset()
    notices: Sequence[str] = ()

    @property
    def read(self) -> set[Path]:
        """The files that all of this was found out from, in this run or in earlier ones."""
        return {*self.index.read, *self.index.paths_of(self._depends_on)}

    @property
    def missing(self) -> set[Path]:
        """The files that were looked for and are not there."""
        self.index.paths_of(self._depends_on)  # what others looked for is looked for here
        return self.index.missing

    @property
    def _depends_on(self) -> frozenset[str]:
        names = {name for name in self.answers.depends_on if not name.startswith(LAYOUT)}
        return self.depends_on | names

    def without(self, rejected: Iterable[str], left: Iterable[str] = ()) -> Draft:
        """Return the draft with some more decisions rejected, or left."""
        settings = replace(
            self.settings,
            rejected=self.settings.rejected.union(rejected),
            left=self.settings.left.union(left),
        )
        return replace(self, settings=settings)

    def with_edited(self, trial: Trial, after: Trial) -> Draft:
        """Return the draft with ``after``, which somebody edited, in the place of ``trial``."""
        return replace(self, trials=[after if each is trial else each for each in self.trials])

    def let_go(self) -> None:
        """Let go of what was parsed, but for files that are edited: they stay as they were read."""
        edited = {path for trial in self.trials for path in (trial.proposal.root.path, *trial.edits.paths())}
        self.repository.let_go(edited)

    def plan(self, progress: Progress | None = None) -> Plan:
        """Put together what changes.

        Raises:
            RegenerationError: where the repository's converter or checks are asked for and cannot be run.
        """
        bench = Bench(self.workshop)
        planned = [plan_trial(trial, bench, self.settings) for trial in self.trials]
        changes = as_converted(self.repository, bench.changes(), self.workshop.made.once)
        final = regenerate_changes(self.tree, self.repository, changes, self.settings, progress)
        findings = [finding for each in planned for finding in each.findings]
        _take_over(findings, final)
        checks: list[Comparison] = []
        if self.settings.check_repository and final.changes:
            from codemods.flex_passthrough.planning.repository_checks import check_repository

            checks = check_repository(self.tree, final.changes, self.settings, progress)
        return Plan(
            self.tree.root,
            findings=sorted(findings, key=Finding.sort_key),
            decisions=as_decisions(planned, self.workshop, final.changes),
            changes=final.changes,
            problems=sorted({*self.problems, *self.index.problems, *final.problems}),
            unknown=list(self.unknown),
            notices=[
                *self.notices,
                *final.notices,
                *_out_of_step(planned, self.workshop),
                *_by_hand(planned, self.workshop),
            ],
            files_seen=len(self.files),
            checks=checks,
            drafts=[self],
        )


def make_plan(
    tree: Tree,
    paths: Sequence[Path],
    settings: Settings,
    progress: Progress | None = None,
    memory: Memory | None = None,
) -> Plan:
    """Find everything below ``paths`` and work out what to change.

    Args:
        tree: the tree that the paths belong to.
        paths: files and folders within it that may be edited.
        settings: rules, mode and exclusions.
        progress: told (what is done, steps done, steps in all).
        memory: what earlier runs found out about files.

    Raises:
        RegenerationError: where the repository's converter or checks are asked for and cannot be run.
    """
    found = discover(paths, settings.exclude)
    refused = refusal(tree, found.files)
    if refused is not None:
        return Plan(tree.root, problems=sorted({*found.problems, refused}), files_seen=len(found.files))
    index = Index(tree, libraries(settings))
    answers = Answers(index, memory)
    made = Made(answers.portable, memory)
    with Workers(
        Job(tree, index.libraries, found.files, settings.line_length), settings.processes
    ) as workers:
        draft = _draft(index, found, settings, answers, made, workers, progress)
    plan = draft.plan(progress)
    made.keep()
    answers.keep()
    return plan


def _draft(
    index: Index,
    found: Discovery,
    settings: Settings,
    answers: Answers,
    made: Made,
    workers: Workers,
    progress: Progress | None,
) -> Draft:
    """Read and analyse a tree, and try all that is proposed."""
    scanned = scan(index, found.files, settings.rules(), progress, workers=workers, answers=answers)
    answers.keep()
    diagnosed: list[Diagnosed] = []
    outside: list[Diagnosed] = []
    for item in scanned.diagnosed:
        (outside if index.is_library(item.definition.path) else diagnosed).append(item)
    repository = Repository(index, found.files, answers)
    suppressing = [path for path in found.files if answers.facts.of(path).may_suppress]
    diagnosed, unused = hold_back(diagnosed, repository, suppressing, settings.rules())
    if settings.mode is not Mode.IN_PLACE:
        find_families(diagnosed, repository, answers, workers)
    proposals = propose(index.tree, repository, diagnosed, settings)
    workshop = Workshop(index, found.files, made, settings.line_length, settings.annotate)
    make_edits(proposals, repository, workshop, workers, settings)
    trials = []
    for done, proposal in enumerate(proposals):
        if progress is not None:
            progress("planning edits", done, len(proposals))
        trials.append(try_proposal(proposal, repository, workshop, settings))
    make_files(trials, workshop, workers)
    return Draft(
        index.tree,
        found.files,
        found.problems,
        scanned.unknown,
        index,
        answers,
        repository,
        workshop,
        trials,
        settings,
        scanned.depends_on,
        [*unused, *_in_library(outside), *_not_installed(scanned, index, settings)],
    )


def _take_over(findings: Iterable[Finding], final: Regenerated) -> None:
    """Bring the findings in step with what regeneration left of their changes."""
    changed = {change.name for change in final.changes}
    for finding in findings:
        if finding.status is not Status.WOULD_FIX:
            continue
        if finding.path in final.failed:
            settle([finding], Status.FAILED, final.failed[finding.path])
        elif finding.root[0] in final.failed:
            settle([finding], Status.FAILED, f"{finding.root[0]}: {final.failed[finding.root[0]]}")
        elif finding.path in final.stale:
            settle([finding], Status.SKIPPED, "the file is out of step with its modular file; convert it")
        finding.files = tuple(name for name in finding.files if name in changed)


def _in_library(outside: Sequence[Diagnosed]) -> Iterator[str]:
    """Yield what to tell of the installed library, which is read and never edited."""
    places = sorted({f"{item.module}.{item.definition.qualname}" for item in outside})
    if places:
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        yield f"the installed {NAME} needs mending too: {', '.join(places[:3])}{more}"


def _not_installed(scanned: Scan, index: Index, settings: Settings) -> Iterator[str]:
    """Yield what to tell where masks are lost sight of in the library, because it is not there to be read."""
    names = [name for name in scanned.beyond if name.partition(".")[0] == NAME] if settings.installed else []
    missing = sorted({module for name in names if (module := _missing_module(name, index))})
    if names and NAME not in index.libraries:
        yield f"masks go on into {NAME}, which is not installed here; --python names a Python that has it"
    elif missing:
        yield (
            f"masks go on into {', '.join(missing)}, which the {NAME} that is installed here does not have;"
            " --python names a Python with another one"
        )


def _missing_module(name: str, index: Index) -> str | None:
    """Return the module in which something is defined by its dotted name, if the library has none such."""
    parts = name.split(".")
    module = ".".join(parts[:2])
    return module if len(parts) > 2 and module.islower() and index.path_of(module) is None else None


def _out_of_step(planned: Sequence[Planned], workshop: Workshop) -> Iterator[str]:
    """Yield what to tell of generated files and copies that were not what their root makes of them."""
    left = {workshop.name(place.path) for each in planned for place in each.trial.out_of_step}
    behind = {workshop.name(place.path) for each in planned for place in each.trial.behind}
    if left:
        yield f"left alone, for they do not read like their root any more: {', '.join(sorted(left))}"
    if behind:
        yield f"edited themselves, for they are not up to date with their root: {', '.join(sorted(behind))}"


def _by_hand(planned: Sequence[Planned], workshop: Workshop) -> Iterator[str]:
    """Yield what to tell of decisions that are not the tool's own any more."""
    for each in planned:
        if each.accepted and each.trial.by_hand:
            proposal = each.trial.proposal
            root = f"{workshop.name(proposal.root.path)} {proposal.root.qualname}"
            yield f"edited by hand: {proposal.rule} at {root}"
