"""FLEX008 broadcast-lost: flex attention looks up by row and head what has one of them for all.

Eager attention adds the bias that a layer makes for relative positions, one row for the whole batch, and a
dense mask, with one head or with a head for each. Flex attention has a score function, which looks a single
number up. Where that asks a bias of one row for a second, it ends in an ``IndexError`` (a compiled kernel
reads what lies behind); where it takes the first head of a dense mask for all heads, the others are lost
without a word. Measured on transformers 5.23.0: T5, MT5, UMT5 and Udop end so for every batch of more than
one row, and Sam3's relative positions were off by 1.1.

The mend expands both to the rows and heads of the queries, which takes no memory.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from msgspec import Struct

from codemods.flex_passthrough.mends.broadcasts import expand_lookups, find_lookups
from codemods.flex_passthrough.mends.flex_branch import parameter_names
from codemods.flex_passthrough.rules.rule import Diagnosis, Mended, Place, Rule
from codemods.flex_passthrough.syntax import names_bound
from codemods.maskflow.evaluation.known import ATTENTION_TABLE, IMPLEMENTATION
from codemods.maskflow.evaluation.sites import Step, Way
from codemods.maskflow.program.index import Assignment, Class, Function, Index, Module
from codemods.maskflow.program.memo import kept
from codemods.maskflow.reach import Reach


class ExpandLookups(Struct, frozen=True):
    """Expand what score functions look up."""

    def apply(self, place: Place) -> Mended:
        """Expand it right before them, and look up each head's own."""
        return Mended(tuple(expand_lookups(place.text, place.node.lineno)))


def diagnose(reach: Reach) -> Iterator[Diagnosis]:
    """Yield one diagnosis where a model's file hands flex attention what that looks up by row and head."""
    module = reach.entry.module
    if ATTENTION_TABLE in module.source.text:
        yield from _diagnoses(module, reach.hierarchy.index)


@kept  # a file's models share its layers
def _diagnoses(module: Module, index: Index) -> tuple[Diagnosis, ...]:
    attention = _flex_attention(module, index)
    if attention is None:
        return ()
    given = _looked_up(attention)
    for call, keyword in _calls_of_attention(module) if given else ():
        if keyword in given:
            message = f"{keyword} is looked up by row and head, of which it may have one for all"
            step = Step(attention, keyword, module.path, call.lineno)
            way, mend = Way.PLAIN, ExpandLookups()
            return (Diagnosis("FLEX008", attention, given[keyword], message, (step,), mend, way=way),)
    return ()


@kept
def _looked_up(attention: Function) -> dict[str, ast.expr]:
    """Return the parameters of flex attention that its score functions look up by row and head, and where."""
    assert not isinstance(attention.node, ast.Lambda)
    parameters = parameter_names(attention.node)
    return {found.name: found.node for found in find_lookups(attention.node) if found.name in parameters}


def _calls_of_attention(module: Module) -> Iterator[tuple[ast.Call, str | None]]:
    """Yield each call in a layer of what the table holds, with each name by which it is handed something."""
    for function in (each for each in _methods(module) if each.mentions(ATTENTION_TABLE)):
        interfaces = set(_interfaces(function))
        for call in ast.walk(function.node):
            if isinstance(call, ast.Call) and call.keywords and _calls_attention(call, interfaces):
                yield from ((call, keyword.arg) for keyword in call.keywords)


def _methods(module: Module) -> Iterator[Function]:
    for bound in module.bindings.values():
        for inner in bound.members.values() if isinstance(bound, Class) else ():
            if isinstance(inner, Function):
                yield inner


def _calls_attention(call: ast.Call, interfaces: Collection[str]) -> bool:
    """Whether what is called comes from the table of attention functions, or has one of these names."""
    called = ast.unparse(call.func)
    if ATTENTION_TABLE in called:
        return not called.endswith(".get_interface")
    return called in interfaces


def _interfaces(function: Function) -> Iterator[str]:
    """Yield the names that a function binds to what comes from the table of attention functions."""
    for node in ast.walk(function.node):
        if isinstance(node, ast.Assign) and ATTENTION_TABLE in ast.unparse(node.value):
            yield from names_bound(node)
        elif isinstance(node, ast.AnnAssign) and node.value and ATTENTION_TABLE in ast.unparse(node.value):
            yield ast.unparse(node.target)


def _flex_attention(module: Module, index: Index) -> Function | None:
    """Return what the table that a module knows holds under flex attention's name."""
    table = index.resolve(module, ATTENTION_TABLE)
    return _listed(table, index) if isinstance(table, Assignment) else None


@kept
def _listed(table: Assignment, index: Index) -> Function | None:
    shown, module = [table.value], table.module
    made = index.resolve_dotted(module, table.value.func) if isinstance(table.value, ast.Call) else None
    if isinstance(made, Class):
        shown, module = [value for value in made.members.values() if isinstance(value, ast.expr)], made.module
    for each in shown:
        for key, value in zip(each.keys, each.values, strict=True) if isinstance(each, ast.Dict) else ():
            if isinstance(key, ast.Constant) and key.value == IMPLEMENTATION:
                found = index.resolve_dotted(module, value)
                return found if isinstance(found, Function) else None
    return None


RULE = Rule(
    "FLEX008",
    "broadcast-lost",
    "Flex attention looks up by row and head a tensor that has one of them for all.",
    diagnose,
)
