"""The seeds of the fuzzer hold what is promised, and the fuzzer runs for a while where it is installed."""

from __future__ import annotations

import ast
import importlib.util
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from codemods.review.finding import Status
from tests.trust.mutate import mutated, places
from tests.trust.promises import holds, seeds

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("CODEMODS_FUZZ_SECONDS", "0"))
SEEDS = seeds()
NOTHING_TO_DO = ("nothing_to_do",)


@pytest.mark.parametrize("name", SEEDS)
def test_seed(name: str) -> None:
    planned = holds(SEEDS[name].encode())
    fixed = any(finding.status is Status.WOULD_FIX for finding in planned.findings)
    assert fixed == (name not in NOTHING_TO_DO)


def test_changes_are_different_and_mostly_python() -> None:
    others = [source.encode() for source in SEEDS.values()]
    chance = random.Random(0)
    made = {mutated(chance.choice(others), others, chance, lambda data: data[:-1]) for _ in range(300)}
    assert len(made) > 250
    assert sum(bool(places(source, ast.stmt)) for source in made) > 150


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs atheris (pip install atheris)")
@pytest.mark.skipif(
    not SECONDS, reason="CODEMODS_FUZZ_SECONDS says for how long; a find is news, not a regression"
)
def test_fuzzing_for_a_while_finds_nothing(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    command = [
        sys.executable,
        "scripts/fuzz.py",
        f"-max_total_time={SECONDS}",
        "-timeout=60",
        "-max_len=8000",
    ]
    done = subprocess.run(
        [*command, "-print_final_stats=1", f"-artifact_prefix={tmp_path}/", str(corpus)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS + 300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ran = re.search(r"number_of_executed_units: *(\d+)", done.stderr)
    assert ran is not None and int(ran[1]) >= len(SEEDS)
