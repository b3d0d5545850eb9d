"""Arguments of a call, and how they meet the parameters of a function."""

from __future__ import annotations

import ast
from functools import cached_property

from msgspec import Struct

from codemods.maskflow.evaluation.values import NOTHING, UNKNOWN, Dict, List, Tuple, Value, has_block, union
from codemods.maskflow.program.memo import kept


class Arguments(Struct, frozen=True, dict=True):
    """Positional and keyword values; ``rest`` is what an unknown ``*args`` or ``**kwargs`` may add."""

    positional: tuple[Value, ...] = ()
    keywords: tuple[tuple[str, Value], ...] = ()
    rest: Value = NOTHING

    def carry_block(self) -> bool:
        """Whether a BlockMask is among them."""
        return self._carries_block

    @cached_property
    def _carries_block(self) -> bool:
        return (
            any(map(has_block, self.positional))
            or any(has_block(value) for _, value in self.keywords)
            or has_block(self.rest)
        )

    def everything(self) -> list[Value]:
        """Return all values."""
        return [*self.positional, *(value for _, value in self.keywords), self.rest]

    def shifted(self, *first: Value) -> Arguments:
        """Return the same arguments behind ``first``."""
        return Arguments((*first, *self.positional), self.keywords, self.rest)

    def without(self, count: int) -> Arguments:
        """Return the same arguments without the first ``count`` positional ones."""
        return Arguments(self.positional[count:], self.keywords, self.rest)

    def keyword(self, name: str) -> Value | None:
        """Return the value of a keyword argument, if given."""
        return dict(self.keywords).get(name)


class Signature(Struct, frozen=True):
    """The parameters of a function: by place, by name, and what they are where nothing is given.

    ``vararg`` and ``kwarg`` are the names behind ``*`` and ``**``.
    """

    positional: tuple[str, ...]
    names: frozenset[str]
    vararg: str | None
    kwarg: str | None
    defaults: tuple[tuple[str, ast.expr], ...]


@kept
def signature_of(written: ast.arguments) -> Signature:
    """Return the parameters that are written in a function's head."""
    positional = tuple(parameter.arg for parameter in [*written.posonlyargs, *written.args])
    keyword_only = [parameter.arg for parameter in written.kwonlyargs]
    defaults = list(zip(positional[len(positional) - len(written.defaults) :], written.defaults, strict=True))
    defaults += [
        (name, default)
        for name, default in zip(keyword_only, written.kw_defaults, strict=True)
        if default is not None
    ]
    return Signature(
        positional,
        frozenset((*positional, *keyword_only)),
        written.vararg.arg if written.vararg is not None else None,
        written.kwarg.arg if written.kwarg is not None else None,
        tuple(defaults),
    )


def bind(signature: Signature, given: Arguments) -> tuple[dict[str, Value], list[tuple[str, ast.expr]]]:
    """Return what each parameter receives, and the (parameter, default) pairs that were not given."""
    positional, accepted = signature.positional, signature.names
    received: dict[str, Value] = dict(zip(positional, given.positional, strict=False))
    if signature.vararg is not None:
        received[signature.vararg] = frozenset({Tuple(given.positional[len(positional) :])})
    extra: list[tuple[object, Value]] = []
    for name, value in given.keywords:
        if name in accepted:
            received[name] = value
        else:
            extra.append((name, value))
    if signature.kwarg is not None:
        received[signature.kwarg] = frozenset({Dict(tuple(extra), given.rest)})
    missing = [default for default in signature.defaults if default[0] not in received]
    unnamed = accepted.difference(received, (name for name, _ in missing))
    if unnamed:
        received |= dict.fromkeys(unnamed, union(UNKNOWN, given.rest))
    return received, missing


def expand_star(value: Value) -> tuple[list[Value], Value]:
    """Return the values that ``*value`` passes, and what else it may pass if its length is open."""
    if len(value) == 1:
        (atom,) = value
        if isinstance(atom, Tuple):
            return list(atom.items), NOTHING
    rest = [atom.element for atom in value if isinstance(atom, List)]
    rest += [union(*atom.items) for atom in value if isinstance(atom, Tuple) and atom.items]
    return [], union(*rest) if rest else UNKNOWN


def expand_double_star(value: Value) -> tuple[list[tuple[str, Value]], Value]:
    """Return the keywords that ``**value`` passes, and what others may hold."""
    if len(value) == 1:
        (atom,) = value
        if isinstance(atom, Dict):
            return [(str(key), held) for key, held in atom.items if isinstance(key, str)], atom.rest
    return [], union(*(atom.rest for atom in value if isinstance(atom, Dict)))
