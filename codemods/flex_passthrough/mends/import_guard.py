"""FLEX005: flex attention is imported, and asked for, only where torch has it."""

from __future__ import annotations

import ast
from typing import TypeGuard

from codemods.flex_passthrough.mends.guards import ask_before
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.imports import Need
from codemods.flex_passthrough.mends.writing.text import Text, first_line, read, starts_its_line
from codemods.flex_passthrough.mends.writing.width import quote
from codemods.maskflow.program.flex_names import annotations_of, names_in
from codemods.rewrite.edit import Edit
from codemods.source.position import span_of, split_lines

Definition = ast.FunctionDef | ast.AsyncFunctionDef


def drop_imports(text: str, module: str) -> tuple[list[Edit], list[Need]]:
    """Take the unguarded top-level imports of ``module`` out; return what has to be imported instead.

    Raises:
        CannotMend: if one of them cannot go into a guard as it is.
    """
    source = read(text)
    edits, needs = [], []
    for statement in source.tree.body:
        if not isinstance(statement, ast.ImportFrom) or statement.level or statement.module != module:
            continue
        if any(alias.asname or alias.name == "*" for alias in statement.names):
            raise CannotMend(f"line {statement.lineno} gives what it imports other names")
        edits.append(_without(source, statement))
        needs += [Need(module, alias.name, guarded=True) for alias in statement.names]
    return edits, needs


def _without(source: Text, statement: ast.stmt) -> Edit:
    """Remove a statement with its lines, and one blank line where it stood between two."""
    start_line, end_line = first_line(statement), statement.end_lineno or statement.lineno
    start, end = source.offset(start_line, 0), source.after(end_line)
    alone = starts_its_line(source, statement) and not any(
        mark in source.text[source.extent(statement)[1] : end] for mark in ";#"
    )
    if not alone:
        raise CannotMend(f"line {start_line} holds more than the import")
    blank_above = start_line == 1 or not source.lines[start_line - 2].strip()
    blank_below = end_line < len(source.lines) and not source.lines[end_line].strip()
    return Edit(start, source.after(end_line + 1) if blank_above and blank_below else end, "")


def ask_first(text: str, node: Definition, name: str, question: str, width: int | None = None) -> list[Edit]:
    """Put ``question`` before each ``isinstance(x, name)`` of a function that nothing guards.

    Args:
        text: the file.
        node: the function's syntax tree in that text.
        name: the class that is bound only where ``question`` holds.
        question: a call such as ``is_torch_flex_attn_available()``.
        width: how long a line may be; None takes what the file itself shows.

    Raises:
        CannotMend: if the name is used in another way, or as one of several classes.
    """
    lines = split_lines(text)
    edits = []
    tests = {test.args[1]: test for test in ast.walk(node) if _asks_for(test, name)}
    for statement in node.body:
        for used, guarded in names_in(statement):
            if used.id != name or guarded:
                continue
            if used not in tests:
                raise CannotMend(f"line {used.lineno} uses {name} in another way than isinstance(x, {name})")
            edits += ask_before(text, span_of(tests[used], lines), question, width)
    return edits


def quote_annotations(text: str, node: Definition, name: str) -> list[Edit]:
    """Put quotes around the annotations of a function that use ``name``: then nothing evaluates them."""
    source = read(text)
    mark = quote(source)
    edits = []
    for annotation in annotations_of(node):
        if not _uses(annotation, name):
            continue
        start, end = source.extent(annotation)
        written = source.text[start:end]
        if "\n" in written or "'" in written or '"' in written:
            raise CannotMend(f"the annotation in line {annotation.lineno} cannot be quoted as it is")
        edits.append(Edit(start, end, f"{mark}{written}{mark}"))
    return edits


def _asks_for(node: ast.AST, name: str) -> TypeGuard[ast.Call]:
    """Recognize ``isinstance(x, name)``."""
    if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance" and len(node.args) == 2):
        return False
    return isinstance(node.args[1], ast.Name) and node.args[1].id == name


def _uses(node: ast.AST, name: str) -> bool:
    return any(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(node))
