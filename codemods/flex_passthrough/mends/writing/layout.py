"""How black lays out a condition, or a choice between two values, that no longer fits its line.

Black breaks a statement at its weakest operators: a conditional expression before ``if`` and
``else``, a chain of ``and`` and ``or`` before each of them. Only what stands between them is kept
as it is written, so a file that another hand formatted keeps its own spacing.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Callable, Iterable
from itertools import chain
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from codemods.flex_passthrough.mends.writing.late import cst

Code: TypeAlias = "Callable[[cst.CSTNode], str]"
# A word that begins a broken line, and the operand behind it.
Operand: TypeAlias = "tuple[str, cst.BaseExpression]"


class Frame(Struct, frozen=True):
    """What stands around an expression, and how its file is set.

    Attributes:
        head: the text before it on its first line, indentation included.
        tail: the text behind it on its last line.
        indentation: the white space its statement begins with.
        unit: one step of indentation.
        width: how many characters a line may have.
        newline: the line end.
    """

    head: str
    tail: str
    indentation: str
    unit: str
    width: int
    newline: str

    def fits(self, line: str) -> bool:
        """Tell whether a line, tabs counting as black counts them, is short enough."""
        return len(line) <= self.width


def lay_out(expression: cst.BaseExpression, frame: Frame, code: Code) -> str | None:
    """Return the text of ``expression``, in parentheses of its own where it must be broken.

    Args:
        expression: the whole expression of an ``if``, a ``return`` or an assignment.
        frame: its surroundings.
        code: gives the source of a node, its own parentheses included.

    Returns:
        The text; None if a comment or a line break within an operand leaves nothing to decide.
    """
    if _has_comment(expression):
        return None
    bare = _bare(expression)
    lines = _split(bare)
    flat = _join(chain.from_iterable(lines), code)
    if "\n" in flat or "\r" in flat:
        return None
    if frame.fits(frame.head + flat + frame.tail):
        return flat
    if len(lines) == 2 and (in_a_bracket := _break_in_a_bracket(flat, frame)):
        return in_a_bracket
    body = _block(bare, frame.indentation + frame.unit, frame, code)
    return frame.newline.join(["(", *body, f"{frame.indentation})"])


def lay_out_call(head: str, arguments: list[str], indentation: str, frame: Frame) -> list[str]:
    """Return the lines of a call as black would break them; ``head`` ends with what is called."""
    flat = ", ".join(arguments)
    if frame.fits(f"{head}({flat})"):
        return [f"{head}({flat})"]
    inner = indentation + frame.unit
    if frame.fits(inner + flat):
        return [f"{head}(", inner + flat, f"{indentation})"]
    return [f"{head}(", *(_argument(each, inner, frame) for each in arguments), f"{indentation})"]


def _argument(argument: str, indentation: str, frame: Frame) -> str:
    """Return an argument on lines of its own; black puts a choice that is too long in parentheses."""
    line = f"{indentation}{argument},"
    name, _, value = argument.partition("=")
    if frame.fits(line) or not name.isidentifier():
        return line
    expression = cst.parse_expression(value)
    if not isinstance(expression, cst.IfExp):
        return line
    around = replace(frame, head=f"{indentation}{name}=", tail=",", indentation=indentation)
    return f"{around.head}{lay_out(expression, around, cst.Module([]).code_for_node)},"


def _split(node: cst.BaseExpression) -> list[list[Operand]]:
    """Split an expression at its weakest operators, and each part at the next weaker ones."""
    if isinstance(node, cst.IfExp):
        return [_chain("", node.body), _chain("if ", node.test), _chain("else ", node.orelse)]
    return [[operand] for operand in _chain("", node)]


def _chain(word: str, node: cst.BaseExpression) -> list[Operand]:
    """Split a chain of ``and`` and ``or``; each operator stays with the operand behind it."""
    if isinstance(node, cst.BooleanOperation) and not node.lpar:
        operator = "and " if isinstance(node.operator, cst.And) else "or "
        return [*_chain(word, node.left), *_chain(operator, node.right)]
    return [(word, node)]


def _join(operands: Iterable[Operand], code: Code) -> str:
    """Return operands on one line, those in parentheses unbroken too."""
    return " ".join(word + _flat(node, code) for word, node in operands)


def _flat(node: cst.BaseExpression, code: Code) -> str:
    if len(node.lpar) == 1 and isinstance(node, (cst.IfExp, cst.BooleanOperation)):
        return f"({_join(chain.from_iterable(_split(_bare(node))), code)})"
    return _unbroken(code(node))


def _unbroken(text: str) -> str:
    """Join the lines of an operand that black broke inside its brackets."""
    if "\n" not in text or re.search(r"\"\"\"|'''|,\s*[)\]}]", text):
        return text
    text = re.sub(r"([(\[{])\s*\n\s*", r"\1", text)
    text = re.sub(r"\s*\n\s*([)\]}])", r"\1", text)
    return re.sub(r"\s*\n\s*", " ", text)


def _block(node: cst.BaseExpression, indentation: str, frame: Frame, code: Code) -> list[str]:
    """Return the lines of an expression that stands in parentheses."""
    lines = _split(node)
    flat = indentation + _join(chain.from_iterable(lines), code)
    return [flat] if frame.fits(flat) else _break(lines, indentation, frame, code)


def _break(lines: list[list[Operand]], indentation: str, frame: Frame, code: Code) -> list[str]:
    """Give each part its line; one that is too long is broken at its own operators."""
    broken: list[str] = []
    for operands in lines:
        line = indentation + _join(operands, code)
        (word, node), *others = operands
        if frame.fits(line):
            broken.append(line)
        elif others:
            broken += _break([[operand] for operand in operands], indentation, frame, code)
        elif isinstance(node, (cst.IfExp, cst.BooleanOperation)):
            inner = _block(_bare(node), indentation + frame.unit, frame, code)
            broken += [f"{indentation}{word}(", *inner, f"{indentation})"]
        else:
            broken.append(line)
    return broken


def _bare(node: cst.BaseExpression) -> cst.BaseExpression:
    return node.with_changes(lpar=(), rpar=())


def _break_in_a_bracket(flat: str, frame: Frame) -> str | None:
    """Break inside a bracket instead of adding parentheses, which black does for one operator.

    The expression must end with a bracket. The last one is taken whose line then fits, as long as
    what follows it does not fill a line of its own.
    """
    brackets = _outer_brackets(flat)
    if not brackets or brackets[-1][1] != len(flat) - 1 or brackets[-1][0] + 1 == brackets[-1][1]:
        return None
    inner = frame.indentation + frame.unit
    for opening, closing in reversed(brackets):
        if not frame.fits(frame.indentation + flat[closing:] + frame.tail):
            return None
        before, body = flat[: opening + 1], flat[opening + 1 : closing]
        if body and frame.fits(frame.head + before):
            if not frame.fits(inner + body):
                return None
            return frame.newline.join([before, inner + body, frame.indentation + flat[closing:]])
    return None


def _outer_brackets(flat: str) -> list[tuple[int, int]]:
    """Return where each bracket that is in no other opens and closes."""
    brackets, opened = [], []
    for token in tokenize.generate_tokens(io.StringIO(flat).readline):
        if token.type == tokenize.OP and token.string in "([{":
            opened.append(token.start[1])
        elif token.type == tokenize.OP and token.string in ")]}":
            opening = opened.pop()
            if not opened:
                brackets.append((opening, token.start[1]))
    return brackets


def _has_comment(node: cst.CSTNode) -> bool:
    return any(isinstance(child, cst.Comment) or _has_comment(child) for child in node.children)
