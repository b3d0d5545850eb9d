"""The plan: which roots are edited, which files follow, and what every file will hold afterwards.

Nothing is written here. A decision is one root with one rule; it is planned whole or not at all, so
that a repository never ends up with a root and its generated files apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codemods.flex_passthrough.editing import FileEdits, Workshop
from codemods.flex_passthrough.era import refusal
from codemods.flex_passthrough.mends.cannot import CannotMend
from codemods.flex_passthrough.regeneration import Regenerated, regenerate_changes
from codemods.flex_passthrough.rules.rule import Mend, Tie
from codemods.flex_passthrough.scan import Diagnosed, Progress, scan
from codemods.flex_passthrough.settings import Mode, Settings
from codemods.maskflow.index import Function, Index
from codemods.modelrepo.definition import Definition
from codemods.modelrepo.family import Member, Repository
from codemods.review.finding import Finding, Safety, Status, Step
from codemods.review.report import Change, Report
from codemods.rewrite.edit import OverlappingEdits
from codemods.source.discover import discover
from codemods.source.position import span_of, split_lines
from codemods.source.problem import SourceError
from codemods.source.tree import Tree

# How a file comes to change, by the role that its definition plays.
_HOW = {"root": "edited", "generated": "mirrored", "copy": "copied"}


# What reports call the origins of a definition.
_ORIGIN = {"hand-written": "root", "generated": "generated", "copied-from": "copy"}


@dataclass
class Decision:
    """One root with one rule: everything that has to change together.

    Attributes:
        offending: the definitions that a BlockMask reaches; the other members only follow the root.
        ties: what other rules have to mend with it.
        out_of_step: followers that do not read like their root any more and stay as they are.
    """

    rule: str
    root: Definition
    findings: list[Finding]
    mends: list[Mend]
    members: list[Member]
    offending: frozenset[Definition] = frozenset()
    problem: str = ""
    ties: list[Tie] = field(default_factory=list)
    out_of_step: list[Definition] = field(default_factory=list)


@dataclass
class Plan(Report):
    """A report whose changes are not written yet, with the decisions that they come from."""

    decisions: list[Decision] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Take over all of another plan with the same root."""
        super().add(other)
        if isinstance(other, Plan):
            self.decisions += other.decisions


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
        RegenerationError: in mode ``modular``, where the repository's converter cannot be run.
    """
    found = discover(paths, settings.exclude)
    refused = refusal(tree, found.files)
    if refused is not None:
        return Plan(tree.root, problems=sorted({*found.problems, refused}), files_seen=len(found.files))
    index = Index(tree)
    diagnosed = scan(index, found.files, settings.rules(), progress)
    repository = Repository(index, found.files)
    decisions = _decide(tree, repository, diagnosed, settings)
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
    stale = sorted({workshop.name(d.path) for decision in decisions for d in decision.out_of_step})
    if stale:
        plan.notices.append(f"left alone, for they do not read like their root any more: {', '.join(stale)}")
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


def _decide(
    tree: Tree, repository: Repository, diagnosed: Iterable[Diagnosed], settings: Settings
) -> list[Decision]:
    """Group diagnoses by the root that their edit belongs to."""
    grouped: dict[tuple[str, Definition], list[Diagnosed]] = {}
    for item in diagnosed:
        offending = _definition(item.diagnosis.function)
        root = _root(repository, item, offending) if settings.mode is not Mode.IN_PLACE else offending
        grouped.setdefault((item.diagnosis.rule, root), []).append(item)
    decisions = []
    for (rule, root), items in sorted(grouped.items(), key=lambda pair: (pair[0][1], pair[0][0])):
        # What claims nothing but follows a root that must change is no finding of its own.
        claimed = [item for item in items if item.claimed] or items
        mends = list(
            dict.fromkeys(i.diagnosis.mend for i in claimed if not isinstance(i.diagnosis.mend, str))
        )
        members = list(repository.members_of(root)) if settings.mode is not Mode.IN_PLACE else []
        known = {member.definition for member in members}
        places = dict.fromkeys(_definition(item.diagnosis.function) for item in claimed)
        members += [Member(place, "root") for place in places if place not in known]
        findings = [_finding(tree, repository, item, root) for item in claimed]
        ties = list(dict.fromkeys(tie for item in claimed for tie in item.ties))
        decisions.append(Decision(rule, root, findings, mends, members, frozenset(places), ties=ties))
    return decisions


def _root(repository: Repository, item: Diagnosed, offending: Definition) -> Definition:
    """Return the definition that an edit belongs to.

    A mask method that calls its parent's through ``super()`` hands back what that hands back: the
    guard belongs to the parent, and the converter inlines it with the rest of the parent's body.
    """
    parent = repository.inlined_by(offending) if item.diagnosis.rule == "FLEX001" else None
    return repository.root_of(parent or offending)


def _definition(function: Function) -> Definition:
    return Definition(function.module.path, function.qualname, function.node.lineno)


def _finding(tree: Tree, repository: Repository, item: Diagnosed, root: Definition) -> Finding:
    diagnosis = item.diagnosis
    source = diagnosis.function.module.source
    if isinstance(diagnosis.mend, str):
        safety = Safety.REPORT
    else:
        safety = Safety.SAFE if item.claimed else Safety.UNSAFE
    return Finding(
        rule=diagnosis.rule,
        path=source.name,
        span=span_of(diagnosis.node, split_lines(source.text)),
        qualname=diagnosis.function.qualname,
        message=diagnosis.message,
        safety=safety,
        origin=_ORIGIN[repository.origin_of(_definition(diagnosis.function))],
        root=(tree.display(root.path), root.qualname),
        models=tuple(item.claiming or item.others),
        steps=tuple(
            Step(step.path, step.line, step.function.qualname, step.parameter) for step in diagnosis.steps
        ),
        reason=diagnosis.mend if isinstance(diagnosis.mend, str) else "",
    )


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
    trial = FileEdits()
    try:
        for member in decision.members:
            if not workshop.may_edit(member.definition.path):
                continue
            try:
                trial = trial.merged(_mended(decision, member, repository, workshop))
            except CannotMend:
                if member.role == "root" or member.definition in decision.offending:
                    raise
                decision.out_of_step.append(member.definition)
        for tie in decision.ties if trial.paths() else ():
            workshop.apply(tie.mend, _definition(tie.function), "edited", trial)
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


def _not_to_be_had(tie: Tie, workshop: Workshop, settings: Settings) -> str | None:
    """Return why a mend that another one is tied to cannot be made in this run, if so."""
    path = tie.function.module.path
    needed = f"{tie.harm}: {tie.rule} has to mend {workshop.name(path)} with it, and"
    if tie.rule not in {rule.id for rule in settings.rules()}:
        return f"{needed} was not asked for"
    return None if workshop.may_edit(path) else f"{needed} that lies outside the paths given"


def _mended(decision: Decision, member: Member, repository: Repository, workshop: Workshop) -> FileEdits:
    """Return what the decision's mends change in one member."""
    edits = FileEdits()
    start = repository.inlined_at(member.definition) if member.inlined else None
    for mend in decision.mends:
        workshop.apply(mend, member.definition, _HOW[member.role], edits, start or 0)
    return edits


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
