"""What a file calls a thing that it imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.text import read_outside

Import = ast.Import | ast.ImportFrom


def local_name(text: str, module: str, name: str | None) -> str | None:
    """Return what ``name`` of ``module`` is called in a file once it is imported.

    Imports under a guard, such as ``if is_torch_flex_attn_available():`` or ``try:``, count. Those
    under ``if TYPE_CHECKING:`` or within a function do not.

    Args:
        text: the file.
        module: a dotted name, with its dots in front if it is relative.
        name: what is imported from it; None asks for the module itself.

    Returns:
        A name or a dotted name; None if the file does not import it.

    Raises:
        CannotMend: if the file gives the name itself to something else.
    """
    body = read_outside(text).tree.body
    for statement in imports_in(body):
        for alias in statement.names:
            found = _name_through(statement, alias, module, name)
            if found is not None:
                return found
    if name is not None:
        _refuse_if_taken(body, name)
    return None


def imports_in(body: Sequence[ast.stmt]) -> Iterator[Import]:
    """Yield the imports that run when a module is imported, guarded ones too."""
    for statement in body:
        if isinstance(statement, Import):
            yield statement
        elif isinstance(statement, ast.If) and not _is_type_checking(statement.test):
            yield from imports_in([*statement.body, *statement.orelse])
        elif isinstance(statement, ast.Try):
            handlers = [each for handler in statement.handlers for each in handler.body]
            yield from imports_in([*statement.body, *handlers, *statement.orelse])


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test).rpartition(".")[2] == "TYPE_CHECKING"


def _name_through(statement: Import, alias: ast.alias, module: str, name: str | None) -> str | None:
    """Return how one imported name gives access to ``name`` of ``module``."""
    bound = alias.asname or alias.name
    if isinstance(statement, ast.Import):
        if alias.name == module or (not alias.asname and alias.name.startswith(f"{module}.")):
            whole = bound if alias.asname else module
            return whole if name is None else f"{whole}.{name}"
        return None
    source = dotted(statement)
    if name is None:
        return None
    if alias.name == name and (source == module or not module.startswith(".")):
        # Another module that hands the name on is as good as its first home.
        return bound
    package, _, last = module.rpartition(".")
    return f"{bound}.{name}" if (source, alias.name) == (package, last) else None


def _refuse_if_taken(body: Sequence[ast.stmt], name: str) -> None:
    for statement in body:
        targets: list[ast.expr] = getattr(statement, "targets", [getattr(statement, "target", None)])
        taken = getattr(statement, "name", None) == name or any(
            isinstance(target, ast.Name) and target.id == name for target in targets
        )
        if taken:
            raise CannotMend(f"{name} means something else in this file, see line {statement.lineno}")


def dotted(statement: ast.ImportFrom) -> str:
    """Return the module that a ``from`` import names, with its dots in front."""
    return "." * statement.level + (statement.module or "")
