"""Edits of whole lines between two texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codemods.flex_passthrough.mends.writing.hunks import edits_between
from codemods.rewrite.edit import Edit, apply_edits

TEXTS = st.text(st.sampled_from("ab \r\n"), max_size=30)


def test_two_hunks() -> None:
    assert edits_between("a\nb\nc\nd\n", "a\nx\nb\nc\ny\n") == [Edit(2, 2, "x\n"), Edit(6, 8, "y\n")]


@given(TEXTS)
def test_noop(text: str) -> None:
    assert edits_between(text, text) == []


@given(TEXTS, TEXTS)
def test_edits_turn_one_text_into_the_other(old: str, new: str) -> None:
    assert apply_edits(old, edits_between(old, new)) == new
