"""The sliding window that a mask method puts on the dense masks it makes, read from where it does so.

Usually that is a function which the method hands the mask to::

    def _prepare_4d_causal_attention_mask_with_cache_position(attention_mask, ..., cache_position, config):
        ...
            text_config = config.get_text_config()
            if text_config.sliding_window is not None:
                too_old = torch.arange(n) <= (cache_position.reshape(-1, 1) - text_config.sliding_window)

The condition and the window are told in terms of the mask method: ``config`` there may be
``self.config`` here.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from copy import deepcopy

from codemods.flex_passthrough.mends.branch_window import Window
from codemods.flex_passthrough.mends.flex_branch import Definition, FlexBranch, parameter_names
from codemods.flex_passthrough.syntax import parents
from codemods.maskflow.program.hierarchy import Hierarchy
from codemods.maskflow.program.index import Function

_ATTRIBUTE = "sliding_window"


def dense_window(method: Function, branch: FlexBranch, hierarchy: Hierarchy) -> Window | str | None:
    """Return the window of a method's dense masks.

    Returns:
        The window; a reason if there is one that cannot be told in the method's own terms; None if
        there is none.
    """
    assert not isinstance(method.node, ast.Lambda)
    for maker, meaning in _makers(method, branch, hierarchy):
        cut = next((node for node in ast.walk(maker) if _cuts(node)), None)
        if cut is not None:
            return _Reader(method.node, maker, meaning, branch.mask).read(cut)
        if maker is not method.node and any(map(_mentions_window, ast.walk(maker))):
            return f"how {maker.name} applies the window is not known"
    return None


def _makers(
    method: Function, branch: FlexBranch, hierarchy: Hierarchy
) -> Iterator[tuple[Definition, dict[str, ast.expr]]]:
    """Yield the functions that make dense masks, and what their parameters are in the method."""
    assert not isinstance(method.node, ast.Lambda)
    in_branch = set(ast.walk(branch.block))
    for call in ast.walk(method.node):
        if not isinstance(call, ast.Call) or call in in_branch:
            continue
        given = [*call.args, *(keyword.value for keyword in call.keywords)]
        if not any(ast.unparse(each) == branch.mask for each in given):
            continue
        maker = _called(method, call.func, hierarchy)
        if maker is not None and not isinstance(maker.node, ast.Lambda):
            yield maker.node, _meanings(maker, call)
    yield method.node, {name: ast.Name(name, ast.Load()) for name in parameter_names(method.node)}


def _called(method: Function, called: ast.expr, hierarchy: Hierarchy) -> Function | None:
    """Return the function that ``self.f`` or ``f`` stands for."""
    found: object
    if isinstance(called, ast.Attribute) and ast.unparse(called.value) == "self" and method.owner is not None:
        found = hierarchy.find(method.owner, called.attr)
    else:
        found = hierarchy.index.resolve_dotted(method.module, called)
    return found if isinstance(found, Function) else None


def _meanings(maker: Function, call: ast.Call) -> dict[str, ast.expr]:
    """Return which argument each parameter of ``maker`` gets."""
    assert not isinstance(maker.node, ast.Lambda)
    names = parameter_names(maker.node)
    is_static = any(ast.unparse(each) == "staticmethod" for each in maker.node.decorator_list)
    if maker.owner is not None and not is_static:
        names = names[1:]
    meaning = dict(zip(names, call.args, strict=False))
    meaning.update({keyword.arg: keyword.value for keyword in call.keywords if keyword.arg})
    return meaning


def _cuts(node: ast.AST) -> bool:
    """Recognize ``keys <= queries - window``: what the window hides."""
    return (
        isinstance(node, ast.Compare)
        and len(node.ops) == 1
        and isinstance(node.ops[0], ast.LtE)
        and isinstance(node.comparators[0], ast.BinOp)
        and isinstance(node.comparators[0].op, ast.Sub)
        and _mentions_window(node.comparators[0].right)
    )


def _mentions_window(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == _ATTRIBUTE


class _Unknown(Exception):
    """A name of the function that makes dense masks means nothing in the mask method."""


class _Reader:
    """Tells what one function says in the terms of the method that calls it."""

    def __init__(
        self, method: Definition, maker: Definition, meaning: dict[str, ast.expr], mask: str
    ) -> None:
        self.method = method
        self.maker = maker
        self.meaning = meaning
        self.mask = mask
        self.prelude: dict[str, str] = {}

    def read(self, cut: ast.AST) -> Window | str:
        """Return the window that ``cut`` applies and the conditions under which it does."""
        assert isinstance(cut, ast.Compare) and isinstance(cut.comparators[0], ast.BinOp)
        try:
            conditions = [self._tell_condition(test) for test in self._conditions(cut)]
            size = self._tell(cut.comparators[0].right)
        except _Unknown as unknown:
            return f"{unknown} decides about the window, and is not known in the flex branch"
        prelude = tuple(f"{name} = {value}" for name, value in self.prelude.items())
        return Window(prelude, tuple(conditions), size)

    def _conditions(self, cut: ast.AST) -> list[ast.expr]:
        """Return the tests that lead to ``cut``, outermost first; those of the mask itself left out."""
        above = parents(self.maker)
        masks = {name for name, value in self.meaning.items() if ast.unparse(value) == self.mask}
        found: list[ast.expr] = []
        inner = cut
        while (node := above.get(inner)) is not None:
            if isinstance(node, ast.If) and not masks & _names(node.test):
                if inner not in node.body:
                    raise _Unknown(f"`{ast.unparse(node.test)}`")
                found = [*_conjuncts(node.test), *found]
            inner = node
        return found

    def _tell_condition(self, test: ast.expr) -> str:
        """Tell a test; of alternatives, those that cannot be told are left out."""
        if not isinstance(test, ast.BoolOp):
            return self._tell(test)
        told = []
        unknown = _Unknown()
        for value in test.values:
            try:
                told.append(self._tell(value))
            except _Unknown as error:
                unknown = error
        if not told:
            raise unknown
        return told[0] if len(told) == 1 else f"({' or '.join(told)})"

    def _tell(self, node: ast.expr) -> str:
        return ast.unparse(_Put(self).visit(deepcopy(node)))

    def meaning_of(self, name: str) -> ast.expr:
        """Return what a name of the maker is called in the method, before its flex branch."""
        if name in self.meaning:
            return self._before_branch(self.meaning[name])
        values = _values(self.maker, name)
        if not values:
            return ast.Name(name, ast.Load())  # a builtin, or a name of the module
        if len(values) > 1:
            raise _Unknown(name)
        self.prelude.setdefault(name, self._tell(values[0]))
        return ast.Name(name, ast.Load())

    def _before_branch(self, argument: ast.expr) -> ast.expr:
        """Spell out a local name of the method, which may not be bound yet."""
        if not isinstance(argument, ast.Name) or argument.id in parameter_names(self.method):
            return argument
        values = _values(self.method, argument.id)
        if len(values) != 1:
            raise _Unknown(argument.id)
        return values[0]


class _Put(ast.NodeTransformer):
    """Puts what names stand for in their place."""

    def __init__(self, reader: _Reader) -> None:
        self.reader = reader

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if hasattr(builtins, node.id):
            return node
        return self.reader.meaning_of(node.id)


def _values(function: Definition, name: str) -> list[ast.expr]:
    """Return everything that a local name is bound to by plain assignment."""
    return [
        node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and any(ast.unparse(target) == name for target in node.targets)
    ]


def _names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _conjuncts(test: ast.expr) -> list[ast.expr]:
    return test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
