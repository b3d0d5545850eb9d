"""Code that comes without a whole package: the classes in it are run with an installed library."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from codemods.verify.launch import WorkerFailed
from codemods.verify.locate import locate
from codemods.verify.results import Report
from codemods.verify.run import Options, run

pytestmark = pytest.mark.torch

CASES = ("none", "block_causal")


def verdicts(report: Report) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for cell in report.cells:
        found.setdefault(cell.class_name, []).append(cell.verdict)
    return found


@pytest.fixture(scope="module")
def remote_code(trees: Path, library_python: str) -> Report:
    return run(locate(trees / "remote-code-1.5"), Options(cases=CASES, python=library_python))


def test_the_class_that_auto_map_names_is_run(remote_code: Report) -> None:
    assert verdicts(remote_code) == {"PebbleLM": ["ok", "crash"]}


def test_a_crash_is_placed_in_the_folder(remote_code: Report) -> None:
    assert remote_code.cells[1].model_type == "pebble"
    assert remote_code.cells[1].exception == "AttributeError: 'BlockMask' object has no attribute 'dim'"
    assert remote_code.cells[1].site == "modeling_pebble.py:25 _update_causal_mask"


def test_the_library_behind_it_is_told(remote_code: Report) -> None:
    assert remote_code.environment["package"] == "remote-code-1.5"
    assert remote_code.environment["version"] == "with tinyformers 1.0"


def test_a_folder_of_links_as_in_a_cache_is_run_too(trees: Path, library_python: str, tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "0a1b2c"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted((trees / "remote-code-1.5").glob("*.*"))):
        shutil.copy(file, blobs / f"blob{number}")
        (snapshot / file.name).symlink_to(f"../../blobs/blob{number}")
    report = run(locate(snapshot), Options(cases=CASES, python=library_python, heads=True))
    assert verdicts(report) == {"PebbleLM": ["ok", "crash"], "PebbleForTokenClassification": ["ok", "crash"]}
    assert report.cells[1].site == "modeling_pebble.py:25 _update_causal_mask"


def test_a_vendored_package_is_run_and_what_cannot_be_imported_is_told(
    trees: Path, library_python: str
) -> None:
    report = run(locate(trees / "vendored"), Options(cases=CASES, python=library_python))
    broken = "app.pebbles.modeling_broken"
    assert verdicts(report) == {"PebblesForCausalLM": ["ok", "ok"], broken: ["not-runnable"] * 2}
    (reason,) = {cell.reason for cell in report.cells if cell.class_name == broken}
    assert reason == "cannot be imported: ModuleNotFoundError: No module named 'no_such_package'"


def test_one_file_is_run(trees: Path, library_python: str) -> None:
    report = run(locate(trees / "modeling_alone.py"), Options(cases=CASES, python=library_python))
    assert verdicts(report) == {"AloneForCausalLM": ["ok", "wrong"]}


def test_one_file_that_cannot_be_imported_is_one_line(trees: Path, library_python: str) -> None:
    file = trees / "vendored" / "app" / "pebbles" / "modeling_broken.py"
    with pytest.raises(WorkerFailed, match=r"^the tree cannot be imported: the package 'no_such_package'"):
        run(locate(file), Options(cases=CASES, python=library_python))
