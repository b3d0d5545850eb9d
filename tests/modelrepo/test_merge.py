from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemods.modelrepo.tooling.merge import MergeConflictError, take_over

TEXTS = st.lists(st.sampled_from("abcdef"), max_size=12).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


@given(TEXTS, TEXTS)
def test_change_of_the_same_text_is_taken_whole(base: str, changed: str) -> None:
    assert take_over(base, changed, base) == changed


@given(TEXTS, TEXTS)
def test_no_change_leaves_any_text_alone(base: str, current: str) -> None:
    assert take_over(base, base, current) == current


@pytest.mark.parametrize(
    ("base", "changed", "current", "expected"),
    [
        ("a\nb\nc\n", "a\nb\nnew\nc\n", "x\na\nb\nc\n", "x\na\nb\nnew\nc\n"),
        ("a\nb\nc\nd\n", "a\nB\nc\nd\n", "a\nb\nc\nd else\n", "a\nB\nc\nd else\n"),
        ("a\nb\nc\nd\n", "a\nb\nd\n", "first\na\nb\nc\nd\n", "first\na\nb\nd\n"),
        ("a\nb\n", "new\na\nb\n", "a\nb\nlast\n", "new\na\nb\nlast\n"),
        ("a\nb\n", "a\nb\nnew\n", "first\na\nb\n", "first\na\nb\nnew\n"),
    ],
)
def test_what_differs_already_stays(base: str, changed: str, current: str, expected: str) -> None:
    assert take_over(base, changed, current) == expected


@pytest.mark.parametrize(
    ("base", "changed", "current"),
    [
        ("a\nb\nc\n", "a\nB\nc\n", "a\nother\nc\n"),
        ("a\nb\nc\n", "a\nnew\nb\nc\n", "a\nbetween\nb\nc\n"),
        ("a\nb\n", "a\nB\n", ""),
    ],
)
def test_same_place_changed_on_both_sides_is_a_conflict(base: str, changed: str, current: str) -> None:
    with pytest.raises(MergeConflictError, match="stands differently in the file as it is"):
        take_over(base, changed, current)
