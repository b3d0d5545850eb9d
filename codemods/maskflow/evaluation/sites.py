"""Sites: the places where a BlockMask breaks or is quietly lost, and how it gets there."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from msgspec import Struct

from codemods.maskflow.program.index import Class, Function


class Way(str, Enum):
    """What has to be given so that a BlockMask gets somewhere; the first is the surest.

    * plain: tokens and masks, nothing else.
    * generation: a step of ``generate``, or a cache.
    * inputs: other inputs or settings too, such as labels, images, router logits.
    """

    PLAIN = "plain"
    GENERATION = "generation"
    INPUTS = "inputs"

    @classmethod
    def surest(cls, ways: Iterable[Way]) -> Way:
        """Return the surest of ``ways``."""
        return min(ways, key=list(cls).index)


class Step(Struct, frozen=True):
    """One call on the BlockMask's way: into ``parameter`` of ``function``, called at ``path:line``."""

    function: Function
    parameter: str
    path: Path
    line: int


class Site(Struct, frozen=True, eq=False):
    """An operation on a BlockMask that only a tensor can answer.

    Attributes:
        function: the definition whose text holds the operation.
        node: the expression that breaks (``crash``) or quietly means something else (not ``crash``).
        subject: the mask as it is written there, for example ``attention_mask``.
        operation: what is asked of it, in words.
        certain: False if the mask comes from a dict of masks by layer type, and may be another one.
        steps: the calls from a model's ``forward`` to here.
        way: what has to be given to get here.
        eager: the model within the model that runs eager attention here, as it does not claim flex attention.
    """

    function: Function
    node: ast.expr
    subject: str
    operation: str
    crash: bool
    certain: bool
    steps: tuple[Step, ...]
    way: Way = Way.PLAIN
    eager: Class | None = None

    @property
    def line(self) -> int:
        """The line of the operation, counted from 1."""
        return self.node.lineno


class Unfollowed(Struct, frozen=True, order=True):
    """A call that was handed a BlockMask and could not be followed.

    ``callee`` is the dotted path of what is called, where that is a name outside the tree.
    """

    path: Path
    line: int
    callee: str = ""
