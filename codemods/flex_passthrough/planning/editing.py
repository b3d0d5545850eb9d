"""The workshop: applies mends to definitions and gathers what they change, file by file."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path

from msgspec import Struct, field

from codemods.flex_passthrough.mends.annotations import annotate_mask
from codemods.flex_passthrough.mends.window_helper import HELPER, add_window_helper
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.imports import GUARD, Need, library_root, require_imports
from codemods.flex_passthrough.mends.writing.text import first_line, read
from codemods.flex_passthrough.mends.writing.width import line_width
from codemods.flex_passthrough.planning.era import INTEGRATION
from codemods.flex_passthrough.remembered.made import Made
from codemods.flex_passthrough.rules.rule import Mend, Mended, Place
from codemods.flex_passthrough.syntax import find_definition
from codemods.maskflow.program.binding import absolute
from codemods.maskflow.program.index import Function, Index, Module
from codemods.maskflow.program.parsing import NOT_PYTHON
from codemods.modelrepo.definition import Definition
from codemods.review.change import Change
from codemods.rewrite.check import check_parses
from codemods.rewrite.edit import Edit, apply_edits
from codemods.source.position import split_lines
from codemods.source.text import SourceFile

# How files of a transformers-like package name the helper that its flex integration gets.
SHARED_HELPER = Need(".integrations.flex_attention", HELPER, guarded=True)


class FileEdits(Struct):
    """What changes in each file: edits, names to import, and whether it gets the window helper."""

    edits: dict[Path, list[Edit]] = field(default_factory=dict)
    needs: dict[Path, list[Need]] = field(default_factory=dict)
    how: dict[Path, str] = field(default_factory=dict)
    helpers: set[Path] = field(default_factory=set)

    def add(self, path: Path, edits: Iterable[Edit], needs: Iterable[Need], how: str) -> None:
        """Take note of what changes in one file."""
        self.edits.setdefault(path, []).extend(edits)
        self.needs.setdefault(path, []).extend(needs)
        self.how.setdefault(path, how)

    def merged(self, other: FileEdits) -> FileEdits:
        """Return all that is in this and in ``other``."""
        both = FileEdits(helpers=self.helpers | other.helpers)
        for each in (self, other):
            for path in each.paths():
                both.add(path, each.edits[path], each.needs[path], each.how[path])
        return both

    def of(self, path: Path) -> FileEdits:
        """Return what changes in one file."""
        return FileEdits(
            {path: self.edits[path]},
            {path: self.needs[path]},
            {path: self.how[path]},
            self.helpers & {path},
        )

    def paths(self) -> list[Path]:
        """Return the files that change."""
        return list(self.edits)


class Workshop:
    """Turns mends into edits, and edits into new file contents. What it made once it makes no second time."""

    def __init__(
        self, index: Index, files: Sequence[Path], made: Made, line_length: int | None, annotate: bool = False
    ) -> None:
        self.made = made
        self._index = index
        self._files = set(files)
        self._line_length = line_length
        self._annotate = annotate
        self._styles: dict[Path, tuple[int, str | None]] = {}

    def may_edit(self, path: Path) -> bool:
        """Whether the user's paths include ``path``."""
        return path in self._files

    def is_library(self, path: Path) -> bool:
        """Whether ``path`` is of an installed library, which is read and never edited."""
        return self._index.is_library(path)

    def apply(
        self, mend: Mend, definition: Definition, how: str, trial: FileEdits, body_start: int = 0
    ) -> None:
        """Add to ``trial`` what ``mend`` changes in ``definition``, from statement ``body_start`` on.

        Raises:
            CannotMend: if the definition is not there, or not what the mend expects.
        """
        module = self._module(definition.path)
        width, guard = self._style(module)
        mended = self.made.once(
            self._mending(mend, definition, body_start),
            lambda: _mended(mend, module, definition, width, body_start, guard),
        )
        if not mended.edits and not mended.needs:
            return
        trial.add(definition.path, mended.edits, mended.needs, how)
        for mask in dict.fromkeys(mended.masks) if self._annotate else ():
            node = _find(module, definition)
            trial.add(definition.path, *annotate_mask(module.source.text, node, mask, width), how)
        for other, elsewhere in mended.also:
            if not self.may_edit(elsewhere.path):
                reason = f"{self.name(elsewhere.path)} has to change too, and lies outside the paths given"
                raise CannotMend(reason)
            self.apply(other, elsewhere, "edited", trial)
        if mended.needs_window_helper:
            shared = self._integration()
            if shared is None:
                trial.helpers.add(definition.path)
            else:
                trial.add(definition.path, (), (SHARED_HELPER,), how)
                trial.add(shared.path, (), (), "edited")
                trial.helpers.add(shared.path)

    def has_made(self, mend: Mend, definition: Definition, body_start: int = 0) -> bool:
        """Whether it is known what :meth:`apply` changes; not, where that cannot be told."""
        try:
            return self.made.knows(self._mending(mend, definition, body_start))
        except CannotMend:
            return False

    def has_rendered(self, path: Path, together: FileEdits) -> bool:
        """Whether it is known what :meth:`render` returns."""
        module = self._module(path)
        return self.made.knows(("rendered", module.digest, *self._rendering(module, together)))

    def _mending(self, mend: Mend, definition: Definition, body_start: int) -> tuple[object, ...]:
        """Return all that the edits of a mend depend on."""
        module = self._module(definition.path)
        width, guard = self._style(module)
        return mend, module.digest, definition.qualname, width, body_start, guard

    def _rendering(
        self, module: Module, together: FileEdits
    ) -> tuple[list[Edit], list[Need], bool, int, str | None]:
        """Return all that a file's text after edits depends on, besides its text."""
        path, style = module.path, self._style(module)
        edits, needs = sorted(set(together.edits[path])), list(dict.fromkeys(together.needs[path]))
        return edits, needs, path in together.helpers, *style

    def source(self, path: Path) -> SourceFile:
        """Return a file as it is."""
        return self._module(path).source

    def extent(self, definition: Definition) -> tuple[int, int]:
        """Return the offsets in its file between which the lines of a function stand, decorators too.

        Raises:
            CannotMend: if it is not there.
        """
        module = self._module(definition.path)
        node = _find(module, definition)
        starts = [0, *accumulate(map(len, split_lines(module.source.text)))]
        return starts[first_line(node) - 1], starts[node.end_lineno or node.lineno]

    def name(self, path: Path) -> str:
        """Return how reports call a file."""
        return self._index.tree.display(path)

    def module_name(self, path: Path) -> str:
        """Return the dotted name that Python gives to a file."""
        return self._index.tree.module_name(path)

    def replaced(self, path: Path, edits: Iterable[Edit]) -> list[tuple[str, str]]:
        """Return what edits replace in a file, and by what, in the order of the text."""
        text = self._module(path).source.text
        return [(text[edit.start : edit.end], edit.replacement) for edit in sorted(set(edits))]

    def render(self, path: Path, together: FileEdits) -> bytes:
        """Return what a file holds after all edits, imports and helpers in ``together``.

        Raises:
            CannotMend, OverlappingEdits, RewriteError: if the file would not come out right.
        """
        module = self._module(path)
        parts = self._rendering(module, together)
        look_at = ("rendered", module.digest, *parts)
        return self.made.once(look_at, lambda: _rendered(module.source, *parts))

    def _style(self, module: Module) -> tuple[int, str | None]:
        """Return how wide a file's lines may be, and the guard for flex attention in its library, if any."""
        if module.path not in self._styles:
            text, configured = module.source.text, self._line_length
            look_at = ("style", module.digest, configured)
            width, root = self.made.once(look_at, lambda: (line_width(text, configured), library_root(text)))
            self._styles[module.path] = width, self._guard_of_library(module, root)
        return self._styles[module.path]

    def _guard_of_library(self, module: Module, root: str | None) -> str | None:
        if root is None:
            return None
        level = len(root) if root.startswith(".") else 0
        name = "utils" if level else f"{root}.utils"
        utils = self._index.module(absolute(module, ast.ImportFrom(name, [], level)))
        if utils is not None and not isinstance(self._index.resolve(utils, GUARD), Function):
            return None
        return GUARD

    def _module(self, path: Path) -> Module:
        module = self._index.module_at(path)
        if module is None:
            raise CannotMend(f"{self._index.tree.display(path)} cannot be read")
        return module

    def _integration(self) -> Module | None:
        """Return the tree's own flex-attention module, if it may be edited."""
        found = sorted(path for path in self._files if path.parts[-2:] == INTEGRATION)
        return self._index.module_at(found[0]) if found else None


