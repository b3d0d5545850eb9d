"""The plan: which roots are edited, which files follow, and what every file will hold afterwards.

Nothing is written here. A decision is one root with one rule; it is planned whole or not at all, so
that a repository never ends up with a root and its generated files apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codemods.flex_passthrough.decision import Decision, decide, definition_of
from codemods.flex_passthrough.editing import FileEdits, Workshop
from codemods.flex_passthrough.era import refusal
from codemods.flex_passthrough.mends.cannot import CannotMend
from codemods.flex_passthrough.regeneration import Regenerated, regenerate_changes
from codemods.flex_passthrough.repository_checks import check_repository
from codemods.flex_passthrough.rules.rule import Tie
from codemods.flex_passthrough.scan import Progress, scan
from codemods.flex_passthrough.settings import Settings
from codemods.maskflow.index import Index
from codemods.modelrepo.consistency import Comparison
from codemods.modelrepo.family import Repository
from codemods.review.finding import Finding, Safety, Status
from codemods.review.report import Change, Report
from codemods.rewrite.edit import OverlappingEdits
from codemods.source.discover import discover
from codemods.source.problem import SourceError
from codemods.source.tree import Tree

# How a file comes to change, by the role that its definition plays.
_HOW = {"root": "edited", "generated": "mirrored", "copy": "copied"}


@dataclass
class Plan(Report):
    """A report whose changes are not written yet, with the decisions that they come from.

    Attributes:
        bounds: the folders that nothing is written outside of.
        checks: what the repository's own checks say, without the changes and with them.
    """

    decisions: list[Decision] = field(default_factory=list)
    bounds: tuple[Path, ...] = ()
    checks: list[Comparison] = field(default_factory=list)

    @property
    def is_refused(self) -> bool:
        """Whether one of the repository's own checks speaks against the changes."""
        return any(check.is_worse for check in self.checks)

    def add(self, other: Report) -> None:
        """Take over all of another plan with the same root."""
        super().add(other)
        if isinstance(other, Plan):
            self.decisions += other.decisions
            self.checks += other.checks


def make_plan(
    tree: Tree, paths: Sequence[Path], settings: Settings, progress: Progress | None = None
) -> Plan:
    """Find everything below ``paths`` and work out what to change.

    Args:
        tree: the tree that the paths belong to.
        paths: files and folders within it that may be edited.
        settings: rules, mode and exclusions.
        progress: told (what is done, steps done, steps in all).

    Raises:
        RegenerationError: where the repository's converter or checks are asked for and cannot be run.
    """
    found = discover(paths, settings.exclude)
    refused = refusal(tree, found.files)
    if refused is not None:
        return Plan(tree.root, problems=sorted({*found.problems, refused}), files_seen=len(found.files))
    index = Index(tree)
    diagnosed = scan(index, found.files, settings.rules(), progress)
    repository = Repository(index, found.files)
    decisions = decide(tree, repository, diagnosed, settings)
    workshop = Workshop(index, found.files, settings.line_length)
    plan = Plan(tree.root, decisions=decisions, files_seen=len(found.files))
    for done, decision in enumerate(decisions):
        if progress is not None:
            progress("planning edits", done, len(decisions))
        _plan_decision(decision, repository, workshop, settings)
        plan.findings += decision.findings
    final = regenerate_changes(tree, repository, _changes(tree, workshop), settings, progress)
    plan.changes, plan.notices = final.changes, list(final.notices)
    _take_over(plan.findings, final)
    plan.notices += _out_of_step(decisions, workshop)
    if settings.check_repository and plan.changes:
        plan.checks = check_repository(tree, plan.changes, settings, progress)
    plan.findings.sort(key=Finding.sort_key)
    plan.problems = sorted({*found.problems, *index.problems})
    return plan


def _take_over(findings: Iterable[Finding], final: Regenerated) -> None:
    """Bring the findings in step with what regeneration left of their changes."""
    changed = {change.name for change in final.changes}
    for finding in findings:
        if finding.status is not Status.WOULD_FIX:
            continue
        if finding.path in final.failed:
            _settle([finding], Status.FAILED, final.failed[finding.path])
        elif finding.path in final.stale:
            _settle([finding], Status.SKIPPED, "the file is out of step with its modular file; convert it")
        finding.files = tuple(name for name in finding.files if name in changed)


