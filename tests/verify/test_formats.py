from __future__ import annotations

import io
from typing import Any
from xml.etree import ElementTree

import junitparser
from msgspec.structs import replace

from codemods.verify.formats import junit, markdown, text
from codemods.verify.outcome import Outcome
from codemods.verify.results import Cell, Report

OK = Cell("qwen2", "Qwen2ForCausalLM", "none", "ok", 0.0, seconds=0.5, digests={"eager": "aa"})
CRASH = Cell(
    "qwen2",
    "Qwen2ForCausalLM",
    "block_causal",
    "crash",
    exception="AttributeError: 'BlockMask' object has no attribute 'dim'",
    site="transformers/models/qwen2/modeling_qwen2.py:698 forward",
)
WRONG = replace(OK, case="block_sliding", verdict="wrong", max_abs_diff=0.34, reason="differs from token 16")
SKIPPED = replace(
    OK, case="dense_4d", verdict="not-runnable", reason="eager attention cannot run it: <|pipe|>"
)


def report(*cells: Cell) -> Report:
    command = ("python", "-m", "codemods.verify", "my tree")
    return Report({"package": "transformers", "version": "4.51.3"}, list(cells), 1, command)


def outcome(*cells: Cell, before: Report | None = None) -> Outcome:
    return Outcome(report(*cells), before)


def written(face: Any, outcome: Outcome) -> str:
    stream = io.StringIO()
    face.write(outcome, stream)
    return stream.getvalue()


def test_text_shows_a_row_per_class_and_a_column_per_case() -> None:
    lines = written(text, outcome(OK, CRASH, WRONG)).splitlines()
    assert lines[0].split() == ["model", "class", "none", "block", "causal", "block", "sliding"]
    assert lines[1].split() == ["Qwen2ForCausalLM", "ok", "crash", "wrong", "0.34"]


def test_text_says_where_and_how_to_run_it_again() -> None:
    shown = written(text, outcome(CRASH))
    assert (
        "Qwen2ForCausalLM [block_causal] crash at transformers/models/qwen2/modeling_qwen2.py:698 forward:"
        " AttributeError: 'BlockMask' object has no attribute 'dim'\n"
        "    python -m codemods.verify 'my tree' --model Qwen2ForCausalLM --case block_causal\n"
    ) in shown


def test_text_of_what_is_ok_has_no_remarks() -> None:
    assert written(text, outcome(OK)).splitlines()[-1] == "1 class, 1 cell: 1 ok"
    assert len(written(text, outcome(OK)).splitlines()) == 4


def test_text_and_markdown_say_what_was_worked_around() -> None:
    environment = {"worked_around": ["it is run unfused"]}
    result = Outcome(replace(report(OK), environment=environment))
    for face in (text, markdown):
        assert "worked around: it is run unfused\n" in written(face, result)


def test_text_and_markdown_say_what_was_not_cut_off() -> None:
    result = Outcome(replace(report(OK), environment={"network": True, "writes": True}))
    for face in (text, markdown):
        shown = written(face, result)
        assert "this system does not cut models off from the network or writing to your files\n" in shown


def test_text_and_markdown_are_silent_where_all_was_cut_off() -> None:
    result = Outcome(replace(report(OK), environment={"network": False, "writes": False}))
    for face in (text, markdown):
        assert "cut" not in written(face, result)


def test_text_says_equal_words_once() -> None:
    shown = written(text, outcome(CRASH, replace(CRASH, case="block_document")))
    assert "Qwen2ForCausalLM [block_causal, block_document] crash at" in shown
    assert shown.count("crash at") == 1


def test_text_shows_before_and_after() -> None:
    shown = written(text, outcome(OK, replace(CRASH, verdict="ok"), before=report(OK, CRASH)))
    assert shown.splitlines()[1].split() == ["Qwen2ForCausalLM", "ok", "crash", "→", "ok"]
    assert shown.splitlines()[-1] == "1 same, 1 fixed, 0 regression, 0 changed"


def test_text_marks_a_regression_in_the_table_and_in_words() -> None:
    shown = written(text, outcome(replace(OK, digests={"eager": "bb"}), before=report(OK)))
    assert "ok → ok !" in shown
    assert "regression: Qwen2ForCausalLM [none] eager output is not identical" in shown


def test_markdown_is_a_table_and_a_list() -> None:
    shown = written(markdown, outcome(OK, CRASH))
    assert "| model class | `none` | `block_causal` |\n|---|---|---|\n" in shown
    assert "| `Qwen2ForCausalLM` | ok | **crash** |\n" in shown


def test_markdown_escapes_what_would_be_markup() -> None:
    assert r"\<\|pipe\|\>" in written(markdown, outcome(SKIPPED))


def test_junit_tells_failures_errors_and_skips_apart() -> None:
    root = ElementTree.fromstring(written(junit, outcome(OK, CRASH, WRONG, SKIPPED)))
    (suite,) = root
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "1", "skipped": "1"}
    assert [[child.tag for child in test] for test in suite] == [
        [],
        ["error", "system-out"],
        ["failure", "system-out"],
        ["skipped"],
    ]


def test_junit_says_the_same_to_a_reader_that_others_wrote() -> None:
    shown = written(junit, outcome(OK, CRASH, WRONG, SKIPPED))
    (suite,) = junitparser.JUnitXml.fromstring(shown.encode())
    counted = (suite.tests, suite.failures, suite.errors, suite.skipped, suite.time)
    tests = list(suite)
    suite.update_statistics()
    recounted = (suite.tests, suite.failures, suite.errors, suite.skipped, suite.time)
    assert counted == recounted == (4, 1, 1, 1, 1.5)
    assert [test.name for test in tests] == ["none", "block_causal", "block_sliding", "dense_4d"]
    assert {test.classname for test in tests} == {"transformers.Qwen2ForCausalLM"}
    assert [[type(result) for result in test.result] for test in tests] == [
        [],
        [junitparser.Error],
        [junitparser.Failure],
        [junitparser.Skipped],
    ]
    (crash,), (skipped,) = tests[1].result, tests[3].result
    assert (crash.type, crash.text) == ("AttributeError", crash.message)
    assert crash.message.endswith("'BlockMask' object has no attribute 'dim'")
    assert skipped.message == "eager attention cannot run it: <|pipe|>"
    assert tests[1].system_out.endswith("--model Qwen2ForCausalLM --case block_causal")


def test_junit_counts_a_regression_as_a_failure() -> None:
    regression = outcome(replace(OK, digests={"eager": "bb"}), before=report(OK))
    root = ElementTree.fromstring(written(junit, regression))
    assert [element.get("message") for element in root.iter("failure")] == ["eager output is not identical"]


def test_junit_has_no_character_that_xml_forbids() -> None:
    root = ElementTree.fromstring(
        written(junit, outcome(replace(CRASH, exception="ValueError: \x00\x1b[31m")))
    )
    assert "\ufffd" in str(next(root.iter("error")).text)


def test_a_regression_is_run_again_with_both_trees() -> None:
    compared = Outcome(
        report(replace(OK, digests={"eager": "bb"})), report(OK), compared=("--before", "old tree")
    )
    command = "python -m codemods.verify 'my tree' --model Qwen2ForCausalLM --case none --before 'old tree'"
    assert f"    {command}\n" in written(text, compared)
    assert f"  `{command}`\n" in written(markdown, compared)
    assert f"<system-out>{command}</system-out>" in written(junit, compared)
    assert compared.to_json()["results"][0]["reproduce"] == command
