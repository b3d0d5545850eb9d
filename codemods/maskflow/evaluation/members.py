"""Members: what an attribute or an item of a value may be."""

from __future__ import annotations

import ast

from codemods.maskflow.evaluation import known, surface
from codemods.maskflow.evaluation.arguments import Arguments
from codemods.maskflow.evaluation.evaluator import Evaluator
from codemods.maskflow.evaluation.frame import Frame, last_name
from codemods.maskflow.evaluation.values import (
    CONFIG,
    NOTHING,
    UNKNOWN,
    Atom,
    AttentionInterface,
    Block,
    Bound,
    ClassRef,
    Closure,
    Config,
    Const,
    Dict,
    Instance,
    List,
    Method,
    ModuleRef,
    Outside,
    Partial,
    Shape,
    Super,
    Tensor,
    Tuple,
    Unknown,
    Value,
    const,
    reference,
    union,
)
from codemods.maskflow.program.definitions import dotted
from codemods.maskflow.program.index import Assignment, Class, Function


def attribute(node: ast.Attribute, frame: Frame, evaluator: Evaluator) -> Value:
    """Return what ``owner.name`` may be."""
    # A narrowed `self.x` is kept in the environment under its dotted spelling.
    narrowed = frame.lookup(dotted(node) or "")
    if narrowed is not None:
        return narrowed
    owner = evaluator.evaluate(node.value, frame)
    return union(*(attribute_of(atom, node.attr, node, frame, evaluator) for atom in owner)) or UNKNOWN


def attribute_of(atom: Atom, name: str, node: ast.expr, frame: Frame, evaluator: Evaluator) -> Value:
    """Return what attribute ``name`` of one atom may be."""
    if isinstance(atom, Block):
        return _block_attribute(atom, name, node, frame, evaluator)
    if name in known.IMPLEMENTATION_ATTRIBUTES and isinstance(atom, (Config, Unknown, Instance)):
        return const(known.FALLBACK if evaluator.calls.eager else known.IMPLEMENTATION)
    if isinstance(atom, Config):
        return _config_attribute(atom, name, evaluator)
    if isinstance(atom, Instance):
        return _instance_attribute(atom, name, frame, evaluator)
    if isinstance(atom, Super):
        return _class_attribute(atom.receiver, atom.receiver.cls, name, atom.owner, frame, evaluator)
    if isinstance(atom, ClassRef):
        return _class_attribute(None, atom.cls, name, None, frame, evaluator)
    if isinstance(atom, ModuleRef):
        found = evaluator.index.member(atom.module, name)
        if name in known.ATTENTION_TABLES:
            return frozenset({AttentionInterface(name == known.MASK_TABLE)})
        if isinstance(found, Assignment):
            return evaluator.calls.module_value(found)
        return frozenset({reference(found)}) if found else UNKNOWN
    if isinstance(atom, Outside):
        return frozenset({Outside(f"{atom.path}.{name}")})
    if isinstance(atom, (List, Tuple, Dict, Tensor)):
        return frozenset({Method(atom, name)}) if name not in ("shape", "dtype", "device") else UNKNOWN
    if isinstance(atom, (Bound, Closure, Partial, AttentionInterface)) and name in (
        "__call__",
        "forward",
        "__func__",
        "get_interface",
    ):
        return frozenset({atom})
    if name == "config" or name.endswith("_config"):
        return CONFIG
    return UNKNOWN


def _block_attribute(block: Block, name: str, node: ast.expr, frame: Frame, evaluator: Evaluator) -> Value:
    subject = node.value if isinstance(node, ast.Attribute) else node
    if not surface.has_attribute(name):
        frame.site(node, subject, f"a BlockMask has no attribute '{name}'", certain=block.certain)
        return UNKNOWN
    if name == "shape":
        return frozenset({Shape((UNKNOWN,) * surface.DIMENSIONS, subject)})
    return frozenset({Method(block, name)}) if name in ("to", "to_dense", "numel", "sparsity") else UNKNOWN


