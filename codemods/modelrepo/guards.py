"""Guarded imports of generated files: which blocks the converter writes, and in which order.

After all plain imports come the blocks such as ``if is_torch_flex_attn_available():``, first those of
the modular file, then those of its parents. Of each block only the names stay that the file uses and
that no earlier import brings. So an edit that gives a modular file a block of its own can split a
block of the generated file in two, and a mirrored edit has to do the same.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from codemods.maskflow.program.outline import outline
from codemods.modelrepo.change import names_in
from codemods.modelrepo.family import Repository
from codemods.modelrepo.graph import ModularGraph
from codemods.source.digest import digest_of_text
from codemods.source.position import split_lines

# What the names of other models' files start with; plain imports from them are written out instead.
_MODEL_FILES = ("modeling_", "configuration_", "tokenization_", "processing_", "image_processing_")


class Guard(Struct, frozen=True):
    """A top-level ``if`` that imports, as far as the converter looks at it.

    Attributes:
        condition: what is asked.
        imports: pairs of a module, dots included, and the names taken from it, in order.
        otherwise: what happens else, as code.
    """

    condition: str
    imports: tuple[tuple[str, tuple[str, ...]], ...]
    otherwise: str = ""


class Once(Protocol):
    """Makes a text, or knows it from before: all that it is made from is written out in ``parts``."""

    def __call__(self, parts: tuple[object, ...], work: Callable[[], str]) -> str:
        """Return the text."""


def settle_guards(
    repository: Repository, texts: Mapping[Path, str], once: Once = lambda parts, work: work()
) -> dict[Path, str]:
    """Return ``texts`` with the guarded imports of generated files as the converter would write them.

    A file whose guards were not what the converter makes of it before the edit stays as it is given.

    Args:
        repository: the repository before the edit.
        texts: the edited files, generated ones edited like their roots.
        once: makes each text.
    """
    index, layout = repository.index, repository.layout
    graph = ModularGraph(index, layout)
    settled = dict(texts)
    changed = {path: modular for path in texts if (modular := layout.modular_of(path)) is not None}
    for modular in chain.from_iterable(graph.levels(changed.values())):
        files = (modular, *graph.sources_of(modular))
        for path in layout.generated_by.get(modular, ()):
            if path in changed:
                edited = [
                    digest_of_text(settled[each]) if each in settled else b"" for each in (path, *files)
                ]
                look_at = ("guards", [index.digest_at(each) for each in (path, *files)], edited)
                settled[path] = once(look_at, partial(_settled, repository, path, files, settled))
    return settled


def _settled(repository: Repository, path: Path, sources: Sequence[Path], texts: Mapping[Path, str]) -> str:
    before = [_read(repository, source) for source in sources]
    after = [texts.get(source, text) for source, text in zip(sources, before, strict=True)]
    return _settle(_read(repository, path), texts[path], before, after)


def read_guards(text: str) -> list[Guard]:
    """Return the guards of a module, in order."""
    return [statement for statement in _outline(text).imports if isinstance(statement, Guard)]


def predict_guards(modular: str, parents: Sequence[str], generated: str) -> list[Guard]:
    """Return the guards that the converter writes.

    Args:
        modular: the modular file.
        parents: the other models' files that it imports from, in order.
        generated: the generated file, for the names that it uses.
    """
    statements = [statement for text in (modular, *parents) for statement in _outline(text).imports]
    guards = [statement for statement in statements if isinstance(statement, Guard)]
    guarded = {_bound(name) for guard in guards for _, names in guard.imports for name in names}
    used = _outline(generated).used(guarded)
    added: set[str] = set()
    found: list[Guard] = []
    for statement in statements:
        if isinstance(statement, Guard):
            kept = _still_needed(statement.imports, used, added)
            if kept:
                found.append(Guard(statement.condition, kept, statement.otherwise))
        else:
            added |= statement & used
    return found


class _Outline(Struct, frozen=True):
    """What guards depend on in a module.

    Attributes:
        imports: its imports in order, plain ones as names.
        definitions: the text of its functions and classes, parsed where a name stands in one.
        others: its other statements.
    """

    imports: tuple[Guard | frozenset[str], ...]
    definitions: tuple[str, ...]
    others: tuple[ast.stmt, ...]

    def used(self, names: Set[str]) -> frozenset[str]:
        """Return which of ``names`` the module's code mentions."""
        found = frozenset(name for node in self.others for name in _mentioned(node) & names)
        for text in self.definitions:
            if any(name in text for name in names - found):
                found |= names & frozenset().union(*map(_mentioned, ast.parse(text).body))
        return found


