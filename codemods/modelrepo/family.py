"""Families: which definition an edit belongs to, and which definitions follow it."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from msgspec import Struct

from codemods.maskflow.program.index import Class, Function, Index, Module
from codemods.modelrepo.copies import CopyComment, copied_definition, find_source, is_ignored
from codemods.modelrepo.definition import (
    Definition,
    docstring_length,
    find_member,
    line_of,
    statements_before_super,
)
from codemods.modelrepo.heritage import Heritage
from codemods.modelrepo.layout import Layout, real_path
from codemods.modelrepo.recall import Recall, Remembered
from codemods.source.problem import Problem

Origin = Literal["generated", "copied-from", "hand-written"]
Role = Literal["root", "generated", "copy"]


class Member(Struct, frozen=True):
    """One definition of a family.

    Attributes:
        definition: where it stands.
        role: the root, a generated file's text of it, or a copy.
        via: the member it follows; None for the root.
        inlined: whether only a part of it follows: its own text calls ``super()``, and the
            converter puts the parent's body there.
    """

    definition: Definition
    role: Role
    via: Definition | None = None
    inlined: bool = False


class Kin(Struct, frozen=True):
    """Where a definition comes from.

    Attributes:
        origin: whether it is generated, copied, or written where it stands.
        root: the definition that an edit of it belongs to; often itself.
        inlined: the parent's method whose body the converter puts into it, if any.
        inlined_at: where in its body the statements of that one start: an index into ``body`` of its syntax
            node; None where no body was put in.
        only_calls_parent: whether it is all its parent's: the modular method calls ``super()`` and no more.
    """

    origin: Origin
    root: Definition
    inlined: Definition | None = None
    inlined_at: int | None = None
    only_calls_parent: bool = False


class Repository:
    """Who comes from whom in a transformers-like repository, read without importing it.

    Every path in and out is absolute with the links among its folders resolved, as
    :func:`codemods.modelrepo.layout.real_path` gives it. Every answer is computed once.
    """

    def __init__(self, index: Index, files: Sequence[Path], remembered: Remembered | None = None) -> None:
        self.index = index
        self.layout = Layout(index.tree, files, remembered.marks if remembered else None)
        self.heritage = Heritage(index)
        self.recall = Recall(index, self.layout, remembered)
        self._problems: list[Problem] = []
        self._copy_targets: dict[CopyComment, str | None] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What could not be read, found or followed so far in this run."""
        return tuple(dict.fromkeys([*self.layout.problems, *self._problems]))

    def let_go(self, but: Container[Path]) -> None:
        """Let go of all that was parsed but some files. What was answered stays known."""
        self.index.let_go(but)
        self.heritage = Heritage(self.index)

    def definition(self, path: Path, qualname: str) -> Definition | None:
        """Return the definition called ``qualname`` in the text of the file at ``path``, or None."""
        module = self.recall.module_at(real_path(path))
        member = find_member(module, qualname) if module is not None else None
        return None if member is None else Definition(real_path(path), qualname, line_of(member))

    def kin_of(self, definition: Definition) -> Kin:
        """Return where a definition comes from."""
        return self.recall.lasting(("kin", definition), lambda: self._kin_of(definition))

    def _kin_of(self, definition: Definition) -> Kin:
        root = self.lineage_of(definition)[-1]
        modular = self._modular(definition.path)
        if self.recall.modular_of(definition.path) is not None:
            origin: Origin = "generated"
        else:
            origin = "copied-from" if self._step(definition)[1] is not None else "hand-written"
        if modular is None:
            return Kin(origin, root)
        inlined = self.heritage.inlined_by(modular, definition.qualname)
        at = self._inlined_at(definition, modular) if inlined is not None else None
        return Kin(origin, root, inlined, at, _only_calls_parent(modular, definition.qualname))

    def origin_of(self, definition: Definition) -> Origin:
        """Say whether a definition is generated, copied, or written where it stands."""
        return self.kin_of(definition).origin

    def root_of(self, definition: Definition) -> Definition:
        """Return the definition that an edit of ``definition`` belongs to; often itself.

        Where the trail ends in a circle or at a parent that is not there, the last definition that
        could be found is the root, and :attr:`problems` says so.
        """
        return self.kin_of(definition).root

    def lineage_of(self, definition: Definition) -> tuple[Definition, ...]:
        """Return the way from ``definition`` to its root, both included."""
        trail = [definition]
        while (source := self._step(trail[-1])[0]) is not None:
            if source in trail:
                return self._broken_circle(trail, source)
            trail.append(source)
        return tuple(trail)

    def _broken_circle(self, trail: list[Definition], source: Definition) -> tuple[Definition, ...]:
        """End a trail that leads back to ``source`` at the last place where a hand may edit."""
        circle = trail[trail.index(source) :]
        by_hand = [place for place in circle if self.layout.modular_of(place.path) is None]
        root = min(by_hand or circle)
        names = ", ".join(sorted({place.qualname.partition(".")[0] for place in circle}))
        self._report(root.path, root.line, f"copied from each other: {names}; edited here")
        return (*[place for place in trail if place != root], root)

    def _inlined_at(self, definition: Definition, modular: Module) -> int | None:
        generated = self.recall.module_at(definition.path)
        if generated is None:
            return None
        before = statements_before_super(find_member(modular, definition.qualname))
        method = find_member(generated, definition.qualname)
        if before is None or not isinstance(method, Function) or isinstance(method.node, ast.Lambda):
            return None
        return docstring_length(method.node) + before

    def members_of(self, root: Definition) -> tuple[Member, ...]:
        """Return every definition that must change when ``root`` does, the root first.

        Parents come before their children, and each generation is in order of path and line. A
        child that overrides the root is its own root and no member.
        """
        return self.recall.lasting(("members", root), lambda: self._members_of(root))

    def _members_of(self, root: Definition) -> tuple[Member, ...]:
        found = {root: Member(root, "root")}
        generation = [root]
        while generation:
            following = [member for parent in generation for member in self._followers(parent)]
            following.sort(key=lambda member: (member.definition.path, member.definition.line))
            generation = []
            for member in following:
                if member.definition not in found:
                    found[member.definition] = member
                    generation.append(member.definition)
        return tuple(found.values())

    def _step(self, definition: Definition) -> tuple[Definition | None, CopyComment | None]:
        """Return where ``definition`` comes from, and the copy comment that says so, if one does."""
        generated = self.recall.modular_of(definition.path) is not None
        take = self._generated_step if generated else self._copied_step
        return self.recall.once(("step", definition), lambda: take(definition))

    def _generated_step(self, definition: Definition) -> tuple[Definition | None, CopyComment | None]:
        modular = self._modular(definition.path)
        source = self.heritage.source_of(modular, definition.qualname) if modular is not None else None
        if source is None and modular is not None:
            name = self.index.tree.display(modular.path)
            message = f"{definition.qualname} was not found in {name} nor in its parents"
            self._report(definition.path, definition.line, message)
        return source, None

    def _copied_step(self, definition: Definition) -> tuple[Definition | None, CopyComment | None]:
        module = self.recall.module_at(definition.path)
        if module is None:
            return None, None
        for comment in self.layout.comments_in(definition.path):
            target = self.copy_target(comment)
            if target is None or not _covers(target, definition.qualname):
                continue
            rest = definition.qualname[len(target) + 1 :]
            if rest and is_ignored(module, definition.qualname):
                return None, None
            found = find_source(self.index, comment)
            if found is None:
                missing = f"copied from {comment.source}, which is not here; treated as written by hand"
                self._report(comment.path, comment.line, missing)
                return None, None
            source, qualname = found
            if source is module and qualname == target:  # a comment that names what it stands above
                continue
            member = self._source_member(source, qualname, rest, comment)
            return (member, comment) if member is not None else (None, None)
        return None, None

    def _source_member(
        self, source: Module, qualname: str, rest: str, comment: CopyComment
    ) -> Definition | None:
        """Return the member of the copied class that ``rest`` of the copy follows, names renamed back."""
        if not rest:
            return self.definition(source.path, qualname)
        cls = find_member(source, qualname)
        names = cls.members if isinstance(cls, Class) else {}
        top, _, inner = rest.partition(".")
        for name in names:
            if comment.rename(name) == top:
                return self.definition(source.path, ".".join(filter(None, (qualname, name, inner))))
        return None

    def _followers(self, parent: Definition) -> Iterator[Member]:
        """Yield what follows ``parent`` in one step: generated texts and copies of it."""
        for path in self._generated_near(parent):
            yield from self.recall.lasting(
                ("followers", parent, path), partial(self._generated_followers, parent, path)
            )
        yield from self._copies_of(parent)

    def _generated_followers(self, parent: Definition, path: Path) -> tuple[Member, ...]:
        found = []
        for definition in self._candidates(path, parent):
            if self._step(definition)[0] == parent:
                found.append(Member(definition, "generated", parent))
            elif self._inlined_by(definition) == parent:
                found.append(Member(definition, "generated", parent, inlined=True))
        return tuple(found)

    def _inlined_by(self, definition: Definition) -> Definition | None:
        modular = self._modular(definition.path)
        return self.heritage.inlined_by(modular, definition.qualname) if modular is not None else None

    def _generated_near(self, parent: Definition) -> Iterator[Path]:
        """Yield the generated files that could hold a text of ``parent``."""
        generated = self.recall.generated_by(parent.path)
        if generated is None:
            path = parent.path
            generated = self.recall.once(("children", path), lambda: tuple(self._children_of(path)))
        yield from generated

    def _children_of(self, path: Path) -> Iterator[Path]:
        """Yield what is generated from the modular files that take definitions from another model's file."""
        for modular in self.recall.modulars_naming(path) if self.heritage.may_be_parent(path) else ():
            if self.recall.lasting(("takes from", modular, path), partial(self._takes_from, modular, path)):
                yield from self.recall.generated_by(modular) or ()

    def _takes_from(self, modular: Path, path: Path) -> bool:
        module = self.recall.module_at(modular)
        return module is not None and any(other.path == path for other in self.heritage.parents_of(module))

    def _candidates(self, path: Path, parent: Definition) -> Iterator[Definition]:
        """Yield the definitions in ``path`` that have the shape of ``parent``, whatever their prefix."""
        module, modular = self.recall.module_at(path), self._modular(path)
        source = self.recall.module_at(parent.path)
        top, _, rest = parent.qualname.partition(".")
        if module is None or modular is None or source is None:
            return
        # A name that holds the parent's model's name has the child's instead.
        renamed = parent.path.parent.name in rest.lower()
        for name, binding in module.bindings.items():
            if not self.heritage.may_give(source, top, modular, name):
                continue  # to retrace where each definition of each generated file comes from takes long
            if not rest and isinstance(binding, (Class, Function)):
                yield Definition(path, name, line_of(binding))
            elif rest and isinstance(binding, Class):
                if not renamed and not binding.mentions(rest.rpartition(".")[2]):
                    continue  # to cut every class of every generated file apart takes long
                for inner in binding.members if renamed else (rest,):
                    member = find_member(module, f"{name}.{inner}")
                    if member is not None:
                        yield Definition(path, f"{name}.{inner}", line_of(member))

    def _copies_of(self, parent: Definition) -> Iterator[Member]:
        parts = parent.qualname.split(".")
        for length in range(len(parts), 0, -1):
            source, rest = ".".join(parts[:length]), ".".join(parts[length:])
            for comment in self.recall.comments_naming(f"{parent.path.stem}.{source}"):
                target = self.copy_target(comment)
                if target is None or self.recall.modular_of(comment.path) is not None:
                    continue
                copy = self.definition(comment.path, ".".join(filter(None, (target, comment.rename(rest)))))
                if copy is not None and self._step(copy)[0] == parent:
                    yield Member(copy, "copy", parent)

    def copy_target(self, comment: CopyComment) -> str | None:
        """Return the qualified name of the definition that ``comment`` stands above, or None."""
        module = self.recall.module_at(comment.path)
        if comment not in self._copy_targets:
            self._copy_targets[comment] = None if module is None else copied_definition(module, comment)
        return self._copy_targets[comment]

    def _modular(self, path: Path) -> Module | None:
        """Return the modular file behind ``path``: what it is generated from, or itself."""
        is_modular = self.recall.generated_by(path) is not None
        source = path if is_modular else self.recall.modular_of(path)
        return None if source is None else self.recall.module_at(source)

    def _report(self, path: Path, line: int, message: str) -> None:
        self._problems.append(Problem(self.index.tree.display(path), line, 1, message))


def _covers(target: str, qualname: str) -> bool:
    return qualname == target or qualname.startswith(f"{target}.")


def _only_calls_parent(modular: Module, qualname: str) -> bool:
    method = find_member(modular, qualname)
    if not isinstance(method, Function) or isinstance(method.node, ast.Lambda):
        return False
    own = method.node.body[docstring_length(method.node) :]
    return len(own) == 1 and statements_before_super(method) == 0
