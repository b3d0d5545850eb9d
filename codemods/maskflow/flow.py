"""The flow: follows a BlockMask from a model's ``forward`` through every call that it reaches."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from codemods.maskflow.arguments import Arguments, bind
from codemods.maskflow.composition import Composition
from codemods.maskflow.expressions import Evaluator
from codemods.maskflow.frame import Environment, Frame, Record, SiteKey
from codemods.maskflow.hierarchy import Hierarchy
from codemods.maskflow.index import Assignment, Class, Function, Index, Module
from codemods.maskflow.sites import Site, Step, Way
from codemods.maskflow.statements import result, run
from codemods.maskflow.values import (
    BLOCK,
    CONFIG,
    NONE,
    TENSOR,
    UNKNOWN,
    Atom,
    Bound,
    ClassRef,
    Closure,
    Config,
    Dict,
    Instance,
    List,
    Partial,
    Tensor,
    Tuple,
    Unknown,
    Value,
    has_block,
    union,
)

# Parameters of a model's forward in which a caller may hand over a BlockMask.
MASK_PARAMETERS = ("attention_mask", "decoder_attention_mask", "encoder_attention_mask")

# What a mask comes with: where there are no tokens of a decoder, its mask is no plain input.
_PARTNERS = {
    "attention_mask": "attention_mask",
    "decoder_attention_mask": "decoder_input_ids",
    "encoder_attention_mask": "encoder_outputs",
}

# What makes ready the inputs of each step of ``generate``, and there may make the step's BlockMask.
GENERATION = "prepare_inputs_for_generation"

# Parameters that hold a tensor although their default is None: one of them is always given.
_INPUTS = ("input_ids", "decoder_input_ids", "input_features", "input_values", "hidden_states")

# Inputs from which a model makes a shorter sequence before attention sees it.
_OTHER_INPUTS = ("input_values", "input_features", "pixel_", "audio_", "waveform")

# What stands for the function around code at the top level of a module.
_NOWHERE = ast.Lambda(
    ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]), ast.Constant(None)
)

# Deeper calls than this are not followed; no release of transformers comes near.
_DEEPEST = 60


@dataclass(frozen=True)
class MaskMethod:
    """A mask method that does not hand a BlockMask back.

    Attributes:
        function: the method or function to mend.
        sites: where a BlockMask breaks inside it; empty if it is only lost there.
        steps: the way to its call, for the first model that reaches it.
        parameters: the names under which it receives the BlockMask.
    """

    function: Function
    sites: tuple[Site, ...]
    steps: tuple[Step, ...]
    parameters: tuple[str, ...]


@dataclass
class Reach:
    """What a BlockMask meets on its way through one model class.

    Attributes:
        entry: the model class.
        over: the input whose positions the mask is about, such as ``input_ids`` or ``input_features``.
        asked: functions that were handed a BlockMask, whatever they made of it.
        ways: what had to be given for that.
        routes: the calls that led there.
        hierarchy: what answers for the classes and names that a function mentions.
    """

    entry: Class
    hierarchy: Hierarchy
    sites: list[Site] = field(default_factory=list)
    methods: list[MaskMethod] = field(default_factory=list)
    unresolved: set[tuple[str, int]] = field(default_factory=set)
    asked: tuple[Function, ...] = ()
    ways: dict[Function, Way] = field(default_factory=dict)
    routes: dict[Function, tuple[Step, ...]] = field(default_factory=dict)
    over: str = "input_ids"

    @property
    def counts_tokens(self) -> bool:
        """Whether the mask is about what attention sees.

        A mask of audio samples or image patches only shares the name: it is reduced to what the
        encoder makes of them before it reaches attention.
        """
        return not self.over.startswith(_OTHER_INPUTS)


@dataclass
class _Outcome:
    value: Value
    record: Record


class MaskFlow:
    """Follows masks through a tree; summaries of calls are shared between all model classes."""

    def __init__(self, index: Index, hierarchy: Hierarchy) -> None:
        self.index = index
        self.hierarchy = hierarchy
        self.evaluator = Evaluator(index, hierarchy, self)
        self._mended: dict[Function, MaskMethod] = {}
        self._losses: dict[Function, MaskMethod] = {}
        self._outcomes: dict[tuple[object, ...], _Outcome] = {}
        self._active: set[tuple[object, ...]] = set()
        self._instances: dict[tuple[object, ...], Instance] = {}
        self._module_values: dict[ast.expr, Value] = {}
        self._depth = 0
        self._generating = False
        self._comes_back: dict[Function, bool] = {}
        self._by_way: dict[tuple[Site, Way], Site] = {}
        self.wide = False
        self.eager: Class | None = None
        self.composition = Composition(hierarchy)
        self._claims = False

    def follow(self, entry: Class) -> Reach | None:
        """Follow a BlockMask into ``entry.forward``; None if that takes no mask.

        First tokens and masks are all that is given, then anything may be. The BlockMasks that
        ``entry`` makes itself from a tensor while it generates are followed too.
        A mask method found to lose the BlockMask is taken as mended and the walk is made again,
        so that what lies behind it is found as well.
        """
        forward = self.hierarchy.find(entry, "forward")
        if not isinstance(forward, Function):
            return None
        names = [p.arg for p in (*forward.node.args.args, *forward.node.args.kwonlyargs)]
        masks = [name for name in MASK_PARAMETERS if name in names]
        if not masks:
            return None
        self.index.work.models_followed += 1
        self._claims = self.hierarchy.claims_flex(entry)
        while True:
            records = {way: Record() for way in Way}
            self._enter(entry, forward, names[1:], masks, records[Way.PLAIN])
            self._generate(entry, records[Way.GENERATION])
            self._enter_widely(entry, forward, names[1:], masks, records[Way.INPUTS])
            record = Record()
            for each in records.values():
                record.add(each)
            lost = [function for function in record.confirmed if function not in self._mended]
            if not lost:
                break
            for function in lost:
                self._mended[function] = self._losses[function]
            self._forget(set(lost))
        asked = record.asked
        return Reach(
            entry,
            self.hierarchy,
            sites=[self._on_its_way(key, site, records) for key, site in record.sites.items()],
            methods=sorted(
                (method for function, method in self._mended.items() if function in asked),
                key=lambda method: (method.function.module.name, method.function.node.lineno),
            ),
            unresolved=record.unresolved,
            over=next((name for name in names[1:] if "mask" not in name), "input_ids"),
            asked=tuple(sorted(asked, key=lambda function: (function.module.name, function.node.lineno))),
            ways={
                function: next(way for way, each in records.items() if function in each.asked)
                for function in asked
            },
            routes=asked,
        )

    @property
    def dead_ends(self) -> list[Function]:
        """The functions that were handed a BlockMask and never came back, as far as can be told.

        What stands behind a call of one was not looked at.
        """
        ends = (function for function, back in self._comes_back.items() if not back)
        return sorted(ends, key=lambda function: (function.module.name, function.node.lineno))

    def _on_its_way(self, key: SiteKey, site: Site, records: dict[Way, Record]) -> Site:
        way = next(way for way, record in records.items() if key in record.sites)
        return site if way is site.way else self._by_way.setdefault((site, way), replace(site, way=way))

    def _enter(
        self, entry: Class, forward: Function, names: list[str], masks: list[str], record: Record
    ) -> None:
        """Follow a call of ``forward`` with tokens and masks; the rest is what its default is, or open."""
        instance = self._model(entry)
        if not self.wide:
            masks = [name for name in masks if _PARTNERS[name] in names] or masks
        given = dict.fromkeys(masks, BLOCK)
        given |= {name: TENSOR for name in names if name in _INPUTS}
        if self.wide:
            given |= {name: UNKNOWN for name in names if name not in given}
        root = Frame(forward.module, forward, {}, (), record)
        arguments = Arguments((), tuple(given.items()))
        self._evaluate(forward, instance, arguments, root, masks[0], forward.node.lineno)

    def _enter_widely(
        self, entry: Class, forward: Function, names: list[str], masks: list[str], record: Record
    ) -> None:
        self.wide = True
        try:
            self._enter(entry, forward, names, masks, record)
        finally:
            self.wide = False

    def _generate(self, entry: Class, record: Record) -> None:
        """Follow a step of ``generate``, whose mask is a tensor until a mask function makes a BlockMask."""
        prepare = self.hierarchy.find(entry, GENERATION)
        if not isinstance(prepare, Function):
            return
        parameters = [p.arg for p in (*prepare.node.args.args, *prepare.node.args.kwonlyargs)][1:]
        if MASK_PARAMETERS[0] not in parameters:
            return
        given = Arguments((), tuple((name, TENSOR if "mask" in name else UNKNOWN) for name in parameters))
        step = Step(prepare, MASK_PARAMETERS[0], prepare.module.source.name, prepare.node.lineno)
        root = Frame(prepare.module, prepare, {}, (step,), record)
        self._generating = True
        try:
            instance = self._model(entry)
            self._evaluate(prepare, instance, given, root, MASK_PARAMETERS[0], prepare.node.lineno)
        finally:
            self._generating = False

    def _forget(self, mended: set[Function]) -> None:
        """Drop the summaries of calls that reach a function now taken as mended."""
        self._outcomes = {
            key: outcome for key, outcome in self._outcomes.items() if mended.isdisjoint(outcome.record.asked)
        }

    # -- calls, as the evaluator asks for them ---------------------------------------------------

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
        if not carries and not self._generating and not _matters_without_mask(function, receiver):
            return UNKNOWN
        line = getattr(node, "lineno", function.node.lineno)
        if function.name in ("forward", "__call__") or not carries:
            return self._evaluate(
                function, receiver, given, frame, _parameter(function, receiver, given), line
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
        parameter = _parameter(function, receiver, given)
        if self.eager is not None:  # nothing is mended for a model that does not run flex attention
            return self._evaluate(function, receiver, given, frame, parameter, line)
        steps = (*frame.steps, Step(function, parameter, frame.module.source.name, line))
        frame.record.asked.setdefault(function, steps)
        if function in self._mended:
            return BLOCK
        inner = Frame(frame.module, frame.function, frame.env, frame.steps, Record())
        value = self._evaluate(function, receiver, given, inner, parameter, line)
        sites = tuple(inner.record.sites.values())
        frame.record.add(inner.record)
        if not sites and (has_block(value) or (inner.record.unresolved and Unknown() in value)):
            return value  # handed back, or handed to something unknown that may well hand it back
        if value == NONE or not _is_one_mask(value):
            return value  # None on purpose, as for any mask of four dimensions; or nothing like a mask
        if function not in self._losses:
            self._losses[function] = MaskMethod(
                function, sites, steps, _parameters(function, receiver, given)
            )
        return _marked(value, function)

    def _evaluate(
        self,
        function: Function,
        receiver: Instance | ClassRef | None,
        given: Arguments,
        frame: Frame,
        parameter: str,
        line: int,
    ) -> Value:
        outside = self.eager
        if isinstance(receiver, Instance):
            self.eager = receiver.eager or outside
        try:
            return self._evaluate_here(function, receiver, given, frame, parameter, line)
        finally:
            self.eager = outside

    def _evaluate_here(
        self,
        function: Function,
        receiver: Instance | ClassRef | None,
        given: Arguments,
        frame: Frame,
        parameter: str,
        line: int,
    ) -> Value:
        bound = given if receiver is None else given.shifted(frozenset({receiver}))
        key = (function, bound, self._generating, self.wide, self.eager)
        known_outcome = self._outcomes.get(key)
        if known_outcome is None:
            if key in self._active or self._depth >= _DEEPEST:
                return UNKNOWN
            step = Step(function, parameter, frame.module.source.name, line)
            steps = (*frame.steps, step) if given.carry_block() else frame.steps
            self._active.add(key)
            self._depth += 1
            try:
                known_outcome = self._run(function, receiver, bound, steps)
            finally:
                self._depth -= 1
                self._active.discard(key)
            self._outcomes[key] = known_outcome
        frame.record.add(known_outcome.record)
        return known_outcome.value

    def _run(
        self,
        function: Function,
        receiver: Instance | ClassRef | None,
        bound: Arguments,
        steps: tuple[Step, ...],
        outer: Frame | None = None,
    ) -> _Outcome:
        self.index.work.functions_evaluated += 1
        node = function.node
        env, missing = bind(node.args, bound)
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
        if bound.carry_block() and (value or function not in self._comes_back):
            self._comes_back[function] = bool(value or frame.yielded)
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
        if self._claims and _of_a_part(given) and not self.hierarchy.claims_flex(cls):
            self.eager = outside or cls
        try:
            return frozenset({self._instance(cls, _as_whole(given))})
        finally:
            self.eager = outside

    def _model(self, entry: Class) -> Instance:
        """Return an object of a model class with its own configuration."""
        config = Config(self.composition.configuration(entry))
        return self._instance(entry, Arguments((frozenset({config}),)))

    def _instance(self, cls: Class, given: Arguments) -> Instance:
        key = (cls, given, self.eager)
        made = self._instances.get(key)
        if made is None:
            made = self._instances[key] = Instance(cls, self.eager, number=self.index.work.objects_made)
            self.index.work.objects_made += 1
            owner, init = self.hierarchy.find_with_owner(cls, "__init__")
            if isinstance(init, Function) and owner is not None and self._depth < _DEEPEST:
                if owner.name == "PreTrainedModel":
                    made.attributes["config"] = next(iter(given.positional), CONFIG)
                else:
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


def _of_a_part(given: Arguments) -> bool:
    """Whether a model is made of a part of another's configuration."""
    return any(isinstance(atom, Config) and atom.part for value in given.everything() for atom in value)


