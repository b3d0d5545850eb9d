"""Where an imported name goes: as isort would sort it, in the file's own formatting."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from codemods.flex_passthrough.mends.writing.names import Import, dotted
from codemods.flex_passthrough.mends.writing.text import Text, first_line, read_outside
from codemods.flex_passthrough.mends.writing.width import indent_unit, indentation
from codemods.rewrite.edit import Edit, apply_edits

# Sorts "x2" before "x10".
_Natural = tuple[tuple[int, int, str], ...]


def add_import(
    text: str,
    near: Sequence[ast.stmt],
    body: Sequence[ast.stmt],
    module: str,
    name: str | None,
    depth: str,
    width: int,
) -> str:
    """Join a name to the import of its module, or add a statement where isort would have it.

    Args:
        text: the file.
        near: the statements among which a new one belongs, such as the head of the module.
        body: the statements among which an import of the same module is joined.
        module: where the name lives.
        name: the name; None imports the module.
        depth: the indentation of a new statement.
        width: how long a line may be.

    Returns:
        The file with the import.
    """
    source = read_outside(text)
    statements = [statement for statement in near if isinstance(statement, Import)]
    if name is not None:
        for each in body:
            if isinstance(each, ast.ImportFrom) and dotted(each) == module and each.names[0].name != "*":
                return apply_edits(text, [_join(source, each, name, width)])
    code = depth + import_statement(module, name) + source.newline()
    section = _section(source, statements, module)
    key = (_rank(module), statement_key(module, whole=name is None))
    for statement in section:
        if _key(statement) > key:
            start = source.offset(_first_line_with_comments(source, statement), 0)
            return text[:start] + code + text[start:]
    if section:
        end = source.after(section[-1].end_lineno or section[-1].lineno)
        return text[:end] + code + text[end:]
    return _add_section(source, near, statements, module, code)


def import_statement(module: str, name: str | None) -> str:
    """Return the statement that imports ``name`` from ``module``, or the module itself."""
    return f"import {module}" if name is None else f"from {module} import {name}"


def _add_section(
    source: Text, near: Sequence[ast.stmt], statements: Sequence[Import], module: str, code: str
) -> str:
    """Start a section of imports between those that come before it and those that come after."""
    text, newline = source.text, source.newline()
    rank = _rank(module)
    for statement in statements:
        if _rank(_module(statement)) > rank:
            start = source.offset(_first_line_with_comments(source, statement), 0)
            return text[:start] + code + newline + text[start:]
    if near:
        end = source.after(near[-1].end_lineno or near[-1].lineno)
        return text[:end] + newline + code + text[end:]
    start = source.offset(first_line(source.tree.body[0]), 0) if source.tree.body else len(text)
    return text[:start] + code + newline + text[start:]


def _section(source: Text, statements: Sequence[Import], module: str) -> list[Import]:
    """Return the run of imports, without a blank line between them, that ``module`` belongs to."""
    runs: list[list[Import]] = []
    for statement in statements:
        if runs:
            last = runs[-1][-1].end_lineno or runs[-1][-1].lineno
            if not any(not line.strip() for line in source.lines[last : statement.lineno - 1]):
                runs[-1].append(statement)
                continue
        runs.append([statement])
    top = module.lstrip(".").partition(".")[0]
    for run in runs:
        if any(_module(each).partition(".")[0] == top for each in run) and not module.startswith("."):
            return run
    for run in reversed(runs):
        if any(_rank(_module(each)) == _rank(module) for each in run):
            return run
    return []


def _module(statement: Import) -> str:
    return dotted(statement) if isinstance(statement, ast.ImportFrom) else statement.names[0].name


def _rank(module: str) -> int:
    """Order sections: ``__future__``, the standard library, other packages, the package's own."""
    top = module.partition(".")[0]
    return 3 if not top else 0 if top == "__future__" else 1 if top in sys.stdlib_module_names else 2


def _key(statement: Import) -> tuple[int, tuple[bool, int, _Natural]]:
    """Order the statements of one run; packages that share it with the standard library come after that."""
    module = _module(statement)
    return _rank(module), statement_key(module, whole=isinstance(statement, ast.Import))


