"""Proposals: which root an edit belongs to, and which definitions have to change together with it."""

from __future__ import annotations

from collections.abc import Iterable, Set

from msgspec import Struct

from codemods.flex_passthrough.rules.rule import Mend, Tie
from codemods.flex_passthrough.scan import Diagnosed
from codemods.flex_passthrough.settings import Mode, Settings
from codemods.maskflow.evaluation.sites import Way
from codemods.modelrepo.definition import Definition
from codemods.modelrepo.family import Member, Origin, Repository, Role
from codemods.review.finding import Finding, Safety, Step
from codemods.source.tree import Tree

# What reports call the origins of a definition.
_ORIGIN: dict[Origin, Role] = {"hand-written": "root", "generated": "generated", "copied-from": "copy"}


class Proposal(Struct, frozen=True):
    """One root with one rule: everything that would have to change together.

    Attributes:
        findings: what it answers, as they stand before anything is planned.
        offending: the definitions that a BlockMask reaches; the other members only follow the root.
        ties: what other rules have to mend with it.
    """

    rule: str
    root: Definition
    findings: tuple[Finding, ...]
    mends: tuple[Mend, ...]
    members: tuple[Member, ...]
    offending: frozenset[Definition] = frozenset()
    ties: tuple[Tie, ...] = ()


def propose(
    tree: Tree, repository: Repository, diagnosed: Iterable[Diagnosed], settings: Settings
) -> list[Proposal]:
    """Group diagnoses by root and rule, in that order."""
    diagnosed = list(diagnosed)
    offending = {(item.rule, item.definition) for item in diagnosed}
    grouped: dict[tuple[str, Definition], list[Diagnosed]] = {}
    for item in diagnosed:
        rule, place = item.rule, item.definition
        parent = repository.kin_of(place).inlined
        if settings.mode is Mode.IN_PLACE:
            root = place
        elif parent is not None and _is_mended_with(parent, place, rule, repository, offending):
            root = repository.root_of(parent)
        else:
            root = repository.root_of(place)
        grouped.setdefault((rule, root), []).append(item)
    proposals = []
    for (rule, root), items in sorted(grouped.items(), key=lambda pair: (pair[0][1], pair[0][0])):
        # What claims nothing but follows a root that must change is no finding of its own.
        claimed = [item for item in items if item.claimed] or items
        mends = tuple(dict.fromkeys(item.mend for item in claimed if not isinstance(item.mend, str)))
        places = dict.fromkeys(item.definition for item in claimed)
        members = _members(repository, root, places, bool(mends), settings.mode)
        findings = tuple(_finding(tree, repository, item, root) for item in claimed)
        ties = tuple(dict.fromkeys(tie for item in claimed for tie in item.ties))
        proposals.append(Proposal(rule, root, findings, mends, tuple(members), frozenset(places), ties))
    return proposals


def _members(
    repository: Repository, root: Definition, places: Iterable[Definition], has_mends: bool, mode: Mode
) -> list[Member]:
    """Return what changes with ``root``, those at ``places`` included; only these, where nothing is to.

    Who else follows a root takes long to find, and is of no use to anybody before there is an edit to follow.
    """
    if mode is Mode.IN_PLACE:
        return [Member(place, "root") for place in places]
    if not has_mends:
        return [Member(place, _ORIGIN[repository.origin_of(place)]) for place in places]
    members = list(repository.members_of(root))
    known = {member.definition for member in members}
    return [*members, *(Member(place, "root") for place in places if place not in known)]


def _is_mended_with(
    parent: Definition,
    place: Definition,
    rule: str,
    repository: Repository,
    offending: Set[tuple[str, Definition]],
) -> bool:
    """Whether a method that calls ``parent`` through ``super()`` is mended by an edit of that.

    A mask method hands back what its parent's hands back, and the converter inlines the guard with the
    rest of the parent's body. What other rules find may stand in the method's own lines, if it has any.
    Where nothing is wrong with the parent, the method's own lines are at fault.
    """
    if rule != "FLEX001" and not repository.kin_of(place).only_calls_parent:
        return False
    root = repository.root_of(parent)
    return any(
        (rule, member.definition) in offending for member in repository.members_of(root) if not member.inlined
    )


def _finding(tree: Tree, repository: Repository, item: Diagnosed, root: Definition) -> Finding:
    sure = Safety.SAFE if item.claimed else Safety.UNSAFE
    return Finding(
        rule=item.rule,
        path=tree.display(item.definition.path),
        span=item.span,
        qualname=item.definition.qualname,
        message=item.message,
        safety=Safety.REPORT if isinstance(item.mend, str) else sure,
        origin=_ORIGIN[repository.origin_of(item.definition)],
        root=(tree.display(root.path), root.qualname),
        models=tuple(dict.fromkeys(item.claiming or item.others)),
        steps=tuple(
            Step(tree.display(each.path), each.line, each.qualname, each.parameter) for each in item.steps
        ),
        way=Way.surest(item.ways).value,
        reason=item.mend if isinstance(item.mend, str) else "",
    )
