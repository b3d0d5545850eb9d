from __future__ import annotations

from msgspec.structs import replace

from codemods.verify.outcome import Outcome, Pair
from codemods.verify.results import Cell, Report

OK = Cell(
    "qwen2",
    "Qwen2ForCausalLM",
    "none",
    "ok",
    0.0,
    digests={"eager": "aa", "sdpa": "bb", "flex_attention": "cc"},
)
CRASH = replace(OK, verdict="crash", digests={"eager": "aa", "sdpa": "bb"})
WRONG = replace(OK, verdict="wrong", max_abs_diff=0.5)
NOT_RUNNABLE = replace(OK, verdict="not-runnable", digests={})


def test_nothing_changed() -> None:
    assert Pair(OK, OK).change == "same"


def test_a_crash_that_stays_a_crash_is_the_same() -> None:
    assert Pair(CRASH, CRASH).change == "same"


def test_a_crash_that_runs_now_is_fixed() -> None:
    assert Pair(CRASH, OK).change == "fixed"


def test_a_crash_that_is_wrong_now_is_changed() -> None:
    assert Pair(CRASH, WRONG).change == "changed"


def test_what_could_not_be_run_and_runs_now_is_fixed() -> None:
    assert Pair(NOT_RUNNABLE, OK).change == "fixed"


def test_ok_that_crashes_is_a_regression() -> None:
    pair = Pair(OK, CRASH)
    assert (pair.change, pair.lost) == ("regression", ["was ok, is crash"])


def test_ok_that_cannot_be_run_any_more_is_a_regression() -> None:
    assert Pair(OK, NOT_RUNNABLE).change == "regression"


def test_ok_that_is_gone_is_a_regression() -> None:
    assert Pair(OK, None).lost == ["not run any more"]


def test_a_crash_that_is_gone_is_no_loss() -> None:
    assert Pair(CRASH, None).change == "changed"


def test_a_new_cell_is_no_loss() -> None:
    assert Pair(None, CRASH).change == "changed"


def test_ok_with_other_bits_is_a_regression() -> None:
    other = replace(OK, digests={**OK.digests, "flex_attention": "dd"})
    assert Pair(OK, other).lost == ["flex_attention output is not identical"]


def test_wrong_with_other_bits_is_no_regression() -> None:
    other = replace(WRONG, digests={**WRONG.digests, "flex_attention": "dd"})
    assert Pair(WRONG, other).change == "same"


def test_eager_with_other_bits_is_a_regression_whatever_the_verdict() -> None:
    other = replace(CRASH, digests={"eager": "ee", "sdpa": "bb"})
    assert Pair(CRASH, other).lost == ["eager output is not identical"]


def test_cells_that_are_gone_come_last() -> None:
    later = replace(OK, case="ones")
    outcome = Outcome(Report({}, [later]), before=Report({}, [OK, later]))
    assert [pair.cell.case for pair in outcome.pairs] == ["ones", "none"]
    assert outcome.changes() == {"same": 1, "fixed": 0, "regression": 1, "changed": 0}
