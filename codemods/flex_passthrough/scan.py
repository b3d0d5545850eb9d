"""The scan: from files to diagnoses, each with the models that a BlockMask gets there through."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codemods.flex_passthrough.rules import RULES
from codemods.flex_passthrough.rules.rule import Diagnosis, Rule, Tie
from codemods.maskflow.flow import MaskFlow, models
from codemods.maskflow.hierarchy import CLAIM, Hierarchy
from codemods.maskflow.index import Class, Function, Index, Module
from codemods.maskflow.memo import kept
from codemods.maskflow.patches import Patch, may_patch, patches
from codemods.maskflow.reach import Reach
from codemods.maskflow.sites import Unfollowed, Way
from codemods.source.problem import Problem, SourceError
from codemods.source.text import read_bytes

# Bytes without which a file cannot hold a torch model that takes a mask, unless it inherits how it does.
_MARKS = (b"attention_mask", b"def forward", b"torch")

Progress = Callable[[str, int, int], None]


@dataclass
class Diagnosed:
    """A diagnosis, the model classes that reach its site, what these tie it to, and what they need for it."""

    diagnosis: Diagnosis
    claiming: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    ties: dict[Tie, None] = field(default_factory=dict)
    ways: set[Way] = field(default_factory=set)

    @property
    def claimed(self) -> bool:
        """Whether a model that claims flex attention reaches the site."""
        return bool(self.claiming)


@dataclass(frozen=True)
class Scan:
    """What the rules say of a tree, and where a BlockMask could not be followed.

    Attributes:
        unknown: calls that were handed one and could not be followed, and functions that never came
            back, so that nothing is known of what stands behind them.
        beyond: the packages outside the tree that such calls lead to, as they are imported.
    """

    diagnosed: list[Diagnosed]
    unknown: list[Problem]
    beyond: frozenset[str]


def scan(
    index: Index, files: Sequence[Path], rules: Sequence[Rule] | None = None, progress: Progress | None = None
) -> Scan:
    """Follow a BlockMask through every model in ``files`` and return what the rules say of it.

    Args:
        index: the tree that the files belong to; definitions outside ``files`` are read as needed.
        files: where models are looked for.
        rules: those to ask; all by default.
        progress: told (what is done, steps done, steps in all).
    """
    modules, attached = _modules(index, files)
    hierarchy = Hierarchy(index, attached)
    flow = MaskFlow(index, hierarchy)
    asked = list(RULES.values()) if rules is None else list(rules)
    found: dict[tuple[object, ...], Diagnosed] = {}
    unresolved: set[Unfollowed] = set()
    entries = models(index, hierarchy, modules)
    for done, entry in enumerate(entries):
        if progress is not None:
            progress("following masks", done, len(entries))
        claims = hierarchy.claims_flex(entry)
        if not claims and not _chooses_masks(entry, hierarchy):
            continue
        try:
            reach = flow.follow(entry)
            if reach is None:
                continue
            diagnoses = list(_ask(asked, reach, claims))
        except RecursionError:
            index.problems.append(_too_deep(entry))
            flow = MaskFlow(index, hierarchy)  # what the old one was in the middle of is not to be trusted
            continue
        unresolved |= reach.unresolved if claims else set()
        for diagnosis in diagnoses:
            key = (diagnosis.rule, diagnosis.function, diagnosis.mend)
            diagnosed = found.setdefault(key, Diagnosed(diagnosis))
            if len(diagnosis.steps) < len(diagnosed.diagnosis.steps):  # the shortest way says most
                diagnosed.diagnosis = diagnosis
            diagnosed.ties |= dict.fromkeys(diagnosis.ties)
            diagnosed.ways.add(diagnosis.way or reach.ways.get(diagnosis.function, Way.INPUTS))
            (diagnosed.claiming if claims else diagnosed.others).append(entry.name)
    beyond = frozenset(each.callee.partition(".")[0] for each in unresolved if each.callee)
    return Scan(list(found.values()), _unknown(unresolved, flow.dead_ends), beyond)


def _unknown(unresolved: set[Unfollowed], dead_ends: Sequence[Function]) -> list[Problem]:
    followed = "a call{} with a BlockMask could not be followed"
    ended = "{} never comes back with a BlockMask: what follows it was not looked at"
    calls = [
        Problem(each.path, each.line, 1, followed.format(f" of {each.callee}" if each.callee else ""))
        for each in unresolved
    ]
    ends = [(each.module.source.name, each.node.lineno, each.qualname) for each in dead_ends]
    return sorted([*calls, *(Problem(path, line, 1, ended.format(name)) for path, line, name in ends)])


def _too_deep(entry: Class) -> Problem:
    message = f"the code that {entry.name} runs is nested too deeply to be followed; it was left alone"
    return Problem(entry.module.source.name, entry.node.lineno, 1, message)


def _modules(index: Index, files: Sequence[Path]) -> tuple[list[Module], list[Patch]]:
    """Return the modules that may hold models, and what files put into classes from outside.

    The models around a class that gets such a function are looked at with it, wherever they stand.
    """
    modules: dict[Module, None] = {}
    attached: list[Patch] = []
    named = set(files)
    for path in files:
        data = _read(path)
        if may_patch(data) and (module := index.module_at(path)) is not None:
            attached += patches(index, module)
        twin = _generated_twin(path)
        if twin in named:
            continue  # it comes by itself
        if _may_hold_models(data if twin is None else _read(twin)):
            module = index.module_at(twin or path)
            modules |= {module: None} if module is not None else {}
    return list(modules | dict.fromkeys(patch.cls.module for patch in attached)), attached


def _may_hold_models(data: bytes) -> bool:
    inherits = CLAIM.encode() in data and b"def forward" not in data
    return inherits or all(mark in data for mark in _MARKS)


def _read(path: Path) -> bytes:
    try:
        return read_bytes(path, path.name)
    except SourceError:
        return b"".join(_MARKS)  # the index reports why it cannot be read


def _generated_twin(path: Path) -> Path | None:
    """Return what is generated from a modular file, if that is there.

    A modular file is written for the converter; the models that run stand in what it generates.
    """
    if not path.name.startswith("modular_"):
        return None
    twin = path.with_name("modeling_" + path.name.removeprefix("modular_"))
    return twin if twin.is_file() else None


def _ask(rules: Sequence[Rule], reach: Reach, claims: bool) -> Iterator[Diagnosis]:
    for rule in rules:
        if claims:
            yield from rule.diagnose(reach)
        elif rule.speaks_of_unclaimed is not None:
            yield from filter(rule.speaks_of_unclaimed, rule.diagnose(reach))


def _chooses_masks(entry: Class, hierarchy: Hierarchy) -> bool:
    """Whether a method that chooses a mask by attention implementation stands near a model.

    Most models without a claim have none, and need not be followed at all.
    """
    modules = {base.module for base in hierarchy.linearize(entry) if isinstance(base, Class)}
    return any(
        isinstance(member, Function) and member.name != "forward" and _chooses(member)
        for module in modules
        for cls in hierarchy.classes(module)
        if cls.mentions("_attn_implementation")
        for member in cls.members.values()
    )


@kept
def _chooses(function: Function) -> bool:
    if not function.mentions("_attn_implementation"):
        return False
    node = function.node
    takes_mask = any("mask" in parameter.arg for parameter in (*node.args.args, *node.args.kwonlyargs))
    return takes_mask and any(
        isinstance(inner, ast.Attribute) and inner.attr == "_attn_implementation" for inner in ast.walk(node)
    )