def _plan_decision(
    decision: Decision, repository: Repository, workshop: Workshop, settings: Settings
) -> None:
    """Work out a decision's edits and set the status of its findings."""
    mendable = [finding for finding in decision.findings if finding.mendable]
    if not mendable:
        return
    if all(finding.safety is Safety.UNSAFE for finding in mendable) and not settings.unsafe_fixes:
        _settle(
            mendable, Status.SKIPPED, "no model that reaches it claims flex attention; see --unsafe-fixes"
        )
        return
    untied = next(filter(None, (_not_to_be_had(tie, workshop, settings) for tie in decision.ties)), None)
    if untied is not None:
        _settle(mendable, Status.SKIPPED, untied)
        return
    try:
        trial = _trial(decision, repository, workshop)
        workshop.accept(trial)
    except (CannotMend, OverlappingEdits, SourceError) as error:
        decision.problem = getattr(error, "reason", "") or str(error)
        _settle(mendable, Status.FAILED, decision.problem)
        return
    if not trial.paths():
        _settle(mendable, Status.SKIPPED, "the definition lies outside the paths given")
        return
    files = tuple(sorted(workshop.name(path) for path in trial.paths()))
    for finding in mendable:
        finding.status, finding.files = Status.WOULD_FIX, files


def _trial(decision: Decision, repository: Repository, workshop: Workshop) -> FileEdits:
    """Return all that the decision changes, and note the members that have gone their own way.

    A member that does not read like its root any more stays as it is, unless a BlockMask breaks there.
    And where the root needs no edit, what offends was not made from the root as it is now. No converter
    would bring an edit there, so it is edited itself, and nothing else is.
    """
    trial = FileEdits()
    is_root_right = False
    for member in decision.members:
        path, offends = member.definition.path, member.definition in decision.offending
        if not workshop.may_edit(path) or (is_root_right and not offends):
            continue
        how = "edited" if is_root_right else _HOW[member.role]
        start = repository.inlined_at(member.definition) if member.inlined else None
        edits = FileEdits()
        try:
            for mend in decision.mends:
                workshop.apply(mend, member.definition, how, edits, start or 0)
        except CannotMend:
            if member.role == "root" or offends:
                raise
            decision.out_of_step.append(member.definition)
            continue
        if member.definition == decision.root:
            is_root_right = not edits.paths()
        elif is_root_right and edits.paths():
            decision.behind.append(member.definition)
        trial = trial.merged(edits)
    for tie in decision.ties if trial.paths() else ():
        workshop.apply(tie.mend, definition_of(tie.function), "edited", trial)
    return trial


def _not_to_be_had(tie: Tie, workshop: Workshop, settings: Settings) -> str | None:
    """Return why a mend that another one is tied to cannot be made in this run, if so."""
    path = tie.function.module.path
    needed = f"{tie.harm}: {tie.rule} has to mend {workshop.name(path)} with it, and"
    if tie.rule not in {rule.id for rule in settings.rules()}:
        return f"{needed} was not asked for"
    return None if workshop.may_edit(path) else f"{needed} that lies outside the paths given"


def _out_of_step(decisions: Sequence[Decision], workshop: Workshop) -> Iterator[str]:
    """Yield what to tell of generated files and copies that were not what their root makes of them."""
    left = {workshop.name(place.path) for decision in decisions for place in decision.out_of_step}
    behind = {workshop.name(place.path) for decision in decisions for place in decision.behind}
    if left:
        yield f"left alone, for they do not read like their root any more: {', '.join(sorted(left))}"
    if behind:
        yield f"edited themselves, for they are not up to date with their root: {', '.join(sorted(behind))}"


def _settle(findings: Iterable[Finding], status: Status, reason: str) -> None:
    for finding in findings:
        finding.status, finding.reason = status, reason


def _changes(tree: Tree, workshop: Workshop) -> list[Change]:
    """Return what the accepted decisions make of every file."""
    changes = []
    for path in workshop.edited():
        source, after = workshop.result(path)
        changes.append(Change(path, tree.display(path), source.raw, after, workshop.how(path)))
    return sorted(changes, key=lambda change: change.name)
