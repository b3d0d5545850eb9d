"""Passing: what a call hands over, and what it may hand back."""

from __future__ import annotations

from codemods.maskflow.evaluation.arguments import Arguments, bind, signature_of
from codemods.maskflow.evaluation.values import (
    CONFIG,
    NONE,
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
)
from codemods.maskflow.program.index import Function


def matters_without_mask(function: Function, receiver: Instance | ClassRef | None) -> bool:
    """Whether a call that carries no mask is worth following: it may hand out a submodule or function."""
    if function.name in ("forward", "__call__"):
        return False
    return isinstance(receiver, Instance)


def configuration_among(bound: Arguments) -> Value:
    """Return what a model is given for its configuration, behind itself."""
    return bound.keyword("config") or next(iter(bound.positional[1:]), CONFIG)


def mask_parameters(
    function: Function, receiver: Instance | ClassRef | None, given: Arguments
) -> tuple[str, ...]:
    """Return the parameters under which a call hands over a BlockMask."""
    if not given.carry_block():
        return ()
    bound = given if receiver is None else given.shifted(NONE)
    received, _ = bind(signature_of(function.node.args), bound)
    return tuple(name for name, value in received.items() if has_block(value))


def mask_parameter(function: Function, receiver: Instance | ClassRef | None, given: Arguments) -> str:
    """Return the first parameter under which a call hands over a BlockMask; empty if none does."""
    names = mask_parameters(function, receiver, given)
    return names[0] if names else ""


def is_one_mask(value: Value) -> bool:
    """Whether a result may stand for a mask, so that a BlockMask could be returned in its place.

    Several values, a dict of masks or a mask function cannot: no passthrough mends what makes those.
    """
    return not any(isinstance(atom, (Tuple, List, Dict, Closure, Partial, Bound)) for atom in value)


def marked(value: Value, function: Function) -> Value:
    """Mark what a function made of a BlockMask, so that its use as a mask is recognised."""
    kept = frozenset(atom for atom in value if not isinstance(atom, (Tensor, Unknown)))
    made: Atom = Tensor(function) if any(isinstance(atom, Tensor) for atom in value) else Unknown(function)
    return kept | {made}


def of_a_part(given: Arguments) -> bool:
    """Whether a model is made of a part of another's configuration."""
    return any(isinstance(atom, Config) and atom.part for value in given.everything() for atom in value)


def as_whole(given: Arguments) -> Arguments:
    """Return the arguments with which the same model would be made on its own."""

    def whole(value: Value) -> Value:
        return frozenset(Config(atom.cls) if isinstance(atom, Config) else atom for atom in value)

    keywords = tuple((name, whole(value)) for name, value in given.keywords)
    return Arguments(tuple(map(whole, given.positional)), keywords, given.rest)
