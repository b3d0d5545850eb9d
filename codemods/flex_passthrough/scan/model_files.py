"""Which files may hold models that take a mask: most of a tree is read no further."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from codemods.flex_passthrough.remembered.answers import Answers
from codemods.maskflow.program.index import Index
from codemods.maskflow.program.patches import Patch, patches


class ModelFiles(Struct, frozen=True):
    """The files to scan, and those that put functions into classes from outside.

    Attributes:
        paths: where models are looked for.
        attached: what files put into classes, wherever these stand.
    """

    paths: tuple[Path, ...]
    attached: tuple[Patch, ...]

    @property
    def patching(self) -> tuple[Path, ...]:
        """The files that put a function into a class."""
        return tuple(dict.fromkeys(patch.module.path for patch in self.attached))


def find_model_files(index: Index, files: Sequence[Path], answers: Answers) -> ModelFiles:
    """Return the files among ``files`` whose models have to be followed.

    The models around a class that gets a function from outside are looked at with it.
    """
    facts = answers.facts
    named = set(files)
    found: dict[Path, None] = {}
    may_patch = []
    for path in files:
        if facts.of(path).may_patch and _patches(index, path, answers):
            may_patch.append(path)
        twin = _generated_twin(path)
        if twin in named:
            continue  # it comes by itself
        if facts.of(twin or path).may_hold_models:
            found[twin or path] = None
    attached = attached_by(index, may_patch)
    homes = dict.fromkeys(patch.cls.module.path for patch in attached)
    return ModelFiles(tuple(found | homes), tuple(attached))


def _patches(index: Index, path: Path, answers: Answers) -> bool:
    """Whether a file puts something into a class; what looks like it may set attributes of objects."""
    question = "patches", index.name_of(path), answers.facts.of(path).digest
    known = answers.get(question)
    if known is not None:
        return bool(known[0])
    found = bool(attached_by(index, [path]))
    behind = index.content_behind([index.name_of(path)])
    answers.add(question, behind, found, index.problems_of(index.paths_of(behind)))
    return found


def attached_by(index: Index, patching: Sequence[Path]) -> list[Patch]:
    """Return what files put into classes from outside."""
    modules = [module for path in patching if (module := index.module_at(path)) is not None]
    return [patch for module in modules for patch in patches(index, module)]


def _generated_twin(path: Path) -> Path | None:
    """Return what is generated from a modular file, if that is there.

    A modular file is written for the converter; the models that run stand in what it generates.
    """
    if not path.name.startswith("modular_"):
        return None
    twin = path.with_name("modeling_" + path.name.removeprefix("modular_"))
    return twin if twin.is_file() else None
