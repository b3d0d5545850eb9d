"""Heritage: the one step from a generated definition to the text that it was generated from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from codemods.maskflow.program.hierarchy import Hierarchy
from codemods.maskflow.program.index import Assignment, Class, Function, Import, Index, Module
from codemods.maskflow.program.memo import kept
from codemods.modelrepo.change import names_in
from codemods.modelrepo.definition import (
    Definition,
    find_member,
    inlines_super,
    is_bare,
    is_deletion_marker,
    line_of,
)
from codemods.modelrepo.marks import MODEL_FILE
from codemods.modelrepo.naming import Renaming, cased_name, prefix_of


class Heritage:
    """Retraces, without running it, what the converter does to one class or function of a file."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.hierarchy = Hierarchy(index)
        self._reach: dict[tuple[str, str], frozenset[str]] = {}
        self._parents: dict[str, tuple[Module, ...]] = {}
        self._renamed: dict[tuple[str, str], list[dict[str, str]]] = {}

    def source_of(self, modular: Module, qualname: str) -> Definition | None:
        """Return where a file generated from ``modular`` has the text of ``qualname`` from.

        That is the modular file's own class or function; where that has no such method of its own,
        the parent it inherits from, in the file that the modular file imports it from; and for what
        the modular file does not mention at all, the parent's file that needed it, under the name
        it has there. None where nothing fits.
        """
        top, _, rest = qualname.partition(".")
        bound = modular.bindings.get(top)
        if isinstance(bound, Class):
            return self._of_class(bound, rest)
        if isinstance(bound, Import):
            found = self.index.resolve(modular, top)
            # Some modular files import from the very file that is generated from them.
            if isinstance(found, (Class, Function)) and found.module.path.parent != modular.path.parent:
                return self._at(found.module, _join(found.qualname, rest))
        elif bound is not None:
            return self._at(modular, qualname)
        return self._of_dependency(modular, top, rest)

    def may_give(self, parent: Module, name: str, modular: Module, new_name: str) -> bool:
        """Whether what a file generated from ``modular`` calls ``new_name`` may be ``name`` of ``parent``.

        What the modular file binds may come from anywhere. All else bears the name that it has in the
        parent's file, with the model's name in it replaced.
        """
        if new_name in modular.bindings:
            return True
        return parent is not modular and any(
            names.get(name) == new_name for names in self._new_names(modular, parent)
        )

    def inlined_by(self, modular: Module, qualname: str) -> Definition | None:
        """Return the parent's method whose body the converter puts into ``qualname`` of ``modular``.

        None where the method does not call ``super()`` in the way that is inlined.
        """
        top, _, rest = qualname.partition(".")
        cls = modular.bindings.get(top)
        if isinstance(cls, Class) and rest and inlines_super(find_member(modular, qualname)):
            return self._inherited(cls, rest)
        return None

    def may_be_parent(self, path: Path) -> bool:
        """Whether a file's name is one of those that :meth:`parents_of` may return."""
        return _is_model_file(path) or ".modeling_" in f".{self.index.tree.module_name(path)}"

    def parents_of(self, modular: Module) -> tuple[Module, ...]:
        """Return the other models' files that ``modular`` takes definitions from.

        First those of its classes' bases, in the order of its classes: the first class that needs a
        dependency brings it along.
        """
        if modular.name not in self._parents:
            found: dict[str, Module] = {}
            for _, base in self._inheriting(modular):
                found.setdefault(base.module.name, base.module)
            for binding in modular.bindings.values():
                if isinstance(binding, Import) and ".modeling_" in binding.module:
                    module = self.index.module(binding.module, modular)
                    if module is not None and module.path.parent != modular.path.parent:
                        found.setdefault(module.name, module)
            self._parents[modular.name] = tuple(found.values())
        return self._parents[modular.name]

    def taken_from(self, modular: Module, parent: Module) -> frozenset[str]:
        """Return the names of ``parent`` that ``modular`` imports, or mentions as they are called there."""
        mentioned = names_in(modular.syntax) - modular.bindings.keys()
        names = {
            binding.name
            for binding in modular.bindings.values()
            if isinstance(binding, Import) and binding.module == parent.name and binding.name is not None
        }
        for new_names in self._new_names(modular, parent):
            names |= {name for name, new in new_names.items() if new in mentioned}
        return frozenset(names)

    def _of_class(self, cls: Class, rest: str) -> Definition | None:
        own = find_member(cls.module, _join(cls.qualname, rest))
        if rest and is_deletion_marker(own):
            return None
        if own is not None and not (own is cls and is_bare(cls) and self.bases_of(cls)):
            return Definition(cls.module.path, _join(cls.qualname, rest), line_of(own))
        return self._inherited(cls, rest)

    def _inherited(self, cls: Class, rest: str) -> Definition | None:
        bases = self.bases_of(cls)
        # The converter writes out the body of the one base that another model's file defines; what
        # further bases and ancestors have stays inherited, unless a hand asks for it here.
        bases.sort(key=lambda base: not _is_other_model(cls, base))
        name, _, inner = rest.partition(".")
        for base in bases:
            if not rest:
                return self._at(base.module, base.qualname)
            for member in (name, *self._former_names(cls.module, base, name)):
                if base.member(member) is not None:
                    return self._at(base.module, _join(f"{base.qualname}.{member}", inner))
        for base in bases:
            owner, _ = self.hierarchy.find_with_owner(base, name)
            if owner is not None:
                return self._at(owner.module, _join(f"{owner.qualname}.{name}", inner))
        return None

    def _former_names(self, modular: Module, base: Class, name: str) -> Iterator[str]:
        """Yield the members of ``base`` that are called ``name`` once the model's name is replaced."""
        if modular.path.stem.removeprefix("modular_").split("_")[0] in name.lower():
            for renaming in self._renamings(modular, base.module):
                yield from (member for member in base.members if renaming.apply(member) == name)

    def bases_of(self, cls: Class) -> list[Class]:
        """Return the bases of ``cls`` that are in the tree, as written."""
        found = (self.index.resolve_dotted(cls.module, base) for base in cls.bases)
        return [base for base in found if isinstance(base, Class)]

    def _inheriting(self, modular: Module) -> Iterator[tuple[Class, Class]]:
        """Yield each class of ``modular`` with each base that another model's file defines."""
        for cls in modular.bindings.values():
            if isinstance(cls, Class):
                for base in self.bases_of(cls):
                    if _is_other_model(cls, base):
                        yield cls, base

    def _of_dependency(self, modular: Module, top: str, rest: str) -> Definition | None:
        for cls, base in self._inheriting(modular):
            for name in self._names_for(modular, base.module, top):
                if name != base.name and name in self._needed(cls, base):
                    return self._at(base.module, _join(name, rest))
        for parent in self.parents_of(modular):
            for name in self._names_for(modular, parent, top):
                return self._at(parent, _join(name, rest))
        return None

    def _names_for(self, modular: Module, parent: Module, top: str) -> Iterator[str]:
        """Yield the names in ``parent`` that are called ``top`` in what ``modular`` generates."""
        for new_names in self._new_names(modular, parent):
            yield from (name for name, new in new_names.items() if new == top)

    def _new_names(self, modular: Module, parent: Module) -> list[dict[str, str]]:
        """Return what everything in ``parent`` is called by what ``modular`` generates, likeliest first."""
        key = (modular.name, parent.name)
        if key not in self._renamed:
            names = [name for name, bound in parent.bindings.items() if not isinstance(bound, Import)]
            self._renamed[key] = [
                {name: renaming.apply(name) for name in names}
                for renaming in self._renamings(modular, parent)
            ]
        return self._renamed[key]

    def _renamings(self, modular: Module, parent: Module) -> list[Renaming]:
        old_model, new_model = parent.path.parent.name, modular.path.stem.removeprefix("modular_")
        old = cased_name(old_model, _class_names(parent))
        default = cased_name(new_model, _class_names(modular))
        prefixes: dict[str, int] = {}
        for cls, base in self._inheriting(modular):
            if base.module is parent:
                prefix = prefix_of(cls.name, base.name, old) or default
                prefixes[prefix] = prefixes.get(prefix, 0) + 1
        ranked = sorted(prefixes, key=lambda prefix: (-prefixes[prefix], prefix != default))
        return [
            Renaming(old, prefix, old_model, new_model if prefix == default else _lower(prefix))
            for prefix in dict.fromkeys([*ranked, default])
        ]

    def _needed(self, cls: Class, base: Class) -> frozenset[str]:
        """Return the names in the file of ``base`` that ``cls`` brings along when it is written out.

        What ``cls`` overrides of ``base`` needs nothing any more, and what the modular file has of
        its own is not fetched from the parent.
        """
        key = (cls.module.name, cls.qualname)
        if key not in self._reach:
            modular, parent = cls.module, base.module
            new_names = self._new_names(modular, parent)
            written = set(names_in(cls.node))
            waiting = [name for names in new_names for name, new in names.items() if new in written]
            for statement in base.node.body:
                name = getattr(statement, "name", None)
                if name is None or name not in cls.members or inlines_super(cls.members[name]):
                    waiting += names_in(statement)
            seen: set[str] = set()
            while waiting:
                name = waiting.pop()
                binding = parent.bindings.get(name)
                own = any(
                    isinstance(modular.bindings.get(names.get(name, "")), (Class, Function))
                    for names in new_names
                )
                if name not in seen and not own and binding is not None and not isinstance(binding, Import):
                    seen.add(name)
                    waiting += _mentioned(binding)
            self._reach[key] = frozenset(seen)
        return self._reach[key]

    def _at(self, module: Module, qualname: str) -> Definition | None:
        member = find_member(module, qualname)
        return None if member is None else Definition(module.path, qualname, line_of(member))


