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

from msgspec import Struct

from codemods.flex_passthrough.mends.import_guard import ask_first, drop_imports, quote_annotations
from codemods.flex_passthrough.mends.writing.imports import GUARD, Need, library_root
from codemods.flex_passthrough.rules.rule import Diagnosis, Mend, Mended, Place, Rule, head_of
from codemods.maskflow.program.flex_names import (
    HOMES,
    TORCH,
    Use,
    is_always_bound,
    is_bound,
    unguarded_imports,
    uses,
)
from codemods.maskflow.program.index import Class, Function, Index, Module
from codemods.maskflow.program.memo import kept
from codemods.maskflow.reach import Reach


class Bind(Struct, frozen=True):
    """Import a name that the file uses and does not bind."""

    name: str

    def apply(self, place: Place) -> Mended:
        """Ask for the import: a twin in another file may well have it."""
        home = HOMES[self.name]
        return Mended((), (Need(home if home == TORCH else f".{home}", self.name, guarded=True),))


class PutUnderGuard(Struct, frozen=True):
    """Move the imports of flex attention under the library's guard."""

    def apply(self, place: Place) -> Mended:
        """Take them out where they stand; the guarded import is written like any other."""
        edits, needs = drop_imports(place.text, TORCH)
        return Mended(tuple(edits), tuple(needs))


class AskFirst(Struct, frozen=True):
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


@kept
def _diagnoses(module: Module, index: Index) -> tuple[Diagnosis, ...]:
    if not any(name in module.source.text for name in HOMES):
        return ()
    found = list(uses(module))
    unbound = {use.node.id: use for use in reversed(found) if not is_bound(module, use.node.id)}
    unguarded = _unguarded_imports(module, index)
    # What the mends of these bind, they bind under the guard.
    names = {alias.name for statement in unguarded for alias in statement.names}
    if _library_guards(module, index) and library_root(module.source.text) is not None:
        names |= unbound.keys()
    return (*_unbound(unbound), *_unguarded(module, unguarded, found), *_evaluated(module, found, names))


def _unbound(unbound: dict[str, Use]) -> Iterator[Diagnosis]:
    for name, use in sorted(unbound.items()):
        message = f"{name} is bound nowhere in this file: a NameError under flex attention"
        yield _diagnosis(use.function, use.node, message, Bind(name))


def _unguarded_imports(module: Module, index: Index) -> dict[ast.ImportFrom, set[str]]:
    """Return the imports that should be under the library's guard, each with the names that it binds."""
    if not _library_guards(module, index) or module.path.parts[-2:-1] == ("integrations",):
        return {}
    return {
        statement: {alias.asname or alias.name for alias in statement.names}
        for statement in unguarded_imports(module)
    }


def _unguarded(
    module: Module, unguarded: dict[ast.ImportFrom, set[str]], found: list[Use]
) -> Iterator[Diagnosis]:
    for statement, names in unguarded.items():
        use = next((use for use in found if use.node.id in names), None)
        # Without a use the import breaks older versions of torch all the same; some definition stands for it.
        function = use.function if use is not None else _first_function(module)
        if function is not None:
            listed = ", ".join(sorted(names))
            message = f"{listed} is imported (line {statement.lineno}) without the guard of this library"
            node = use.node if use is not None else head_of(function.node)
            yield _diagnosis(function, node, message, PutUnderGuard())


def _first_function(module: Module) -> Function | None:
    """Return the first function or method that the module defines."""
    for bound in module.bindings.values():
        for inner in bound.members.values() if isinstance(bound, Class) else [bound]:
            if isinstance(inner, Function):
                return inner
    return None


def _evaluated(module: Module, found: list[Use], moved: set[str]) -> Iterator[Diagnosis]:
    """Yield the uses of names that are bound under a guard, or will be: ``moved``."""
    seen: set[tuple[Function, str]] = set()
    for use in found:
        name = use.node.id
        # A plain function may be for flex attention only; a model's method runs for every implementation.
        if use.guarded or (use.function.owner is None and not use.annotation):
            continue
        bound_always = is_always_bound(module, name) or not is_bound(module, name)
        if (bound_always and name not in moved) or (use.function, name) in seen:
            continue
        seen.add((use.function, name))
        message = f"{name} is evaluated whatever attention runs, and bound only where torch has it"
        yield _diagnosis(use.function, use.node, message, AskFirst(name))


def _library_guards(module: Module, index: Index) -> bool:
    """Whether the tree is a library that asks for flex attention with a function of its own."""
    package = index.tree.package.partition(".")[0]
    utils = index.module(f"{package}.utils", module) if package else None
    return utils is not None and isinstance(index.resolve(utils, GUARD), (Function, Class))


def _diagnosis(function: Function, node: ast.expr, message: str, mend: Mend) -> Diagnosis:
    return Diagnosis("FLEX005", function, node, message, (), mend)


RULE = Rule(
    "FLEX005",
    "unguarded-import",
    "BlockMask is used where it may not be bound, or imported without the library's guard.",
    diagnose,
)
