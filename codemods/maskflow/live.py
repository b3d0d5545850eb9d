"""Live values: tensors that an object hands out and changes in place later, and who keeps one.

A static cache keeps its length in a tensor and adds to it with ``add_``. Whoever asks for the length
gets that very tensor. A mask function that captures it reads the new length, not the one of the
moment at which the mask was made, because flex attention calls it after the cache was updated.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec import Struct

from codemods.maskflow.evaluation.known import IMPLEMENTATION, MASK_TABLE
from codemods.maskflow.evaluation.sites import Step
from codemods.maskflow.getters import live_getters, own_nodes
from codemods.maskflow.program.index import Assignment, Class, Function, Index, Module
from codemods.maskflow.program.memo import kept

# Methods of a tensor that may return the tensor itself, or look at the same memory.
_SAME_MEMORY = frozenset({"to", "detach", "view", "reshape", "squeeze", "unsqueeze", "expand", "contiguous"})

# A mask function takes batch, head, query and key.
_MASK_ARGUMENTS = 4

# Calls deeper than this are not followed.
_DEEPEST = 8


class Capture(Struct, frozen=True, eq=False):
    """A mask function that keeps a live value.

    Attributes:
        function: the definition around the mask function, which captures ``name`` from it.
        node: the captured name, where the mask function reads it.
        steps: the calls by which the value comes here.
    """

    function: Function
    node: ast.Name
    steps: tuple[Step, ...]


def captures(start: Function, index: Index) -> list[Capture]:
    """Return the captures of live values in ``start`` and in the functions that it calls."""
    found: dict[ast.Name, Capture] = {}
    _Walk(index, found).enter(start, frozenset(), ())
    return list(found.values())


class _Walk:
    """Follows live values through functions of modules, by the names that hold them."""

    def __init__(self, index: Index, found: dict[ast.Name, Capture]) -> None:
        self.index = index
        self.found = found
        self.seen: dict[tuple[Function, frozenset[str]], frozenset[int | None]] = {}

    def enter(
        self, function: Function, parameters: frozenset[str], steps: tuple[Step, ...]
    ) -> frozenset[int | None]:
        """Walk a function whose ``parameters`` are live; return which items of its result are.

        None stands for the result itself.
        """
        key = (function, parameters)
        if key not in self.seen and len(steps) < _DEEPEST:
            self.seen[key] = frozenset()
            self.seen[key] = _Names(self, function, parameters, steps).walk()
        return self.seen.get(key, frozenset())


class _Names:
    """The names of one function that hold a live value."""

    def __init__(
        self, walk: _Walk, function: Function, parameters: frozenset[str], steps: tuple[Step, ...]
    ) -> None:
        self.outer = walk
        self.function = function
        self.steps = steps
        self.live = set(parameters)
        self.getters = _getters(function.module, walk.index)
        self.body = list(own_nodes(function.node))

    def walk(self) -> frozenset[int | None]:
        """Follow assignments, calls and nested functions; return the live items of the result."""
        for node in self.body:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    self._assign(target, node.value)
        for node in self.body:
            if isinstance(node, ast.Call):
                self._call(node)
            elif isinstance(node, (ast.FunctionDef, ast.Lambda)) and node is not self.function.node:
                self._nested(node)
        returned = [
            node.value for node in self.body if isinstance(node, ast.Return) and node.value is not None
        ]
        return frozenset(item for value in returned for item in self._items(value))

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        items = self._items(value)
        if isinstance(target, ast.Name):
            if None in items:
                self.live.add(target.id)
            elif _is_clone_of(value, target.id):
                self.live.discard(target.id)
        elif isinstance(target, ast.Tuple):
            for at, element in enumerate(target.elts):
                if at in items and isinstance(element, ast.Name):
                    self.live.add(element.id)

    def _items(self, node: ast.expr) -> frozenset[int | None]:
        """Return which items of a value are live; None stands for the value itself."""
        if isinstance(node, ast.Name):
            return frozenset({None}) if node.id in self.live else frozenset()
        if isinstance(node, ast.IfExp):
            return self._items(node.body) | self._items(node.orelse)
        if isinstance(node, ast.Tuple):
            return frozenset(at for at, item in enumerate(node.elts) if None in self._items(item))
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                if node.func.attr in self.getters:
                    return frozenset({None})
                return self._items(node.func.value) if node.func.attr in _SAME_MEMORY else frozenset()
            return self._call(node)
        return frozenset()

    def _call(self, node: ast.Call) -> frozenset[int | None]:
        """Follow a call of a function of the tree; return which items of its result are live."""
        items: frozenset[int | None] = frozenset()
        for callee in self._callees(node.func):
            passed = frozenset(_passed(callee, node, lambda value: None in self._items(value)))
            name = next(iter(sorted(passed)), "")
            step = Step(callee, name, self.function.module.path, node.lineno)
            items |= self.outer.enter(callee, passed, (*self.steps, step))
        return items

    def _callees(self, func: ast.expr) -> list[Function]:
        if not isinstance(func, ast.Name):
            return []
        found = self.outer.index.resolve(self.function.module, func.id)
        if isinstance(found, Function):
            return [found]
        for node in self.body if self.function.mentions(MASK_TABLE) else ():
            if (
                isinstance(node, ast.Assign)
                and [ast.unparse(target) for target in node.targets] == [func.id]
                and isinstance(node.value, ast.Subscript)
                and ast.unparse(node.value.value) == MASK_TABLE
            ):
                return self._flex_mask_function()
        return []

    def _flex_mask_function(self) -> list[Function]:
        """Return what the table of mask functions holds for flex attention."""
        index, table = self.outer.index, self.outer.index.resolve(self.function.module, MASK_TABLE)
        if not isinstance(table, Assignment) or not isinstance(table.value, ast.Call):
            return []
        cls = index.resolve_dotted(table.module, table.value.func)
        mapping = cls.members.get("_global_mapping") if isinstance(cls, Class) else None
        if not isinstance(mapping, ast.Dict) or not isinstance(cls, Class):
            return []
        held = [
            index.resolve_dotted(cls.module, value)
            for key, value in zip(mapping.keys, mapping.values, strict=True)
            if isinstance(key, ast.Constant) and key.value == IMPLEMENTATION
        ]
        return [function for function in held if isinstance(function, Function)]

    def _nested(self, node: ast.FunctionDef | ast.Lambda) -> None:
        own = {parameter.arg for parameter in node.args.args}
        if len(own) < _MASK_ARGUMENTS:
            return
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and inner.id in self.live - own:
                self.outer.found[inner] = Capture(self.function, inner, self.steps)
                return


def _passed(callee: Function, node: ast.Call, is_live: object) -> Iterator[str]:
    """Yield the parameters of ``callee`` that a call gives a live value to."""
    assert callable(is_live)
    parameters = [p.arg for p in (*callee.node.args.posonlyargs, *callee.node.args.args)]
    for name, value in zip(parameters, node.args, strict=False):
        if is_live(value):
            yield name
    accepted = {*parameters, *(p.arg for p in callee.node.args.kwonlyargs)}
    for keyword in node.keywords:
        if keyword.arg in accepted and is_live(keyword.value):
            yield keyword.arg


def _is_clone_of(node: ast.expr, name: str) -> bool:
    return ast.unparse(node) == f"{name}.clone()"


@kept
def _getters(module: Module, index: Index) -> frozenset[str]:
    """Return the methods that hand out a live tensor, of classes that ``module`` defines or imports."""
    homes = {module}
    for name in module.bindings:
        found = index.resolve(module, name)
        if isinstance(found, Class):
            homes.add(found.module)
    return live_getters(
        bound for home in homes for bound in home.bindings.values() if isinstance(bound, Class)
    )
