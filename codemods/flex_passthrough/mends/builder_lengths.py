"""FLEX003: a builder that knows the 2-D mask only learns of lengths and offsets.

Later releases' builders take them. Without them the function makes the mask it made before.
"""

from __future__ import annotations

import ast

from msgspec import Struct

from codemods.flex_passthrough.mends.flex_branch import Definition, parameter_names
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.layout import Frame, lay_out_call
from codemods.flex_passthrough.mends.writing.text import Text, find_function, first_line, read
from codemods.flex_passthrough.mends.writing.width import indent_unit, indentation, line_width
from codemods.rewrite.edit import Edit

LENGTHS = ("query_length", "key_length", "offsets")

_PAD = """\
if key_length is not None:
    # A cache of fixed length has room for keys that are not there yet
    room = max(0, key_length - {mask}.shape[-1])
    {mask} = torch.nn.functional.pad({mask}, (0, room))
"""

_OFFSET = "def offset_mask_mod(batch_idx, head_idx, q_idx, kv_idx):"
_SHIFTED = ["batch_idx", "head_idx", "q_idx + offsets[0]", "kv_idx + offsets[1]"]


class _Maker(Struct, frozen=True):
    """Where a builder makes its BlockMask."""

    statement: ast.Return
    mask_mod: ast.Name
    query_length: ast.expr
    key_length: ast.expr


def take_lengths(text: str, function_line: int, width: int | None = None) -> list[Edit]:
    """Let a builder take ``query_length``, ``key_length`` and ``offsets``.

    Args:
        text: the file.
        function_line: the line of the builder's ``def``.
        width: how long a line may be; None takes what the file itself shows.

    Returns:
        The edits; none if it takes them.

    Raises:
        CannotMend: if the function does not make its BlockMask in a way that is known.
    """
    source = read(text)
    function = find_function(source.tree, function_line)
    if function is None:
        raise CannotMend(f"line {function_line} holds no def")
    if set(LENGTHS) <= set(parameter_names(function)):
        return []
    maker = _maker(function)
    if maker is None or function.args.kwonlyargs or function.args.vararg or function.args.kwarg:
        raise CannotMend(f"{function.name} does not make its BlockMask in a way that is known")
    mask, limit = function.args.args[0].arg, line_width(text, width)
    return sorted(
        [
            _sign(source, function, limit),
            _pad(source, _body(function)[0], mask),
            _shift(source, maker, limit),
            _suffix(source, maker.mask_mod, " if offsets is None else offset_mask_mod"),
            _prefix(source, maker.query_length, "query_length or "),
            _prefix(source, maker.key_length, "key_length or "),
        ]
    )


def _maker(function: Definition) -> _Maker | None:
    """Recognize ``return create_block_mask(mask_mod=f, ..., Q_LEN=n, KV_LEN=n, ...)`` at the end."""
    last = function.body[-1]
    if not function.args.args or not isinstance(last, ast.Return) or not isinstance(last.value, ast.Call):
        return None
    named = {keyword.arg: keyword.value for keyword in last.value.keywords}
    mask_mod, queries, keys = named.get("mask_mod"), named.get("Q_LEN"), named.get("KV_LEN")
    if not isinstance(mask_mod, ast.Name) or not isinstance(queries, ast.Name):
        return None
    if not isinstance(keys, ast.Name) or keys.id != queries.id:
        return None
    return _Maker(last, mask_mod, queries, keys)


def _body(function: Definition) -> list[ast.stmt]:
    """Return the statements after the docstring."""
    has_docstring = ast.get_docstring(function, clean=False) is not None
    return function.body[1:] if has_docstring else function.body


def _sign(source: Text, function: Definition, width: int) -> Edit:
    """Add the parameters, on a line of their own where the ``def`` gets too long."""
    parameters: list[ast.expr | ast.arg] = [*function.args.args, *function.args.defaults]
    end = max(source.extent(each)[1] for each in parameters)
    added = ", ".join(f"{each}=None" for each in LENGTHS)
    start = source.text.index("(", source.offset(function.lineno, 0)) + 1
    close = source.text.index(")", end)
    head, given, tail = source.text[:start], source.text[start:end], source.text[close:]
    line = head.rpartition("\n")[2] + given + f", {added}" + tail.partition("\n")[0].rstrip("\r")
    if len(line) <= width or "\n" in given:
        return Edit(end, end, f", {added}")
    newline, depth = source.newline(function.lineno), indentation(source, function.lineno)
    inner = depth + indent_unit(source)
    return Edit(start, close, f"{newline}{inner}{given}, {added}{newline}{depth}")


def _pad(source: Text, before: ast.stmt, mask: str) -> Edit:
    """Lengthen the mask to the keys of a cache of fixed length."""
    line = first_line(before)
    depth, unit, newline = indentation(source, line), indent_unit(source), source.newline(line)
    lines = [depth + each.replace("    ", unit) for each in _PAD.format(mask=mask).splitlines()]
    start = source.offset(line, 0)
    return Edit(start, start, "".join(each + newline for each in [*lines, ""]))


def _shift(source: Text, maker: _Maker, width: int) -> Edit:
    """Define the mask function that counts queries and keys from the offsets."""
    line = first_line(maker.statement)
    depth, unit, newline = indentation(source, line), indent_unit(source), source.newline(line)
    inner = depth + unit
    frame = Frame("", "", inner, unit, width, newline)
    body = lay_out_call(f"{inner}return {maker.mask_mod.id}", _SHIFTED, inner, frame)
    above = [""] if source.lines[line - 2].strip() else []
    start = source.offset(line, 0)
    return Edit(start, start, "".join(each + newline for each in [*above, depth + _OFFSET, *body, ""]))


def _prefix(source: Text, node: ast.expr, code: str) -> Edit:
    start, _ = source.extent(node)
    return Edit(start, start, code)


def _suffix(source: Text, node: ast.expr, code: str) -> Edit:
    _, end = source.extent(node)
    return Edit(end, end, code)
