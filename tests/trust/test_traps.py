"""Nothing that lies in a tree, or in the working directory, is ever run by looking at the tree."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.trust.trees import MODEL, package

ROOT = Path(__file__).parents[2]

# A module that tells on whoever runs it.
TRAP = "open({sprung!r}, 'a').write(__file__ + ' in ' + __name__ + '\\n')\n"
NAMES = (
    "ast.py",
    "click.py",
    "conftest.py",
    "filelock.py",
    "hashlib.py",
    "json.py",
    "libcst.py",
    "pathspec.py",
    "platformdirs.py",
    "pygments/__init__.py",
    "rich/__init__.py",
    "setup.py",
    "sitecustomize.py",
    "subprocess.py",
    "tomli.py",
    "torch.py",
    "transformers.py",
    "usercustomize.py",
    "utils/check_copies.py",
    "utils/modular_model_converter.py",
)


@pytest.fixture
def sprung(tmp_path: Path) -> Path:
    """Where traps tell that they were run."""
    return tmp_path / "sprung"


@pytest.fixture
def tree(tmp_path: Path, sprung: Path) -> Path:
    """A checkout in which everything that could be imported is a trap."""
    root = tmp_path / "tree"
    trap = TRAP.format(sprung=str(sprung))
    modular = MODEL.replace("class TinyModel", "class BushModel")
    generated = (
        "# This file was automatically generated from src/pkg/models/bush/modular_bush.py.\n" + modular
    )
    package(root / "src", bush=trap + generated)
    for path in (root / "src").rglob("*.py"):
        path.write_text(trap + path.read_text())
    (root / "src/pkg/models/bush/modular_bush.py").write_text(trap + modular)
    for folder in (root, root / "src", root / "src/pkg", root / "src/pkg/models/tiny"):
        for name in NAMES:
            path = folder / name
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                path.write_text(trap)
        (folder / "trap.pth").write_text(f"import os; {trap}")
    (root / "pyproject.toml").write_text("[project]\nname = 'tree'\n[tool.flex_passthrough]\nignore = []\n")
    _hostile_git(root, sprung)
    return root


def _hostile_git(root: Path, sprung: Path) -> None:
    """Make ``root`` a repository that runs something whenever git is asked about it."""
    command = f"echo git >>{sprung}"
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    hooks = root / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-commit", "post-checkout", "post-index-change", "reference-transaction", "fsmonitor"):
        (hooks / name).write_text(f"#!/bin/sh\n{command}\n")
        (hooks / name).chmod(0o755)
    with (root / ".git/config").open("a") as config:
        config.write(f'[core]\n\tfsmonitor = "{hooks}/fsmonitor"\n\tpager = "{hooks}/fsmonitor"\n')
        config.write(f'[alias]\n\tls-files = "!{command}"\n[filter "trap"]\n\tclean = "{command}"\n')
    (root / ".gitattributes").write_text("* filter=trap diff=trap\n")


def run(command: list[str], folder: Path, sprung: Path) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=env, capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in done.stderr
    assert not sprung.exists(), sprung.read_text()
    return done.stdout + done.stderr


@pytest.mark.parametrize("where", [".", "src/pkg"])
@pytest.mark.parametrize(
    "command",
    [
        ["codemods.flex_passthrough", "{tree}", "--check", "--explain"],
        ["codemods.flex_passthrough", "{tree}", "--dry-run", "--mode", "mirror"],
        ["codemods.rules", "FLEX001"],
        ["codemods.undo", "--list"],
    ],
    ids=lambda command: " ".join(command[:3]),
)
def test_nothing_is_run(tree: Path, sprung: Path, command: list[str], where: str) -> None:
    said = run([word.format(tree=tree) for word in command], tree / where, sprung)
    if command[0].endswith("flex_passthrough"):
        assert "Would fix" in said


def test_nothing_is_run_by_mending_and_undoing(tree: Path, sprung: Path) -> None:
    assert "Fixed" in run(["codemods.flex_passthrough", ".", "--mode", "mirror"], tree, sprung)
    assert "restored" in run(["codemods.undo"], tree, sprung)
    assert "Fixed" in run(["codemods.flex_passthrough", ".", "--mode", "in-place"], tree, sprung)


def test_nothing_is_run_by_drawing(tree: Path, sprung: Path) -> None:
    run(["codemods.flex_passthrough", ".", "--show-graph", "bush"], tree, sprung)


def test_nothing_is_run_by_asking_git_what_changed(tree: Path, sprung: Path, tmp_path: Path) -> None:
    _committed(tree)
    model = tree / "src/pkg/models/tiny/modeling_tiny.py"
    model.write_text(f"{model.read_text()}# changed\n")
    said = run(
        ["codemods.flex_passthrough", ".", "--check", "--mode", "mirror", "--changed-only"], tree, sprung
    )
    assert "Would fix 1 finding" in said


def test_nothing_is_run_by_writing_a_mailbox(tree: Path, sprung: Path) -> None:
    options = ["--dry-run", "--output-format", "mbox", "--mode", "mirror"]
    said = run(["codemods.flex_passthrough", ".", *options], tree, sprung)
    assert "Subject: [PATCH" in said


def _committed(root: Path) -> None:
    """Commit all of a hostile repository, with what it would run left out this once."""
    config = root / ".git/config"
    hostile = config.read_text()
    config.write_text("[core]\n\thooksPath = /dev/null\n[user]\n\tname = Ann\n\temail = ann@example.org\n")
    for command in (["checkout", "-q", "-B", "main"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    config.write_text(hostile)


def test_the_traps_work(tree: Path, sprung: Path) -> None:
    for path in ("src/pkg/__init__.py", "torch.py", "src/pkg/models/tiny/modeling_tiny.py"):
        subprocess.run([sys.executable, str(tree / path)], capture_output=True)
        assert sprung.read_text()
        sprung.unlink()
    subprocess.run(["git", "status"], cwd=tree, capture_output=True)
    assert "git" in sprung.read_text()
