"""FLEX002 and FLEX004: a sliding layer restricts a BlockMask as it restricts a dense mask.

The dense path masks what lies further back than the window and keeps the last keys only::

    else:
        too_old = torch.tril(torch.ones_like(mask, dtype=torch.bool), diagonal=-self.sliding_window)
        mask = torch.where(too_old, min_dtype, mask)
        offset = max(0, offset)
        mask = mask[:, :, :, offset : offset + length]

None of that means the same for a BlockMask, so an arm of its own goes before that ``else``.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from codemods.flex_passthrough.mends.window_helper import HELPER
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.late import cst, m
from codemods.flex_passthrough.mends.writing.layout import Frame, lay_out, lay_out_call
from codemods.flex_passthrough.mends.writing.slices import Slice, slice_function
from codemods.flex_passthrough.mends.writing.text import read
from codemods.flex_passthrough.mends.writing.width import indent_unit, indentation, line_width, quote
from codemods.rewrite.edit import Edit

_COMMENT = "# A BlockMask is not sliced: it gets the window and the offset in its mask function"


class _Slide(Struct, frozen=True):
    """How a dense mask is slid: code for the window, the first key and the number of keys."""

    window: str
    offset: cst.BaseExpression
    length: str
    first_key: str


def compose_window(
    text: str,
    function_line: int,
    mask: str,
    implementation: str | None,
    block_mask: str = "BlockMask",
    helper: str = HELPER,
    width: int | None = None,
) -> list[Edit]:
    """Give the decoder layer's choice of masks an arm for a BlockMask.

    Args:
        text: the file.
        function_line: the line of the layer's ``def forward`` or of one of its decorators.
        mask: the name that holds the mask.
        implementation: the expression by which the layer asks for its attention implementation;
            None leaves that question out.
        block_mask: the name of the class in this file.
        helper: the name of the function that slides a BlockMask in this file.
        width: how long a line may be; None takes what the file itself shows.

    Returns:
        The edits; none if the arm is there.

    Raises:
        CannotMend: if the layer does not slide its mask in a way that is known.
    """
    part, function = slice_function(read(text), function_line)
    for choice in _choices(function):
        if any(_is_our_arm(part, arm, mask, block_mask) for arm in _arms(choice)):
            return []
        otherwise = _arms(choice)[-1].orelse
        if isinstance(otherwise, cst.Else) and (slide := _recognize(part, otherwise, mask)):
            return [_insert_arm(part, choice, slide, mask, implementation, block_mask, helper, width)]
    raise CannotMend(f"{function.name.value} does not slide {mask} in a way that is known")


def _choices(node: cst.CSTNode) -> Iterator[cst.If]:
    """Yield every ``if`` that begins a chain."""
    for child in node.children:
        if isinstance(child, cst.If) and not (isinstance(node, cst.If) and node.orelse is child):
            yield child
        yield from _choices(child)


def _arms(choice: cst.If) -> list[cst.If]:
    """Return an ``if`` and its ``elif`` arms."""
    arms = [choice]
    while isinstance(arms[-1].orelse, cst.If):
        arms.append(arms[-1].orelse)
    return arms


def _is_our_arm(part: Slice, arm: cst.If, mask: str, block_mask: str) -> bool:
    test = m.Call(func=m.Name("isinstance"), args=[m.Arg(m.Name(mask)), m.Arg()])
    return any(
        part.code(cst.ensure_type(call, cst.Call).args[1].value) == block_mask
        for call in m.findall(arm.test, test)
    )


def _recognize(part: Slice, otherwise: cst.Else, mask: str) -> _Slide | None:
    """Return how an ``else`` slides the mask, if each step is one that is known."""
    window: str | None = None
    applied = False
    computed: dict[str, cst.BaseExpression] = {}
    slide: _Slide | None = None
    for statement in otherwise.body.body:
        target, value = _assignment(part, statement)
        if value is None:
            return None
        if (too_old := _window(part, value, mask)) is not None:
            window, computed[target] = too_old, value
        elif target != mask:
            known = computed.get(target)
            computed[target] = value if known is None else _put(target, known, value)
        elif window is not None and not applied and m.matches(value, _where(mask)):
            applied = True
        elif applied and window is not None and slide is None:
            slide = _slice(part, value, mask, window, computed)
            if slide is None:
                return None
        else:
            return None
    return slide


def _assignment(part: Slice, statement: cst.CSTNode) -> tuple[str, cst.BaseExpression | None]:
    """Split ``target = value`` or ``target += value``, which becomes ``target + value``."""
    if m.matches(statement, m.SimpleStatementLine(body=[m.Assign(targets=[m.AssignTarget(m.Name())])])):
        assign = cst.ensure_type(cst.ensure_type(statement, cst.SimpleStatementLine).body[0], cst.Assign)
        return part.code(assign.targets[0].target), assign.value
    if m.matches(statement, m.SimpleStatementLine(body=[m.AugAssign(m.Name(), m.AddAssign())])):
        augmented = cst.ensure_type(
            cst.ensure_type(statement, cst.SimpleStatementLine).body[0], cst.AugAssign
        )
        return part.code(augmented.target), cst.BinaryOperation(augmented.target, cst.Add(), augmented.value)
    return "", None


def _where(mask: str) -> m.Call:
    """Match ``torch.where(too_old, lowest, mask)``."""
    return m.Call(func=m.Attribute(attr=m.Name("where")), args=[m.Arg(), m.Arg(), m.Arg(m.Name(mask))])


def _window(part: Slice, value: cst.BaseExpression, mask: str) -> str | None:
    """Return X of ``torch.tril(torch.ones_like(mask, ...), diagonal=-X)``."""
    ones = m.Call(func=m.Attribute(attr=m.Name("ones_like")), args=[m.Arg(m.Name(mask)), m.ZeroOrMore()])
    diagonal = m.Arg(m.UnaryOperation(operator=m.Minus()), keyword=m.Name("diagonal") | None)
    if not m.matches(value, m.Call(func=m.Attribute(attr=m.Name("tril")), args=[m.Arg(ones), diagonal])):
        return None
    negated = cst.ensure_type(cst.ensure_type(value, cst.Call).args[1].value, cst.UnaryOperation)
    return part.code(negated.expression)


def _slice(
    part: Slice, value: cst.BaseExpression, mask: str, window: str, computed: dict[str, cst.BaseExpression]
) -> _Slide | None:
    """Read first key and number of keys off ``mask[:, :, :, first : first + length]``.

    Where slices must not depend on data, the last index is an ``arange`` of the length with the
    first key added.
    """
    everything = m.SubscriptElement(m.Slice(lower=None, upper=None, step=None))
    subscript = m.Subscript(m.Name(mask), slice=[everything, everything, everything, m.SubscriptElement()])
    if not m.matches(value, subscript):
        return None
    last = cst.ensure_type(value, cst.Subscript).slice[-1].slice
    span = m.Slice(lower=m.Name(), upper=m.BinaryOperation(m.Name(), m.Add()), step=None)
    if m.matches(last, span):
        keys = cst.ensure_type(last, cst.Slice)
        upper = cst.ensure_type(keys.upper, cst.BinaryOperation)
        first = part.code(cst.ensure_type(keys.lower, cst.Name))
        length = part.code(upper.right)
        if part.code(upper.left) != first:
            return None
    elif m.matches(last, m.Index(m.Name())):
        indexes = computed.get(part.code(cst.ensure_type(last, cst.Index).value))
        bounded = m.Call(
            func=m.Name("min"), args=[m.Arg(), m.Arg(m.Subscript(m.Attribute(m.Name(mask), m.Name("shape"))))]
        )
        arange = m.Call(func=m.Attribute(attr=m.Name("arange")), args=[m.Arg(bounded), m.ZeroOrMore()])
        if indexes is None or not m.matches(indexes, m.BinaryOperation(arange, m.Add(), m.Name())):
            return None
        added = cst.ensure_type(indexes, cst.BinaryOperation)
        first = part.code(added.right)
        number = cst.ensure_type(cst.ensure_type(added.left, cst.Call).args[0].value, cst.Call)
        length = part.code(number.args[0].value)
    else:
        return None
    offset = computed.get(first)
    if offset is None:
        return None
    used = {node.value for node in m.findall(offset, m.Name()) if isinstance(node, cst.Name)} | {
        window,
        length,
    }
    if used & (computed.keys() - {first}):
        # Our arm would have to compute these too.
        return None
    return _Slide(window, offset, length, first)


def _put(name: str, meaning: cst.BaseExpression, value: cst.BaseExpression) -> cst.BaseExpression:
    """Return ``value`` with ``name`` spelled out."""

    class Put(cst.CSTTransformer):
        def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
            if original_node.value != name:
                return updated_node
            if isinstance(meaning, (cst.Name, cst.Call, cst.Attribute, cst.Subscript)):
                return meaning
            return meaning.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])

        def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
            alone = m.matches(original_node, m.Arg(m.Name(name), star=""))
            return updated_node.with_changes(value=meaning) if alone else updated_node

    spelled_out = value.visit(Put())
    assert isinstance(spelled_out, cst.BaseExpression)
    return spelled_out


def _insert_arm(
    part: Slice,
    choice: cst.If,
    slide: _Slide,
    mask: str,
    implementation: str | None,
    block_mask: str,
    helper: str,
    width: int | None,
) -> Edit:
    """Write the arm behind the last one that has a test, before the comments of the ``else``."""
    source = part.source
    last_arm = _arms(choice)[-1]
    line = part.span(last_arm.body.body[-1]).end_line
    depth = indentation(source, part.span(choice).line)
    while _is_comment_below(source.lines[line], depth):
        line += 1
    unit, newline, mark = indent_unit(source), source.newline(line), quote(source)
    frame = Frame(f"{depth}elif ", ":", depth, unit, line_width(source.text, width), newline)

    test = f"isinstance({mask}, {block_mask})"
    if implementation is not None:
        test = f"{implementation} == {mark}flex_attention{mark} and {test}"
    inner = depth + unit
    arguments = [mask, slide.window, slide.first_key, slide.length]
    lines = [
        f"{depth}elif {lay_out(cst.parse_expression(test), frame, part.code)}:",
        inner + _COMMENT,
        f"{inner}{slide.first_key} = {part.code(slide.offset)}",
        *lay_out_call(f"{inner}{mask} = {helper}", arguments, inner, frame),
    ]
    start = source.after(line)
    return Edit(start, start, "".join(each + newline for each in lines))


def _is_comment_below(line: str, depth: str) -> bool:
    """Recognize a comment that is indented deeper than ``depth``."""
    return line.lstrip().startswith("#") and line.startswith(depth) and line[len(depth)] in " \t"
