from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemods.source.position import Span, character_column, span_of, split_lines


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("a", ["a"]),
        ("a\nb", ["a\n", "b"]),
        ("a\n\n", ["a\n", "\n"]),
        ("a\r\nb\rc\n", ["a\r\n", "b\r", "c\n"]),
        ("a\x0cb\x0bc\x1cd\x85e\u2028f\n", ["a\x0cb\x0bc\x1cd\x85e\u2028f\n"]),
    ],
)
def test_lines(text: str, lines: list[str]) -> None:
    assert split_lines(text) == lines


@given(st.text(st.sampled_from("ab\r\n\x0c\x85\u2028é")))
def test_lines_are_the_text(text: str) -> None:
    assert "".join(split_lines(text)) == text


def test_character_column() -> None:
    assert character_column("ab = c", 5) == 5
    assert character_column("é模 = c", 8) == 5


def test_span_counts_characters() -> None:
    text = "x = 'é' + (\r\n  '模' + y)\r\n"
    node = ast.parse(text).body[0]
    assert span_of(node, split_lines(text)) == Span(1, 0, 2, 10)
    name = next(node for node in ast.walk(node) if isinstance(node, ast.Name) and node.id == "y")
    assert span_of(name, split_lines(text)) == Span(2, 8, 2, 9)
