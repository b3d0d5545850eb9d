"""Findings: what is wrong, where, why, how safe the mend is, and what became of it."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct, field

from codemods.source.position import Span


class Safety(str, Enum):
    """How sure the mend is.

    * safe: a model that claims flex attention reaches the site.
    * unsafe: no model that reaches it claims flex attention; mended only on request.
    * report: understood, but there is no mechanical mend.
    """

    SAFE = "safe"
    UNSAFE = "unsafe"
    REPORT = "report"


class Status(str, Enum):
    """What became of a finding."""

    FIXED = "fixed"
    WOULD_FIX = "would-fix"
    SKIPPED = "skipped"
    FAILED = "failed"


class Step(Struct, frozen=True):
    """One call on the way of the BlockMask, for ``--explain``."""

    path: str
    line: int
    qualname: str
    parameter: str

    @property
    def what(self) -> str:
        """What is passed: the BlockMask, or something else that is lost where one is made or used."""
        return "the BlockMask" if "mask" in self.parameter or not self.parameter else self.parameter


class Finding(Struct):
    """One site that a BlockMask breaks at, or is lost at.

    Attributes:
        path: the file, relative to the tree's root, with ``/``.
        span: the offending expression; columns count from 0 here and from 1 in reports.
        qualname: ``Class.method`` or ``function`` that holds it.
        origin: whether that text is a ``root``, a ``copy`` or ``generated``.
        root: path and qualname of the definition that the edit belongs to.
        files: every file that changes with the root, in order.
        models: the model classes through which a BlockMask gets here.
        steps: the calls from such a model's ``forward``.
        way: what a user has to give to get here: tokens and masks (``plain``), a cache
            (``generation``), or other inputs and settings too (``inputs``).
        reason: why the status is what it is; empty when there is nothing to explain.
    """

    rule: str
    path: str
    span: Span
    qualname: str
    message: str
    safety: Safety
    origin: str
    root: tuple[str, str]
    models: tuple[str, ...]
    steps: tuple[Step, ...]
    way: str = "plain"
    status: Status = Status.SKIPPED
    reason: str = ""
    files: tuple[str, ...] = field(default=())

    @property
    def mendable(self) -> bool:
        """Whether some edit is known, if only on request."""
        return self.safety is not Safety.REPORT

    def sort_key(self) -> tuple[object, ...]:
        """Order findings by file, place and rule, whatever order they were found in."""
        return self.path, self.span, self.rule, self.message