@lru_cache(maxsize=64)  # a parent's file is looked at for each of its children
def _outline(text: str) -> _Outline:
    cut = outline(text)
    imports: list[Guard | frozenset[str]] = []
    others: list[ast.stmt] = []
    for node in ast.parse(text if cut is None else cut.rest).body:
        if _is_guard(node):
            imports.append(_guard(node))
        elif not isinstance(node, (ast.Import, ast.ImportFrom)):
            others.append(node)
        elif not _is_written_out(node):
            imports.append(frozenset(alias.asname or alias.name for alias in node.names))
    definitions = () if cut is None else tuple(piece.text for piece in cut.pieces)
    return _Outline(tuple(imports), definitions, tuple(others))


def _mentioned(node: ast.stmt) -> frozenset[str]:
    """Return the names that a statement mentions, those in annotations written as text included."""
    names = set(names_in(node))
    for part in ast.walk(node):
        for annotation in (getattr(part, "annotation", None), getattr(part, "returns", None)):
            for text in ast.walk(annotation) if isinstance(annotation, ast.expr) else ():
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    with contextlib.suppress(SyntaxError, ValueError):
                        names |= names_in(ast.parse(text.value, mode="eval"))
    return frozenset(names)


def _settle(original: str, edited: str, before: Sequence[str], after: Sequence[str]) -> str:
    try:
        if read_guards(original) != predict_guards(before[0], before[1:], original):
            return edited
        wanted = predict_guards(after[0], after[1:], edited)
        return edited if read_guards(edited) == wanted else _replace_guards(edited, wanted)
    except (SyntaxError, ValueError):
        return edited


def _still_needed(
    imports: Iterable[tuple[str, tuple[str, ...]]], used: frozenset[str], added: set[str]
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    kept = []
    for module, names in imports:
        left = tuple(name for name in names if _bound(name) in used and _bound(name) not in added)
        added |= {_bound(name) for name in left}
        if left:
            kept.append((module, left))
    return tuple(kept)


def _replace_guards(text: str, wanted: Sequence[Guard]) -> str:
    """Return ``text`` with other guards; a guard that stays keeps its text."""
    lines = split_lines(text)
    newline = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    body = ast.parse(text).body
    nodes = [node for node in body if _is_guard(node)]
    together = body[body.index(nodes[0]) : body.index(nodes[-1]) + 1] if nodes else []
    if not nodes or together != nodes:
        return text  # something else stands between them
    spans = [slice(node.lineno - 1, node.end_lineno) for node in nodes]
    known = {_guard(node): "".join(lines[span]).rstrip() for node, span in zip(nodes, spans, strict=True)}
    blocks = [known.get(guard) or _render(guard).replace("\n", newline) for guard in wanted]
    before, after = "".join(lines[: spans[0].start]), "".join(lines[spans[-1].stop :])
    return before + (newline * 3).join(blocks) + newline + after


def _render(guard: Guard) -> str:
    """Write a guard as the formatter does: an empty line between foreign and relative imports."""
    groups = (
        [module for module, _ in guard.imports if not module.startswith(".")],
        [module for module, _ in guard.imports if module.startswith(".")],
    )
    names = dict(guard.imports)
    imports = [
        "\n".join(f"    from {module} import {', '.join(sorted(names[module]))}" for module in sorted(group))
        for group in groups
        if group
    ]
    code = f"if {guard.condition}:\n" + "\n\n".join(imports)
    if guard.otherwise:
        otherwise = "\n".join(f"    {line}" for line in guard.otherwise.split("\n"))
        code += f"\nelse:\n{otherwise}"
    return code


def _is_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and any(
        isinstance(child, (ast.Import, ast.ImportFrom)) for child in node.body
    )


def _is_written_out(node: ast.Import | ast.ImportFrom) -> bool:
    module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
    last = module.rpartition(".")[2]
    return isinstance(node, ast.ImportFrom) and node.level == 2 and last.startswith(_MODEL_FILES)


def _guard(node: ast.stmt) -> Guard:
    assert isinstance(node, ast.If)
    imports = []
    for child in node.body:
        if isinstance(child, ast.ImportFrom):
            module = "." * child.level + (child.module or "")
            imports.append((module, tuple(_written(alias) for alias in child.names)))
        elif not isinstance(child, ast.Pass):
            raise ValueError("a guard that does more than import names")
    otherwise = "\n".join(ast.unparse(child) for child in node.orelse)
    return Guard(ast.unparse(node.test), tuple(imports), otherwise)


def _written(alias: ast.alias) -> str:
    return f"{alias.name} as {alias.asname}" if alias.asname else alias.name


def _bound(name: str) -> str:
    return name.rpartition(" as ")[2]


def _read(repository: Repository, path: Path) -> str:
    module = repository.index.module_at(path)
    return module.source.text if module is not None else ""
