"""Slices give exactly their lines back, and their positions are the file's."""

from __future__ import annotations

import libcst as cst
import pytest
from hypothesis import given
from hypothesis import strategies as st
from libcst import matchers as m

from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.slices import slice_around, slice_function, slice_lines
from codemods.flex_passthrough.mends.writing.text import read
from codemods.source.position import Span

NESTED = '''\
import torch

class Model:
    x = 1

    @decorated(
        1
    )
    @torch.no_grad()
    async def forward(self, mask):
        """Ünïcode before the columns."""
        if mask:
            def inner(): return "äöü", mask.dim()
            return inner
'''


def test_function_with_decorators() -> None:
    part, function = slice_function(read(NESTED), 10)
    assert function.name.value == "forward"
    assert part.module.code == "if 1:\n" + "".join(NESTED.splitlines(keepends=True)[5:])


@pytest.mark.parametrize("line", [6, 7, 8, 9, 10])
def test_any_decorator_line_finds_the_function(line: int) -> None:
    assert slice_function(read(NESTED), line)[1].name.value == "forward"


def test_innermost_function_around_a_span() -> None:
    part = slice_around(read(NESTED), Span(13, 40, 13, 50))
    assert part.module.code.startswith("if 1:\n            def inner()")


def test_top_level_statement_around_a_span() -> None:
    part = slice_around(read("import torch\nif mask.dim() == 2:\n    pass\n"), Span(2, 3, 2, 18))
    assert part.module.code == "if mask.dim() == 2:\n    pass\n"


def test_offsets_count_characters() -> None:
    part = slice_around(read(NESTED), Span(13, 40, 13, 50))
    (call,) = m.findall(part.module, m.Call(func=m.Attribute(attr=m.Name("dim"))))
    start, end = part.offsets(call)
    assert NESTED[start:end] == "mask.dim()"


@pytest.mark.parametrize("line", [1, 2, 3, 4, 5, 11, 12, 14])
def test_no_def_on_this_line(line: int) -> None:
    with pytest.raises(CannotMend, match=f"line {line} holds no def"):
        slice_function(read(NESTED), line)


def test_no_statement_on_this_line() -> None:
    with pytest.raises(CannotMend, match="no statement holds line 2"):
        slice_around(read("import torch\n\nx = 1\n"), Span(2, 0, 2, 0))


def test_statements_that_share_a_line_are_sliced_together() -> None:
    part = slice_around(read("x = 1; y = mask.dim() == 2\n"), Span(1, 11, 1, 26))
    assert part.module.code == "x = 1; y = mask.dim() == 2\n"


def test_line_that_begins_inside_another_statement_is_not_sliced() -> None:
    with pytest.raises(CannotMend, match="no statement holds line 3"):
        slice_around(read("x = '''\n'''; y = (\nmask.dim() == 2)\n"), Span(3, 0, 3, 15))


INDENTS = st.sampled_from(["", "    ", "\t", "  ", "\t  "])
NEWLINES = st.sampled_from(["\n", "\r\n"])
BODIES = st.lists(
    st.sampled_from(["x = 1", "# note", "", "x = '''a\n  b'''", "é = 'ü'", "if x: pass", "x = (1,\n2)"]),
    max_size=6,
)


@given(INDENTS, st.sampled_from(["  ", "\t", "        "]), NEWLINES, BODIES, st.booleans())
def test_every_slice_gives_its_lines_back(
    outer: str, inner: str, newline: str, body: list[str], final: bool
) -> None:
    lines = ["if 1:"] if outer else []
    lines += [f"{outer}def f(mask):", *(f"{outer}{inner}{each}" for each in (*body, "return mask"))]
    text = newline.join(lines).replace("\n", newline).replace("\r\r", "\r") + (newline if final else "")
    source = read(text)
    line = 2 if outer else 1
    part, function = slice_function(source, line)
    assert part.module.code == (f"if 1:{newline}" if outer else "") + "".join(source.lines[line - 1 :])
    names = m.findall(function, m.Name())
    for name in names:
        start, end = part.offsets(name)
        assert text[start:end] == cst.ensure_type(name, cst.Name).value
    assert names


def test_slice_of_lines_that_do_not_parse() -> None:
    with pytest.raises(CannotMend, match="LibCST cannot parse lines 2 to 2"):
        slice_lines(read("if (x\n):\n    pass\n"), 2, 2)
