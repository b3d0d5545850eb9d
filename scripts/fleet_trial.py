"""Runs a fleet of fifty repositories, undisturbed and killed: what ``scripts/fleet_trial`` does.

To keep it short each repository holds a few models of a release and what these share, not all of it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from codemods.fleet.place import Place

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
ROOT = Path(__file__).parents[1]

Variant = Callable[[Path], None]


def main() -> None:
    """Make the repositories, run them, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "fleet_trial")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--forks", type=int, default=50, help="near-identical forks to compare with one")
    parser.add_argument("--seed", type=int, default=20260707)
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    manifest = made_fleet(folder)
    rough(folder, manifest, options)
    near_identical(folder, options)


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


def rough(folder: Path, manifest: Path, options: argparse.Namespace) -> None:
    """Run the fleet undisturbed, then killed again and again, and compare."""
    calm, killed = folder / "calm", folder / "killed"
    for work in (calm, killed):
        shutil.rmtree(work, ignore_errors=True)
    seconds = timed(lambda: fleet("run", manifest, "--work", calm, "--branch", "mend", "-j", options.jobs))
    states = {state: count for state, count in page(calm)["summary"].items() if count}
    print(f"undisturbed: {states} in {seconds:.0f} s with {options.jobs} workers")
    moments = random.Random(options.seed)
    command = ["run", manifest, "--work", killed, "--branch", "mend", "-j", options.jobs]
    for number in range(options.kills):
        process = start(*command)
        try:
            process.wait(moments.uniform(0.1, 1.6) * seconds / options.kills)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        print(f"  kill {number + 1}: exit {process.wait()}, {through(killed)} repositories on record")
        if (killed / "ledger.sqlite").exists() and through(killed) is not None:
            command = ["resume", "--work", killed]
    fleet(*command)
    same_ledger, same_files = ledger(calm) == ledger(killed), files(calm) == files(killed)
    print(f"ledger equal: {same_ledger}; patches, findings and branches equal: {same_files}")
    if not (same_ledger and same_files):
        sys.exit("the killed run came to something else")


def near_identical(folder: Path, options: argparse.Namespace) -> None:
    """Compare what many forks cost that differ in what no mask meets with what one costs."""
    base = folder / "whole"
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(unpacked(folder, "4.51.3"), base / "src" / "transformers")
    commit(base)
    forks = []
    for number in range(options.forks):
        fork = folder / "forks" / f"fork{number}"
        shutil.rmtree(fork, ignore_errors=True)
        fork.parent.mkdir(exist_ok=True)
        git(folder, "clone", "-q", "--shared", str(base), str(fork))
        (fork / "README.md").write_text(f"Fork {number}.\n")
        commit(fork)
        forks.append(fork)
    for work in ("one", "many"):
        shutil.rmtree(folder / work, ignore_errors=True)
    one = timed(lambda: fleet("run", forks[0], "--work", folder / "one", "-j", 1))
    many = timed(lambda: fleet("run", *forks, "--work", folder / "many", "-j", 1))
    print(f"one fork {one:.1f} s, {len(forks)} near-identical forks {many:.1f} s: {many / one:.2f} times")


def fleet(*arguments: object) -> None:
    """Run the command to its end."""
    start(*arguments).wait()


def start(*arguments: object) -> subprocess.Popen[bytes]:
    """Begin to run the command."""
    command = [sys.executable, "-m", "codemods.fleet", *map(str, arguments), "-q"]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)})


def timed(work: Callable[[], None]) -> float:
    """Return how many seconds something takes."""
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def page(work: Path) -> dict[str, Any]:
    """Return what the JSON page of a fleet says."""
    loaded: dict[str, Any] = json.loads((work / "fleet.json").read_text())
    return loaded


def through(work: Path) -> int | None:
    """Return how many repositories are on record; None where there is no record yet."""
    if not (work / "ledger.sqlite").exists():
        return None
    book = Place(work).ledger()
    count = sum(bool(row.stages) for row in book.repositories())
    book.close()
    return count


def ledger(work: Path) -> list[Any]:
    """Return what the ledger says, but for times, attempts and where a result was found."""
    book = Place(work).ledger()
    found = [
        (
            row.entry,
            {name: (s.outcome, s.reason, s.content, s.notes, s.summary) for name, s in row.stages.items()},
        )
        for row in book.repositories()
    ]
    book.close()
    return found


def files(work: Path) -> dict[str, bytes]:
    """Return every result but the logs."""
    results = work / "results"
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in results.rglob("*")
        if path.is_file() and path.name != "log.txt"
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


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
