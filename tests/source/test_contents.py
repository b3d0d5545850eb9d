"""What answers depend on is asked for once, and no further than to the first that differs."""

from __future__ import annotations

import pytest

from codemods.source.contents import NOTHING, Contents


@pytest.fixture
def contents():
    """Digests of two things, and what was asked for so far."""

    def find(name):
        contents.asked.append(name)
        return {"a": b"1", "b": b"2"}.get(name)

    contents = Contents(find)
    contents.asked = []
    return contents


def test_same_content_agrees_and_is_asked_for_once(contents):
    assert contents.agree_with({"a": b"1", "b": b"2"})
    assert contents.agree_with({"b": b"2", "a": b"1"})
    assert contents.agree_with({"a": b"1"})
    assert sorted(contents.asked) == ["a", "b"]


def test_other_content_differs_known_or_not(contents):
    for _ in "unknown", "known":
        assert not contents.agree_with({"a": b"1", "b": b"0"})
    assert contents.agree_with({"a": b"1", "b": b"2"})


def test_what_is_not_there_agrees_with_nothing_only(contents):
    for _ in "unknown", "known":
        assert contents.agree_with({"c": NOTHING})
        assert not contents.agree_with({"c": b"3"})
        assert not contents.agree_with({"a": NOTHING})


def test_first_that_differs_ends_the_search(contents):
    assert not contents.agree_with(dict.fromkeys("abcdef", b"?"))
    assert contents.asked == ["a"]


def test_nothing_behind_an_answer_always_agrees(contents):
    assert contents.agree_with({})