def _syntax(module: Module) -> ast.Module:
    """Return a file's syntax tree: the one that the mends read; the module reports where there is none."""
    try:
        return read(module.source.text).tree
    except (CannotMend, *NOT_PYTHON):
        return module.syntax


def _find(module: Module, definition: Definition) -> ast.FunctionDef | ast.AsyncFunctionDef:
    node = find_definition(_syntax(module), definition.qualname)
    if node is None:
        raise CannotMend(f"{module.source.name} holds no {definition.qualname}")
    return node


def _mended(
    mend: Mend, module: Module, definition: Definition, width: int, body_start: int, guard: str | None
) -> Mended:
    """Return what a mend changes in a definition."""
    node = _find(module, definition)
    place = Place(module.source.text, node, _syntax(module), width, body_start, guard)
    try:
        return mend.apply(place)
    except CannotMend as error:
        raise CannotMend(f"{module.source.name}: {definition.qualname}: {error.reason}") from None


def _rendered(
    source: SourceFile, edits: list[Edit], needs: list[Need], helper: bool, width: int, guard: str | None
) -> bytes:
    """Return what a file holds after edits, with the names imported that they need, and the window helper."""
    text = apply_edits(source.text, edits)
    text = apply_edits(text, require_imports(text, needs, guard=guard, width=width))
    if helper:
        text = apply_edits(text, add_window_helper(text, guard=guard))
    check_parses(source.name, text)
    return source.encode(text)


class Bench:
    """Where accepted edits come together. A trial is accepted whole or leaves no trace."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._accepted = FileEdits()
        self._results: dict[Path, bytes] = {}

    def accept(self, trial: FileEdits) -> tuple[str, ...]:
        """Make ``trial`` part of the result, and return the names of the files that it changes.

        Raises:
            CannotMend, OverlappingEdits, RewriteError: if the files would not come out right; the
                bench is then as it was before.
        """
        together = self._accepted.merged(trial)
        results = {path: self._workshop.render(path, together) for path in trial.paths()}
        self._accepted = together
        self._results.update(results)
        return tuple(sorted(map(self._workshop.name, results)))

    def changes(self) -> list[Change]:
        """Return what becomes of every file, in order of their names."""
        changes = [
            Change(
                path,
                self._workshop.name(path),
                self._workshop.source(path).raw,
                after,
                self._accepted.how[path],
            )
            for path, after in self._results.items()
        ]
        return sorted(changes, key=lambda change: change.name)
