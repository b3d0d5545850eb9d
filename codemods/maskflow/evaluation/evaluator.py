"""The evaluator: sends expressions to the module that knows their kind, and calls into the program."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

from codemods.maskflow.evaluation.arguments import Arguments
from codemods.maskflow.evaluation.composition import Composition
from codemods.maskflow.evaluation.frame import Frame
from codemods.maskflow.evaluation.values import UNKNOWN, ClassRef, Closure, Instance, Value
from codemods.maskflow.program.hierarchy import Hierarchy
from codemods.maskflow.program.index import Assignment, Class, Function, Index

# Who evaluates each kind of expression.
Handlers: TypeAlias = "Mapping[type[ast.expr], Callable[[Any, Frame, Evaluator], Value]]"


class Calls(Protocol):
    """How the evaluator reaches into other functions and classes of the tree.

    Attributes:
        generating: whether a step of ``generate`` is followed.
        wide: whether anything may be given to a model, or tokens and masks only.
        eager: the model within the model that is being evaluated and runs eager attention.
        composition: which model stands inside another.
        marks: whether anything was marked as made of a BlockMask.
    """

    generating: bool
    wide: bool
    eager: Class | None
    composition: Composition
    marks: bool

    def invoke(
        self,
        function: Function,
        receiver: Instance | ClassRef | None,
        given: Arguments,
        node: ast.AST,
        frame: Frame,
    ) -> Value:
        """Return what a call of a function of the tree may return."""

    def invoke_closure(self, closure: Closure, given: Arguments) -> Value:
        """Return what a call of a nested function may return."""

    def instantiate(self, cls: Class, given: Arguments, frame: Frame) -> Value:
        """Return the object that a call of a class of the tree makes."""

    def module_value(self, assignment: Assignment) -> Value:
        """Return what a module-level name holds."""

    def class_value(self, owner: Class, node: ast.expr) -> Value:
        """Return what a class attribute holds."""


class Evaluator:
    """Evaluates expressions in a :class:`Frame`.

    Args:
        index: the program that they stand in.
        hierarchy: the classes of it.
        calls: what it reaches other functions and classes through.
        handlers: who evaluates each kind of expression.
    """

    def __init__(self, index: Index, hierarchy: Hierarchy, calls: Calls, handlers: Handlers) -> None:
        self.index = index
        self.hierarchy = hierarchy
        self.calls = calls
        self._handlers = handlers

    def evaluate(self, node: ast.expr, frame: Frame) -> Value:
        """Return what ``node`` may be; operations that a BlockMask cannot answer become sites."""
        handler = self._handlers.get(type(node))
        if handler is not None:
            return handler(node, frame, self)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.evaluate(child, frame)
        return UNKNOWN
