"""Models that misbehave: each may lose its own cells and nobody else's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from codemods.verify.launch import environment
from codemods.verify.locate import locate
from codemods.verify.results import Cell, Report
from codemods.verify.run import Options, run
from codemods.verify.watch import Progress
from codemods.verify.worker.landlock import version

from .variants import Variant, tree_of_variants

PASSTHROUGH = "            return attention_mask\n"

# Tries what it must not, and says what came of it.
MISDEEDS = """\
            import os, shutil, signal
            from pathlib import Path
            here, victim = Path(__file__), Path(__file__).parents[3] / "precious"
            deeds = {
                "change the tree": lambda: here.write_text(""),
                "delete the tree": lambda: shutil.rmtree(here.parents[1]),
                "write beside it": lambda: (victim.parent / "new").write_text(""),
                "cut short": lambda: os.truncate(victim, 0),
                "rename": lambda: victim.rename(victim.parent / "gone"),
                "link": lambda: os.link(victim, "link"),
                "write to another model's folder": lambda: (Path.cwd().parent / "new").write_text(""),
                "signal the one that judges": lambda: os.kill(os.getppid(), signal.SIGKILL),
                "write to its own folder": lambda: (Path.home() / "mine").write_text(""),
                "write to its working directory": lambda: Path("here").write_text(""),
            }
            done = []
            for name, deed in deeds.items():
                try:
                    deed()
                    done.append(name)
                except OSError:
                    pass
            raise ValueError("; ".join(done))
"""

VARIANTS = {
    "dies": Variant("plain", PASSTHROUGH, "            import os; os.kill(os.getpid(), 9)\n"),
    "exits": Variant("plain", PASSTHROUGH, "            import os; os._exit(0)\n"),
    "leaves": Variant("plain", PASSTHROUGH, "            raise SystemExit(3)\n"),
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
    "writes_elsewhere": Variant("plain", PASSTHROUGH, MISDEEDS),
    "leaves_a_process": Variant(
        "plain",
        PASSTHROUGH,
        "            import os, time\n"
        "            left = os.fork()\n"
        "            if not left:\n"
        "                os.setsid()\n"
        "                time.sleep(600)\n"
        "            raise ValueError(left)\n",
    ),
    "well_behaved": Variant("plain", PASSTHROUGH, PASSTHROUGH),
}


@pytest.fixture(scope="module")
def report(tinyformers: Path, torch_python: str, tmp_path_factory: pytest.TempPathFactory) -> Report:
    if sys.platform != "linux":
        pytest.skip("the limits are those of Linux")
    tree = tree_of_variants(tinyformers, tmp_path_factory.mktemp("tree") / "misbehaving", VARIANTS)
    (tree.parent / "precious").write_text("not yours", encoding="utf-8")
    os.environ["SECRET_TOKEN"] = "hunter2"
    try:
        # These models have no decoder of their own: that case is not among what they lose.
        cases = ("none", "decoder_padding", "block_causal", "block_document")
        options = Options(cases=cases, python=torch_python, seconds=5)
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
def test_where_nothing_is_forked_another_process_goes_on_behind_a_model_that_dies(
    tinyformers: Path, torch_python: str, tmp_path: Path
) -> None:
    if sys.platform != "linux":
        pytest.skip("the signals are those of Linux")
    misbehaving = {name: VARIANTS[name] for name in ("dies", "hangs", "well_behaved")}
    tree = tree_of_variants(tinyformers, tmp_path / "misbehaving", misbehaving)
    cases = ("none", "decoder_padding", "block_causal", "block_document")
    seen: list[Progress] = []
    report = run(locate(tree), Options(cases=cases, python=torch_python, seconds=10, fork=False), seen.append)
    assert verdicts(report, "dies") == ["ok", "crash", "not-runnable"]
    assert verdicts(report, "hangs") == ["ok", "crash", "not-runnable"]
    assert verdicts(report, "well_behaved") == ["ok", "ok", "ok"]
    assert cells(report, "dies")[1].exception == "the process was killed by SIGKILL"
    assert cells(report, "hangs")[2].reason == "not reached: the process was stopped after 10 s"
    assert report.checked == 3
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert (seen[-1].done, seen[-1].total) == (3, 3)


@pytest.mark.torch
def test_a_model_that_wants_too_much_memory_gets_none(report: Report) -> None:
    assert verdicts(report, "is_hungry") == ["ok", "crash", "crash"]
    assert "RuntimeError" in str(cells(report, "is_hungry")[1].exception)


@pytest.mark.torch
def test_a_model_that_leaves_the_process_politely_crashes_where_it_does(report: Report) -> None:
    assert verdicts(report, "leaves") == ["ok", "crash", "crash"]
    for crash in cells(report, "leaves")[1:]:
        assert crash.exception == "SystemExit: 3"
        assert str(crash.site).endswith("_update_causal_mask")


@pytest.mark.torch
def test_what_a_model_prints_is_not_taken_for_an_answer(report: Report) -> None:
    assert verdicts(report, "prints") == ["ok", "ok", "ok"]


@pytest.mark.torch
def test_there_is_no_network(report: Report) -> None:
    if report.environment["network"]:
        pytest.skip("this system does not let users cut the network")
    assert "Network is unreachable" in str(cells(report, "calls_home")[1].exception)


@pytest.mark.torch
def test_a_model_writes_nowhere_but_in_its_own_folder(report: Report) -> None:
    if version() < 6:
        pytest.skip("this system has no Landlock, or an early one")
    assert report.environment["writes"] is False
    exception = cells(report, "writes_elsewhere")[1].exception
    assert exception == "ValueError: write to its own folder; write to its working directory"


@pytest.mark.torch
def test_what_a_model_leaves_running_is_ended_and_reaped(report: Report) -> None:
    assert verdicts(report, "leaves_a_process") == ["ok", "crash", "crash"]
    for cell in cells(report, "leaves_a_process")[1:]:
        left = str(cell.exception).removeprefix("ValueError: ")
        assert left.isdigit()
        assert not Path("/proc", left).exists()


def test_an_alarm_ends_a_model_should_its_watcher_have_stopped() -> None:
    program = (
        "import time; from codemods.verify.worker import limits;"
        " limits._GRACE = 0; limits.limit(1 << 40, 1); time.sleep(60)"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=30)
    assert ended.returncode == -signal.SIGALRM


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
