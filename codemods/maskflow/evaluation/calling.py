"""Calls: what is called, with what, and which function turns out to be a mask method."""

from __future__ import annotations

import ast

from codemods.maskflow.evaluation import conditions, known, members, surface, targets
from codemods.maskflow.evaluation.arguments import Arguments, expand_double_star, expand_star, signature_of
from codemods.maskflow.evaluation.evaluator import Evaluator
from codemods.maskflow.evaluation.frame import Frame, last_name
from codemods.maskflow.evaluation.sites import Unfollowed
from codemods.maskflow.evaluation.values import (
    BLOCK,
    FALSE,
    NOTHING,
    TRUE,
    UNKNOWN,
    Atom,
    AttentionInterface,
    Block,
    Bound,
    ClassRef,
    Closure,
    Config,
    Instance,
    Method,
    Outside,
    Partial,
    Super,
    Tensor,
    Tuple,
    Unknown,
    Value,
    in_order,
    origins,
    union,
)
from codemods.maskflow.program.hierarchy import Hierarchy
from codemods.maskflow.program.index import Function

_ATTENTION_RESULT: Value = frozenset({Tuple((frozenset({Tensor()}), UNKNOWN))})


def call(node: ast.Call, frame: Frame, evaluator: Evaluator) -> Value:
    """Return what a call may give."""
    if isinstance(node.func, ast.Name) and frame.lookup(node.func.id) is None:
        special = _special(node, node.func.id, frame, evaluator)
        if special is not None:
            return special
    if isinstance(node.func, ast.Attribute) and node.func.attr in known.FROM_CONFIG:
        return _from_config(node.func.value, arguments(node, frame, evaluator), frame, evaluator)
    callee = evaluator.evaluate(node.func, frame)
    if not frame.steps and known.is_plain_layer(callee):
        return UNKNOWN  # no BlockMask is around: what a layer of torch's own is made with makes no difference
    given = arguments(node, frame, evaluator)
    if isinstance(node.func, ast.Attribute):
        targets.mutate(node.func, given, frame, evaluator)
        if node.func.attr in known.CALLS_ITS_ARGUMENT and given.positional:
            return _apply(given.positional[0], given.without(1), node, frame, evaluator)
    return _apply(callee, given, node, frame, evaluator)


def arguments(node: ast.Call, frame: Frame, evaluator: Evaluator) -> Arguments:
    """Evaluate the arguments of a call."""
    positional: list[Value] = []
    keywords: list[tuple[str, Value]] = []
    rest: Value = NOTHING
    for argument in node.args:
        if isinstance(argument, ast.Starred):
            values, more = expand_star(evaluator.evaluate(argument.value, frame))
            positional += values
            rest = union(rest, more)
        else:
            positional.append(evaluator.evaluate(argument, frame))
    for keyword in node.keywords:
        value = evaluator.evaluate(keyword.value, frame)
        if keyword.arg is None:
            items, more = expand_double_star(value)
            keywords += items
            rest = union(rest, more)
        else:
            keywords.append((keyword.arg, value))
    return Arguments(tuple(positional), tuple(keywords), rest)


def _special(node: ast.Call, name: str, frame: Frame, evaluator: Evaluator) -> Value | None:
    if name == "super" and frame.owner is not None and frame.receiver is not None:
        return frozenset({Super(frame.receiver, frame.owner)})
    if name in ("isinstance", "hasattr") and len(node.args) == 2:
        return conditions.outcome(node, frame, evaluator)
    if name == "getattr" and len(node.args) >= 2 and isinstance(node.args[1], ast.Constant):
        return _getattr(node, str(node.args[1].value), frame, evaluator)
    if name == "len" and len(node.args) == 1:
        given = arguments(node, frame, evaluator)
        counted = known.length(given)
        return counted if counted != UNKNOWN else known.call_outside("builtins.len", node, given, frame)
    return None


def _getattr(node: ast.Call, name: str, frame: Frame, evaluator: Evaluator) -> Value:
    held: list[Value] = []
    for atom in evaluator.evaluate(node.args[0], frame):
        if isinstance(atom, Block) and not surface.has_attribute(name) and len(node.args) > 2:
            held.append(evaluator.evaluate(node.args[2], frame))
        else:
            found = members.attribute_of(atom, name, node, frame, evaluator)
            held.append(found)
            if isinstance(atom, Instance) and found == UNKNOWN and len(node.args) > 2:
                held.append(evaluator.evaluate(node.args[2], frame))
    return union(*held) or UNKNOWN


def _from_config(maker: ast.expr, given: Arguments, frame: Frame, evaluator: Evaluator) -> Value:
    """Return the model that a class, or an Auto class, makes of a configuration."""
    configs = given.positional[0] if given.positional else given.keyword("config") or NOTHING
    auto = last_name(maker)
    made: list[Value] = []
    for config in configs:
        of: Value = frozenset({config})
        if auto.startswith("AutoModel"):
            known_class = config.cls if isinstance(config, Config) else None
            model = evaluator.calls.composition.model(auto, known_class) if known_class is not None else None
            classes = [model] if model is not None else []
        else:
            classes = [atom.cls for atom in evaluator.evaluate(maker, frame) if isinstance(atom, ClassRef)]
        made += [evaluator.calls.instantiate(each, Arguments((of,)), frame) for each in classes]
    return union(*made) or UNKNOWN


