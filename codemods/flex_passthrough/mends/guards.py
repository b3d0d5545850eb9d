"""FLEX002: an operation that only a tensor has is asked of nothing but a tensor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeVar

from msgspec import Struct

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.late import cst, m
from codemods.flex_passthrough.mends.writing.layout import Frame, lay_out
from codemods.flex_passthrough.mends.writing.slices import Slice, slice_around
from codemods.flex_passthrough.mends.writing.text import read
from codemods.flex_passthrough.mends.writing.width import indent_unit, indentation, line_width
from codemods.rewrite.edit import Edit
from codemods.source.position import Span

# Within these an `and` chain needs no parentheses of its own. (Types by name: LibCST is not loaded yet.)
_LOOSER_THAN_AND = {
    "Arg",
    "Assert",
    "Assign",
    "AnnAssign",
    "AugAssign",
    "BooleanOperation",
    "CompIf",
    "DictElement",
    "Element",
    "Expr",
    "FormattedStringExpression",
    "If",
    "IfExp",
    "Index",
    "Lambda",
    "NamedExpr",
    "Return",
    "While",
}
# The statements whose one condition or value black breaks as a whole.
_STATEMENTS = {"If", "While", "Return", "Assign", "AnnAssign", "AugAssign", "Expr"}
Expression = TypeVar("Expression", bound="cst.BaseExpression")


class _Form(Struct, frozen=True):
    """How a condition is settled for everything but a tensor.

    Attributes:
        guard: a template of the test that is put in front.
        joined: the operator between the guard and the condition.
        presence: the test for None whose place the guard may take.
    """

    guard: str
    joined: Literal["And", "Or"]
    presence: Literal["Is", "IsNot"]


_FALSE = _Form("isinstance({mask}, {torch}.Tensor)", "And", "IsNot")
_TRUE = _Form("not isinstance({mask}, {torch}.Tensor)", "Or", "Is")


def require_tensor(
    text: str,
    test: Span,
    mask: str,
    torch_name: str = "torch",
    width: int | None = None,
    *,
    otherwise: bool = False,
) -> list[Edit]:
    """Make a condition false (or true) for everything but a tensor.

    A test of ``mask is not None`` that already stands before the condition becomes the
    ``isinstance``; otherwise that is put in front. The statement is laid out anew, as black would,
    only if it was laid out so before and no longer fits.

    Args:
        text: the file.
        test: where the condition stands that is settled for a BlockMask.
        mask: the expression that holds the mask, usually a name.
        torch_name: the name of the ``torch`` module in this file.
        width: how long a line may be; None takes what the file itself shows.
        otherwise: what the condition is for everything but a tensor.

    Returns:
        The edits; none if the condition is guarded already.

    Raises:
        CannotMend: if no expression stands at ``test``.
    """
    source = read(text)
    part = slice_around(source, test)
    node = _expression_at(part, test)
    parents = {child: parent for parent in _walk(part.module) for child in parent.children}
    form = _TRUE if otherwise else _FALSE
    guard = form.guard.format(mask=mask, torch=torch_name)

    operands = [*_operands_before(node, parents, form), *_operands(node, form)]
    if any(_is_tensor_test(operand, mask, part, form) for operand in operands):
        return []
    present = next((each for each in operands if _is_presence_test(each, mask, part, form)), None)
    if present is not None:
        old, new = present, cst.parse_expression(guard).with_changes(lpar=present.lpar, rpar=present.rpar)
    else:
        old, new = node, _join(guard, node, parents, form)
    smallest = _replace(part, old, new)
    return [_lay_out_again(part, _whole_condition(old, parents), parents, old, new, width) or smallest]


def ask_before(text: str, test: Span, question: str, width: int | None = None) -> list[Edit]:
    """Make a condition false where ``question``, which is then asked first, is.

    Args:
        text: the file.
        test: where the condition stands.
        question: an expression that binds no less tightly than ``and``, such as a call.
        width: how long a line may be; None takes what the file itself shows.

    Returns:
        The edits; none if an ``and`` before the condition asks already.

    Raises:
        CannotMend: if no expression stands at ``test``.
    """
    source = read(text)
    part = slice_around(source, test)
    node = _expression_at(part, test)
    parents = {child: parent for parent in _walk(part.module) for child in parent.children}
    if any(part.code(operand) == question for operand in _operands_before(node, parents, _FALSE)):
        return []
    new = _join(question, node, parents, _FALSE)
    smallest = _replace(part, node, new)
    return [_lay_out_again(part, _whole_condition(node, parents), parents, node, new, width) or smallest]


def _whole_condition(node: cst.BaseExpression, parents: dict[cst.CSTNode, cst.CSTNode]) -> cst.BaseExpression:
    """Return the chain of operators and choices around ``node``."""
    parent = parents[node]
    while isinstance(parent, (cst.BooleanOperation, cst.IfExp)) or m.matches(
        parent, m.UnaryOperation(operator=m.Not())
    ):
        assert isinstance(parent, cst.BaseExpression)
        node, parent = parent, parents[parent]
    return node


def _lay_out_again(
    part: Slice,
    condition: cst.BaseExpression,
    parents: dict[cst.CSTNode, cst.CSTNode],
    old: cst.BaseExpression,
    new: cst.BaseExpression,
    width: int | None,
) -> Edit | None:
    """Break a statement that no longer fits its line, if black would have left it as it was."""
    if type(parents[condition]).__name__ not in _STATEMENTS:
        return None
    source = part.source
    span = _outer_span(part, condition)
    start, end = source.offset(span.line, span.column), source.offset(span.end_line, span.end_column)
    before = source.text[start:end]
    first, last = source.lines[span.line - 1], source.lines[span.end_line - 1].rstrip("\r\n")
    smallest = _replace(part, old, new)
    growth = len(smallest.replacement) - (smallest.end - smallest.start)
    limit = line_width(source.text, width)
    if span.line == span.end_line and len(last) + growth <= limit:
        return smallest
    frame = Frame(
        head=first[: span.column],
        tail=last[span.end_column :],
        indentation=indentation(source, span.line),
        unit=indent_unit(source),
        width=limit,
        newline=source.newline(span.line),
    )
    if lay_out(condition, frame, part.code) != before:
        return None
    changed = new if condition is old else condition.deep_replace(old, new)
    assert isinstance(changed, cst.BaseExpression)
    after = lay_out(changed, frame, part.code)
    return None if after is None else Edit(start, end, after)


def _expression_at(part: Slice, span: Span) -> cst.BaseExpression:
    """Return the expression that stands exactly at ``span``, with or without its parentheses."""
    for node in _walk(part.module):
        if isinstance(node, cst.BaseExpression) and span in (part.span(node), _outer_span(part, node)):
            return node
    raise CannotMend(f"no expression stands at line {span.line}, column {span.column + 1}")


def _outer_span(part: Slice, node: cst.BaseExpression) -> Span:
    """Return where ``node`` stands, its own parentheses included."""
    if not node.lpar:
        return part.span(node)
    start, end = part.span(node.lpar[0]), part.span(node.rpar[-1])
    return Span(start.line, start.column, end.end_line, end.end_column)


def _walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _is(node: cst.CSTNode, kind: str) -> bool:
    return type(node).__name__ == kind


def _operands(node: cst.BaseExpression, form: _Form) -> list[cst.BaseExpression]:
    """Return the operands of an ``and`` (or ``or``) chain in the order they are evaluated."""
    if isinstance(node, cst.BooleanOperation) and _is(node.operator, form.joined):
        return [*_operands(node.left, form), *_operands(node.right, form)]
    return [node]


def _operands_before(
    node: cst.BaseExpression, parents: dict[cst.CSTNode, cst.CSTNode], form: _Form
) -> list[cst.BaseExpression]:
    """Return what has not settled the chain before ``node`` is evaluated."""
    before: list[cst.BaseExpression] = []
    parent = parents[node]
    while isinstance(parent, cst.BooleanOperation) and _is(parent.operator, form.joined):
        if node is parent.right:
            before = [*_operands(parent.left, form), *before]
        node, parent = parent, parents[parent]
    return before


def _is_presence_test(node: cst.BaseExpression, mask: str, part: Slice, form: _Form) -> bool:
    """Recognize ``mask is not None`` (or ``mask is None``)."""
    test = m.Comparison(comparisons=[m.ComparisonTarget(comparator=m.Name("None"))])
    return (
        m.matches(node, test)
        and _is(cst.ensure_type(node, cst.Comparison).comparisons[0].operator, form.presence)
        and part.code(cst.ensure_type(node, cst.Comparison).left) == mask
    )


def _is_tensor_test(node: cst.BaseExpression, mask: str, part: Slice, form: _Form) -> bool:
    """Recognize ``isinstance(mask, torch.Tensor)`` (or its ``not``) under any name of the module."""
    if form is _TRUE:
        if not m.matches(node, m.UnaryOperation(operator=m.Not())):
            return False
        node = cst.ensure_type(node, cst.UnaryOperation).expression
    tensor = m.Name("Tensor") | m.Attribute(attr=m.Name("Tensor"))
    test = m.Call(func=m.Name("isinstance"), args=[m.Arg(), m.Arg(tensor)])
    return m.matches(node, test) and part.code(cst.ensure_type(node, cst.Call).args[0].value) == mask


def _join(
    guard: str, node: cst.BaseExpression, parents: dict[cst.CSTNode, cst.CSTNode], form: _Form
) -> cst.BaseExpression:
    """Put the guard before ``node``, with the parentheses that this takes."""
    parent = parents[node]
    loose = type(parent).__name__ in _LOOSER_THAN_AND and not _binds_tighter(parent, form)
    within = bool(node.lpar) and not loose
    operand = node.with_changes(lpar=(), rpar=()) if within else node
    if _needs_parentheses(operand, form):
        operand = _parenthesize(operand)
    chain = cst.BooleanOperation(
        cst.parse_expression(guard), _operator_like_neighbours(parent, form), operand
    )
    if within:
        return chain.with_changes(lpar=node.lpar, rpar=node.rpar)
    return chain if loose else _parenthesize(chain)


def _binds_tighter(parent: cst.CSTNode, form: _Form) -> bool:
    """Tell whether ``parent`` is an ``and`` around what is joined by ``or``."""
    return form is _TRUE and isinstance(parent, cst.BooleanOperation) and isinstance(parent.operator, cst.And)


def _needs_parentheses(operand: cst.BaseExpression, form: _Form) -> bool:
    """Tell whether ``operand`` binds less tightly than the operator that joins the guard to it."""
    looser = m.IfExp() | m.Lambda() | m.NamedExpr()
    if form is _FALSE and m.matches(operand, m.BooleanOperation(operator=m.Or())):
        return not operand.lpar
    return not operand.lpar and m.matches(operand, looser)


def _operator_like_neighbours(parent: cst.CSTNode, form: _Form) -> cst.And | cst.Or:
    """Return an operator that begins a line if the one beside it does."""
    operator: type[cst.And] | type[cst.Or] = cst.And if form.joined == "And" else cst.Or
    if isinstance(parent, cst.BooleanOperation):
        before = parent.operator.whitespace_before
        if isinstance(before, cst.ParenthesizedWhitespace):
            return operator(
                whitespace_before=before.with_changes(first_line=cst.TrailingWhitespace(), empty_lines=())
            )
    return operator()


def _parenthesize(node: Expression) -> Expression:
    return node.with_changes(lpar=[cst.LeftParen(), *node.lpar], rpar=[*node.rpar, cst.RightParen()])


def _replace(part: Slice, old: cst.BaseExpression, new: cst.BaseExpression) -> Edit:
    span = _outer_span(part, old)
    source = part.source
    start, end = source.offset(span.line, span.column), source.offset(span.end_line, span.end_column)
    return Edit(start, end, part.code(new))
