"""Holds what is remembered to what is found out anew, on a copy of a real tree that is edited at random.

    python scripts/remembered.py TREE [--rounds N] [--seed S]

In each round some model files of the copy are edited, broken or removed. A plan that remembers all rounds
before and one that remembers nothing have to tell the same: findings with their ways, problems, notices and
the patch. The exit status is 1 where they do not.
"""

from __future__ import annotations

import argparse
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from codemods.flex_passthrough.api import Mode, Plan, Settings, plan
from codemods.flex_passthrough.remembered.memory import Memory
from codemods.review.patch import render_patch

# One process, and no tool of the tree's own.
SETTINGS = Settings(mode=Mode.MIRROR, jobs=1)


def main() -> int:
    """Go through the rounds, and say of each what was done and whether both plans agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tree", type=Path, help="a package, such as an unpacked release; it is not changed")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    differ = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, options.tree.resolve().name)
        shutil.copytree(options.tree, root)
        memory = Memory(Path(folder, "memory", "scans.sqlite"))
        first = told(plan([root], SETTINGS, memory=memory))
        for number in range(options.rounds):
            done = [disturb(root, chance) for _ in range(chance.randint(1, 3))]
            remembered, anew = told(plan([root], SETTINGS, memory=memory)), told(plan([root], SETTINGS))
            verdict = "same" if remembered == anew else "DIFFERENT"
            differ += remembered != anew
            effect = "nothing else than at first" if anew == first else "another plan"
            print(f"{number + 1}: {', '.join(done)}: {verdict} ({effect})", flush=True)
    return int(differ > 0)


def told(made: Plan) -> list[Any]:
    """Return all that a plan tells."""
    findings = [asdict(finding) for finding in made.findings]
    members = [decision.members for decision in made.decisions]
    return [findings, members, made.problems, made.unknown, made.notices, render_patch(made)]


def disturb(root: Path, chance: random.Random) -> str:
    """Do something to a model file, and say what."""
    path = chance.choice(sorted(root.rglob("mod*_*.py")))
    if chance.random() < 0.1:
        path.unlink()
        return f"{path.name} removed"
    change = chance.choice(CHANGES)
    text = path.read_text(encoding="utf-8")
    path.write_text(change(text, chance), encoding="utf-8")
    return f"{path.name} {change.__name__}"


def without_banner(text: str, chance: random.Random) -> str:
    """Return a generated file that does not say so."""
    return text.replace("automatically generated", "once generated", 1)


def without_copies(text: str, chance: random.Random) -> str:
    """Return a file without its first copy comments."""
    return text.replace("# Copied from", "# Like", chance.randint(1, 3))


def with_class_renamed(text: str, chance: random.Random) -> str:
    """Return a file in which one class has another name."""
    names = re.findall(r"^class (\w+)", text, re.MULTILINE) or ["Nothing"]
    name = chance.choice(names)
    return re.sub(rf"\b{name}\b", f"{name}2", text)


def with_method_renamed(text: str, chance: random.Random) -> str:
    """Return a file in which one method has another name."""
    methods = list(re.finditer(r"^    def (\w+)\(self", text, re.MULTILINE))
    end = chance.choice(methods).end(1) if methods else 0
    return f"{text[:end]}{'2' if methods else ''}{text[end:]}"


def with_another_parent(text: str, chance: random.Random) -> str:
    """Return a file that takes from Mistral what it took from Llama."""
    return text.replace("Llama", "Mistral").replace("llama", "mistral")


def cut_off(text: str, chance: random.Random) -> str:
    """Return the start of a file."""
    return text[: chance.randrange(len(text) + 1)]


def with_more(text: str, chance: random.Random) -> str:
    """Return a file with another class at its end."""
    return f"{text}\n\nclass Another:\n    pass\n"


CHANGES: tuple[Callable[[str, random.Random], str], ...] = (
    without_banner,
    without_copies,
    with_class_renamed,
    with_method_renamed,
    with_another_parent,
    cut_off,
    with_more,
)

if __name__ == "__main__":
    sys.exit(main())
