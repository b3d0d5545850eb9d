"""``run --verify`` as a user runs it: models are run, and the review page says what came of them."""

from __future__ import annotations

import json

import pytest

from tests.mendable import CRASHING, mendable

from .conftest import commit

pytestmark = pytest.mark.torch


def test_the_review_page_has_the_verdicts_before_and_after(fleet, rows, tmp_path, torch_python, browser):
    forks = [mendable(tmp_path / name / "tinyformers") for name in ("one", "two")]
    (forks[1].parent / "README.md").write_text("Another fork.\n")
    for fork in forks:
        commit(fork.parent)
    manifest = tmp_path / "fleet.jsonl"
    verify = {"cases": ["none", "block_causal"], "python": torch_python}
    lines = [{"path": str(fork.parent), "verify": verify} for fork in forks]
    manifest.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    done = fleet("run", manifest, "--verify", "-j", 1)
    assert done.returncode == 0, done.stderr
    assert "2 cells verified as fixed, 0 worse" in done.stderr
    assert [rows()[name]["stages"][2]["reused"] for name in ("one", "two")] == [False, True]

    for name in ("one", "two"):
        browser.open(tmp_path / "fleet" / rows()[name]["artifacts"]["review"])
        browser.run("document.getElementById('verification').open = true")
        cells = "[...document.querySelectorAll('#verification tbody tr')].map((row) => row.innerText)"
        assert browser.run(cells) == ["CrashingForCausalLM\tok\tcrash → ok"]
        assert CRASHING in browser.run("document.querySelector('article').innerText")
        assert browser.run("document.querySelectorAll('article table.unified tr.add').length") > 0
        assert browser.complaints() == []
    browser.open(tmp_path / "fleet" / "fleet.html")
    assert (
        browser.run("document.querySelector('.tiles').innerText").split("\n")[-1] == "2 cells fixed, 0 worse"
    )