def _first_line_with_comments(source: Text, statement: ast.stmt) -> int:
    """Return the first line of a statement or of the comment that stands right above it."""
    line = first_line(statement)
    while line > 1 and source.lines[line - 2].lstrip().startswith("#"):
        line -= 1
    return line if line > 1 else first_line(statement)


def _join(source: Text, statement: ast.ImportFrom, name: str, width: int) -> Edit:
    """Add a name to a ``from`` import, at its sorted place if the names are sorted."""
    names = [ast.unparse(alias) for alias in statement.names]
    place = _sorted_place(names, name)
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    start = source.offset(first, statement.col_offset)
    aliases = statement.names
    if first == last:
        return _join_line(source, statement, [*names[:place], name, *names[place:]], place, width)
    own_lines = len({alias.lineno for alias in aliases}) == len(aliases) and aliases[0].lineno > first
    newline = source.newline(first)
    if place < len(aliases):
        alias = aliases[place]
        if own_lines:
            line = alias.lineno
            while source.lines[line - 2].lstrip().startswith("#"):
                line -= 1
            position = source.offset(line, 0)
            return Edit(position, position, f"{indentation(source, alias.lineno)}{name},{newline}")
        position = source.offset(alias.lineno, alias.col_offset)
        return Edit(position, position, f"{name}, ")
    end = source.offset(aliases[-1].end_lineno or 0, aliases[-1].end_col_offset or 0)
    comma = source.text[end : end + 1] == ","
    if own_lines and comma:
        position = source.after(aliases[-1].lineno)
        return Edit(position, position, f"{indentation(source, aliases[-1].lineno)}{name},{newline}")
    if own_lines:
        return Edit(end, end, f",{newline}{indentation(source, aliases[-1].lineno)}{name}")
    assert start < end
    return Edit(end, end, f", {name}")


def _join_line(source: Text, statement: ast.ImportFrom, names: Sequence[str], place: int, width: int) -> Edit:
    """Add a name to an import on one line, which is broken if it gets too long."""
    line = source.lines[statement.lineno - 1].rstrip("\r\n")
    start = source.offset(statement.lineno, statement.col_offset)
    end = source.offset(statement.lineno, statement.end_col_offset or 0)
    aliases = statement.names
    if source.text[end - 1] != ")" and len(line) + len(names[place]) + 2 > width:
        newline, depth = source.newline(statement.lineno), indentation(source, statement.lineno)
        inner = depth + indent_unit(source)
        body = "".join(f"{inner}{each},{newline}" for each in names)
        return Edit(start, end, f"from {dotted(statement)} import ({newline}{body}{depth})")
    if place < len(aliases):
        position = source.offset(statement.lineno, aliases[place].col_offset)
        return Edit(position, position, f"{names[place]}, ")
    position = source.offset(statement.lineno, aliases[-1].end_col_offset or 0)
    return Edit(position, position, f", {names[place]}")


def _sorted_place(names: Sequence[str], name: str) -> int:
    """Return where ``name`` goes among ``names``: by whatever order they have, else at the end."""
    orders: tuple[Callable[[str], Any], ...] = (member_key, str.lower, str)
    for key in orders:
        if list(names) == sorted(names, key=key):
            return next((index for index, each in enumerate(names) if key(each) > key(name)), len(names))
    return len(names)


def member_key(name: str) -> tuple[int, _Natural, str]:
    """Order imported names as isort does: CONSTANTS, then Classes, then the rest."""
    bare = name.partition(" as ")[0]
    constant, capitalized = len(bare) > 1 and bare.isupper(), bare[:1].isupper()
    return (0 if constant else 1 if capitalized else 2), _natural(name.lower()), name


def statement_key(module: str, *, whole: bool) -> tuple[bool, int, _Natural]:
    """Order the import statements of one section as isort does.

    ``import x`` comes before ``from x import y``, and farther relatives before nearer ones.
    """
    name = module.lstrip(".")
    return not whole, -(len(module) - len(name)), _natural(name.lower())


def _natural(text: str) -> _Natural:
    """Split digits from letters, so that ``x2`` comes before ``x10``."""
    parts = re.findall(r"\d+|\D", text)
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)
