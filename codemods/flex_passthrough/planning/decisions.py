"""From what was planned to the decisions that reports show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from codemods.flex_passthrough.planning.editing import FileEdits, Workshop
from codemods.flex_passthrough.planning.trial import Planned
from codemods.flex_passthrough.rules import RULES
from codemods.modelrepo.definition import Definition
from codemods.review.change import Change
from codemods.review.decision import Decision, Member
from codemods.review.finding import Finding


def as_decisions(planned: Sequence[Planned], workshop: Workshop, final: Sequence[Change]) -> list[Decision]:
    """Return a decision for each proposal, with the changes that it makes.

    Args:
        planned: the proposals in the order in which they were planned.
        workshop: what rendered their edits.
        final: the changes of the whole plan, as they will be written.
    """
    # Steps go from decision to decision in the order in which reports show them.
    planned = sorted(
        planned, key=lambda each: (_named(each.trial.proposal.root, workshop), each.trial.proposal.rule)
    )
    changes: dict[str, list[Change]] = {each.trial.id: [] for each in planned}
    steps: dict[str, list[Change]] = {each.trial.id: [] for each in planned}
    for change in final:
        touching = [each for each in planned if change.path in each.edits.edits] or _adopter(change, planned)
        alone = _alone(change, touching, workshop)
        for each, own, step in zip(touching, alone, _steps(change, touching, workshop), strict=True):
            changes[each.trial.id].append(own)
            steps[each.trial.id].append(step)
    decisions = [_decision(each, workshop, changes[each.trial.id], steps[each.trial.id]) for each in planned]
    return sorted(decisions, key=Decision.sort_key)


def _adopter(change: Change, planned: Sequence[Planned]) -> list[Planned]:
    """Return whose file it is that nobody planned and the converter wrote: its model's, or the last."""
    editing = [each for each in planned if each.edits.edits]
    near = [each for each in editing if any(path.parent == change.path.parent for path in each.edits.edits)]
    return (near or editing)[-1:]


def _alone(change: Change, touching: Sequence[Planned], workshop: Workshop) -> list[Change]:
    """Return what each proposal alone makes of a file."""
    if len(touching) == 1:
        return [change]
    return [replace(change, after=workshop.render(change.path, each.edits)) for each in touching]


def _steps(change: Change, touching: Sequence[Planned], workshop: Workshop) -> Iterator[Change]:
    """Yield what each proposal makes of a file after those before it; the last one finishes it."""
    together, before = FileEdits(), change.before
    for each in touching[:-1]:
        together = together.merged(each.edits)
        after = workshop.render(change.path, together)
        yield replace(change, before=before, after=after)
        before = after
    yield replace(change, before=before)


def _decision(planned: Planned, workshop: Workshop, changes: list[Change], steps: list[Change]) -> Decision:
    proposal = planned.trial.proposal
    rule = RULES[proposal.rule]
    return Decision(
        id=planned.trial.id,
        rule=rule.id,
        name=rule.name,
        why=rule.summary,
        root=_named(proposal.root, workshop),
        line=proposal.root.line,
        findings=sorted(planned.findings, key=Finding.sort_key),
        members=tuple(_members(planned, workshop)),
        changes=tuple(changes),
        steps=tuple(steps),
        rejected=planned.rejected,
    )


def _members(planned: Planned, workshop: Workshop) -> Iterator[Member]:
    """Yield the definitions that change; where nothing does, those that would have to."""
    files = planned.edits.edits
    for member in planned.trial.proposal.members:
        place = member.definition
        if files and (place.path not in files or place in planned.trial.out_of_step):
            continue
        via = _named(member.via, workshop) if member.via is not None else None
        yield Member(workshop.name(place.path), place.qualname, place.line, member.role, via)


def _named(definition: Definition, workshop: Workshop) -> tuple[str, str]:
    return workshop.name(definition.path), definition.qualname
