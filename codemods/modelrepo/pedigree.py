"""The family tree of one model: what its files are made from, and what is made from them."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Literal

from msgspec import Struct

from codemods.maskflow.program.index import Class
from codemods.modelrepo.copies import CopyComment, find_source_file
from codemods.modelrepo.family import Repository
from codemods.modelrepo.graph import ModularGraph

Kind = Literal["inherits", "copies"]


class Link(Struct, frozen=True):
    """One file that takes definitions from another model's file.

    Attributes:
        child: the file that takes: a modular file, or one with copies.
        parent: the file it takes from.
        kind: by inheritance in a modular file, or under copy comments.
        names: what is taken, as the child calls it, in order.
    """

    child: Path
    parent: Path
    kind: Kind
    names: tuple[str, ...]


class Relative(Struct, frozen=True):
    """A model in a family tree, and the models beyond it.

    Attributes:
        model: its folder's name.
        links: how it is related to the model before it.
        relatives: the models beyond; empty where they are listed elsewhere in the tree.
        repeated: whether they are.
    """

    model: str
    links: tuple[Link, ...]
    relatives: tuple[Relative, ...] = ()
    repeated: bool = False


class Pedigree(Struct, frozen=True):
    """A model's files, its ancestors and its descendants.

    Attributes:
        model: its folder's name.
        files: each of its files, and the modular file it is generated from, None for the others.
        ancestors: the models it takes from, each with its own ancestors.
        descendants: the models that take from it, each with its own descendants.
    """

    model: str
    files: tuple[tuple[Path, Path | None], ...]
    ancestors: tuple[Relative, ...]
    descendants: tuple[Relative, ...]


class UnknownModelError(LookupError):
    """There is no such model; ``str()`` says so, and which names are close."""


def pedigree_of(repository: Repository, model: str) -> Pedigree:
    """Return the family tree of a model.

    Args:
        repository: the repository.
        model: the name of its folder, or the path of one of its files.

    Raises:
        UnknownModelError: if no model with modeling files is called so.
    """
    models = {path.parent.name: path.parent for path in repository.layout.files if _is_model_file(path)}
    name = model if model in models else _name_of(model)
    if name not in models:
        close = difflib.get_close_matches(name, sorted(models), n=3)
        hint = f"; close names: {', '.join(close)}" if close else ""
        raise UnknownModelError(f"there is no model {name!r} in this tree{hint}")
    files = [path for path in sorted(repository.layout.files) if path.parent == models[name]]
    relations = _Relations(repository)
    return Pedigree(
        name,
        tuple((path, repository.layout.modular_of(path)) for path in files if _is_model_file(path)),
        relations.beyond(name, relations.above, {name}),
        relations.beyond(name, relations.below, {name}),
    )


class _Relations:
    """Which model takes from which; what it takes is looked up only for the models that are shown."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self.above: dict[str, dict[str, list[tuple[Path, Path]]]] = {}
        self.below: dict[str, dict[str, list[tuple[Path, Path]]]] = {}
        self._comments: dict[tuple[Path, Path], list[CopyComment]] = {}
        layout = repository.layout
        for comment in layout.comments:
            if _is_model_file(comment.path) and layout.modular_of(comment.path) is None:
                source = find_source_file(repository.index, comment)
                if source is not None and source != comment.path:
                    self._comments.setdefault((comment.path, source), []).append(comment)
        sources = ModularGraph(repository.index, layout).sources
        inherited = [(modular, source) for modular in sources for source in sources[modular]]
        for child, parent in [*inherited, *self._comments]:
            if child.parent != parent.parent:
                names = child.parent.name, parent.parent.name
                self.above.setdefault(names[0], {}).setdefault(names[1], []).append((child, parent))
                self.below.setdefault(names[1], {}).setdefault(names[0], []).append((child, parent))

    def beyond(
        self, model: str, near: dict[str, dict[str, list[tuple[Path, Path]]]], seen: set[str]
    ) -> tuple[Relative, ...]:
        """Return the models near ``model`` and those beyond them; what lies beyond one is listed once."""
        fresh = {name for name in near.get(model, {}) if name not in seen}
        seen |= fresh
        return tuple(
            Relative(
                name,
                tuple(self._link(*pair) for pair in dict.fromkeys(pairs)),
                self.beyond(name, near, seen) if name in fresh else (),
                name not in fresh and bool(near.get(name)),
            )
            for name, pairs in sorted(near.get(model, {}).items())
        )

    def _link(self, child: Path, parent: Path) -> Link:
        comments = self._comments.get((child, parent))
        if comments is not None:
            targets = (self.repository.copy_target(comment) for comment in comments)
            return Link(child, parent, "copies", tuple(target for target in targets if target is not None))
        module = self.repository.index.module_at(child)
        names = [
            binding.name
            for binding in (module.bindings.values() if module is not None else ())
            if isinstance(binding, Class)
            and any(base.module.path == parent for base in self.repository.heritage.bases_of(binding))
        ]
        return Link(child, parent, "inherits", tuple(names))


def _is_model_file(path: Path) -> bool:
    """Whether ``path`` holds torch models; their twins in other frameworks have families of their own."""
    twin = path.name.startswith(("modeling_tf_", "modeling_flax_"))
    return path.name.startswith(("modeling_", "modular_")) and not twin


def _name_of(model: str) -> str:
    """Return the model that a path such as ``models/qwen2/modeling_qwen2.py`` belongs to."""
    path = Path(model)
    return path.parent.name if path.suffix == ".py" and path.parent.name else path.name
