"""Models that misbehave: each may lose its own cells and nobody else's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from codemods.verify.launch import environment
from codemods.verify.locate import locate
from codemods.verify.results import Cell, Report
from codemods.verify.run import Options, run

from .variants import Variant, tree_of_variants

PASSTHROUGH = "            return attention_mask\n"

VARIANTS = {
    "dies": Variant("plain", PASSTHROUGH, "            import os; os.kill(os.getpid(), 9)\n"),
    "exits": Variant("plain", PASSTHROUGH, "            import os; os._exit(0)\n"),
    "hangs": Variant("plain", PASSTHROUGH, "            import time; time.sleep(600)\n"),
    "is_hungry": Variant("plain", PASSTHROUGH, "            return hidden.new_ones(1 << 36)\n"),
    "prints": Variant("plain", PASSTHROUGH, "            print('{}'); return attention_mask\n"),
    "calls_home": Variant(
        "plain",
        PASSTHROUGH,
        "            import socket; socket.create_connection(('192.0.2.1', 80), timeout=30)\n",
    ),
    "looks_around": Variant(
        "plain",
        PASSTHROUGH,
        "            import os\n"
        "            raise ValueError(' '.join(sorted(os.environ)) + ' ' + os.path.expanduser('~'))\n",
    ),
    "well_behaved": Variant("plain", PASSTHROUGH, PASSTHROUGH),
}


@pytest.fixture(scope="module")
def report(tinyformers: Path, torch_python: str, tmp_path_factory: pytest.TempPathFactory) -> Report:
    if sys.platform != "linux":
        pytest.skip("the limits are those of Linux")
    tree = tree_of_variants(tinyformers, tmp_path_factory.mktemp("tree") / "misbehaving", VARIANTS)
    os.environ["SECRET_TOKEN"] = "hunter2"
    try:
        options = Options(cases=("none", "block_causal", "block_document"), python=torch_python, seconds=5)
        return run(locate(tree), options)
    finally:
        del os.environ["SECRET_TOKEN"]


def cells(report: Report, name: str) -> list[Cell]:
    return [cell for cell in report.cells if cell.model_type == name]


def verdicts(report: Report, name: str) -> list[str]:
    return [cell.verdict for cell in cells(report, name)]


@pytest.mark.torch
def test_a_model_that_behaves_is_not_disturbed(report: Report) -> None:
    assert verdicts(report, "well_behaved") == ["ok", "ok", "ok"]


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "exception"),
    [
        ("dies", "the process was killed by SIGKILL"),
        ("exits", "the process ended before it was done"),
        ("hangs", "the process was stopped after 5 s"),
    ],
)
def test_a_model_that_takes_its_process_down_loses_what_was_left(
    report: Report, name: str, exception: str
) -> None:
    assert verdicts(report, name) == ["ok", "crash", "not-runnable"]
    crash, lost = cells(report, name)[1:]
    assert crash.exception == exception
    assert lost.reason == f"not reached: {exception}"


@pytest.mark.torch
def test_a_model_that_wants_too_much_memory_gets_none(report: Report) -> None:
    assert verdicts(report, "is_hungry") == ["ok", "crash", "crash"]
    assert "RuntimeError" in str(cells(report, "is_hungry")[1].exception)


@pytest.mark.torch
def test_what_a_model_prints_is_not_taken_for_an_answer(report: Report) -> None:
    assert verdicts(report, "prints") == ["ok", "ok", "ok"]


@pytest.mark.torch
def test_there_is_no_network(report: Report) -> None:
    if report.environment["network"]:
        pytest.skip("this system does not let users cut the network")
    assert "Network is unreachable" in str(cells(report, "calls_home")[1].exception)


@pytest.mark.torch
def test_the_callers_environment_and_home_are_not_there(report: Report) -> None:
    seen = str(cells(report, "looks_around")[1].exception)
    assert "SECRET_TOKEN" not in seen
    assert seen.startswith("ValueError: ")
    assert not seen.endswith(str(Path.home()))


def test_the_environment_is_offline(tmp_path: Path) -> None:
    made = environment(str(tmp_path))
    assert made["HF_HUB_OFFLINE"] == "1"
    assert made["HOME"] == str(tmp_path)
