"""What counts as foreseen, as a true finding and as a false alarm."""

import pytest
from corpus_page import OPEN, cause_of
from corpus_truth import measure_precision, measure_recall, witnesses

SITE = "transformers/models/a/modeling_a.py:7 forward"
CRASH = {"verdict": "crash", "site": SITE, "exception": "AttributeError: 'BlockMask' object has no attribute"}
OTHER_CRASH = {**CRASH, "exception": "ValueError: too many values"}
OK, WRONG, NOT_RUN = {"verdict": "ok"}, {"verdict": "wrong"}, {"verdict": "not-runnable"}


def cells(**by_case):
    return {("a", "AModel", case): cell for case, cell in by_case.items()}


def finding(**given):
    made = {"rule": "FLEX002", "path": "models/a/modeling_a.py", "line": 7, "qualname": "A.forward"}
    return {**made, "safety": "safe", "way": "plain", "models": ["AModel"], **given}


RECALL = {
    "foreseen": (CRASH, OK, {"transformers/models/a/modeling_a.py:7"}, (1, 1)),
    "missed": (CRASH, OK, {"transformers/models/a/modeling_a.py:8"}, (1, 0)),
    "no_masks_doing": (OTHER_CRASH, OTHER_CRASH, set(), (0, 0)),
    "gone_after_the_repair": (OTHER_CRASH, OK, set(), (1, 0)),
    "not_run_after": (CRASH, None, set(), (1, 0)),
}


@pytest.mark.parametrize(("before", "after", "sites", "counts"), RECALL.values(), ids=RECALL)
def test_recall(before, after, sites, counts):
    after_cells = cells(block_causal=after) if after else {}
    measured = measure_recall(cells(block_causal=before), after_cells, sites, [])
    assert (measured["sites"], measured["found"]) == counts


def test_mask_of_wrong_lengths_is_foreseen_by_who_makes_it():
    crash = {
        **CRASH,
        "site": "transformers/integrations/flex_attention.py:9 f",
        "exception": "block_mask was",
    }
    makers = [finding(rule="FLEX003")]
    assert measure_recall(cells(generate_dynamic=crash), {}, set(), makers)["missed"] == []
    missed = ["transformers/integrations/flex_attention.py:9 (AModel)"]
    assert measure_recall(cells(generate_dynamic=crash), {}, set(), [finding()])["missed"] == missed


@pytest.mark.parametrize(("after", "missed"), [(OK, 0), (CRASH, 1)], ids=["mended", "not_mended"])
def test_mask_that_a_chosen_language_model_makes_is_foreseen_where_its_mend_helps(after, missed):
    crash = {**CRASH, "site": "transformers/integrations/flex_attention.py:9 f"}
    measured = measure_recall(
        cells(offset=crash), cells(offset=after), set(), [finding(models=["TextModel"])]
    )
    assert len(measured["missed"]) == missed


def test_witnesses_are_a_few_classes_for_each_place_and_the_files():
    before = {(name, f"{name}Model", case): CRASH for name in "abcdef" for case in ("none", "ones")}
    names, files = witnesses(before)
    assert (names, files) == (
        {"aModel", "bModel", "cModel", "dModel"},
        {"transformers/models/a/modeling_a.py"},
    )


PRECISION = {
    "there": (CRASH, OK, {"run": 1, "true": 1, "behind": 0}),
    "behind_another": ({**CRASH, "site": "transformers/models/b.py:1 f"}, OK, {"true": 1, "behind": 1}),
    "wrong_and_then_ok": (WRONG, OK, {"true": 1, "behind": 1}),
    "wrong_before_and_after": (WRONG, WRONG, {"run": 1, "true": 0}),
    "false_alarm": (OK, OK, {"run": 1, "true": 0}),
    "not_runnable": (NOT_RUN, NOT_RUN, {"run": 0, "true": 0}),
}


@pytest.mark.parametrize(("before", "after", "counts"), PRECISION.values(), ids=PRECISION)
def test_precision(before, after, counts):
    measured = measure_precision([finding()], cells(block_causal=before), cells(block_causal=after))["plain"]
    assert {name: measured[name] for name in counts} == counts
    assert len(measured["false_alarms"]) == measured["run"] - measured["true"]


@pytest.mark.parametrize("given", [{"safety": "report"}, {"safety": "unsafe"}, {"models": ["BModel"]}])
def test_what_precision_leaves_out(given):
    before = cells(block_causal=OK)
    assert measure_precision([finding(**given)], before, before)["plain"]["run"] == 0


def test_a_finding_is_held_against_the_cases_of_its_way():
    before, after = cells(block_causal=CRASH, generate_static=OK), cells(block_causal=OK, generate_static=OK)
    measured = measure_precision([finding(way="generation")], before, after)["generation"]
    assert (measured["run"], measured["true"]) == (1, 0)


def test_causes():
    assert "block-local" in cause_of("PegasusXForConditionalGeneration block_causal: crash")
    assert cause_of("LlamaForCausalLM none: wrong") == OPEN


@pytest.mark.parametrize(
    ("unbound", "counts"),
    [({"AModel": True}, (1, 1)), ({"AModel": False}, (1, 0)), ({}, (0, 0))],
    ids=["a_name_is_not_bound", "all_are", "not_run"],
)
def test_unbound_name_shows_where_there_is_no_flex_attention(unbound, counts):
    measured = measure_precision([finding(rule="FLEX005")], cells(none=CRASH), cells(none=OK), unbound)
    assert (measured["plain"]["run"], measured["plain"]["true"]) == counts
