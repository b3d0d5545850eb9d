"""``--verify`` as a user runs it: a small tree that needs torch only, rewritten and run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mendable import CRASHING, MODEL, mendable

# Another mistake that has nothing to do with masks: under flex attention the head is given less.
ALSO_WRONG = MODEL.replace(
    "        return SimpleNamespace",
    "        if self.config._attn_implementation == 'flex_attention':\n"
    "            hidden = hidden / 2\n"
    "        return SimpleNamespace",
)


@pytest.fixture
def make_tree(tmp_path: Path) -> Callable[[str], Path]:
    return lambda model: mendable(tmp_path / "tinyformers", model)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "codemods.flex_passthrough", "--verify", "--yes", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def model_of(tree: Path) -> str:
    return (tree / CRASHING).read_text(encoding="utf-8")


@pytest.mark.torch
def test_what_is_rewritten_is_run_before_and_after(make_tree, torch_python: str) -> None:
    tree = make_tree(MODEL)
    result = run(tree, "--python", torch_python, "--verify-case", "none", "--verify-case", "block_causal")
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert "Fixed 1 finding at 1 root in 1 file." in lines
    assert "CrashingForCausalLM  ok    crash → ok" in [line.rstrip() for line in lines]
    assert "PlainForCausalLM" not in result.stderr
    assert lines[-1] == "1 same, 1 fixed, 0 regression, 0 changed"


@pytest.mark.torch
def test_the_page_of_the_same_run_has_the_table(
    tmp_path: Path, make_tree, torch_python: str, browser
) -> None:
    file = tmp_path / "page.html"
    result = run(make_tree(MODEL), "--python", torch_python, "--verify-case", "block_causal", "--html", file)
    assert result.returncode == 0, result.stderr
    browser.open(file)
    assert browser.complaints() == []
    cells = "[...document.querySelectorAll('#verification tbody tr')].map((row) => row.innerText)"
    browser.run("document.getElementById('verification').open = true")
    assert browser.run(cells) == ["CrashingForCausalLM\tcrash → ok"]
    assert "0 → 1 ok" in browser.run("document.querySelector('.numbers').innerText.replaceAll('\\n', ' ')")
    assert browser.run("document.querySelector('article [data-verdict]').dataset.verdict") == "ok"


def test_the_page_has_one_source_of_verdicts(tmp_path: Path) -> None:
    result = run(tmp_path, "--html", tmp_path / "page.html", "--verdicts", tmp_path / "verdicts.json")
    assert result.returncode == 2
    assert "--verify has verdicts of its own: drop --verdicts" in result.stderr


@pytest.mark.torch
def test_a_verdict_that_is_not_ok_is_exit_code_3(make_tree, torch_python: str) -> None:
    tree = make_tree(ALSO_WRONG)
    result = run(tree, "--python", torch_python, "--verify-case", "block_causal")
    assert result.returncode == 3, result.stderr
    assert "isinstance(attention_mask, BlockMask)" in model_of(tree)
    assert "crash → wrong" in result.stderr


@pytest.mark.torch
def test_where_nothing_is_rewritten_nothing_is_run(tmp_path: Path, make_tree, torch_python: str) -> None:
    tree = make_tree(MODEL.replace("_supports_flex_attn = True", "_supports_flex_attn = False"))
    result = run(tree, "--python", tmp_path / "no-python")
    assert result.returncode == 0


def test_what_cannot_be_run_is_not_rewritten(make_tree, bare_python: str) -> None:
    tree = make_tree(MODEL)
    result = run(tree, "--python", bare_python)
    assert result.returncode == 2
    assert result.stderr == (
        f"cannot verify, so nothing was written: {tree}: the tree cannot be imported: the package 'torch' is"
        " not installed\n"
    )
    assert model_of(tree) == MODEL


def test_what_is_not_written_is_not_verified(tmp_path: Path) -> None:
    result = run(tmp_path, "--check")
    assert result.returncode == 2
    assert "nothing is: drop --dry-run, --check or --stat" in result.stderr


def test_without_yes_it_says_what_is_going_to_run(make_tree, bare_python: str) -> None:
    tree = make_tree(MODEL)
    command = [sys.executable, "-m", "codemods.flex_passthrough", "--verify", str(tree)]
    said = subprocess.run(
        [*command, "--python", bare_python],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert f"The code in {tree} is going to run, in {bare_python}, without your environment" in said.stderr


def test_an_unknown_case_is_a_usage_error(tmp_path: Path) -> None:
    result = run(tmp_path, "--verify-case", "upside_down")
    assert result.returncode == 2
    assert "no case 'upside_down'" in result.stderr
