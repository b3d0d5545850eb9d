from __future__ import annotations

import pytest

from codemods.rewrite.edit import Edit, OverlappingEdits, apply_edits


@pytest.mark.parametrize(
    ("edits", "after"),
    [
        ([], "one two"),
        ([Edit(0, 3, "1")], "1 two"),
        ([Edit(4, 7, "2"), Edit(0, 3, "1")], "1 2"),
        ([Edit(3, 3, "!")], "one! two"),
        ([Edit(7, 7, "\n")], "one two\n"),
        ([Edit(0, 0, "b"), Edit(0, 0, "a")], "abone two"),
        ([Edit(0, 3, "1"), Edit(3, 4, "-")], "1-two"),
        ([Edit(0, 0, "a"), Edit(0, 3, "1")], "a1 two"),
        ([Edit(0, 3, "1"), Edit(3, 3, "!")], "1! two"),
        ([Edit(0, 3, "1"), Edit(0, 3, "1")], "1 two"),
        ([Edit(0, 7, "")], ""),
    ],
)
def test_applied(edits: list[Edit], after: str) -> None:
    assert apply_edits("one two", edits) == after


@pytest.mark.parametrize(
    ("edits", "after"),
    [
        ([Edit(0, 7, "(one two)"), Edit(0, 3, "1")], "(1 two)"),
        ([Edit(0, 7, "(one two)"), Edit(4, 7, "2")], "(one 2)"),
        ([Edit(0, 7, "(one two)"), Edit(3, 3, " and")], "(one and two)"),
        ([Edit(0, 7, "(one two)"), Edit(0, 3, "[one]"), Edit(1, 2, "N"), Edit(4, 7, "2")], "([oNe] 2)"),
        ([Edit(0, 7, "(one two)"), Edit(0, 0, "a "), Edit(7, 7, " b")], "a (one two) b"),
        ([Edit(0, 3, "one"), Edit(0, 1, "O")], "One two"),
    ],
)
def test_applied_within_what_another_edit_only_wraps(edits: list[Edit], after: str) -> None:
    assert apply_edits("one two", edits) == after
    assert apply_edits("one two", reversed(edits)) == after


@pytest.mark.parametrize(
    "edits",
    [
        [Edit(0, 7, "(one two)"), Edit(0, 7, "[one two]")],
        [Edit(0, 7, "(one  two)"), Edit(0, 3, "1")],
        [Edit(0, 7, "one two, one two"), Edit(0, 3, "1")],
        [Edit(0, 5, "(one t)"), Edit(4, 7, "2")],
        [Edit(0, 3, "1"), Edit(0, 3, "uno")],
        [Edit(0, 3, "1"), Edit(2, 5, "x")],
        [Edit(0, 3, "1"), Edit(1, 1, "x")],
    ],
)
def test_overlapping(edits: list[Edit]) -> None:
    with pytest.raises(OverlappingEdits):
        apply_edits("one two", edits)


@pytest.mark.parametrize("edit", [Edit(-1, 2, ""), Edit(3, 2, ""), Edit(5, 8, "")])
def test_outside_the_text(edit: Edit) -> None:
    with pytest.raises(ValueError, match="lies outside a text of 7 characters"):
        apply_edits("one two", [edit])
