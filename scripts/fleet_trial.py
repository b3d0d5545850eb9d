"""Runs a fleet of fifty repositories, undisturbed and killed: what ``scripts/fleet_trial`` does."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fleet_repositories import commit, git, made_fleet, unpacked

from codemods.fleet.place import Place

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Make the repositories, run them, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "fleet_trial")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--forks", type=int, default=50, help="near-identical forks to compare with one")
    parser.add_argument("--edited", type=int, default=3, help="forks that have edited Python of their own")
    parser.add_argument("--only", choices=("kills", "forks"), help="only this half")
    parser.add_argument("--seed", type=int, default=20260707)
    options = parser.parse_args()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    if options.only != "forks":
        rough(folder, made_fleet(folder), options)
    if options.only != "kills":
        near_identical(folder, options)


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
            process.wait(moments.uniform(0.2, 2.2) * seconds / options.kills)
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
    """Compare what forks of a whole release cost that differ in one file each with what one costs."""
    base = folder / "whole"
    shutil.rmtree(base, ignore_errors=True)
    shutil.copytree(unpacked(folder, "4.51.3"), base / "src" / "transformers")
    commit(base)
    one = spent(folder, forked(folder, base, "README.md", 1))
    print(f"one fork: {one:.1f} CPU s")
    package = "src/transformers"
    for path, count in (
        ("README.md", options.forks),
        (f"{package}/trainer_callback.py", options.edited),
        (f"{package}/models/mistral/modeling_mistral.py", options.edited),
    ):
        many = spent(folder, forked(folder, base, path, count))
        print(f"{count} forks that differ in {path}: {many:.1f} CPU s, {many / one:.2f} times one")


def forked(folder: Path, base: Path, path: str, count: int) -> list[Path]:
    """Make forks in which one file ends in another line each."""
    forks = []
    shutil.rmtree(folder / "forks", ignore_errors=True)
    (folder / "forks").mkdir()
    for number in range(count):
        fork = folder / "forks" / f"fork{number}"
        git(folder, "clone", "-q", "--shared", str(base), str(fork))
        with (fork / path).open("a") as file:
            file.write(f"# Fork {number}.\n")
        commit(fork)
        forks.append(fork)
    return forks


def spent(folder: Path, forks: list[Path]) -> float:
    """Return the CPU seconds that a fleet takes, with one worker and nothing known before."""
    work = folder / "forks-work"
    shutil.rmtree(work, ignore_errors=True)
    before = used()
    fleet("run", *forks, "--work", work, "-j", 1)
    with contextlib.suppress(ChildProcessError):
        while True:  # what outlives the command for a moment
            os.wait()
    return used() - before


def used() -> float:
    """Return the CPU seconds of all children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def adopt_orphans() -> None:
    """Have this process wait for workers whose parent is gone, so that what they took is counted."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1)


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


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    adopt_orphans()
    main()
