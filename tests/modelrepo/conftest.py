"""The small modular repository `grove`, copied afresh for each test."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from codemods.maskflow.program.index import Index
from codemods.modelrepo.family import Repository
from codemods.modelrepo.tooling.checkout import find_checkout
from codemods.modelrepo.tooling.regenerate import Options, RegenerationResult, regenerate
from codemods.modelrepo.tooling.toolchain import find_toolchain
from codemods.source.discover import discover
from codemods.source.tree import locate_tree

GROVE = Path(__file__).parents[2] / "fixtures" / "modular"

Read = Callable[[Path], Repository]


@pytest.fixture
def grove(tmp_path: Path) -> Path:
    """The root of a copy of the repository, which a test may change."""
    copy = tmp_path.resolve() / "checkout"
    shutil.copytree(GROVE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
def models(grove: Path) -> Path:
    """The folder of its models."""
    return grove / "src" / "grove" / "models"


@pytest.fixture
def read() -> Read:
    """Reads a repository as it is now."""

    def read_repository(root: Path) -> Repository:
        return Repository(Index(locate_tree(root)), discover([root]).files)

    return read_repository


IMPORT = "from ...utils import add_docstring"
GUARD = """if is_torch_flex_attn_available():
    from torch.nn.attention.flex_attention import BlockMask


"""
PASSTHROUGH = """        if self.config._attn_implementation == "flex_attention":
            if isinstance(attention_mask, BlockMask):
                return attention_mask
"""


def with_passthrough(text: str) -> str:
    """Return a file's text with the passthrough in its mask method, and the imports that it needs."""
    first, *rest = re.split(r"(?<=_update_causal_mask\(self, attention_mask, input_tensor\):\n)", text)
    text = "".join([first, *(PASSTHROUGH + part for part in rest)])
    utils = re.search(r"^from \.\.\.utils import (.*)$", text, re.MULTILINE)
    if utils:
        names = ", ".join(sorted([*utils[1].split(", "), "is_torch_flex_attn_available"]))
        text = text.replace(utils[0], f"from ...utils import {names}")
    else:
        text = re.sub(
            r"^(from \.\.?\w*\.?(?:configuration|maple|elm))",
            r"from ...utils import is_torch_flex_attn_available\n\1",
            text,
            count=1,
            flags=re.MULTILINE,
        )
    end = max(found.end() for found in re.finditer(r"^ *from \S+ import .*\n", text, re.MULTILINE))
    return text[:end] + "\n\n" + GUARD + text[end:].lstrip("\n")


@pytest.fixture
def ruff_version() -> str:
    """The version of ruff that is installed beside the interpreter, or found on the path."""
    return find_toolchain(GROVE.parent, GROVE / "no cache", install=False).ruff_version


@pytest.fixture
def checkout(grove: Path, ruff_version: str) -> Path:
    """A copy of the repository that pins the ruff at hand, in step with its tools."""
    setup = grove / "setup.py"
    setup.write_text(setup.read_text("utf-8").replace("ruff==0.11.2", f"ruff=={ruff_version}"), "utf-8")
    return grove


@pytest.fixture
def edits(models: Path) -> dict[Path, bytes]:
    """The edited roots, birch and oak, and the hand-written copies of them, moss and elm."""
    paths = ("birch/modular_birch.py", "oak/modeling_oak.py", "moss/modeling_moss.py", "elm/modeling_elm.py")
    return {models / path: with_passthrough((models / path).read_text("utf-8")).encode() for path in paths}


Run = Callable[..., RegenerationResult]


@pytest.fixture
def run(read: Read, tmp_path: Path) -> Run:
    """Regenerates a checkout after an edit."""

    def regenerate_checkout(
        root: Path,
        changed: Mapping[Path, bytes],
        expected: Mapping[Path, bytes] | None = None,
        **options: Any,
    ) -> RegenerationResult:
        checkout = find_checkout(locate_tree(root))
        assert checkout is not None
        toolchain = find_toolchain(checkout.root, tmp_path / "tools", install=False)
        return regenerate(read(root), checkout, toolchain, changed, expected, Options(**options))

    return regenerate_checkout


FOLLOWERS = {
    "modeling_birch.py": "regenerated",
    "modeling_cedar.py": "regenerated",
    "modeling_elm.py": "edited",
    "modeling_elm2.py": "regenerated",
    "modeling_fern.py": "regenerated",
    "modeling_moss.py": "edited",
    "modeling_oak.py": "edited",
    "modeling_rowan.py": "regenerated",
    "modeling_yew.py": "regenerated",
    "modular_birch.py": "edited",
}


def actions(result: RegenerationResult) -> dict[str, str]:
    return {path.name: action for path, action in result.actions.items()}


def text_of(result: RegenerationResult, name: str) -> str:
    (found,) = (data for path, data in result.files.items() if path.name == name)
    return found.decode("utf-8")


def state_of(folder: Path) -> dict[str, tuple[str, int]]:
    """The content and the time of the last change of every file, those of git included."""
    return {
        path.relative_to(folder).as_posix(): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def patch_tool(checkout: Path, name: str, old: str, new: str) -> None:
    tool = checkout / "utils" / name
    text = tool.read_text("utf-8")
    assert old in text
    tool.write_text(text.replace(old, new), "utf-8")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
