"""What a file tells about its formatter."""

from __future__ import annotations

import pytest

from codemods.flex_passthrough.mends.writing.text import read
from codemods.flex_passthrough.mends.writing.width import indent_unit, line_width, quote


def code(width: int) -> str:
    return "x = " + " + ".join(["y"] * 200)[: width - 4].rstrip(" +").ljust(width - 4, "y") + "\n"


def test_configured_width_wins() -> None:
    assert line_width(code(119), 79) == 79


@pytest.mark.parametrize(
    ("longest", "width"),
    [(20, 88), (88, 88), (89, 99), (99, 99), (100, 100), (101, 119), (119, 119), (120, 120)],
)
def test_smallest_usual_width_that_holds_the_code(longest: int, width: int) -> None:
    assert line_width("y = 1\n" + code(longest)) == width


def test_a_line_that_no_usual_width_holds_says_nothing() -> None:
    assert line_width(code(95) + code(140)) == 99


@pytest.mark.parametrize(
    "text",
    [
        "# " + "x" * 100,
        "x = 1  # " + "x" * 100,
        "x = '" + "x" * 100 + "'",
        '"""' + "x" * 100 + '"""',
        '"""\n' + "x" * 100 + '\n"""',
        "f(f'{y}" + "x" * 100 + "')",
        "x = " + "1 +" * 40,
        "",
    ],
)
def test_comments_strings_and_broken_text_say_nothing(text: str) -> None:
    assert line_width(text) == 88


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_do_not_count(newline: str) -> None:
    assert line_width(code(88).replace("\n", newline)) == 88


@pytest.mark.parametrize("unit", ["  ", "    ", "\t", "   "])
def test_indent_unit(unit: str) -> None:
    assert indent_unit(read(f"x = 1\nclass A:\n{unit}def f():\n{unit}{unit}pass\n")) == unit


@pytest.mark.parametrize("text", ["", "x = 1\n", "if x: pass\n"])
def test_indent_unit_of_a_flat_file(text: str) -> None:
    assert indent_unit(read(text)) == "    "


@pytest.mark.parametrize(
    ("text", "mark"), [("", '"'), ("x = 'a'", "'"), ('x = "it\'s"', '"'), ("x = 1", '"')]
)
def test_quote(text: str, mark: str) -> None:
    assert quote(read(text)) == mark
