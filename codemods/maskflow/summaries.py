"""Summaries: what a call comes to, worked out once for each function and what it is given."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from msgspec import Struct

from codemods.maskflow.evaluation.arguments import Arguments, bind, signature_of
from codemods.maskflow.evaluation.composition import Composition
from codemods.maskflow.evaluation.evaluator import Evaluator
from codemods.maskflow.evaluation.expressions import HANDLERS
from codemods.maskflow.evaluation.frame import Environment, Frame, Record
from codemods.maskflow.evaluation.passing import (
    as_whole,
    configuration_among,
    is_one_mask,
    marked,
    mask_parameter,
    mask_parameters,
    matters_without_mask,
    of_a_part,
)
from codemods.maskflow.evaluation.sites import Step
from codemods.maskflow.evaluation.statements import result, run
from codemods.maskflow.evaluation.values import (
    BLOCK,
    NONE,
    UNKNOWN,
    ClassRef,
    Closure,
    Config,
    Instance,
    List,
    Unknown,
    Value,
    has_block,
    union,
)
from codemods.maskflow.program.hierarchy import Hierarchy, is_library_init
from codemods.maskflow.program.index import Assignment, Class, Function, Index, Module
from codemods.maskflow.reach import MaskMethod

# What stands for the function around code at the top level of a module.
_NOWHERE = ast.Lambda(
    ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]), ast.Constant(None)
)

# Deeper calls than this are not followed; no release of transformers comes near.
_DEEPEST = 60


class _Outcome(Struct):
    value: Value
    record: Record


class Summaries:
    """Evaluates calls, as the evaluator asks for them; all model classes share what comes of it.

    Attributes:
        mended: the mask methods that are taken to hand a BlockMask back, because they will.
        losses: those that were seen to lose one.
        several: functions that break on one, and make of other masks a mask or several things.
        generating: whether a step of ``generate`` is followed, where a mask is a tensor at first.
        wide: whether anything may be given to a model, or tokens and masks only.
        claims: whether the model that was entered claims flex attention.
        eager: the model within it that is being evaluated and runs eager attention.
        composition: which model stands inside another.
        comes_back: whether a function that was handed a BlockMask ever came back.
        marks: whether anything was marked as made of a BlockMask.
    """

    def __init__(self, index: Index, hierarchy: Hierarchy) -> None:
        self.index = index
        self.hierarchy = hierarchy
        self.evaluator = Evaluator(index, hierarchy, self, HANDLERS)
        self.composition = Composition(hierarchy)
        self.mended: dict[Function, MaskMethod] = {}
        self.losses: dict[Function, MaskMethod] = {}
        self.several: set[Function] = set()
        self.generating = False
        self.wide = False
        self.claims = False
        self.eager: Class | None = None
        self._outcomes: dict[tuple[object, ...], _Outcome] = {}
        self._active: set[tuple[object, ...]] = set()
        self._instances: dict[tuple[object, ...], Instance] = {}
        self._module_values: dict[ast.expr, Value] = {}
        self.comes_back: dict[Function, bool] = {}
        self.marks = False
        self._depth = 0

    def take_as_mended(self, lost: Iterable[Function]) -> None:
        """Take mask methods as mended, and drop the summaries of calls that reach them."""
        functions = set(lost)
        self.mended |= {function: self.losses[function] for function in functions}
        self._outcomes = {
            key: outcome
            for key, outcome in self._outcomes.items()
            if functions.isdisjoint(outcome.record.asked)
        }

    def invoke(
        self,
        function: Function,
        receiver: Instance | ClassRef | None,
        given: Arguments,
        node: ast.AST,
        frame: Frame,
    ) -> Value:
        """Return what a call of a function of the tree may return, and record what it meets."""
        carries = given.carry_block()
        if not carries and not self.generating and not matters_without_mask(function, receiver):
            return UNKNOWN
        line = getattr(node, "lineno", function.node.lineno)
        if function.name in ("forward", "__call__") or not carries:
            return self.evaluate(
                function, receiver, given, frame, mask_parameter(function, receiver, given), line
            )
        return self._ask(function, receiver, given, frame, line)

    def _ask(
        self,
        function: Function,
        receiver: Instance | ClassRef | None,
        given: Arguments,
        frame: Frame,
        line: int,
    ) -> Value:
        """Call a function that may turn out to be a mask method."""
        parameter = mask_parameter(function, receiver, given)
        if self.eager is not None:  # nothing is mended for a model that does not run flex attention
            return self.evaluate(function, receiver, given, frame, parameter, line)
        steps = (*frame.steps, Step(function, parameter, frame.module.path, line))
        frame.record.asked.setdefault(function, steps)
        if function in self.mended:
            return BLOCK
        inner = Frame(frame.module, frame.function, frame.env, frame.steps, Record())
        value = self.evaluate(function, receiver, given, inner, parameter, line)
        sites = tuple(inner.record.sites.values())
        frame.record.add(inner.record)
        if not sites and (has_block(value) or (inner.record.unresolved and Unknown() in value)):
            return value  # handed back, or handed to something unknown that may well hand it back
        if value == NONE:
            return value  # on purpose, as for any mask of four dimensions
        self.marks = True
        if not is_one_mask(value):
            self.several |= {function} if sites else set()
            return value | marked(value, function)
        if function not in self.losses:
            self.losses[function] = MaskMethod(
                function, sites, steps, mask_parameters(function, receiver, given)
            )
        return marked(value, function)

    def evaluate(
        self,
        function: Function,
        receiver: Instance | ClassRef | None,
        given: Arguments,
        frame: Frame,
        parameter: str,
        line: int,
    ) -> Value:
        """Return what a call may return, from its summary if there is one.

        Args:
            function: what is called.
            receiver: the object or class it is called on, if any.
            given: its arguments.
            frame: where the call stands; what the call meets is put on record there.
            parameter: under which name it is handed a BlockMask.
            line: where the call stands.
        """
        outside = self.eager
        if isinstance(receiver, Instance):
            self.eager = receiver.eager or outside
        try:
            bound = given if receiver is None else given.shifted(frozenset({receiver}))
            key = (function, bound, self.generating, self.wide, self.eager)
            outcome = self._outcomes.get(key)
            if outcome is None:
                if key in self._active or self._depth >= _DEEPEST:
                    return UNKNOWN
                step = Step(function, parameter, frame.module.path, line)
                steps = (*frame.steps, step) if given.carry_block() else frame.steps
                outcome = self._outcomes[key] = self._entered(key, function, receiver, bound, steps)
        finally:
            self.eager = outside
        frame.record.add(outcome.record)
        return outcome.value

    def _entered(
        self,
        key: tuple[object, ...],
        function: Function,
        receiver: Instance | ClassRef | None,
        bound: Arguments,
        steps: tuple[Step, ...],
    ) -> _Outcome:
        """Evaluate a call; where it comes to itself again, nothing is known of what that gives."""
        self._active.add(key)
        self._depth += 1
        try:
            return self._run(function, receiver, bound, steps)
        finally:
            self._depth -= 1
            self._active.discard(key)

    def _run(
        self,
        function: Function,
        receiver: Instance | ClassRef | None,
        bound: Arguments,
        steps: tuple[Step, ...],
        outer: Frame | None = None,
    ) -> _Outcome:
        if isinstance(receiver, Instance) and is_library_init(function):
            receiver.attributes["config"] = configuration_among(bound)
            return _Outcome(NONE, Record())
        self.index.work.functions_evaluated += 1
        node = function.node
        env, missing = bind(signature_of(node.args), bound)
        frame = Frame(
            function.module,
            function,
            env,
            steps,
            Record(),
            receiver=receiver if isinstance(receiver, Instance) else (outer.receiver if outer else None),
            owner=function.owner or (outer.owner if outer else None),
            outer=outer,
            eager=self.eager,
        )
        for name, default in missing:
            env[name] = self._default(name, default, function.module)
        if isinstance(node, ast.Lambda):
            return _Outcome(self.evaluator.evaluate(node.body, frame), frame.record)
        reached = run(node.body, frame, self.evaluator)
        value = result(frame, reached)
        if bound.carry_block() and (value or function not in self.comes_back):
            self.comes_back[function] = bool(value or frame.yielded)
        if frame.yielded:
            value = frozenset({List(union(*frame.yielded))})
        return _Outcome(value or UNKNOWN, frame.record)

    def _default(self, name: str, default: ast.expr, module: Module) -> Value:
        if isinstance(default, ast.Constant):
            return self.evaluator.evaluate(default, self._module_frame(module))
        return self._module_value(default, module)

    def invoke_closure(self, closure: Closure, given: Arguments) -> Value:
        """Evaluate a nested function where it was defined; closures are not remembered."""
        outer = closure.frame
        if self._depth >= _DEEPEST:
            return UNKNOWN
        function = Function(outer.module, closure.node, f"{outer.function.qualname}.<locals>", None)
        key = (closure.node, given)
        if key in self._active:
            return UNKNOWN
        self._active.add(key)
        self._depth += 1
        try:
            # A site inside belongs to the definition around it: that is what can be edited.
            function.qualname = outer.function.qualname
            outcome = self._run(function, None, given, outer.steps, outer)
        finally:
            self._depth -= 1
            self._active.discard(key)
        outer.record.add(outcome.record)
        return outcome.value

    def instantiate(self, cls: Class, given: Arguments, frame: Frame) -> Value:
        """Return the object a class makes; its ``__init__`` is evaluated once per arguments."""
        if given.carry_block() and not self.hierarchy.is_torch_module(cls):
            # An output class or other record that merely holds the mask.
            return UNKNOWN
        if not self.hierarchy.is_pretrained_model(cls):
            return frozenset({self._instance(cls, given)})
        outside = self.eager
        if self.claims and of_a_part(given) and not self.hierarchy.claims_flex(cls):
            self.eager = outside or cls
        try:
            return frozenset({self._instance(cls, as_whole(given))})
        finally:
            self.eager = outside

    def model(self, entry: Class) -> Instance:
        """Return an object of a model class with its own configuration."""
        config = Config(self.composition.configuration(entry))
        return self._instance(entry, Arguments((frozenset({config}),)))

    def _instance(self, cls: Class, given: Arguments) -> Instance:
        key = (cls, given, self.eager)
        made = self._instances.get(key)
        if made is None:
            made = self._instances[key] = Instance(cls, self.eager, number=self.index.work.objects_made)
            self.index.work.objects_made += 1
            init = self.hierarchy.find(cls, "__init__")
            if isinstance(init, Function) and self._depth < _DEEPEST:
                self._depth += 1
                self._run(init, made, given.shifted(frozenset({made})), ())
                self._depth -= 1
        return made

    # -- values outside functions ----------------------------------------------------------------

    def module_value(self, assignment: Assignment) -> Value:
        """Return what a module-level name holds."""
        return self._module_value(assignment.value, assignment.module)

    def class_value(self, owner: Class, node: ast.expr) -> Value:
        """Return what a class attribute holds."""
        return self._module_value(node, owner.module)

    def _module_value(self, node: ast.expr, module: Module) -> Value:
        if node not in self._module_values:
            self._module_values[node] = UNKNOWN  # what a definition that refers to itself sees
            self._module_values[node] = self.evaluator.evaluate(node, self._module_frame(module))
        return self._module_values[node]

    def _module_frame(self, module: Module) -> Frame:
        env: Environment = {}
        return Frame(module, Function(module, _NOWHERE, "<module>"), env, (), Record())
