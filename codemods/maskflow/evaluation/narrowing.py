"""Narrowing: what a value can still be once a test is known to be true or false."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from codemods.maskflow.evaluation import surface
from codemods.maskflow.evaluation.values import (
    Atom,
    AttentionInterface,
    Block,
    Bound,
    ClassRef,
    Closure,
    Const,
    Dict,
    Instance,
    List,
    Outside,
    Tensor,
    Tuple,
    Unknown,
    Value,
    atom_truth,
)

# A test of one atom: the answers that are possible.
Answers = Callable[[Atom], set[bool]]
EITHER = {True, False}


def split(value: Value, test: Answers) -> tuple[Value, Value]:
    """Split ``value`` into what passes ``test`` and what fails it; undecided atoms are in both."""
    passing, failing = set(), set()
    for atom in value:
        answers = test(atom)
        if True in answers:
            passing.add(atom)
        if False in answers:
            failing.add(atom)
    return frozenset(passing), frozenset(failing)


def is_truthy(atom: Atom) -> set[bool]:
    """``if atom:``."""
    return atom_truth(atom)


def is_constant(constant: object) -> Answers:
    """``atom is constant`` and ``atom == constant`` for a known constant."""

    def test(atom: Atom) -> set[bool]:
        if isinstance(atom, Const):
            return {atom == Const(constant) or (atom.value == constant and constant is not None)}
        if isinstance(atom, Tensor):
            return {False} if constant is None else EITHER
        if isinstance(atom, Unknown):
            return EITHER
        return {False}

    return test


def is_one_of(constants: Sequence[object]) -> Answers:
    """``atom in (constants)``."""

    def test(atom: Atom) -> set[bool]:
        return set().union(*(is_constant(constant)(atom) for constant in constants)) or {False}

    def exactly(atom: Atom) -> set[bool]:
        if isinstance(atom, Const):
            return {any(is_constant(constant)(atom) == {True} for constant in constants)}
        return test(atom) | {False}

    return exactly


def has_dimensions(count: object) -> Answers:
    """``len(atom.shape) == count``, and what goes on behind ``atom.ndim == count``, which crashes first."""
    return lambda atom: {count == surface.DIMENSIONS} if isinstance(atom, Block) else EITHER


_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "bytes": bytes,
}


def is_instance(classes: list[str], inherits: Callable[[Instance, str], bool]) -> Answers:
    """``isinstance(atom, classes)``, classes by their bare names (``NoneType`` for ``type(None)``).

    A class that is not known by name may match anything that is not understood, and nothing that is.
    """

    def test(atom: Atom) -> set[bool]:
        answers = {_is_a(atom, name, inherits) for name in classes}
        if True in answers:
            return {True}
        return EITHER if None in answers else {False}

    return test


def _is_a(atom: Atom, name: str, inherits: Callable[[Instance, str], bool]) -> bool | None:
    if isinstance(atom, Block):
        return name in ("BlockMask", "object")
    if isinstance(atom, Const):
        if name in _PYTHON_TYPES:
            return isinstance(atom.value, _PYTHON_TYPES[name])
        return name == "NoneType" and atom.value is None
    if isinstance(atom, Tensor):
        if name in ("Tensor", "FloatTensor", "LongTensor", "BoolTensor"):
            return True if name == "Tensor" else None
        return False
    if isinstance(atom, Tuple):
        return name in ("tuple", "Sequence", "Iterable", "list")  # a list literal may be kept as a tuple
    if isinstance(atom, List):
        return None if name in ("list", "tuple", "Sequence", "Iterable", "ModuleList") else False
    if isinstance(atom, Dict):
        return name in ("dict", "Mapping", "OrderedDict", "MutableMapping")
    if isinstance(atom, Instance):
        return inherits(atom, name)
    if isinstance(atom, (Bound, ClassRef, Closure, Outside, AttentionInterface)):
        return None
    return False if name == "BlockMask" else None
