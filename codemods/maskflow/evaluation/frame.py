"""A frame: one evaluation of one function body, with what its names hold and what was seen in it."""

from __future__ import annotations

import ast

from msgspec import Struct, field

from codemods.maskflow.evaluation.sites import Site, Step, Unfollowed
from codemods.maskflow.evaluation.values import NOTHING, Instance, Value, union
from codemods.maskflow.program.index import Class, Function, Module

Environment = dict[str, Value]

# A site is one operation at one place of a module, whatever way leads there, under flex attention or (in
# the model that is named) eager attention.
SiteKey = tuple[str, int, int, str, Class | None]


class Record(Struct):
    """What one evaluation saw, its calls included.

    Attributes:
        sites: operations that break on a BlockMask, in the order met.
        asked: functions that were handed a BlockMask and are not ``forward``: possible mask methods,
            each with the first calls that led there.
        confirmed: those of them whose result reached attention as a mask, and that lost the BlockMask.
        unresolved: calls that received a BlockMask and could not be followed.
    """

    sites: dict[SiteKey, Site] = field(default_factory=dict)
    asked: dict[Function, tuple[Step, ...]] = field(default_factory=dict)
    confirmed: set[Function] = field(default_factory=set)
    unresolved: set[Unfollowed] = field(default_factory=set)

    def add_site(self, site: Site) -> None:
        """Take over a site: the first way to it that is certain, else the first."""
        key = (site.function.module.name, site.node.lineno, site.node.col_offset, site.operation, site.eager)
        known = self.sites.get(key)
        if known is None or (site.certain and not known.certain):
            self.sites[key] = site

    def add(self, other: Record) -> None:
        """Take over all that ``other`` saw."""
        for site in other.sites.values():
            self.add_site(site)
        if not self.asked.keys() >= other.asked.keys():
            self.asked = other.asked | self.asked
        self.confirmed |= other.confirmed
        self.unresolved |= other.unresolved


class Frame(Struct, eq=False):
    """The state of one evaluation.

    ``env`` is None-free: code after a ``return`` is not evaluated at all. ``outer`` is the frame
    whose names a nested function sees. ``eager`` is the model around it that runs eager attention.
    """

    module: Module
    function: Function
    env: Environment
    steps: tuple[Step, ...]
    record: Record
    receiver: Instance | None = None
    owner: Class | None = None
    outer: Frame | None = None
    eager: Class | None = None
    returned: list[Value] = field(default_factory=list)
    yielded: list[Value] = field(default_factory=list)
    breaks: list[list[Environment]] = field(default_factory=list)
    continues: list[list[Environment]] = field(default_factory=list)

    def lookup(self, name: str) -> Value | None:
        """Return what a local or enclosing name holds, or None where it is neither."""
        if name in self.env:
            return self.env[name]
        return self.outer.lookup(name) if self.outer else None

    def site(
        self,
        node: ast.expr,
        subject: ast.expr,
        operation: str,
        *,
        crash: bool = True,
        certain: bool = True,
    ) -> None:
        """Record an operation that a BlockMask cannot answer, or (not ``crash``) answers otherwise."""
        self.record.add_site(
            Site(
                self.function,
                node,
                ast.unparse(subject),
                operation,
                crash,
                certain,
                self.steps,
                eager=self.eager,
            )
        )


def join(*environments: Environment | None) -> Environment | None:
    """Return the environment in which each name may hold what it holds in any of ``environments``.

    None stands for a place that is not reached; None is returned if all are.
    """
    reached = [env for env in environments if env is not None]
    if not reached:
        return None
    if len(reached) == 1:
        return reached[0]
    first, *others = reached
    joined = dict(first)
    for env in others:
        for name, value in env.items():
            held = joined.get(name, NOTHING)
            joined[name] = held if held == value else union(held, value)
    return joined


def last_name(node: ast.expr) -> str:
    """Return ``c`` of ``a.b.c`` and of ``a.b.c(...)``; empty for what has no name."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