def _as_whole(given: Arguments) -> Arguments:
    """Return the arguments with which the same model would be made on its own."""

    def whole(value: Value) -> Value:
        return frozenset(Config(atom.cls) if isinstance(atom, Config) else atom for atom in value)

    keywords = tuple((name, whole(value)) for name, value in given.keywords)
    return Arguments(tuple(map(whole, given.positional)), keywords, given.rest)


def _matters_without_mask(function: Function, receiver: Instance | ClassRef | None) -> bool:
    """Whether a call that carries no mask is worth following: it may hand out a submodule or function."""
    if function.name in ("forward", "__call__"):
        return False
    return isinstance(receiver, Instance)


def _parameters(
    function: Function, receiver: Instance | ClassRef | None, given: Arguments
) -> tuple[str, ...]:
    bound = given if receiver is None else given.shifted(NONE)
    received, _ = bind(function.node.args, bound)
    return tuple(name for name, value in received.items() if has_block(value))


def _parameter(function: Function, receiver: Instance | ClassRef | None, given: Arguments) -> str:
    names = _parameters(function, receiver, given)
    return names[0] if names else ""


def _is_one_mask(value: Value) -> bool:
    """Whether a result may stand for a mask, so that a BlockMask could be returned in its place.

    Several values, a dict of masks or a mask function cannot: no passthrough mends what makes those.
    """
    return not any(isinstance(atom, (Tuple, List, Dict, Closure, Partial, Bound)) for atom in value)


def _marked(value: Value, function: Function) -> Value:
    """Mark what a function made of a BlockMask, so that its use as a mask is recognised."""
    kept = frozenset(atom for atom in value if not isinstance(atom, (Tensor, Unknown)))
    made: Atom = Tensor(function) if any(isinstance(atom, Tensor) for atom in value) else Unknown(function)
    return kept | {made}


def models(index: Index, hierarchy: Hierarchy, modules: Iterable[Module]) -> list[Class]:
    """Return the model classes of ``modules`` whose ``forward`` may take a BlockMask."""
    found = []
    for module in modules:
        for cls in hierarchy.classes(module):
            if hierarchy.is_pretrained_model(cls) and hierarchy.is_torch_module(cls):
                found.append(cls)
    return found
