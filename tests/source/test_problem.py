from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemods.source.problem import Problem, SourceError, printable


def test_one_line() -> None:
    assert str(Problem("models/a.py", 3, 7, "no such thing")) == "models/a.py:3:7: no such thing"


def test_error_reads_as_its_problem() -> None:
    problem = Problem("a.py", 1, 1, "is empty")
    assert str(SourceError(problem)) == "a.py:1:1: is empty"
    assert SourceError(problem).problem is problem


def test_sorted_by_place() -> None:
    problems = [Problem("b.py", 1, 1, "x"), Problem("a.py", 10, 1, "x"), Problem("a.py", 9, 2, "x")]
    assert [(p.path, p.line) for p in sorted(problems)] == [("a.py", 9), ("a.py", 10), ("b.py", 1)]


@pytest.mark.parametrize("text", ["modeling_qwen2.py", "with space.py", "Ærø/模型.py", r"C:\models\a.py"])
def test_ordinary_names_stay(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb.py", r"a\nb.py"),
        ("a\x1b[31mb.py", r"a\x1b[31mb.py"),
        ("a\u202eyp.b", r"a\u202eyp.b"),  # turns the reading direction around
        ("a\u2028b.py", r"a\u2028b.py"),
        ("caf\udce9.py", r"caf\udce9.py"),  # a byte that is no text in the file system's encoding
    ],
)
def test_what_does_not_print_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert str(Problem(text, 1, 1, "is odd")) == f"{shown}:1:1: is odd"


@given(st.text(st.characters(exclude_categories=[])), st.text())
def test_always_one_line_that_encodes(path: str, message: str) -> None:
    line = str(Problem(path, 1, 1, message))
    assert len(line.splitlines()) == 1
    line.encode("utf-8")
