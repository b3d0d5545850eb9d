"""What a scan tells, as plain data: nothing here refers to a syntax tree, so it outlives the trees.

Files are named by their paths, and not as reports call them: a copy of a tree has other reports.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct, field

from codemods.flex_passthrough.rules.rule import Diagnosis, Mend, Tie
from codemods.maskflow.evaluation.sites import Unfollowed, Way
from codemods.modelrepo.definition import Definition, definition_of
from codemods.source.position import Span, span_of
from codemods.source.problem import Problem


class Call(Struct, frozen=True):
    """One call on the way of the BlockMask: into ``parameter`` of ``qualname``, from ``path:line``."""

    path: Path
    line: int
    qualname: str
    parameter: str


class Diagnosed(Struct):
    """What a rule says about one definition, and the model classes that reach the site.

    Attributes:
        definition: what holds the site.
        module: the dotted name of its module.
        span: the offending expression.
        mend: what to do, or the reason why nothing can be done mechanically.
        steps: the shortest way of the BlockMask to the site that was seen.
        ties: what has to be mended with it.
        ways: what has to be given to get there.
        claiming: the models that reach the site and claim flex attention.
        others: those that do not claim it.
    """

    rule: str
    definition: Definition
    module: str
    span: Span
    message: str
    mend: Mend | str
    steps: tuple[Call, ...]
    ties: dict[Tie, None]
    ways: set[Way]
    claiming: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, diagnosis: Diagnosis, way: Way) -> Diagnosed:
        """Return a diagnosis that is reached in some way, without the syntax trees behind it."""
        module = diagnosis.function.module
        return cls(
            diagnosis.rule,
            definition_of(diagnosis.function),
            module.name,
            span_of(diagnosis.node, module.lines),
            diagnosis.message,
            diagnosis.mend,
            tuple(
                Call(step.path, step.line, step.function.qualname, step.parameter) for step in diagnosis.steps
            ),
            dict.fromkeys(diagnosis.ties),
            {way},
        )

    @property
    def claimed(self) -> bool:
        """Whether a model that claims flex attention reaches the site."""
        return bool(self.claiming)

    @property
    def key(self) -> tuple[object, ...]:
        """What makes it one with another one: the rule, the definition and the mend."""
        return self.rule, self.definition, self.definition.line, self.mend

    def add(self, other: Diagnosed) -> None:
        """Take over what other models tell of the same; the shortest way says most."""
        if len(other.steps) < len(self.steps):
            self.span, self.message, self.steps = other.span, other.message, other.steps
        self.ties |= other.ties
        self.ways |= other.ways
        self.claiming += other.claiming
        self.others += other.others


# A function by its file, line and qualified name.
Place = tuple[Path, int, str]


class FileScan(Struct):
    """What the models of one file tell.

    Attributes:
        unfollowed: calls that were handed a BlockMask and could not be followed.
        dead_ends: functions that were handed one and never came back.
        come_back: those that did.
        depends_on: the modules that all of this depends on, each with a digest of its content; None where
            there is no such module.
        problems: those of the modules among these, by their file.
    """

    diagnosed: list[Diagnosed] = field(default_factory=list)
    unfollowed: set[Unfollowed] = field(default_factory=set)
    dead_ends: set[Place] = field(default_factory=set)
    come_back: set[Place] = field(default_factory=set)
    depends_on: dict[str, bytes | None] = field(default_factory=dict)
    problems: list[tuple[Path, Problem]] = field(default_factory=list)
