"""Which names of a module an edit touches, and which names of it another file draws on."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from msgspec import Struct

from codemods.source.position import split_lines

# Stands for statements that bind no name, such as a call at the top level: they may change anything.
ANYTHING = ""


class Block(Struct, frozen=True):
    """What stands behind one top-level name: its text, and the names that it mentions."""

    text: str
    names: frozenset[str] = frozenset()

    def __add__(self, other: Block) -> Block:
        return Block(f"{self.text}\n{other.text}", self.names | other.names)


def blocks_of(text: str) -> dict[str, Block]:
    """Return the block behind each top-level name, comments above it included.

    A name bound in several places has all of their texts. An imported name has its own import, so
    that a name added to a long import statement leaves its neighbours as they were.

    Raises:
        SyntaxError: if ``text`` is no Python.
    """
    lines = split_lines(text)
    blocks: dict[str, Block] = {}
    end = 0
    for statement in ast.parse(text).body:
        last = statement.end_lineno or statement.lineno
        segment = "".join(lines[end:last]).strip()
        end = last
        for name, block in _bindings(statement, segment):
            blocks[name] = blocks[name] + block if name in blocks else block
    return blocks


def changed_names(old: str, new: str) -> frozenset[str]:
    """Return the top-level names whose text differs between two versions of a module.

    :data:`ANYTHING` is among them where a text is no Python.
    """
    try:
        before, after = blocks_of(old), blocks_of(new)
    except (SyntaxError, ValueError):
        return frozenset([ANYTHING]) if old != new else frozenset()
    nothing = Block("")
    return frozenset(
        name
        for name in {**before, **after}
        if before.get(name, nothing).text != after.get(name, nothing).text
    )


def needed_names(text: str, starts: Iterable[str]) -> frozenset[str]:
    """Return ``starts`` and every top-level name of a module that their code mentions, and so on."""
    try:
        blocks = blocks_of(text)
    except (SyntaxError, ValueError):
        return frozenset([ANYTHING, *starts])
    seen: set[str] = set()
    waiting = list(starts)
    while waiting:
        name = waiting.pop()
        if name not in seen and name in blocks:
            seen.add(name)
            waiting += blocks[name].names
    return frozenset(seen)


def names_in(node: ast.AST) -> frozenset[str]:
    """Return the names that code mentions. Strings and comments do not count: no code follows from them."""
    return frozenset(part.id for part in ast.walk(node) if isinstance(part, ast.Name))


def _bindings(statement: ast.stmt, segment: str) -> Iterator[tuple[str, Block]]:
    """Yield each name that a statement binds, and the code that is behind it."""
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        yield from _imported(statement)
    elif isinstance(statement, (ast.If, ast.Try)):
        yield from _guarded(statement, segment)
    else:
        for name in _bound(statement) or [ANYTHING]:
            yield name, Block(segment, names_in(statement))


def _imported(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Block]]:
    source = ""
    if isinstance(statement, ast.ImportFrom):
        source = f"from {'.' * statement.level}{statement.module or ''} "
    for alias in statement.names:
        name = (alias.asname or alias.name).partition(".")[0]
        yield name, Block(f"{source}import {alias.name} as {alias.asname}")


def _guarded(guard: ast.If | ast.Try, segment: str) -> Iterator[tuple[str, Block]]:
    """Yield what the branches of a block bind; the whole block counts as one where they do more."""
    branches = [guard.body, guard.orelse]
    if isinstance(guard, ast.Try):
        branches += [handler.body for handler in guard.handlers] + [guard.finalbody]
    condition = Block("try")
    if isinstance(guard, ast.If):
        condition = Block(ast.unparse(guard.test), names_in(guard.test))
    found: list[tuple[str, Block]] = []
    for statement in (statement for branch in branches for statement in branch):
        if not isinstance(statement, ast.Pass):
            found += _bindings(statement, ast.unparse(statement))
    if not found or any(name == ANYTHING for name, _ in found):
        yield ANYTHING, Block(segment, names_in(guard))
    for name, block in found:
        yield name, condition + block


def _bound(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [statement.name]
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        targets = [statement.target]
    return [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
