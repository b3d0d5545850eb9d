"""Decisions edited by hand: what all that follows gets, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import indent

import pytest

from codemods.flex_passthrough.api import Plan, apply, plan
from codemods.flex_passthrough.planning.by_hand import EditRefusedError, unbound_names
from codemods.review.finding import Status

from .conftest import FILE, HEAD, LIBRARY
from .rules.test_flex001_missing_passthrough import ASKS, BUILD, model

TEST = "            if isinstance(attention_mask, BlockMask):\n"
BRANCH = indent(ASKS, " " * 8)
RETURN = "return attention_mask\n"
COMMENT = "            # A BlockMask is ready as it is\n"


@pytest.fixture
def mirrored(grove: Path) -> Plan:
    """A repository without its converter: one root, and everything that follows it mirrored or copied."""
    shutil.rmtree(grove / "utils")
    return plan([grove])


@pytest.fixture
def one(plan_for) -> Plan:
    return plan_for(HEAD + model(ASKS + BUILD))


def refusal(planned: Plan, text: str) -> str:
    (decision,) = (each for each in planned.decisions if each.changes)
    with pytest.raises(EditRefusedError) as refused:
        planned.edited(decision.id, text)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def text_of(planned: Plan) -> str:
    (decision,) = (each for each in planned.decisions if each.changes)
    return planned.text_to_edit(decision.id)


def test_the_text_is_the_definition_as_the_decision_leaves_it(one):
    text = text_of(one)
    assert text.startswith("    def _update_causal_mask(self, attention_mask, input_tensor):\n")
    assert TEST in text
    assert text.endswith("        return torch.triu(input_tensor.new_ones(4, 4))\n")


def test_all_that_follows_gets_the_same(mirrored):
    (decision,) = (each for each in mirrored.decisions if each.changes)
    text = mirrored.text_to_edit(decision.id)
    again, edited = mirrored.edited(decision.id, text.replace(TEST, COMMENT + TEST))
    assert edited != decision.id
    assert [change.name for change in again.changes] == [change.name for change in mirrored.changes]
    for before, after in zip(mirrored.changes, again.changes, strict=True):
        assert after.after.decode() == before.after.decode().replace(TEST, COMMENT + TEST)
        assert COMMENT in after.after.decode()
    path, qualname = decision.root
    assert again.notices == [*mirrored.notices, f"edited by hand: FLEX001 at {path} {qualname}"]


def test_a_converter_carries_the_edit_too(grove):
    planned = plan([grove])
    (decision,) = (each for each in planned.decisions if each.changes)
    text = planned.text_to_edit(decision.id)
    again, _ = planned.edited(decision.id, text.replace(TEST, COMMENT + TEST))
    assert "regenerated" in {change.how for change in again.changes}
    assert [change.name for change in again.changes if COMMENT.encode() not in change.after] == []


def test_it_is_written_whole_and_only_where_it_stays(mirrored):
    (decision,) = (each for each in mirrored.decisions if each.changes)
    again, edited = mirrored.edited(decision.id, text_of(mirrored).replace(TEST, COMMENT + TEST))
    rejected = again.without([edited])
    assert rejected.changes == [] and "edited by hand" not in " ".join(rejected.notices)
    apply(again)
    assert all(COMMENT in change.path.read_text() for change in again.changes)
    assert [d.status for d in again.decisions if d.id == edited] == [Status.FIXED]


def test_the_first_plan_stays_as_it_was(mirrored):
    (decision,) = (each for each in mirrored.decisions if each.changes)
    before = [change.after for change in mirrored.changes]
    mirrored.edited(decision.id, text_of(mirrored).replace(TEST, COMMENT + TEST))
    assert [change.after for change in mirrored.changes] == before


def test_an_edit_can_be_edited(one):
    (decision,) = one.decisions
    again, first = one.edited(decision.id, text_of(one).replace(TEST, COMMENT + TEST))
    assert COMMENT in again.text_to_edit(first)
    last, second = again.edited(first, again.text_to_edit(first).replace("ready", "done"))
    assert b"done as it is" in last.changes[0].after and second not in (first, decision.id)
    assert len([notice for notice in last.notices if "edited by hand" in notice]) == 1


def test_what_is_not_used_any_more_is_not_imported(one):
    (decision,) = one.decisions
    guard = '        if self.config._attn_implementation == "flex_attention":\n' + TEST
    instead = "        if not isinstance(attention_mask, torch.Tensor):\n"
    text = text_of(one).replace(guard, instead).replace(" " * 16 + "return", " " * 12 + "return", 1)
    again, _ = one.edited(decision.id, text)
    before = one.changes[0].before.decode()
    assert again.changes[0].after.decode() == before.replace(
        BRANCH, BRANCH + instead + " " * 12 + RETURN + "\n"
    )


def test_windows_line_ends_stay(write_tree):
    root = write_tree({**LIBRARY, FILE: ""})
    (root / FILE).write_bytes((HEAD + model(ASKS + BUILD)).replace("\n", "\r\n").encode())
    planned = plan([root / "pkg"])
    (decision,) = planned.decisions
    text = planned.text_to_edit(decision.id)
    assert "\r" not in text
    again, _ = planned.edited(decision.id, text.replace(TEST, COMMENT + TEST))
    after = again.changes[0].after
    assert COMMENT.replace("\n", "\r\n").encode() in after and after.count(b"\n") == after.count(b"\r\n")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (
            "isinstance(attention_mask, BlockMask):",
            "isinstance(attention_mask, BlockMask)",
            "line 5 of the definition is not",
        ),
        ("def _update_causal_mask", "def _update", "the definition of _update_causal_mask, in its place"),
        ("BlockMask)", "DocumentMask)", "nothing binds DocumentMask in models/tiny/modeling_tiny.py"),
        ("    def", "def", "in its place, and nothing else"),
    ],
)
def test_refused(one, old, new, why):
    assert why in refusal(one, text_of(one).replace(old, new))


def test_more_than_the_definition_is_refused(one):
    assert "and nothing else" in refusal(one, text_of(one) + "\n    def more(self): ...\n")
    assert "and nothing else" in refusal(one, "    pass\n")


def test_the_definition_as_it_is_now_is_refused(one):
    guard = (
        text_of(one).partition('        if self.config._attn_implementation == "flex')[2].partition("\n\n")[0]
    )
    text = text_of(one).replace('        if self.config._attn_implementation == "flex' + guard + "\n\n", "")
    assert "say n" in refusal(one, text)


def test_what_a_follower_reads_differently_is_refused_with_its_name(write_tree):
    """The copy's last line is its own; an edit of the root's last line has no place there."""
    copy = "models/copy/modeling_copy.py"
    tiny = HEAD + model(ASKS + BUILD)
    comment = (
        "    # Copied from pkg.models.tiny.modeling_tiny.TinyModel._update_causal_mask with Tiny->Copy\n"
    )
    text = tiny.replace("Tiny", "Copy").replace("    def _update", f"{comment}    def _update")
    text = text.replace("torch.triu(input_tensor.new_ones(4, 4))", "torch.triu(input_tensor.new_ones(8, 8))")
    planned = plan([write_tree({**LIBRARY, FILE: tiny, f"pkg/{copy}": text}) / "pkg"])
    (decision,) = planned.decisions
    assert decision.followers == 1
    edit = planned.text_to_edit(decision.id).replace("torch.triu(input", "torch.tril(input")
    assert refusal(planned, edit) == (
        f"it cannot be carried to CopyModel._update_causal_mask in {copy}: the text is another there"
    )


def test_names_that_nothing_binds():
    text = (
        "import a\nfrom b import c as d\n\nif a:\n    e = 1\n\n\nclass F:\n    g = 2\n\n    def h(self, i):\n"
    )
    assert unbound_names(text + "        return a, d, e, F, i, self, print, g, j, [k for k in l]\n") == {
        "g",
        "j",
        "l",
    }
    assert unbound_names("from a import *\n\n\ndef f():\n    return b\n") == set()
