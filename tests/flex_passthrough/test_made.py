"""What mends made of a text is not worked out again: not in the same run, not in a later one."""

from __future__ import annotations

import shutil

import pytest

from codemods.flex_passthrough.api import Settings, plan
from codemods.flex_passthrough.remembered.made import Made
from codemods.flex_passthrough.remembered.portable import Portable
from codemods.flex_passthrough.rules.flex001_missing_passthrough import Passthrough
from codemods.review.patch import render_patch

from .scan.test_scan import FILES, OTHER, TINY


@pytest.fixture
def applied(monkeypatch):
    """The lines at which a passthrough is really inserted."""
    lines = []
    real = Passthrough.apply

    def counted(self, place):
        lines.append(place.node.lineno)
        return real(self, place)

    monkeypatch.setattr(Passthrough, "apply", counted)
    return lines


def test_once_in_a_run_and_in_the_next(memory, tmp_path):
    portable = Portable({"": tmp_path})
    first = Made(portable, memory)
    assert [first.once((1, "a"), lambda: tmp_path / "x") for _ in range(2)] == [tmp_path / "x"] * 2
    assert first.once((1, "b"), lambda: 2) == 2
    first.keep()
    second = Made(Portable({"": tmp_path / "elsewhere"}), memory)
    assert second.once((1, "a"), pytest.fail) == tmp_path / "elsewhere" / "x"


def test_without_a_memory_nothing_outlives_the_run(tmp_path):
    portable = Portable({"": tmp_path})
    first = Made(portable)
    assert first.once(("a",), lambda: 1) == first.once(("a",), pytest.fail) == 1
    first.keep()
    assert Made(portable).once(("a",), lambda: 2) == 2


def test_what_fails_is_not_kept(memory, tmp_path):
    made = Made(Portable({"": tmp_path}), memory)
    with pytest.raises(ZeroDivisionError):
        made.once(("a",), lambda: 1 // 0)
    assert made.once(("a",), lambda: 1) == 1


def test_damaged_result_is_none(memory, tmp_path, monkeypatch):
    portable = Portable({"": tmp_path})
    made = Made(portable, memory)
    made.once(("a",), lambda: 1)
    made.keep()
    monkeypatch.setattr(memory, "made", lambda key: b"no pickle")
    assert Made(portable, memory).once(("a",), lambda: 2) == 2


def test_only_what_changed_is_mended_again(write_tree, memory, applied):
    root = write_tree(FILES)
    plan([root / "pkg"], Settings(), memory=memory)
    assert len(applied) == 2
    del applied[:]
    (root / OTHER).write_text(FILES[OTHER].replace("class OtherModel", "X = 1\n\n\nclass OtherModel"))
    again = plan([root / "pkg"], Settings(), memory=memory)
    assert len(applied) == 1
    assert render_patch(again) == render_patch(plan([root / "pkg"], Settings()))


def test_other_settings_are_other_results(write_tree, memory):
    root = write_tree(
        {**FILES, TINY: FILES[TINY].replace("attention_mask,", "attention_mask: torch.Tensor,")}
    )
    for settings in (Settings(), Settings(annotate=True), Settings(line_length=60)):
        expected = plan([root / "pkg"], settings)
        assert render_patch(plan([root / "pkg"], settings, memory=memory)) == render_patch(expected)


@pytest.mark.parametrize("remembers", [True, False])
def test_copies_in_one_run_are_analysed_once(write_tree, memory, applied, remembers):
    one = write_tree(FILES)
    root = one.parent
    shutil.copytree(one, root / "two")
    one.rename(root / "one")
    proposed = plan([root / "one/pkg", root / "two/pkg"], Settings(), memory=memory if remembers else None)
    first, second = (draft.index.work for draft in proposed.drafts)
    assert first.functions_evaluated > 0 == second.functions_evaluated
    assert len(applied) == 2
    alone = plan([root / "two/pkg"], Settings())
    told = [each for each in proposed.findings if each.path.startswith("two/")]
    assert [(each.path, each.root[0]) for each in told] == [
        (f"two/pkg/{each.path}", f"two/pkg/{each.root[0]}") for each in alone.findings
    ]
    assert {step.path.split("/")[0] for each in told for step in each.steps} == {"two"}
