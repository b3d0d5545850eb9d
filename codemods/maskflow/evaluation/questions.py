"""Questions of a value's kind: what ``isinstance``, ``hasattr`` and ``torch.is_tensor`` ask."""

from __future__ import annotations

import ast
from functools import partial

from codemods.maskflow.evaluation import surface
from codemods.maskflow.evaluation.evaluator import Evaluator
from codemods.maskflow.evaluation.frame import Frame, last_name
from codemods.maskflow.evaluation.narrowing import Answers, is_instance
from codemods.maskflow.evaluation.values import Atom, Block, ClassRef, Instance, Outside, Tuple
from codemods.maskflow.program.index import Class

# One of several classes, of which nothing is known.
_ANY = ""


def asked_of(node: ast.Call, frame: Frame, evaluator: Evaluator) -> Answers | None:
    """Return what ``isinstance``, ``hasattr`` or ``torch.is_tensor`` asks of its first argument."""
    inherits = partial(_inherits, evaluator=evaluator)
    name, count = last_name(node.func), len(node.args)
    if isinstance(node.func, ast.Attribute):
        return is_instance(["Tensor"], inherits) if (name, count) == ("is_tensor", 1) else None
    if (name, count) == ("isinstance", 2):
        return is_instance(_class_names(node.args[1], frame, evaluator), inherits)
    if (name, count) == ("hasattr", 2):
        asked = node.args[1]
        return _has_attribute(str(asked.value if isinstance(asked, ast.Constant) else None))
    return None


def _inherits(instance: Instance, name: str, evaluator: Evaluator) -> bool:
    return any(
        (base.name if isinstance(base, Class) else base.path.rpartition(".")[2]) == name
        for base in evaluator.hierarchy.linearize(instance.cls)
    )


def _class_names(node: ast.expr, frame: Frame, evaluator: Evaluator) -> list[str]:
    """Return the bare names of the classes that are asked for, whatever they are called here."""
    if isinstance(node, (ast.Tuple, ast.List)):
        return [name for element in node.elts for name in _class_names(element, frame, evaluator)]
    if isinstance(node, ast.BinOp):  # int | float
        return _class_names(node.left, frame, evaluator) + _class_names(node.right, frame, evaluator)
    if isinstance(node, ast.Call) and ast.unparse(node) == "type(None)":
        return ["NoneType"]
    return [name for atom in evaluator.evaluate(node, frame) for name in _named(atom)] or [last_name(node)]


def _named(atom: Atom) -> list[str]:
    if isinstance(atom, ClassRef):
        return [atom.cls.name]
    if isinstance(atom, Outside):
        return [atom.path.rpartition(".")[2]]
    if isinstance(atom, Tuple):
        return [name for item in atom.items for each in item for name in _named(each) or [_ANY]]
    return []


def _has_attribute(name: str) -> Answers:
    def test(atom: Atom) -> set[bool]:
        return {surface.has_attribute(name)} if isinstance(atom, Block) else {True, False}

    return test
