"""Questions about syntax trees that several rules ask."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from codemods.maskflow.program.memo import kept

Definition = ast.FunctionDef | ast.AsyncFunctionDef


@kept
def parents(function: ast.AST) -> dict[ast.AST, ast.AST]:
    """Return the parent of every node below ``function``."""
    return {child: node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}


def ancestors(node: ast.AST, above: dict[ast.AST, ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes around ``node``, innermost first."""
    while (node := above.get(node)) is not None:  # type: ignore[assignment]
        yield node


def same_text(node: ast.AST, text: str) -> bool:
    """Whether ``node`` is an expression that reads as ``text``, formatting aside."""
    expected = _expression(text)
    return expected is not None and _is_like(node, expected)


@lru_cache(maxsize=256)  # to write each expression out costs far more than to compare it with this one
def _expression(text: str) -> ast.expr | None:
    """Return the expression that is written out as ``text``, None where there is no such."""
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return None
    return node if ast.unparse(node) == text else None


def _is_like(one: object, other: object) -> bool:
    """Whether two nodes, or parts of nodes, are written out alike."""
    if type(one) is not type(other):
        return False
    if isinstance(one, ast.AST):
        fields = (field for field in one._fields if field != "ctx")
        return all(_is_like(getattr(one, field, None), getattr(other, field, None)) for field in fields)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_like, one, other))
    return one == other


@kept  # the questions of several rules and mends are asked of one function
def in_order(function: ast.AST) -> list[ast.AST]:
    """Return the nodes of ``function`` in the order in which they stand in the text."""
    found: list[ast.AST] = []

    def visit(node: ast.AST) -> None:
        found.append(node)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(function)
    return found


def find_definition(module: ast.Module, qualname: str) -> Definition | None:
    """Return the function of a dotted ``qualname``, looking into classes and functions."""
    body: list[ast.stmt] = module.body
    found: ast.stmt | None = None
    for name in qualname.split("."):
        found = next((node for node in _definitions(body) if node.name == name), None)
        if found is None:
            return None
        body = found.body
    return found if isinstance(found, (ast.FunctionDef, ast.AsyncFunctionDef)) else None


def _definitions(body: list[ast.stmt]) -> Iterator[Definition | ast.ClassDef]:
    """Yield what ``body`` defines, looking through ``if`` and ``try``; the last of a name comes first."""
    for statement in reversed(body):
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield statement
        elif isinstance(statement, ast.If):
            yield from _definitions(statement.body)
            yield from _definitions(statement.orelse)
        elif isinstance(statement, ast.Try):
            yield from _definitions(statement.body)
            for handler in statement.handlers:
                yield from _definitions(handler.body)


def implementation_asked(function: Definition, module: ast.Module) -> str | None:
    """Return the expression by which ``function`` asks for its attention implementation.

    Its own question comes first; otherwise a method asks as the other methods of its class do. None
    means that nothing around it asks, as in code from 5.x on, where a guard must do without.
    """
    own = _asked(function)
    if own:
        return own[0]
    parameters = {parameter.arg for parameter in function.args.args}
    if "self" in parameters:
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef) and _is_within(function, node) and function in ast.walk(node):
                for question in _asked(node):
                    if question.startswith("self."):
                        return question
    return None


def _is_within(inner: Definition, outer: ast.ClassDef) -> bool:
    return outer.lineno <= inner.lineno <= (outer.end_lineno or outer.lineno)


def _asked(node: ast.AST) -> list[str]:
    found = [
        ast.unparse(inner)
        for inner in in_order(node)
        if isinstance(inner, ast.Attribute)
        and inner.attr == "_attn_implementation"
        and isinstance(inner.ctx, ast.Load)
    ]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        found += ["attn_implementation"] if "attn_implementation" in names_taken(node) else []
    return found


def alike(function: ast.AST, text: str) -> list[ast.expr]:
    """Return the expressions of a function that read as ``text``, in the order of the text."""
    return [node for node in in_order(function) if isinstance(node, ast.expr) and same_text(node, text)]


def names_taken(function: Definition | ast.Lambda) -> set[str]:
    """Return the names by which a function takes arguments."""
    return {parameter.arg for parameter in (*function.args.args, *function.args.kwonlyargs)}


def names_bound(statement: ast.stmt) -> list[str]:
    """Return what a plain assignment binds, as it is written."""
    return [ast.unparse(each) for each in statement.targets] if isinstance(statement, ast.Assign) else []
