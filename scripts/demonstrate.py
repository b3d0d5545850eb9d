"""Finds, shows, mends and proves on a copy of a tree: what ``scripts/run`` does."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

from codemods.source.tree import locate_tree

# The models whose repair the issue that started this project asked for.
MODELS = (
    "qwen2 qwen3 qwen3_moe mistral mixtral phi3 starcoder2 gemma2 gemma3 gemma3_text cohere2 zamba2 idefics2"
)
BUILD = Path("build/run")


def main() -> int:
    """Run the four steps; return the exit code of the last."""
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    package = locate_tree(given).root if given else installed_transformers()
    before, after = copy_twice(package)
    patch = BUILD / "flex.patch"

    step("find and show: the patch")
    codemod(after, "--dry-run", "--output", str(patch), "-v")
    print_head(patch)
    step("mend the copy")
    code = codemod(after)
    if code:
        return code
    step("once more: nothing is left to do")
    codemod(after, "--check")
    step("prove: run the models before and after")
    chosen = [] if given else [word for model in MODELS.split() for word in ("--model", model)]
    return verify(after, before, chosen)


def installed_transformers() -> Path:
    """Return the folder of the installed transformers, without importing it."""
    files = importlib.metadata.files("transformers") or []
    anchor = next(file for file in files if str(file) == "transformers/__init__.py")
    return Path(str(anchor.locate())).parent


def copy_twice(package: Path) -> tuple[Path, Path]:
    """Copy the tree's package to ``before/`` and ``after/``; return both copies."""
    copies = []
    for name in ("before", "after"):
        folder = BUILD / name
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__", ".git"))
        copies.append(folder / package.name)
    return copies[0], copies[1]


def step(what: str) -> None:
    """Say which step begins."""
    print(f"\n== {what}", flush=True)


def codemod(path: Path, *options: str) -> int:
    """Run the codemod on ``path`` as a user would."""
    return subprocess.call([sys.executable, "-m", "codemods.flex_passthrough", *options, str(path)])


def verify(after: Path, before: Path, options: list[str]) -> int:
    """Run the verification of the mended copy against the original one."""
    command = [sys.executable, "-m", "codemods.verify", str(after), "--before", str(before), *options]
    return subprocess.call(command)


def print_head(patch: Path, lines: int = 60) -> None:
    """Print the first lines of the patch and say where the rest is."""
    text = patch.read_text(encoding="utf-8", errors="replace").splitlines()
    print("\n".join(text[:lines]))
    print(f"... {len(text)} lines in all: {patch}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
