"""Abstract values: what a name may hold while a flex-attention forward runs.

A :data:`Value` is a set of atoms, one for each thing it may be. All atoms but instances are
immutable and compare by content, so a call with equal values is evaluated once.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, field

from codemods.maskflow.program.index import Class, External, Function, Module

if TYPE_CHECKING:
    from codemods.maskflow.evaluation.frame import Frame


class Block(Struct, frozen=True):
    """A flex-attention ``BlockMask`` that came in from outside.

    ``certain`` is False once it was picked from a dict in which other keys hold none, by a key that
    is not known: a layer of linear attention gets its own mask there, not the BlockMask.
    """

    certain: bool = True


class Const(Struct, frozen=True):
    """A Python constant that is known: a number, a string, a bool, None or Ellipsis."""

    value: object

    def __eq__(self, other: object) -> bool:
        # 1, 1.0 and True are equal in Python but not the same constant.
        return (
            isinstance(other, Const) and type(self.value) is type(other.value) and self.value == other.value
        )

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


class Tensor(Struct, frozen=True):
    """A tensor; ``origin`` is the function that made it from a BlockMask-carrying call, if any."""

    origin: Function | None = None


class Unknown(Struct, frozen=True):
    """Anything else that is not a BlockMask, or that the analysis does not follow."""

    origin: Function | None = None


class Config(Struct, frozen=True):
    """A model configuration: its values are open, except for the attention implementation.

    ``cls`` is its class, where that is known; ``part`` says that it is one of another's parts.
    """

    cls: Class | None = None
    part: bool = False


class Tuple(Struct, frozen=True):
    """A tuple of known length."""

    items: tuple[Value, ...]


class Shape(Tuple, frozen=True):
    """The shape of a BlockMask, which is written ``mask``: always four numbers."""

    mask: ast.expr | None = None

    def __eq__(self, other: object) -> bool:
        # Wherever it is written: it is the same four numbers.
        return isinstance(other, Shape) and self.items == other.items

    def __hash__(self) -> int:
        return hash(self.items)


class List(Struct, frozen=True):
    """A list, ``ModuleList``, iterator or other sequence: the union of its elements."""

    element: Value


class Dict(Struct, frozen=True):
    """A dict: values for the constant keys that are known, and the union of all others."""

    items: tuple[tuple[object, Value], ...]
    rest: Value = frozenset()

    def get(self, key: object) -> Value:
        """Return the value under a constant key, else what other keys may hold."""
        for known, value in self.items:
            if known == key:
                return value
        return self.rest

    def everything(self) -> Value:
        """Return the union of all values."""
        return union(*(value for _, value in self.items), self.rest)

    def with_item(self, key: object, value: Value) -> Dict:
        """Return a copy in which ``key`` holds ``value``."""
        return Dict((*((k, v) for k, v in self.items if k != key), (key, value)), self.rest)

    def with_rest(self, value: Value) -> Dict:
        """Return a copy in which some key that is not known may hold ``value``."""
        return Dict(self.items, union(self.rest, value))

    def and_perhaps(self, key: Const | None, value: Value) -> Dict:
        """Return a copy in which ``key``, or some key where it is not known, may hold ``value`` as well."""
        if key is None:
            return self.with_rest(value)
        before = [held for known, held in self.items if known == key.value]
        return self.with_item(key.value, union(value, *before))


class Instance(Struct, eq=False):
    """An object of a class of the tree. Attributes only ever gain values: nothing set is forgotten.

    ``eager`` is the model that it stands in, if that runs eager attention whatever is asked for.
    ``number`` tells how many were made before it.
    """

    cls: Class
    eager: Class | None = None
    attributes: dict[str, Value] = field(default_factory=dict)
    number: int = 0


class Bound(Struct, frozen=True):
    """A function of the tree, bound to ``receiver`` unless that is None."""

    function: Function
    receiver: Instance | ClassRef | None = None


class ClassRef(Struct, frozen=True):
    """A class of the tree, as an object."""

    cls: Class


class ModuleRef(Struct, frozen=True):
    """A module of the tree, as an object."""

    module: Module


class Outside(Struct, frozen=True):
    """A name outside the tree, or a builtin, by its dotted path."""

    path: str


class Method(Struct, frozen=True):
    """A method of a value that the interpreter knows itself, such as ``list.append``."""

    receiver: Atom
    name: str


class Partial(Struct, frozen=True):
    """``functools.partial(function, ...)``."""

    function: Value
    arguments: tuple[Value, ...]
    keywords: tuple[tuple[str, Value], ...]


class Closure(Struct, eq=False):
    """A function defined inside another one, with the frame it sees."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    frame: Frame


class Super(Struct, frozen=True):
    """``super()``: lookup on ``receiver`` that starts after ``owner``."""

    receiver: Instance
    owner: Class


class AttentionInterface(Struct, frozen=True):
    """What ``ALL_ATTENTION_FUNCTIONS`` hands out: takes a BlockMask under flex attention.

    What its sister, the table of mask functions, hands out ``makes_masks``: a BlockMask.
    """

    makes_masks: bool = False


Atom: TypeAlias = (
    Block
    | Const
    | Tensor
    | Unknown
    | Config
    | Tuple
    | List
    | Dict
    | Instance
    | Bound
    | ClassRef
    | ModuleRef
    | Outside
    | Method
    | Partial
    | Closure
    | Super
    | AttentionInterface
)
Value: TypeAlias = frozenset[Atom]

NOTHING: Value = frozenset()
BLOCK: Value = frozenset({Block()})
NONE: Value = frozenset({Const(None)})
TENSOR: Value = frozenset({Tensor()})
UNKNOWN: Value = frozenset({Unknown()})
CONFIG: Value = frozenset({Config()})
TRUE: Value = frozenset({Const(True)})
FALSE: Value = frozenset({Const(False)})