def _apply(callee: Value, given: Arguments, node: ast.Call, frame: Frame, evaluator: Evaluator) -> Value:
    _confirm(callee, given, node, frame, evaluator)
    return union(*(apply(atom, given, node, frame, evaluator) for atom in in_order(callee))) or UNKNOWN


def apply(atom: Atom, given: Arguments, node: ast.Call, frame: Frame, evaluator: Evaluator) -> Value:
    """Return what calling one atom gives."""
    if isinstance(atom, Bound):
        if atom.function.name in known.NOT_FOLLOWED:
            return UNKNOWN
        if atom.function.name in (known.HOLDS, known.FAILS):
            return TRUE if atom.function.name == known.HOLDS else FALSE
        return evaluator.calls.invoke(atom.function, atom.receiver, given, node, frame)
    if isinstance(atom, Closure):
        return evaluator.calls.invoke_closure(atom, given)
    if isinstance(atom, ClassRef):
        return evaluator.calls.instantiate(atom.cls, given, frame)
    if isinstance(atom, Instance):
        forward = evaluator.hierarchy.find(atom.cls, "forward") or evaluator.hierarchy.find(
            atom.cls, "__call__"
        )
        if isinstance(forward, Function):
            return evaluator.calls.invoke(forward, atom, given, node, frame)
        return UNKNOWN
    if isinstance(atom, Method):
        return known.method_result(atom, node, given, frame)
    if isinstance(atom, Partial):
        merged = Arguments(
            (*atom.arguments, *given.positional),
            tuple({**dict(atom.keywords), **dict(given.keywords)}.items()),
            given.rest,
        )
        return _apply(atom.function, merged, node, frame, evaluator)
    if isinstance(atom, AttentionInterface):
        if isinstance(node.func, ast.Attribute) and node.func.attr == "get_interface":
            return _interface(atom, given, evaluator)
        return BLOCK if atom.makes_masks else _ATTENTION_RESULT
    if isinstance(atom, Outside):
        return _call_outside(atom, given, node, frame, evaluator)
    if isinstance(atom, Block):
        frame.site(node, node.func, "a BlockMask cannot be called")
    elif isinstance(atom, Unknown) and given.carry_block():
        frame.record.unresolved.add(Unfollowed(frame.module.path, node.lineno))
    return UNKNOWN


def _interface(table: AttentionInterface, given: Arguments, evaluator: Evaluator) -> Value:
    """Return the attention function that the table hands out: its default, where eager attention runs."""
    default = given.positional[1] if len(given.positional) > 1 else given.keyword("default")
    if evaluator.calls.eager is not None and default is not None:
        return default
    return frozenset({table})


def _call_outside(
    atom: Outside, given: Arguments, node: ast.Call, frame: Frame, evaluator: Evaluator
) -> Value:
    name = atom.path.rpartition(".")[2]
    if name in (known.HOLDS, known.FAILS):
        return TRUE if name == known.HOLDS else FALSE
    if atom.path in known.CALLS_ITS_ARGUMENT and given.positional:
        return _apply(given.positional[0], given.without(1), node, frame, evaluator)
    if atom.path == "functools.partial" and given.positional:
        made = Partial(given.positional[0], given.positional[1:], given.keywords)
        return frozenset({made})
    return known.call_outside(atom.path, node, given, frame)


def _confirm(callee: Value, given: Arguments, node: ast.Call, frame: Frame, evaluator: Evaluator) -> None:
    """A value that a function made from a BlockMask is handed on as a mask: that is a mask method."""
    if not evaluator.calls.marks:
        return
    made = [list(origins(value)) for value in (*given.positional, *(value for _, value in given.keywords))]
    if not any(made):
        return
    names: list[str | None] = [None] * len(given.positional) + [name for name, _ in given.keywords]
    attention = any(isinstance(atom, AttentionInterface) for atom in callee)
    signature = _signature(callee, evaluator.hierarchy)
    for at, makers in enumerate(made):
        name = names[at] or (signature[at] if at < len(signature) else "")
        # Attention gets its mask by place or by name; position_ids and the like only travel with it.
        if (attention and not names[at]) or "mask" in name:
            frame.record.confirmed.update(makers)


def _signature(callee: Value, hierarchy: Hierarchy) -> tuple[str, ...]:
    """Return the positional parameter names of what is called, if one function is."""
    for atom in callee:
        function: object = None
        bound = False
        if isinstance(atom, Instance):
            function, bound = hierarchy.find(atom.cls, "forward"), True
        elif isinstance(atom, Bound):
            function, bound = atom.function, atom.receiver is not None
        if isinstance(function, Function):
            names = signature_of(function.node.args).positional
            return names[1:] if bound else names
    return ()
