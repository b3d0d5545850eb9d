"""Mutation testing of the rules and of what writes; ``scripts/mutation`` runs it.

mutmut makes the mutants, and runs for each the tests that come by the mutated function. It mutates no
function with a decorator, so the copy that it works on goes without ``@cache`` and ``@kept``, which change
no result.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".mutation"
PARTS = {"writer": "codemods/rewrite", "rules": "codemods/flex_passthrough/rules"}
CONFIGURATION = """
[tool.mutmut]
source_paths = ["codemods"]
only_mutate = [{only}]
also_copy = ["docs", "fixtures", "scripts", "CHANGELOG.md", "README.md"]
pytest_add_cli_args_test_selection = ["tests/rewrite", "tests/flex_passthrough/rules"]
pytest_add_cli_args = ["-p", "no:cacheprovider"]
use_git_change_detection = false
"""
# How mutmut notes what the tests said: those that passed, and those that were not there.
ALIVE, UNTESTED = 0, 33


def copied() -> None:
    """Make the copy, configured."""
    FOLDER.mkdir(exist_ok=True)
    for name in ("codemods", "tests", "docs", "fixtures", "scripts"):
        shutil.copytree(
            ROOT / name, FOLDER / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, FOLDER / name)
    for path in (FOLDER / PARTS["rules"]).rglob("*.py"):
        path.write_text(re.sub(r"(?m)^@((lru_)?cache|kept)\b.*\n", "", path.read_text("utf-8")), "utf-8")
    only = ", ".join(f'"{part}/*"' for part in PARTS.values())
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    (FOLDER / "pyproject.toml").write_text(project + CONFIGURATION.format(only=only), "utf-8")


def mutmut(*names: str, seconds: int) -> None:
    """Run mutmut on some mutants, for a while; whatever it says, what it found is noted."""
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(os.cpu_count() or 1), *names]
    try:
        subprocess.run(
            command, cwd=FOLDER, env={**os.environ, "CI": "1"}, timeout=seconds, stdout=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        print(f"stopped after {seconds} s", file=sys.stderr)


def found(part: str) -> dict[str, int | None]:
    """Return the mutants of a part, each with what its tests said, None if they were not run."""
    said: dict[str, int | None] = {}
    for path in sorted((FOLDER / "mutants" / part).rglob("*.meta")):
        said.update(json.loads(path.read_text("utf-8"))["exit_code_by_key"])
    return said


def main() -> None:
    """Test as many mutants as the command line says, and print what became of them."""
    sample, seconds = ([int(argument) for argument in sys.argv[1:]] + [300, 3600][len(sys.argv) - 1 :])[:2]
    copied()
    mutmut("no.such.mutant", seconds=seconds)  # makes the mutants
    names = sorted(name for part in PARTS.values() for name in found(part))
    random.Random(0).shuffle(names)
    chosen = set(names[: sample or None])
    mutmut(*chosen, seconds=seconds)
    for part, folder in PARTS.items():
        said = {name: code for name, code in found(folder).items() if name in chosen and code is not None}
        alive = sorted(name for name, code in said.items() if code in (ALIVE, UNTESTED))
        for name in alive:
            print(f"alive: {name}")
        killed = len(said) - len(alive)
        print(f"{part}: {killed} of {len(said)} killed, {100 * killed / max(len(said), 1):.0f} %")


if __name__ == "__main__":
    main()
