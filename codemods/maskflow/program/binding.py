"""Binding: what the top level of a module binds, with its definitions still uncut."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from msgspec.structs import replace

from codemods.maskflow.program.definitions import Assignment, Import, Module, definition, in_order
from codemods.maskflow.program.outline import Piece, outline
from codemods.maskflow.program.parsing import NOT_PYTHON, parse, parse_text

# To cut a file of fewer characters into pieces costs as much as to parse it.
_SHORT = 4000


def bind(module: Module) -> None:
    """Fill in what the top level of ``module`` binds, looking through ``if`` and ``try`` blocks.

    Raises:
        SourceError: if the file does not parse, as far as that shows without a look into definitions.
    """
    cut = outline(module.source.text) if len(module.source.text) > _SHORT else None
    if cut is not None:
        try:
            rest = parse_text(cut.rest)
        except NOT_PYTHON:
            pass  # the whole file will tell what is wrong, and where
        else:
            binder = _Binder(module)
            for statement in in_order(rest.body, cut.pieces):
                binder.bind([statement])
            return
    module.work.files_parsed += 1
    module.__dict__["syntax"] = syntax = parse(module.source)
    _Binder(module).bind(syntax.body)


def bind_within(module: Module, body: Sequence[ast.stmt]) -> Module:
    """Return ``module`` as code in a function's ``body`` sees it: with what is imported and defined there."""
    inner = replace(module, bindings=dict(module.bindings), star_imports=list(module.star_imports))
    _Binder(inner).bind(body)
    return inner


def imports(module: Module, statement: ast.Import | ast.ImportFrom) -> dict[str, Import]:
    """Return what an import binds, by the name it gets; what a ``*`` brings is not among it."""
    if isinstance(statement, ast.Import):
        named = [(alias.asname, alias.name) for alias in statement.names]
        return {
            given or whole.partition(".")[0]: Import(whole if given else whole.partition(".")[0], None)
            for given, whole in named
        }
    base = absolute(module, statement)
    return {
        alias.asname or alias.name: Import(base, alias.name) for alias in statement.names if alias.name != "*"
    }


def absolute(module: Module, statement: ast.ImportFrom) -> str:
    """Return the dotted name of the module that names are imported from."""
    if not statement.level:
        return statement.module or ""
    parts = module.name.split(".")
    keep = len(parts) - statement.level + (1 if module.is_package else 0)
    return ".".join(parts[: max(keep, 0)] + ([statement.module] if statement.module else []))


class _Binder:
    """Binds names in the order of the text."""

    def __init__(self, module: Module) -> None:
        self.module = module

    def bind(self, body: Sequence[ast.stmt | Piece]) -> None:
        for statement in body:
            if isinstance(statement, (Piece, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                self.module.bindings[statement.name] = definition(self.module, statement)
            elif isinstance(statement, (ast.Import, ast.ImportFrom)):
                self._import(statement)
            elif isinstance(statement, (ast.Assign, ast.AnnAssign)) and statement.value is not None:
                targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                for target in targets:
                    if isinstance(target, ast.Name):
                        self.module.bindings[target.id] = Assignment(self.module, statement.value)
            elif isinstance(statement, ast.If):
                self.bind(statement.orelse)  # the body wins: it is what runs when the guard holds
                self.bind(statement.body)
            elif isinstance(statement, ast.Try):
                for handler in statement.handlers:
                    self.bind(handler.body)
                self.bind(statement.body + statement.orelse + statement.finalbody)

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        self.module.bindings |= imports(self.module, statement)
        if isinstance(statement, ast.ImportFrom) and any(alias.name == "*" for alias in statement.names):
            self.module.star_imports.append(absolute(self.module, statement))
