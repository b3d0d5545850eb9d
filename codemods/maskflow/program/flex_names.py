"""The names of flex attention in one module: where they are used, and whether they are bound there.

torch has had them since 2.5, so a library that supports older versions imports them under a guard.
This looks at one module's text only: what its functions are called with plays no part.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec import Struct

from codemods.maskflow.program.index import Class, Function, Import, Module

# Where torch keeps flex attention.
TORCH = "torch.nn.attention.flex_attention"

# Where a transformers-like package keeps what it builds on top, below its top package.
INTEGRATION = "integrations.flex_attention"

# Names that mean flex attention wherever they stand, with the module each lives in.
HOMES = {
    "BlockMask": TORCH,
    "create_block_mask": TORCH,
    "make_flex_block_causal_mask": INTEGRATION,
}

# What a guard asks: the library's own question, or whether flex attention is what runs.
_QUESTIONS = ("is_torch_flex_attn_available", "flex_attention")


class Use(Struct, frozen=True):
    """One use of a flex-attention name, and the top-level function or method that it stands in.

    Attributes:
        guarded: whether it is evaluated only where a test for flex attention came out true.
        annotation: whether it is (part of) an annotation, which is evaluated with the ``def``.
    """

    function: Function
    node: ast.Name
    guarded: bool
    annotation: bool = False


def uses(module: Module) -> Iterator[Use]:
    """Yield the uses of flex-attention names in the functions of ``module``, in source order."""
    postponed = module.bindings.get("annotations") == Import("__future__", "annotations")
    for function in _functions(module):
        local = _bound_within(function.node)
        for use in _uses(function):
            if use.node.id not in local and not (postponed and use.annotation):
                yield use


def is_bound(module: Module, name: str) -> bool:
    """Whether the top level of ``module`` binds ``name`` in any way, star imports included."""
    return name in module.bindings or bool(module.star_imports)


def is_always_bound(module: Module, name: str) -> bool:
    """Whether ``name`` is bound whatever the guards of ``module`` say."""
    return bool(module.star_imports) or _always(module.syntax.body, name)


def unguarded_imports(module: Module) -> Iterator[ast.ImportFrom]:
    """Yield the imports from torch's flex attention that run on every torch."""
    if f"\nfrom {TORCH} import" not in f"\n{module.source.text}":  # spares parsing the whole file
        return
    for statement in module.syntax.body:
        if isinstance(statement, ast.ImportFrom) and not statement.level and statement.module == TORCH:
            yield statement


def _functions(module: Module) -> Iterator[Function]:
    for bound in module.bindings.values():
        if isinstance(bound, (Class, Function)) and _mentions(bound):
            inner = bound.members.values() if isinstance(bound, Class) else [bound]
            yield from (each for each in inner if isinstance(each, Function) and _mentions(each))


def _mentions(definition: Class | Function) -> bool:
    return any(definition.mentions(name) for name in HOMES)


def _uses(function: Function) -> Iterator[Use]:
    node = function.node
    if isinstance(node, ast.Lambda):
        return
    for part in (*annotations_of(node), *node.decorator_list):
        yield from (Use(function, name, False, True) for name, _ in names_in(part, False))
    for statement in node.body:
        yield from (Use(function, name, guarded) for name, guarded in names_in(statement, False))


def annotations_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    """Yield the annotations of a function's parameters, and of what it returns."""
    given = node.args
    for parameter in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg):
        if parameter is not None and parameter.annotation is not None:
            yield parameter.annotation
    if node.returns is not None:
        yield node.returns


def names_in(node: ast.AST, guarded: bool = False) -> Iterator[tuple[ast.Name, bool]]:
    """Yield the flex-attention names below ``node``, each with whether a guard stands before it."""
    if isinstance(node, ast.Name):
        if node.id in HOMES and isinstance(node.ctx, ast.Load):
            yield node, guarded
    elif isinstance(node, (ast.If, ast.IfExp)):
        yield from names_in(node.test, guarded)
        inner = guarded or _asks(node.test)
        for arm, state in ((node.body, inner), (node.orelse, guarded)):
            statements: list[ast.AST] = [*arm] if isinstance(arm, list) else [arm]
            for child in statements:
                yield from names_in(child, state)
    elif isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        for operand in node.values:
            yield from names_in(operand, guarded)
            guarded = guarded or _asks(operand)
    elif isinstance(node, (ast.AnnAssign, ast.arg)):
        # A local annotation is never evaluated.
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            yield from names_in(node.value, guarded)
    else:
        for child in ast.iter_child_nodes(node):
            yield from names_in(child, guarded)


def _asks(test: ast.expr) -> bool:
    return any(question in ast.unparse(test) for question in _QUESTIONS)


def _bound_within(node: ast.AST) -> set[str]:
    """Return what imports and assignments anywhere inside a function bind."""
    bound: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, (ast.Import, ast.ImportFrom)):
            bound |= {alias.asname or alias.name for alias in inner.names}
        elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            bound.add(inner.id)
        elif isinstance(inner, ast.arg):
            bound.add(inner.arg)
    return bound


def _always(body: list[ast.stmt], name: str) -> bool:
    return any(_binds(statement, name) for statement in body)


def _binds(statement: ast.stmt, name: str) -> bool:
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return any((alias.asname or alias.name) == name for alias in statement.names)
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return any(isinstance(target, ast.Name) and target.id == name for target in targets)
    if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return statement.name == name
    if isinstance(statement, ast.If):
        return _always(statement.body, name) and _always(statement.orelse, name)
    if isinstance(statement, ast.Try):
        handled = all(_always(handler.body, name) for handler in statement.handlers)
        return _always(statement.finalbody, name) or (
            handled and _always([*statement.body, *statement.orelse], name)
        )
    return False
