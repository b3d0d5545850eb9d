"""Makes the fifty repositories of ``scripts/fleet_trial``, of several releases and packages.

To keep it short each holds a few models of a release and what these share, not all of it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

RELEASES = ("4.50.3", "4.51.3", "4.52.4")
SHARED = ("utils", "integrations", "generation")
MODELS = ("llama", "mistral")
PACKAGES = {
    "eagle-llm==1.2.1": "",
    "fschat==0.2.36": "",
    "llm2vec==0.2.2": "",
    "my-transformers==4.5.1": "my_transformers/models/mistral",
    "xmersawitransformers==4.52.0.dev0": "transformers/models/mistral",
}

Variant = Callable[[Path], None]


def made_fleet(folder: Path) -> Path:
    """Make fifty repositories, and return the manifest that lists them."""
    fleet = folder / "repositories"
    shutil.rmtree(fleet, ignore_errors=True)
    lines: list[dict[str, Any]] = []
    for release in RELEASES:
        base = small_tree(unpacked(folder, release), fleet / f"{release}-base")
        lines += list(kinds_of(base, release))
        for name, variant in VARIANTS.items():
            copy = fleet / f"{release}-{name}"
            shutil.copytree(base, copy)
            variant(copy)
            commit(copy)
            lines.append({"path": str(copy)})
    for requirement, inside in PACKAGES.items():
        lines.append({"pypi": requirement, "subdirectory": inside, "name": requirement.split("=")[0]})
    lines = lines[:50]
    manifest = folder / "fleet.jsonl"
    manifest.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    print(f"{len(lines)} repositories")
    return manifest


def unpacked(folder: Path, release: str) -> Path:
    """Download a release, and return where its package is."""
    target = folder / "releases" / release
    if not target.is_dir():
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--dest",
            str(folder / "wheels"),
        ]
        subprocess.run([*command, f"transformers=={release}"], check=True)
        (wheel,) = (folder / "wheels").glob(f"transformers-{release}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
    return target / "transformers"


def small_tree(package: Path, to: Path) -> Path:
    """Make a checkout of a few models and what they share."""
    target = to / "src" / "transformers"
    target.mkdir(parents=True)
    for file in package.glob("*.py"):
        shutil.copy(file, target)
    for name in (*SHARED, *(f"models/{model}" for model in MODELS)):
        shutil.copytree(package / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(package / "models" / "__init__.py", target / "models")
    (to / "README.md").write_text("A fork.\n")
    commit(to)
    return to


def kinds_of(base: Path, release: str) -> Iterator[dict[str, Any]]:
    """Yield one content in every form that a source can have."""
    yield {"path": str(base)}
    git(base, "tag", "-f", "v1")
    bare = base.with_name(f"{release}-bare.git")
    git(base, "clone", "-q", "--bare", str(base), str(bare))
    yield {"path": str(bare), "ref": "v1"}
    for kind in ("zip", "gztar"):
        yield {"path": shutil.make_archive(f"{base}-{kind}", kind, base, "src")}
    yield {"path": str(base / "src"), "name": f"{release}-plain"}
    yield {"path": str(base), "ref": "no-such-branch", "name": f"{release}-missing"}


def edited(path: str, change: Callable[[str], str]) -> Variant:
    """Return a variant with one file changed."""

    def vary(tree: Path) -> None:
        file = tree / "src" / "transformers" / path
        file.write_bytes(change(file.read_bytes().decode()).encode())

    return vary


def renamed(tree: Path) -> None:
    """Call the package something else."""
    package = (tree / "src" / "transformers").rename(tree / "src" / "acme_models")
    for file in package.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("from transformers", "from acme_models"), encoding="utf-8")


def pointer(tree: Path) -> None:
    """Leave a Git LFS pointer where a file should be."""
    file = tree / "src" / "transformers" / "models" / "llama" / "tokenization_llama.py"
    file.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n")


MISTRAL = "models/mistral/modeling_mistral.py"
VARIANTS: dict[str, Variant] = {
    "readme": lambda tree: (tree / "README.md").write_text("Our fork.\n") and None,
    "comment": edited(MISTRAL, lambda text: text + "\n# ours\n"),
    "broken": edited(MISTRAL, lambda text: text.replace("def forward(", "def forward((", 1)),
    "truncated": edited(MISTRAL, lambda text: text[: len(text) // 2]),
    "crlf": edited(MISTRAL, lambda text: text.replace("\n", "\r\n")),
    "empty": edited(MISTRAL, lambda text: ""),
    "renamed": renamed,
    "without": lambda tree: shutil.rmtree(tree / "src" / "transformers" / "models" / "mistral"),
    "pointer": pointer,
}


def commit(tree: Path) -> None:
    """Commit everything."""
    if not (tree / ".git").exists():
        git(tree, "init", "-q", "-b", "main")
    git(tree, "add", "-A")
    git(tree, "commit", "-q", "--allow-empty", "-m", "A fork")


def git(folder: Path, *arguments: str) -> None:
    """Run git."""
    identity = (
        "-c",
        "user.name=Someone",
        "-c",
        "user.email=someone@example.org",
        "-c",
        "commit.gpgSign=false",
    )
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True)
