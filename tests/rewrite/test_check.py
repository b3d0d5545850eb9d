from __future__ import annotations

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemods.rewrite.check import RewriteError, check_only_edits, check_parses, same_outside
from codemods.rewrite.edit import Edit, OverlappingEdits, apply_edits


@pytest.mark.parametrize(
    "text", ["", "x = 1", "x = 1\r\n", "if x:\r\ty = 1\r", "\x0cx = 1\n", "# coding: klingon\nx = 'é'\n"]
)
def test_python(text: str) -> None:
    check_parses("a.py", text)


def test_python_that_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_parses("a.py", "x = '\\d'\nassert (x, 1)\n")


@pytest.mark.parametrize(
    ("text", "line"), [("x = (1\n", 1), ("x = 1\n  y = 2\n", 2), ("def f():\n\npass", 3), ("x = 1 +", 1)]
)
def test_not_python(text: str, line: int) -> None:
    with pytest.raises(RewriteError, match=rf"^a\.py:{line}:\d+: the rewritten text is not Python: .*\w"):
        check_parses("a.py", text)


@pytest.mark.parametrize("text", [")", "@x"])
def test_the_first_column_is_one(text: str) -> None:
    """Python counts columns from one, and knows of none where a decorator has nothing to decorate."""
    with pytest.raises(RewriteError, match=r"^a\.py:1:1: "):
        check_parses("a.py", text)


@pytest.mark.parametrize("text", ["x = '\0'", "(" * 10_000, "x = " + "-" * 100_000 + "1"])
def test_not_python_at_all(text: str) -> None:
    with pytest.raises(RewriteError, match=r"^a\.py:1:\d+: the rewritten text is not Python: \w"):
        check_parses("a.py", text)


@pytest.mark.parametrize(
    ("before", "after", "edits", "same"),
    [
        ("abc", "abc", [], True),
        ("abc", "aXc", [Edit(1, 2, "X")], True),
        ("abc", "aXbc", [Edit(1, 1, "X")], True),
        ("abc", "ac", [Edit(1, 2, "")], True),
        ("abc", "aXc", [Edit(1, 2, "X"), Edit(1, 2, "X")], True),
        ("abc", "(aXc)", [Edit(0, 3, "(abc)"), Edit(1, 2, "X")], True),
        ("abc", "(aXC)", [Edit(0, 3, "(abc)"), Edit(1, 2, "X")], False),
        ("abc", "aXc!", [Edit(1, 2, "X")], False),
        ("abc", "aXC", [Edit(1, 2, "X")], False),
        ("abc", "AXc", [Edit(1, 2, "X")], False),
        ("abc", "aYc", [Edit(1, 2, "X")], False),
        ("abc", "aX", [Edit(1, 2, "X")], False),
        ("a\r\nb", "a\nb", [], False),
        ("abcd", "aXd", [Edit(1, 3, "X"), Edit(2, 2, "")], False),
    ],
)
def test_same_outside(before: str, after: str, edits: list[Edit], same: bool) -> None:
    assert same_outside(before, after, edits) is same


def test_only_edits() -> None:
    check_only_edits("a.py", "abc", "aXc", [Edit(1, 2, "X")])
    with pytest.raises(RewriteError) as caught:
        check_only_edits("a.py", "abc", "aXC", [Edit(1, 2, "X")])
    expected = "a.py:1:1: the rewritten text differs from the original outside the planned edits"
    assert str(caught.value) == expected


@given(st.text(max_size=20), st.data())
def test_any_edits_are_the_only_change(text: str, data: st.DataObject) -> None:
    places = st.integers(0, len(text))
    edit = st.builds(lambda a, b, new: Edit(min(a, b), max(a, b), new), places, places, st.text(max_size=3))
    edits = data.draw(st.lists(edit, max_size=4))
    try:
        after = apply_edits(text, edits)
    except OverlappingEdits:
        return
    assert same_outside(text, after, edits)
    assert not same_outside(text, after + "x", edits)
    assert not same_outside("x" + text, after, edits) or not edits or text == after
