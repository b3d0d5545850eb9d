from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import codemods
from codemods.verify.cases import CASES, select


def verify(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "codemods.verify", "--yes", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def test_help_names_every_case() -> None:
    run = verify("--help")
    assert run.returncode == 0
    assert all(f"{case} " in run.stdout for case in CASES)


@pytest.mark.parametrize("name", ["click.py", "rich.py", "libcst.py", "filelock.py"])
def test_what_lies_in_the_working_directory_is_not_imported(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("raise SystemExit('imported')\n", encoding="utf-8")
    root = Path(codemods.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-m", "codemods.verify", "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_a_missing_path_is_one_line(tmp_path: Path) -> None:
    run = verify(tmp_path / "gone")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == f"error: {tmp_path / 'gone'}: no such file or directory\n"


def test_an_unknown_case_is_a_usage_error(tinyformers: Path) -> None:
    run = verify(tinyformers, "--case", "upside_down")
    assert run.returncode == 2
    assert "no case 'upside_down'. Known are: none, ones," in run.stderr


def test_a_case_that_is_misspelled_gets_a_suggestion(tinyformers: Path) -> None:
    assert "Did you mean block_causal?" in verify(tinyformers, "--case", "block_casual").stderr


def test_an_unknown_failure_is_a_usage_error(tinyformers: Path) -> None:
    run = verify(tinyformers, "--fail-on", "crash,smoke")
    assert run.returncode == 2
    assert "'smoke' is not one of crash, wrong, regression, nothing." in run.stderr


def test_an_interpreter_that_is_not_there_is_one_line(tinyformers: Path) -> None:
    run = verify(tinyformers, "--python", "no-such-python")
    assert run.returncode == 2
    assert run.stderr == f"error: {tinyformers}: cannot start no-such-python: No such file or directory\n"


def test_an_interpreter_without_torch_is_one_line(tinyformers: Path, bare_python: str) -> None:
    run = verify(tinyformers, "--python", bare_python)
    assert run.returncode == 2
    assert (
        run.stderr
        == f"error: {tinyformers}: the tree cannot be imported: the package 'torch' is not installed\n"
    )


def test_an_interpreter_by_a_relative_path_is_meant_from_here(tinyformers: Path, bare_python: str) -> None:
    run = verify(tinyformers, "--python", os.path.relpath(bare_python))
    assert "the package 'torch' is not installed" in run.stderr


@pytest.mark.torch
def test_a_requirement_out_of_range_is_one_line(tmp_path: Path, torch_python: str) -> None:
    tree = tmp_path / "oldformers"
    (tree / "models" / "auto").mkdir(parents=True)
    (tree / "models" / "auto" / "modeling_auto.py").touch()
    (tree / "__init__.py").write_text(
        "try:\n"
        "    raise ImportError('tokenizers>=0.21,<0.22 is required for a normal functioning of this'\n"
        "                      ' module, but found tokenizers==0.20.0.\\nTry: pip install transformers -U')\n"
        "except ImportError as error:\n"
        "    raise RuntimeError('Failed to import oldformers because of the following error') from error\n",
        encoding="utf-8",
    )
    run = verify(tree, "--python", torch_python)
    assert run.returncode == 2
    assert run.stderr == (
        f"error: {tree}: the tree cannot be imported: tokenizers>=0.21,<0.22 is required for a normal"
        " functioning of this module, but found tokenizers==0.20.0.\n"
    )


@pytest.mark.torch
def test_one_models_folder_runs_that_model(tinyformers: Path, torch_python: str) -> None:
    run = verify(tinyformers / "models" / "plain", "--python", torch_python)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[1].split()[0] == "PlainForCausalLM"
    assert run.stdout.splitlines()[-1] == f"1 class, {len(select())} cells: {len(select())} ok"


@pytest.mark.torch
def test_a_model_that_nobody_knows_is_one_line(tinyformers: Path, torch_python: str) -> None:
    run = verify(tinyformers, "--model", "plan", "--python", torch_python)
    assert run.returncode == 2
    assert run.stderr == f"error: {tinyformers}: no model type or class matches plan\n"


@pytest.mark.torch
def test_a_class_that_claims_nothing_is_not_run(tinyformers: Path, torch_python: str) -> None:
    run = verify(tinyformers, "--model", "claimless", "--python", torch_python)
    assert run.returncode == 0
    assert run.stderr == "nothing to run: none of 1 model classes claims flex attention\n"


@pytest.mark.torch
def test_a_crash_fails_and_json_says_where(tinyformers: Path, torch_python: str, tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    run = verify(
        tinyformers, "--model", "Crashing*", "--case", "block_causal", "--python", torch_python,
        "--output-format", "json", "--output", output,
    )  # fmt: skip
    assert (run.returncode, run.stdout) == (3, "")
    (result,) = json.loads(output.read_text(encoding="utf-8"))["results"]
    assert result["verdict"] == "crash"
    assert result["exception"] == "AttributeError: 'BlockMask' object has no attribute 'dim'"
    assert result["site"].startswith("tinyformers/modeling_utils.py:")
    assert result["site"].endswith(" dense_causal_mask")


@pytest.mark.torch
def test_a_crash_that_is_not_to_fail_does_not(tinyformers: Path, torch_python: str) -> None:
    run = verify(
        tinyformers, "--model", "crashing", "--case", "block_causal", "--python", torch_python,
        "--fail-on", "regression",
    )  # fmt: skip
    assert run.returncode == 0
    assert f"python -m codemods.verify {tinyformers} " in run.stdout
    assert "--model CrashingForCausalLM --case block_causal" in run.stdout


@pytest.mark.torch
def test_the_command_that_a_report_gives_has_the_same_cell_again(
    tinyformers: Path, torch_python: str, tmp_path: Path
) -> None:
    def reported(*arguments: str | Path) -> dict[str, Any]:
        run = verify(*arguments, "--output-format", "json")
        assert run.returncode == 3, run.stderr
        (result,) = [cell for cell in json.loads(run.stdout)["results"] if cell["verdict"] == "crash"]
        return {**result, "seconds": None}

    first = reported(
        tinyformers, "--model", "crashing", "--case", "none", "--case", "block_causal",
        "--python", torch_python, "--timeout", "30", "--memory", "1.5",
    )  # fmt: skip
    python, module, name, *again = shlex.split(first["reproduce"])
    assert [python, module, name] == ["python", "-m", "codemods.verify"]
    assert again[-8:] == [
        *("--timeout", "30", "--memory", "1.5"),
        *("--model", "CrashingForCausalLM", "--case", "block_causal"),
    ]
    assert reported(*again) == first