# More alternatives than this are not told apart any longer.
_WIDEST = 16


@lru_cache(maxsize=4096, typed=True)  # the same few come by all the time
def const(value: Hashable) -> Value:
    """Return the value of one known constant."""
    return frozenset({Const(value)})


def union(*values: Value) -> Value:
    """Return what may be any of ``values``; a very wide result keeps the atoms that matter to masks."""
    joined: Value = frozenset().union(*values)
    if len(joined) <= _WIDEST:
        return joined
    kept: Value = frozenset(atom for atom in joined if not isinstance(atom, (Const, Tuple, Dict)))
    if any(isinstance(atom, Const) for atom in joined):
        kept |= UNKNOWN
    tuples = [union(*atom.items) for atom in joined if isinstance(atom, Tuple)]
    dicts = [atom for atom in joined if isinstance(atom, Dict)]
    if tuples:
        kept |= {List(union(*tuples))}
    return kept | {_merged(dicts)} if dicts else kept


def _merged(dicts: Sequence[Dict]) -> Dict:
    """Return a dict that may be any of ``dicts``: what stands under different keys stays apart."""
    keys = sorted({key for each in dicts for key, _ in each.items}, key=repr)
    items = ((key, union(*(each.get(key) for each in dicts))) for key in keys)
    return Dict(tuple(items), union(*(each.rest for each in dicts)))


def in_order(value: Value) -> Iterable[Atom]:
    """Return the atoms, what can be called in an order that is the same in every run.

    What is called first leaves the way that reports show.
    """
    return value if len(value) < 2 else sorted(value, key=_place)


def _place(atom: Atom) -> tuple[str, str, int, int]:
    definition: Class | Function | None = None
    if isinstance(atom, (Instance, ClassRef)):
        definition = atom.cls
    elif isinstance(atom, Bound):
        definition = atom.function
    number = atom.number if isinstance(atom, Instance) else 0
    if definition is None:
        return type(atom).__name__, "", 0, 0
    return type(atom).__name__, definition.module.name, definition.line, number


def is_block(value: Value) -> bool:
    """Whether ``value`` itself may be a BlockMask."""
    return any(isinstance(atom, Block) for atom in value)


def has_block(value: Value) -> bool:
    """Whether a BlockMask is in ``value``, at any depth of tuples, lists and dicts."""
    return any(isinstance(atom, _HOLDERS) and _holds_block(atom) for atom in value)


_HOLDERS = (Block, Tuple, List, Dict, Partial)


def _holds_block(atom: Atom) -> bool:
    if isinstance(atom, Block):
        return True
    if isinstance(atom, Tuple):
        return any(has_block(item) for item in atom.items)
    if isinstance(atom, List):
        return has_block(atom.element)
    if isinstance(atom, Dict):
        return has_block(atom.everything())
    if isinstance(atom, Partial):
        return any(map(has_block, atom.arguments)) or any(has_block(value) for _, value in atom.keywords)
    return False


def elements(value: Value) -> Value:
    """Return what iterating over ``value`` yields."""
    found: list[Value] = []
    for atom in value:
        if isinstance(atom, Tuple):
            found += atom.items
        elif isinstance(atom, List):
            found.append(atom.element)
        elif isinstance(atom, Dict):
            found.append(frozenset(Const(key) for key, _ in atom.items) | UNKNOWN)
        elif not isinstance(atom, (Block, Const)):
            found.append(UNKNOWN)
    return union(*found) if found else UNKNOWN


def only_constant(value: Value) -> Const | None:
    """Return the constant that ``value`` is; None where it may be one of several, or anything."""
    atom = next(iter(value)) if len(value) == 1 else None
    return atom if isinstance(atom, Const) else None


def apart(yielded: Value) -> list[Value]:
    """Return pairs with a known key one by one, and all else together.

    So ``for key, value in inputs.items()`` meets each value with its own key. The order is that of every run.
    """
    pairs: dict[str, set[Atom]] = {}
    for atom in yielded:
        key = only_constant(atom.items[0]) if isinstance(atom, Tuple) and atom.items else None
        pairs.setdefault("" if key is None else repr(key), set()).add(atom)
    return [frozenset(pairs[key]) for key in sorted(pairs)] or [yielded]


def origins(value: Value) -> Iterable[Function]:
    """Yield the functions whose results are in ``value``, at any depth."""
    for atom in value:
        if isinstance(atom, (Tensor, Unknown)) and atom.origin is not None:
            yield atom.origin
        elif isinstance(atom, Tuple):
            for item in atom.items:
                yield from origins(item)
        elif isinstance(atom, List):
            yield from origins(atom.element)
        elif isinstance(atom, Dict):
            yield from origins(atom.everything())


def truth(value: Value) -> frozenset[bool]:
    """Return the truth values that ``value`` may have."""
    answers: set[bool] = set()
    for atom in value:
        answers |= atom_truth(atom)
    return frozenset(answers)


def atom_truth(atom: Atom) -> set[bool]:
    """Return the truth values that one atom may have."""
    if isinstance(atom, Const):
        return {bool(atom.value)}
    if isinstance(atom, Tuple):
        return {bool(atom.items)}
    if isinstance(atom, (Tensor, Unknown, List, Dict, Config)):
        return {True, False}
    return {True}


def reference(found: Class | Function | Module | External) -> Atom:
    """Return a definition of the tree, or a name outside it, as an object."""
    if isinstance(found, Class):
        return ClassRef(found)
    if isinstance(found, Function):
        return Bound(found)
    if isinstance(found, Module):
        return ModuleRef(found)
    return Outside(found.path)
