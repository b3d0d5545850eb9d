"""Every before and after on the pages of the rules is what the tool makes of it."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent, indent

import pytest

from codemods.flex_passthrough.api import Settings, apply, plan
from codemods.flex_passthrough.rules import RULES
from tests.surroundings import SURROUNDINGS, surrounded

PAGES = Path(__file__).parents[1] / "docs" / "rules"
_DIFF = re.compile(r"^```diff\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_PLACE = re.compile(r"^( *)# example\n", re.MULTILINE)
# What else an example changes, as its page says.
_HELPERS = {"FLEX002": {"integrations/flex_attention.py"}, "FLEX004": {"integrations/flex_attention.py"}}


def examples(rule: str) -> list[str]:
    """Return the diffs on a rule's page."""
    return _DIFF.findall((PAGES / f"{rule}.md").read_text(encoding="utf-8"))


def side(diff: str, sign: str) -> list[str]:
    """Return the hunks of a diff as they are before it (``-``) or after it (``+``)."""
    hunks = re.split(r"^@@\n", diff, flags=re.MULTILINE)
    return [
        "".join(line[1:] or "\n" for line in hunk.splitlines(keepends=True) if line[0] in f" \n{sign}")
        for hunk in hunks
    ]


def put(hunks: list[str], template: str) -> str:
    """Put hunks where a template has places for them."""
    left = iter(hunks)
    text = _PLACE.sub(lambda place: indent(dedent(next(left)), place[1]), template)
    assert next(left, None) is None, "the surroundings have a place for each hunk"
    return text


@pytest.mark.parametrize(("rule", "at"), [(rule, at) for rule in RULES for at in range(len(examples(rule)))])
def test_page_shows_what_the_tool_writes(write_tree, rule, at):
    diff, files = examples(rule)[at], surrounded(rule, at)
    (name,) = (name for name, text in files.items() if _PLACE.search(text))
    before, after = put(side(diff, "-"), files[name]), put(side(diff, "+"), files[name])
    assert before != after
    root = write_tree({**files, name: before})
    planned = plan([root / "pkg"], Settings(select=(rule,), line_length=119))
    assert planned.problems == []
    apply(planned)
    written = (root / name).read_text(encoding="utf-8")
    if _PLACE.search(files[name]).start() > _body(files[name]):  # the imports are no part of the example
        written, after = written[_body(written) :], after[_body(after) :]
    assert written == after
    changed = {change.name for change in planned.changes} - {name.removeprefix("pkg/")}
    assert changed <= _HELPERS.get(rule, set())
    again = plan([root / "pkg"], Settings(select=(rule,), line_length=119))
    assert again.changes == []


def test_every_page_has_examples_and_each_has_surroundings():
    assert {rule: len(examples(rule)) for rule in RULES} == {
        rule: len(places) for rule, places in SURROUNDINGS.items()
    }
    assert all(examples(rule) for rule in RULES)


def _body(text: str) -> int:
    """Return where the first definition of a file begins."""
    found = re.search(r"^(class|def) ", text, re.MULTILINE)
    return found.start() if found else len(text)