@kept  # many models take over the same definitions
def _mentioned(definition: Class | Function | Assignment) -> frozenset[str]:
    """Return the names that a definition mentions, or none, where it mentions no other of its file."""
    if isinstance(definition, Assignment):
        return names_in(definition.value)
    others = (
        name
        for name, bound in definition.module.bindings.items()
        if name != definition.name and not isinstance(bound, Import)
    )
    return names_in(definition.node) if any(map(definition.mentions, others)) else frozenset()


def _is_other_model(cls: Class, base: Class) -> bool:
    """Whether the converter writes out the body of ``base`` in place of ``cls(base)``."""
    return base.module is not cls.module and _is_model_file(base.module.path)


def _is_model_file(path: Path) -> bool:
    """Whether the converter would look into ``path`` for a parent; a package's own base classes it keeps."""
    return re.match(MODEL_FILE, path.name) is not None and path.stem != "modeling_utils"


def _class_names(module: Module) -> list[str]:
    return [name for name, binding in module.bindings.items() if isinstance(binding, Class)]


def _lower(cased: str) -> str:
    return "_".join(part.lower() for part in re.findall(r"[A-Z][^A-Z]*", cased)) or cased.lower()


def _join(qualname: str, rest: str) -> str:
    return f"{qualname}.{rest}" if rest else qualname
