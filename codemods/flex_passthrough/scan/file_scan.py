"""One file: its models followed, and the rules asked about each.

A file starts with a flow of its own and shares with others only what was parsed. So what is found in it
does not depend on which files came before, and can be found beside them, or have been found earlier.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from codemods.flex_passthrough.rules.rule import Diagnosis, Rule
from codemods.flex_passthrough.scan.diagnosed import Diagnosed, FileScan, Place
from codemods.flex_passthrough.syntax import names_taken
from codemods.maskflow.evaluation.sites import Way
from codemods.maskflow.flow import MaskFlow, models
from codemods.maskflow.program.hierarchy import Hierarchy
from codemods.maskflow.program.index import Class, Function, Index
from codemods.maskflow.program.memo import kept
from codemods.maskflow.program.patches import Patch
from codemods.maskflow.reach import Reach
from codemods.source.problem import Problem


def scan_file(index: Index, path: Path, attached: Sequence[Patch], rules: Sequence[Rule]) -> FileScan:
    """Follow a BlockMask through every model in a file and return what the rules say of it.

    Args:
        index: the tree that the file belongs to; definitions elsewhere are read as needed.
        path: the file.
        attached: what other files put into classes.
        rules: those to ask.
    """
    module = index.module_at(path)
    if module is None:
        return FileScan(problems=index.problems_of([path]))
    hierarchy = Hierarchy(index, attached)
    flow = MaskFlow(index, hierarchy)
    result = FileScan()
    found: dict[tuple[object, ...], Diagnosed] = {}
    for entry in models(index, hierarchy, [module]):
        claims = hierarchy.claims_flex(entry)
        if not claims and not _chooses_masks(entry, hierarchy):
            continue
        try:
            reach = flow.follow(entry)
            diagnoses = [] if reach is None else list(_ask(rules, reach, claims))
        except RecursionError:
            index.problems.append(_too_deep(entry))
            flow = MaskFlow(index, hierarchy)  # what the old one was in the middle of is not to be trusted
            continue
        if reach is None:
            continue
        result.unfollowed |= reach.unresolved if claims else set()
        for diagnosis in diagnoses:
            way = diagnosis.way or reach.ways.get(diagnosis.function, Way.INPUTS)
            diagnosed = Diagnosed.of(diagnosis, way)
            (diagnosed.claiming if claims else diagnosed.others).append(entry.name)
            known = found.setdefault(diagnosed.key, diagnosed)
            if known is not diagnosed:
                known.add(diagnosed)
    result.diagnosed = list(found.values())
    for function, comes_back in flow.comes_back.items():
        (result.come_back if comes_back else result.dead_ends).add(_place(function))
    result.depends_on = index.content_behind([module.name, *(patch.module.name for patch in attached)])
    result.problems = index.problems_of(index.paths_of(result.depends_on))
    return result


def _ask(rules: Sequence[Rule], reach: Reach, claims: bool) -> Iterator[Diagnosis]:
    for rule in rules:
        if claims:
            yield from rule.diagnose(reach)
        elif rule.speaks_of_unclaimed is not None:
            yield from filter(rule.speaks_of_unclaimed, rule.diagnose(reach))


def _place(function: Function) -> Place:
    return function.module.path, function.node.lineno, function.qualname


def _too_deep(entry: Class) -> Problem:
    message = f"the code that {entry.name} runs is nested too deeply to be followed; it was left alone"
    return Problem(entry.module.source.name, entry.node.lineno, 1, message)


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
    takes_mask = any("mask" in name for name in names_taken(node))
    return takes_mask and any(
        isinstance(inner, ast.Attribute) and inner.attr == "_attn_implementation" for inner in ast.walk(node)
    )
