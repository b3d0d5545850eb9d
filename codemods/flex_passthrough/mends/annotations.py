"""On request: a mask that may be a BlockMask says so in its annotation.

``torch.Tensor`` becomes ``Union[torch.Tensor, "BlockMask"]``, and ``torch.Tensor | None`` becomes
``"torch.Tensor | BlockMask | None"``: each file keeps the way it writes unions. The name stands in
quotes, as it is bound only where torch has flex attention, and a type cannot be joined to a string by
``|``; quotes are left out where a file evaluates no annotation. An annotation stays as it is where it
names no tensor, knows of BlockMask, or would not fit into its line.
"""

from __future__ import annotations

import ast

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.imports import BLOCK_MASK, Need
from codemods.flex_passthrough.mends.writing.names import local_name
from codemods.flex_passthrough.mends.writing.text import Text, read
from codemods.flex_passthrough.mends.writing.width import quote
from codemods.maskflow.program.flex_names import annotations_of
from codemods.rewrite.edit import Edit

Definition = ast.FunctionDef | ast.AsyncFunctionDef

UNION = Need("typing", "Union")


def annotate_mask(text: str, node: Definition, mask: str, width: int) -> tuple[list[Edit], tuple[Need, ...]]:
    """Let the annotation of a parameter name BlockMask beside its tensor.

    Args:
        text: the file.
        node: the function's syntax tree in that text.
        mask: the parameter; anything else has no annotation, and stays as it is.
        width: how long a line may be.

    Returns:
        The edits, none if nothing is to be changed, and what the file must import for them.
    """
    annotation = _annotation(node, mask)
    if annotation is None or "BlockMask" in ast.unparse(annotation):
        return [], ()
    tensor = _tensor(annotation)
    if tensor is None or annotation.end_lineno != annotation.lineno:
        return [], ()
    source = read(text)
    try:
        name = local_name(text, BLOCK_MASK.module, "BlockMask") or "BlockMask"
        union = local_name(text, "typing", "Union")
    except CannotMend:  # these names mean something else in this file
        return [], ()
    edits, needs = _edits(source, annotation, tensor, name, union)
    longer = sum(len(edit.replacement) - (edit.end - edit.start) for edit in edits)
    fits = len(source.lines[annotation.lineno - 1].rstrip("\r\n")) + longer <= width
    return (edits, (*needs, BLOCK_MASK)) if edits and fits else ([], ())


def _annotation(node: Definition, mask: str) -> ast.expr | None:
    given = node.args
    parameters = (*given.posonlyargs, *given.args, *given.kwonlyargs)
    return next((each.annotation for each in parameters if each.arg == mask), None)


def _tensor(annotation: ast.expr) -> ast.expr | None:
    """Return the tensor type of ``T``, ``Optional[T]``, ``Union[T, ...]`` or ``T | ...``."""
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return _tensor(annotation.left) or _tensor(annotation.right)
    if isinstance(annotation, ast.Subscript) and _last(annotation.value) in ("Optional", "Union"):
        inner = annotation.slice
        held = inner.elts if isinstance(inner, ast.Tuple) else [inner]
        return next((found for found in map(_tensor, held) if found is not None), None)
    return annotation if _last(annotation).endswith("Tensor") else None


def _last(node: ast.expr) -> str:
    return ast.unparse(node).rpartition(".")[2] if isinstance(node, (ast.Name, ast.Attribute)) else ""


def _edits(
    source: Text, annotation: ast.expr, tensor: ast.expr, name: str, union: str | None
) -> tuple[list[Edit], tuple[Need, ...]]:
    start, end = source.extent(tensor)
    evaluated = not _evaluates_none(source.tree)
    mark = quote(source) if evaluated else ""
    quoted = f"{mark}{name}{mark}"
    around = _around(annotation, tensor)
    if isinstance(around, ast.Subscript) and _last(around.value) == "Union":
        return [Edit(end, end, f", {quoted}")], ()
    if isinstance(around, ast.BinOp) or (around is None and _writes_bars(source.tree)):
        return _joined(source, annotation, end, name, mark), ()
    opening = Edit(start, start, f"{union or 'Union'}[")
    return [opening, Edit(end, end, f", {quoted}]")], () if union else (UNION,)


def _joined(source: Text, annotation: ast.expr, end: int, name: str, mark: str) -> list[Edit]:
    """``T | None`` with the name behind ``T``, in quotes as a whole."""
    first, last = source.extent(annotation)
    written = source.text[first:last]
    if mark and any(each in written for each in ("'", '"')):
        return []
    return [Edit(first, last, f"{mark}{source.text[first:end]} | {name}{source.text[end:last]}{mark}")]


def _around(annotation: ast.expr, tensor: ast.expr) -> ast.expr | None:
    """Return the union that holds the tensor type: the innermost; None if it is the whole annotation."""
    found: ast.expr | None = None
    for node in ast.walk(annotation):
        holds = isinstance(node, (ast.BinOp, ast.Subscript)) and any(n is tensor for n in ast.walk(node))
        found = node if holds and isinstance(node, ast.expr) else found
    return found


def _evaluates_none(module: ast.Module) -> bool:
    """Whether the file begins with ``from __future__ import annotations``."""
    return any(
        isinstance(each, ast.ImportFrom)
        and each.module == "__future__"
        and "annotations" in [alias.name for alias in each.names]
        for each in module.body
    )


def _writes_bars(module: ast.Module) -> bool:
    """Whether the file writes unions as ``X | Y``, and none in the older way."""
    annotations = [
        ast.unparse(each)
        for node in ast.walk(module)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for each in annotations_of(node)
    ]
    older = any("Optional[" in each or "Union[" in each for each in annotations)
    return not older and any(" | " in each for each in annotations)
