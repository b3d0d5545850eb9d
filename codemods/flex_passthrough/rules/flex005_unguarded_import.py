"""FLEX005 unguarded-import: ``BlockMask`` is used where it may not be bound.

torch has had flex attention since 2.5. A library that runs on older versions imports it under a guard
of its own, and what the guard does not bind must not be evaluated. Three ways to get that wrong are
around: a body was copied and the import was not (``check_copies`` copies a method and never what it
needs), so that flex attention ends in a ``NameError``; a file imports without the guard that its library
has; and code or an annotation that runs under every attention implementation uses the guarded name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from codemods.flex_passthrough.mends.import_guard import ask_first, drop_imports, quote_annotations
from codemods.flex_passthrough.mends.imports import GUARD, Need
from codemods.flex_passthrough.rules.rule import Diagnosis, Mend, Mended, Place, Rule
from codemods.maskflow.flex_names import (
    HOMES,
    TORCH,
    Use,
    is_always_bound,
    is_bound,
    unguarded_imports,
    uses,
)
from codemods.maskflow.flow import Reach
from codemods.maskflow.index import Class, Function, Index, Module


@dataclass(frozen=True)
class Bind:
    """Import a name that the file uses and does not bind."""

    name: str

    def apply(self, place: Place) -> Mended:
        """Ask for the import: a twin in another file may well have it."""
        home = HOMES[self.name]
        return Mended((), (Need(home if home == TORCH else f".{home}", self.name, guarded=True),))


@dataclass(frozen=True)
class PutUnderGuard:
    """Move the imports of flex attention under the library's guard."""

    def apply(self, place: Place) -> Mended:
        """Take them out where they stand; the guarded import is written like any other."""
        edits, needs = drop_imports(place.text, TORCH)
        return Mended(tuple(edits), tuple(needs))


@dataclass(frozen=True)
class AskFirst:
    """Ask whether flex attention is there before the name is evaluated."""

    name: str

    def apply(self, place: Place) -> Mended:
        """Guard each ``isinstance`` and quote each annotation of the definition."""
        edits = ask_first(place.text, place.node, self.name, f"{GUARD}()", place.width)
        needs = (Need(".utils", GUARD),) if edits else ()
        return Mended((*quote_annotations(place.text, place.node, self.name), *edits), needs)


def diagnose(reach: Reach) -> Iterator[Diagnosis]:
    """Yield what is wrong with the flex-attention names of each file that a BlockMask gets to."""
    index = reach.hierarchy.index
    for module in dict.fromkeys([reach.entry.module, *(function.module for function in reach.asked)]):
        yield from _diagnoses(module, index)


@lru_cache(maxsize=4096)
def _diagnoses(module: Module, index: Index) -> tuple[Diagnosis, ...]:
    if not any(name in module.source.text for name in HOMES):
        return ()
    found = list(uses(module))
    return (*_unbound(module, found), *_unguarded(module, index, found), *_evaluated(module, found))


def _unbound(module: Module, found: list[Use]) -> Iterator[Diagnosis]:
    seen: set[str] = set()
    for use in found:
        name = use.node.id
        if name not in seen and not is_bound(module, name):
            seen.add(name)
            message = f"{name} is bound nowhere in this file: a NameError under flex attention"
            yield _diagnosis(use.function, use.node, message, Bind(name))


def _unguarded(module: Module, index: Index, found: list[Use]) -> Iterator[Diagnosis]:
    if not _library_guards(index) or module.path.parts[-2:-1] == ("integrations",):
        return
    for statement in unguarded_imports(module):
        names = {alias.asname or alias.name for alias in statement.names}
        use = next((use for use in found if use.node.id in names), None)
        if use is not None:
            listed = ", ".join(sorted(names))
            message = f"{listed} is imported (line {statement.lineno}) without the guard of this library"
            yield _diagnosis(use.function, use.node, message, PutUnderGuard())


def _evaluated(module: Module, found: list[Use]) -> Iterator[Diagnosis]:
    seen: set[tuple[Function, str]] = set()
    for use in found:
        name = use.node.id
        # A plain function may be for flex attention only; a model's method runs for every implementation.
        if use.guarded or (use.function.owner is None and not use.annotation):
            continue
        if not is_bound(module, name) or is_always_bound(module, name) or (use.function, name) in seen:
            continue
        seen.add((use.function, name))
        message = f"{name} is evaluated whatever attention runs, and bound only where torch has it"
        yield _diagnosis(use.function, use.node, message, AskFirst(name))


def _library_guards(index: Index) -> bool:
    """Whether the tree is a library that asks for flex attention with a function of its own."""
    package = index.tree.package.partition(".")[0]
    utils = index.module(f"{package}.utils") if package else None
    return utils is not None and isinstance(index.resolve(utils, GUARD), (Function, Class))


def _diagnosis(function: Function, node: ast.expr, message: str, mend: Mend) -> Diagnosis:
    return Diagnosis("FLEX005", function, node, message, (), mend)


RULE = Rule(
    "FLEX005",
    "unguarded-import",
    "BlockMask is used where it may not be bound, or imported without the library's guard.",
    diagnose,
)