def _instance_attribute(instance: Instance, name: str, frame: Frame, evaluator: Evaluator) -> Value:
    if name in instance.attributes:
        return instance.attributes[name]
    if name in ("__call__",):
        name = "forward"
    if name == "__class__":
        return frozenset({ClassRef(instance.cls)})
    found = _class_attribute(instance, instance.cls, name, None, frame, evaluator)
    if found == UNKNOWN and (name == "config" or name.endswith("_config")):
        return CONFIG
    return found


def _class_attribute(
    receiver: Instance | None, cls: Class, name: str, after: Class | None, frame: Frame, evaluator: Evaluator
) -> Value:
    owner, found = evaluator.hierarchy.find_with_owner(cls, name, after)
    if owner is None or found is None:
        return frozenset({Unknown()})
    if isinstance(found, Class):
        return frozenset({ClassRef(found)})
    if isinstance(found, ast.expr):
        held = evaluator.calls.class_value(owner, found)
        # The default of a record's field: what the object itself holds was given to it, or set later.
        is_field = receiver is not None and not evaluator.hierarchy.is_torch_module(cls)
        return union(held, UNKNOWN) if is_field else held
    decorators = {last_name(decorator) for decorator in _decorators(found)}
    if "staticmethod" in decorators:
        return frozenset({Bound(found)})
    if "classmethod" in decorators:
        return frozenset({Bound(found, ClassRef(receiver.cls if receiver else cls))})
    if receiver is not None and decorators & {"property", "cached_property"}:
        return evaluator.calls.invoke(found, receiver, Arguments(), found.node, frame)
    return frozenset({Bound(found, receiver)})


def subscript(node: ast.Subscript, frame: Frame, evaluator: Evaluator) -> Value:
    """Return what ``owner[key]`` may be."""
    owner = evaluator.evaluate(node.value, frame)
    key = evaluator.evaluate(node.slice, frame)
    return union(*(_item(atom, key, node, frame, evaluator) for atom in owner)) or UNKNOWN


def _item(atom: Atom, key: Value, node: ast.Subscript, frame: Frame, evaluator: Evaluator) -> Value:
    if isinstance(atom, Block):
        frame.site(
            node,
            node.value,
            "a BlockMask's index selects blocks, not positions",
            crash=False,
            certain=atom.certain,
        )
        # Under flex attention the place gets mended; elsewhere the BlockMask of those blocks goes on.
        return UNKNOWN if frame.eager is None else frozenset({atom})
    if isinstance(atom, AttentionInterface):
        return frozenset({atom})
    if isinstance(atom, Tuple):
        return _tuple_item(atom, key, node)
    if isinstance(atom, List):
        return frozenset({atom}) if isinstance(node.slice, ast.Slice) else atom.element
    if isinstance(atom, Dict):
        return known.lookup(atom, key)
    if isinstance(atom, Tensor):
        return frozenset({atom})
    return UNKNOWN


def _config_attribute(config: Config, name: str, evaluator: Evaluator) -> Value:
    composition = evaluator.calls.composition
    if config.cls is not None and (name.endswith("_config") or name in composition.parts(config.cls)):
        part = composition.part(config.cls, name)
        return frozenset({Config(part, part is not None)})
    if name == "config" or name.endswith("_config"):
        return CONFIG
    if name in known.CONFIG_DEFAULTS:
        return const(known.CONFIG_DEFAULTS[name])
    if name in known.PLAIN_SETTINGS and not evaluator.calls.wide:
        return const(known.PLAIN_SETTINGS[name])
    return UNKNOWN


def _decorators(function: Function) -> list[ast.expr]:
    return getattr(function.node, "decorator_list", [])


def _tuple_item(atom: Tuple, key: Value, node: ast.Subscript) -> Value:
    if isinstance(node.slice, ast.Slice):
        return frozenset({List(union(*atom.items))}) if atom.items else frozenset({atom})
    if len(key) == 1 and isinstance(found := next(iter(key)), Const) and isinstance(found.value, int):
        if -len(atom.items) <= found.value < len(atom.items):
            return atom.items[found.value]
        return NOTHING
    return union(*atom.items) if atom.items else UNKNOWN
