"""The harness on a small tree whose models are right, crash, or take no notice, by design."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from codemods.verify.cases import CASES, GROUPS, select
from codemods.verify.locate import locate
from codemods.verify.outcome import Outcome
from codemods.verify.results import Cell, Report
from codemods.verify.run import Options, run

pytestmark = pytest.mark.torch

# What models without an encoder have no cells of.
HERE = [case for case in CASES if case not in GROUPS["decoder"]]
BLOCK_CASES = [case for case in HERE if case.startswith("block_")] + ["backward_document", "loss"]
ENCODER_DECODER = "PairedForConditionalGeneration"
# The small tree reads document numbers as tokens and knows no static cache.
NOT_THERE = {"packed_2d", "generate_static", "generate_static_padded"}


@pytest.fixture(scope="module")
def report(tinyformers: Path, torch_python: str) -> Report:
    return run(locate(tinyformers), Options(cases=select(["all"]), python=torch_python))


def cells(report: Report, class_name: str) -> dict[str, Cell]:
    return {cell.case: cell for cell in report.cells if cell.class_name == class_name}


def test_every_case_is_run_for_every_class_that_claims_flex_attention(report: Report) -> None:
    classes = {"CrashingForCausalLM", "ForgetfulForCausalLM", "PlainForCausalLM", "WindowedForCausalLM"}
    expected = {(name, case) for name in classes for case in HERE} | {
        (ENCODER_DECODER, case) for case in CASES
    }
    assert {cell.key for cell in report.cells} == expected
    assert report.checked == 6


def test_the_environment_is_told(report: Report) -> None:
    assert report.environment["package"] == "tinyformers"
    assert report.environment["version"] == "1.0"
    on_cpu = report.environment["device"] == "cpu"
    assert report.environment["flex_attention"] == ("unfused" if on_cpu else "compiled")
    assert len(report.environment["worked_around"]) == (3 if on_cpu else 0)


def test_a_model_that_is_right_is_ok(report: Report) -> None:
    verdicts = {case: cell.verdict for case, cell in cells(report, "PlainForCausalLM").items()}
    assert verdicts == {case: "not-runnable" if case in NOT_THERE else "ok" for case in HERE}


def test_a_forward_pass_that_is_right_is_right_to_the_last_bit(report: Report) -> None:
    plain = cells(report, "PlainForCausalLM")
    assert {plain[case].max_abs_diff for case in GROUPS["masks"]} == {0.0}


def test_an_encoder_decoder_that_is_right_is_ok(report: Report) -> None:
    paired = cells(report, ENCODER_DECODER)
    verdicts = {case: cell.verdict for case, cell in paired.items()}
    assert verdicts == {case: "not-runnable" if case in NOT_THERE else "ok" for case in CASES}
    assert {paired[case].max_abs_diff for case in ("block_document", "decoder_document")} == {0.0}


def test_a_window_that_is_composed_is_ok(report: Report) -> None:
    verdicts = {case: cell.verdict for case, cell in cells(report, "WindowedForCausalLM").items()}
    assert verdicts == {case: "not-runnable" if case in NOT_THERE else "ok" for case in HERE}


def test_a_crash_takes_only_the_cases_that_crash(report: Report) -> None:
    crashing = cells(report, "CrashingForCausalLM")
    assert {case for case, cell in crashing.items() if cell.verdict == "crash"} == set(BLOCK_CASES)
    assert {case for case, cell in crashing.items() if cell.verdict == "wrong"} == set()


def test_what_the_tree_does_not_know_says_so(report: Report) -> None:
    plain = cells(report, "PlainForCausalLM")
    assert plain["packed_2d"].reason == "this tree reads document numbers in a 2-D mask as plain tokens"
    assert (
        plain["generate_static"].reason == "eager attention cannot run it: ValueError: no such cache: static"
    )


def test_a_dense_mask_that_is_ignored_is_no_reference(report: Report) -> None:
    forgetful = cells(report, "ForgetfulForCausalLM")
    assert forgetful["dense_4d"].verdict == "not-runnable"
    assert forgetful["dense_4d"].reason == "eager attention ignores a dense mask in this model"


def test_where_a_dense_mask_is_ignored_attention_is_given_it_directly(report: Report) -> None:
    for case in BLOCK_CASES:
        cell = cells(report, "ForgetfulForCausalLM")[case]
        assert cell.verdict == "ok"
        assert cell.reason is not None
        assert cell.reason.startswith("reference: eager attention given the dense mask directly")


def test_a_second_run_has_the_same_bits(report: Report, tinyformers: Path, torch_python: str) -> None:
    again = run(locate(tinyformers), Options(models=["windowed"], python=torch_python, jobs=1))
    windowed = replace(
        report, cells=[cell for cell in report.cells if cell.key in {c.key for c in again.cells}]
    )
    assert {pair.change for pair in Outcome(again, windowed).pairs} == {"same"}


def test_a_package_of_another_name_is_run_from_where_it_is(
    report: Report, tinyformers: Path, torch_python: str, tmp_path: Path
) -> None:
    renamed = tmp_path / "vendor" / "torch_free"
    shutil.copytree(tinyformers, renamed)
    (tmp_path / "vendor" / "__init__.py").touch()
    other = run(locate(renamed), Options(models=["plain"], python=torch_python))
    assert other.environment["package"] == "vendor.torch_free"
    plain = cells(report, "PlainForCausalLM")
    assert {cell.case: cell.digests for cell in other.cells} == {
        case: plain[case].digests for case in GROUPS["masks"]
    }
