"""Planning: from a proposal to the edits that carry it out, all of them or none."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field
from msgspec.structs import replace

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.planning.editing import Bench, FileEdits, Workshop
from codemods.flex_passthrough.planning.proposal import Proposal
from codemods.flex_passthrough.rules.rule import Tie
from codemods.flex_passthrough.settings import Settings
from codemods.modelrepo.definition import Definition
from codemods.modelrepo.family import Repository
from codemods.review.decision import decision_id
from codemods.review.finding import Finding, Safety, Status
from codemods.rewrite.check import RewriteError
from codemods.rewrite.edit import OverlappingEdits
from codemods.source.problem import SourceError

# How a file comes to change, by the role that its definition plays.
_HOW = {"root": "edited", "generated": "mirrored", "copy": "copied"}


class Trial(Struct, frozen=True):
    """A proposal's edits, whatever becomes of other proposals.

    Attributes:
        id: that of the decision.
        edits: what changes, file by file.
        out_of_step: followers that do not read like their root any more and stay as they are.
        behind: followers that a BlockMask breaks in although their root is right: they were not made
            from the root as it is now, and are edited themselves.
        by_hand: whether somebody changed the edits.
        status: what becomes of the findings if there are no edits, and why.
    """

    proposal: Proposal
    id: str
    edits: FileEdits = field(default_factory=FileEdits)
    out_of_step: tuple[Definition, ...] = ()
    behind: tuple[Definition, ...] = ()
    by_hand: bool = False
    status: tuple[Status, str] = (Status.SKIPPED, "the definition lies outside the paths given")


class Planned(Struct):
    """What became of one proposal.

    Attributes:
        findings: those of the proposal, each with what becomes of it.
        accepted: whether its edits are part of the plan.
        rejected: whether somebody said no.
    """

    trial: Trial
    findings: list[Finding]
    accepted: bool = False
    rejected: bool = False

    @property
    def edits(self) -> FileEdits:
        """What changes; empty if nothing does."""
        return self.trial.edits if self.accepted else FileEdits()


def try_proposal(proposal: Proposal, repository: Repository, workshop: Workshop, settings: Settings) -> Trial:
    """Work out the edits of a proposal, if it is to be carried out at all."""
    nothing = Trial(proposal, trial_id(proposal, workshop))
    if not any(finding.mendable for finding in proposal.findings):
        return nothing
    if not is_wanted(proposal, settings):
        reason = "no model that reaches it claims flex attention; see --unsafe-fixes"
        return replace(nothing, status=(Status.SKIPPED, reason))
    if _needs_its_root(proposal, workshop):
        root, name = proposal.root, workshop.name(proposal.root.path)
        reason = f"its root, {root.qualname} in {name}, lies outside the paths given; name that file, too"
        return replace(nothing, status=(Status.SKIPPED, reason))
    for tie in proposal.ties:
        untied = _not_to_be_had(tie, workshop, settings)
        if untied is not None:
            return replace(nothing, status=(Status.SKIPPED, untied))
    try:
        return _tried(proposal, repository, workshop)
    except (CannotMend, OverlappingEdits, RecursionError, SourceError) as error:
        return replace(nothing, status=(Status.FAILED, _reason(error)))


def is_wanted(proposal: Proposal, settings: Settings) -> bool:
    """Whether a proposal has mends, and such as the user wants."""
    safeties = {finding.safety for finding in proposal.findings if finding.mendable}
    return Safety.SAFE in safeties or (bool(safeties) and settings.unsafe_fixes)


def _needs_its_root(proposal: Proposal, workshop: Workshop) -> bool:
    """Whether the root has to change, and may not, for it lies outside the user's paths.

    What follows it would lose an edit of its own with the next conversion. Only what follows an installed
    library is edited all the same: nobody edits that.
    """
    root = proposal.root
    follows = any(place != root and workshop.may_edit(place.path) for place in proposal.offending)
    if not follows or workshop.may_edit(root.path) or workshop.is_library(root.path):
        return False
    edits = FileEdits()
    try:
        for mend in proposal.mends:
            workshop.apply(mend, root, "edited", edits)
    except CannotMend:
        return True
    return bool(edits.paths())


def _tried(proposal: Proposal, repository: Repository, workshop: Workshop) -> Trial:
    """Return all that the proposal changes, and the members that have gone their own way.

    A member that does not read like its root any more stays as it is, unless a BlockMask breaks there.
    And where the root needs no edit, what offends was not made from the root as it is now. No converter
    would bring an edit there, so it is edited itself, and nothing else is.

    Raises:
        CannotMend: if a member that has to change is not what the mends expect.
    """
    all_edits = FileEdits()
    out_of_step, behind = [], []
    is_root_right = not workshop.may_edit(proposal.root.path) and not workshop.is_library(proposal.root.path)
    for member in proposal.members:
        path, offends = member.definition.path, member.definition in proposal.offending
        if not workshop.may_edit(path) or (is_root_right and not offends):
            continue
        how = "edited" if is_root_right else _HOW[member.role]
        start = repository.kin_of(member.definition).inlined_at if member.inlined else None
        edits = FileEdits()
        try:
            for mend in proposal.mends:
                workshop.apply(mend, member.definition, how, edits, start or 0)
        except CannotMend:
            if member.role == "root" or offends:
                raise
            out_of_step.append(member.definition)
            continue
        if member.definition == proposal.root:
            is_root_right = not edits.paths()
        elif is_root_right and edits.paths():
            behind.append(member.definition)
        all_edits = all_edits.merged(edits)
    for tie in proposal.ties if all_edits.paths() else ():
        workshop.apply(tie.mend, tie.definition, "edited", all_edits)
    return Trial(
        proposal, trial_id(proposal, workshop, all_edits), all_edits, tuple(out_of_step), tuple(behind)
    )


def _not_to_be_had(tie: Tie, workshop: Workshop, settings: Settings) -> str | None:
    """Return why a mend that another one is tied to cannot be made in this run, if so."""
    path = tie.definition.path
    needed = f"{tie.harm}: {tie.rule} has to mend {workshop.name(path)} with it, and"
    if tie.rule not in {rule.id for rule in settings.rules()}:
        return f"{needed} was not asked for"
    return None if workshop.may_edit(path) else f"{needed} that lies outside the paths given"


def plan_trial(trial: Trial, bench: Bench, settings: Settings) -> Planned:
    """Lay a trial's edits on the bench, unless they are left out, and set the status of its findings."""
    planned = Planned(trial, [replace(finding) for finding in trial.proposal.findings])
    mendable = [finding for finding in planned.findings if finding.mendable]
    if mendable and trial.id in settings.rejected:
        planned.rejected = True
        settle(mendable, Status.SKIPPED, "rejected")
    elif mendable and trial.id in settings.left:
        settle(mendable, Status.SKIPPED, "left, and asked again next time")
    elif trial.edits.paths():
        _lay(planned, mendable, bench)
    else:
        settle(mendable, *trial.status)
    return planned


def settle(findings: Iterable[Finding], status: Status, reason: str) -> None:
    """Give findings their status, and say why."""
    for finding in findings:
        finding.status, finding.reason = status, reason


def _lay(planned: Planned, mendable: list[Finding], bench: Bench) -> None:
    try:
        files = bench.accept(planned.trial.edits)
    except (CannotMend, OverlappingEdits, RecursionError, RewriteError, SourceError) as error:
        settle(mendable, Status.FAILED, _reason(error))
        return
    planned.accepted = True
    for finding in mendable:
        finding.status, finding.files = Status.WOULD_FIX, files


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply to be edited"
    return getattr(error, "reason", "") or str(error)


def trial_id(proposal: Proposal, workshop: Workshop, edits: FileEdits | None = None) -> str:
    """Return the decision's id; the edit that counts is the root's, or the first there is."""
    replaced: list[tuple[str, str]] = []
    if edits is not None and edits.paths():
        path = proposal.root.path if proposal.root.path in edits.edits else edits.paths()[0]
        replaced = workshop.replaced(path, edits.edits[path])
    module = workshop.module_name(proposal.root.path)
    return decision_id(proposal.rule, module, proposal.root.qualname, replaced)
