"""The sample: what is drawn, what can be left out of one tree, and what makes a pair true."""

import pytest
from corpus_sample import Drawn, all_but, apart, draw, judge
from corpus_sample import row as judged

from codemods.flex_passthrough.api import plan
from tests.flex_passthrough.rules.test_ties import CACHE, GENERATION, MASKS, MODELING

RUN = {("a", "AModel", "block_causal"): {"verdict": "ok"}}


def finding(line=7, **given):
    made = {"rule": "FLEX002", "path": "a.py", "line": line, "safety": "safe", "way": "plain"}
    return {**made, "status": "fixed", "decision": f"d{line}", "models": ["AModel"], **given}


def drawn(decision="d7", model="AModel", way="inputs"):
    return Drawn("FLEX002 a.py:7", model, way, decision)


def test_plain_findings_of_classes_that_are_run_anyway_are_left_out():
    pool = [finding(), finding(8, way="inputs", models=["AModel", "BModel"]), finding(9, models=["CHead"])]
    assert sorted(each.model for each in draw(pool, RUN, 1)) == ["AModel", "BModel", "CHead"]


def test_what_takes_a_cache_is_asked_of_classes_that_generate():
    pool = [finding(rule="FLEX006", way="generation", models=["AModel", "BModel", "CModel"])]
    run = RUN | {("a", "AModel", "generate_static"): {"verdict": "crash"}}
    run |= {("b", "BModel", "generate_static"): {"verdict": "not-runnable"}}
    (only,) = draw(pool, run, 1)
    assert only.model == "AModel"
    assert only.cases() == ["generate_static", "generate_static_padded"]


def test_the_same_seed_draws_the_same():
    pool = [finding(line, way="inputs") for line in range(100)]
    assert draw(pool, RUN, 1) == draw(list(reversed(pool)), RUN, 1) != draw(pool, RUN, 2)


def test_nothing_is_drawn_of_what_needs_unsafe_fixes():
    assert draw([finding(way="inputs", safety="unsafe")], RUN, 1) == []


def test_what_is_reported_has_no_mend_to_leave_out():
    (only,) = draw([finding(way="inputs", safety="report", status="skipped")], RUN, 1)
    assert only.decision is None


@pytest.mark.parametrize(
    ("findings", "groups"),
    [
        ([finding(7), finding(8, models=["BModel"])], 1),
        ([finding(7), finding(8)], 2),
        ([finding(7), finding(8, models=["BModel", "AModel"])], 2),
    ],
    ids=["no_class_meets_both", "one_class_meets_both", "through_a_class_that_was_not_drawn"],
)
def test_mends_are_left_out_of_one_tree_where_no_class_meets_two(findings, groups):
    pairs = [drawn(each["decision"], each["models"][0]) for each in findings]
    assert len(apart(pairs, findings)) == groups


def cells(**by_case):
    return {("a", "AModel", case): {"verdict": verdict} for case, verdict in by_case.items()}


ROWS = {
    "breaks_without_its_mend_only": ("d7", cells(loss="ok"), cells(loss="crash"), "true"),
    "does_not_break_without_it": ("d7", cells(loss="ok"), cells(loss="ok"), "false"),
    "breaks_with_and_without_it": ("d7", cells(loss="wrong"), cells(loss="crash"), "false"),
    "breaks_where_it_does_not_belong": ("d7", cells(none="ok"), cells(none="crash"), "not run"),
    "no_attention_can_run_it": ("d7", cells(loss="ok"), cells(loss="not-runnable"), "not run"),
    "reported_and_still_broken": (None, cells(loss="crash"), None, "true"),
    "reported_and_all_is_well": (None, cells(loss="ok"), None, "false"),
}


@pytest.mark.parametrize(("decision", "repaired", "without", "result"), ROWS.values(), ids=ROWS)
def test_what_makes_a_pair_true(decision, repaired, without, result):
    assert judged(drawn(decision), repaired, without)["result"] == result


def test_the_share_is_of_what_could_be_run():
    rows = [
        {"finding": f"FLEX002 {name}.py:1", "class": name, "result": result}
        for name, result in (("A", "true"), ("B", "false"), ("C", "not run"), ("K", "false"))
    ]
    kernels = {"rule": "FLEX002", "path": "K.py", "line": 1, "qualname": "Mixer.cuda_kernels_forward"}
    measured = judge(rows, [kernels], 5)
    assert (measured["seed"], measured["drawn"], measured["run"], measured["true"]) == (5, 4, 2, 1)
    assert measured["false_alarms"] == ["FLEX002 B.py:1 (B)"]
    assert measured["not_run"] == ["FLEX002 C.py:1 (C)", "FLEX002 K.py:1 (K)"]


def test_a_mend_that_another_one_brings_along_is_left_out_and_the_other_is_made(write_tree):
    """What is wrong beneath a crash shows where the crash is mended and this is not."""
    files = {"modeling_tiny.py": MODELING, "cache.py": CACHE, "generation.py": GENERATION, "masks.py": MASKS}
    root = write_tree({f"pkg/{name}": text for name, text in files.items()}) / "pkg"
    proposed = plan([root])
    capture = next(decision.id for decision in proposed.decisions if decision.rule == "FLEX006")
    whole = {change.name: change.after for change in proposed.changes}
    held = all_but(proposed, {capture})
    assert held["generation.py"] == whole["generation.py"]
    assert held["masks.py"] == (root / "masks.py").read_bytes() != whole["masks.py"]
    assert all_but(proposed, set()) == whole
