"""Decisions: their ids, and plans without some of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from codemods.flex_passthrough.api import Plan, Settings, apply, plan
from codemods.review.finding import Status

from .conftest import HEAD, LIBRARY, MENDED_HEAD
from .rules.test_flex001_missing_passthrough import ASKS, BUILD, GUARD, model

FIRST, SECOND = "pkg/models/tiny/modeling_tiny.py", "pkg/models/wide/modeling_wide.py"
WIDE = model(ASKS + BUILD).replace("Tiny", "Wide")
BOTH = HEAD + model(ASKS + BUILD) + "\n\n" + WIDE


@pytest.fixture
def tree(write_tree) -> Path:
    """Two offending models in one file, and one of them again in another."""
    return write_tree({**LIBRARY, FIRST: BOTH, SECOND: HEAD + WIDE})


def ids(planned: Plan) -> dict[tuple[str, str], str]:
    return {decision.root: decision.id for decision in planned.decisions}


def test_every_finding_is_in_one_decision(tree):
    planned = plan([tree / "pkg"])
    held = [id(finding) for decision in planned.decisions for finding in decision.findings]
    assert sorted(held) == sorted(map(id, planned.findings))
    assert len(planned.decisions) == len(set(ids(planned).values())) == 3


def test_ids_do_not_depend_on_lines_or_on_where_a_run_starts(tree):
    before = set(ids(plan([tree / "pkg"])).values())
    (tree / FIRST).write_text("# a line more\n" + BOTH)
    assert set(ids(plan([tree])).values()) == before
    (one,) = plan([tree / SECOND]).decisions
    assert one.id in before


def test_rejected_decisions_are_left_out_and_the_rest_is_whole(tree):
    planned = plan([tree / "pkg"])
    no = next(d for d in planned.decisions if d.root[1].startswith("Tiny"))
    again = planned.without([no.id])
    assert [(f.qualname.split("_")[0], f.status, f.reason) for f in again.findings] == [
        ("TinyModel.", Status.SKIPPED, "rejected"),
        ("WideModel.", Status.WOULD_FIX, ""),
        ("WideModel.", Status.WOULD_FIX, ""),
    ]
    assert [f.status for f in planned.findings] == [Status.WOULD_FIX] * 3  # the first plan is as it was
    apply(again)
    mended = model(ASKS + GUARD + BUILD).replace("Tiny", "Wide")
    assert (tree / FIRST).read_text() == MENDED_HEAD + model(ASKS + BUILD) + "\n\n" + mended
    assert (tree / SECOND).read_text() == MENDED_HEAD + mended


def test_settings_reject_as_a_second_plan_does(tree):
    planned = plan([tree / "pkg"])
    no = planned.decisions[0].id
    settings = replace(Settings(), rejected=frozenset({no}))
    assert [c.after for c in plan([tree / "pkg"], settings).changes] == [
        c.after for c in planned.without([no]).changes
    ]
    assert [d.rejected for d in plan([tree / "pkg"], settings).decisions] == [True, False, False]


def test_what_a_decision_changes_alone_and_in_turn(tree):
    planned = plan([tree / "pkg"])
    for decision in planned.decisions:
        others = [other.id for other in planned.decisions if other is not decision]
        alone = planned.without(others)
        assert [(c.name, c.after) for c in decision.changes] == [(c.name, c.after) for c in alone.changes]
    now = {change.name: change.before for change in planned.changes}
    for decision in planned.decisions:
        for step in decision.steps:
            assert now[step.name] == step.before
            now[step.name] = step.after
    assert now == {change.name: change.after for change in planned.changes}


ODD = "if attention_mask.is_leaf:\n    return input_tensor\nreturn input_tensor, attention_mask.is_leaf\n"
COPY = """

class Other:
    # Copied from pkg.models.tiny.modeling_tiny.TinyModel._update_causal_mask
"""


@pytest.mark.parametrize(("body", "members"), [(ASKS + BUILD, 2), (ODD, 1)], ids=["mended", "reported"])
def test_decision_without_an_edit_names_what_offends_and_no_more(write_tree, body, members):
    """Who else follows a root takes long to find, and is of no use before there is an edit to follow."""
    source = model(body)
    method = source[source.index("    def _update_causal_mask") :]
    tree = write_tree({**LIBRARY, FIRST: HEAD + source, SECOND: HEAD + COPY + method})
    (decision,) = plan([tree / "pkg"]).decisions
    assert len(decision.members) == members
    assert decision.members[0].role == "root"


def test_plan_of_several_trees_can_be_made_again_without_some_decisions(write_tree, tmp_path):
    """What was parsed of a tree is let go of before the next is read."""
    first = write_tree({**LIBRARY, FIRST: BOTH})
    second = shutil.copytree(first, tmp_path / "second")
    trees = [first / "pkg", second / "pkg"]
    planned = plan(trees)
    no = frozenset({planned.decisions[0].id})
    again = planned.without(no)
    assert 0 < len(again.changes) <= len(planned.changes)
    expected = plan(trees, Settings(rejected=no))
    assert [change.after for change in again.changes] == [change.after for change in expected.changes]
