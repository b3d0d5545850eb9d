"""Measures releases before and after the repair: what ``scripts/corpus`` does."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from corpus_page import write_page
from corpus_truth import (
    Cells,
    draw_sample,
    judge_sample,
    measure_precision,
    measure_recall,
    static_sites,
    witnesses,
)

RELEASES = ("4.50.3", "4.51.3", "4.52.4", "4.53.3", "5.23.0")
TORCH = "2.13.0"
BUILD = Path("build/corpus")
SIDES = ("before", "after")

# Models are run a few at a time, by the first letters of their types, so that little is lost by a stop.
PARTS = ("[ab]*", "c*", "d*", "[ef]*", "g*", "[h-l]*", "m*", "[n-p]*", "q*", "[rs]*", "[t-z]*")


def main() -> None:
    """Measure each release that was asked for and write the page of all that are measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("releases", nargs="*", default=list(RELEASES))
    parser.add_argument("--case", action="append", default=[], help="case or group (default: all)")
    parser.add_argument("--page", action="store_true", help="only write the page of what is measured so far")
    parser.add_argument("--seed", type=int, default=37299, help="seed of the sample that is drawn")
    options = parser.parse_args()
    for release in options.releases:
        if not options.page:
            run_release(release, options.case or ["all"], options.seed)
        summarize(release, options.seed)
    write_page([json.loads(path.read_text()) for path in sorted(BUILD.glob("*/measured.json"))], TORCH)


def run_release(release: str, cases: list[str], seed: int) -> None:
    """Do all that is not done yet: both sides of every part, the repair, and the sample."""
    folder = BUILD / release
    python = prepare(release, folder)
    repair(release, folder)
    for side in SIDES:
        for number, part in enumerate(PARTS, 1):
            say(release, f"{side} the repair, part {number} of {len(PARTS)}")
            verify(folder, side, f"{number:02}", python, cases, ["--model", part])
    if not (folder / "sites.json").exists():
        say(release, "looking for sites")
        (folder / "sites.json").write_text(
            json.dumps(sorted(static_sites(tree(folder, "before"), witnesses(load(folder, "before")))))
        )
    sample = folder / "sample.json"
    drawn = draw_sample(findings(folder), load(folder, "before"), seed)
    if drawn and not sample.exists():
        say(release, "running a sample of what plain cases do not reach")
        chosen = [word for _, name in drawn for word in ("--model", name)]
        verify(folder, "before", "../sample", python, ["all"], ["--heads", *chosen])


def summarize(release: str, seed: int) -> None:
    """Bring together what is measured of a release, if anything is."""
    folder = BUILD / release
    before, after = load(folder, "before"), load(folder, "after")
    common = [key for key in before if key in after]
    if not common:
        return
    found = findings(folder)
    before, after = ({key: cells[key] for key in common} for cells in (before, after))
    sites = set(json.loads((folder / "sites.json").read_text())) if (folder / "sites.json").exists() else None
    sample = folder / "sample.json"
    measured = {
        "release": release,
        "classes": len({key[1] for key in load(folder, "before")}),
        "cells": [
            {"model_type": key[0], "class": key[1], "case": key[2]}
            | {side: brief(cells[key]) for side, cells in zip(SIDES, (before, after), strict=True)}
            for key in common
        ],
        "recall": None if sites is None else measure_recall(before, after, sites, found),
        "precision": measure_precision(found, before, after) if found else None,
        "sample": (
            judge_sample(draw_sample(found, before, seed), read_cells(sample), seed)
            if sample.exists()
            else None
        ),
    }
    (folder / "measured.json").write_text(json.dumps(measured, indent=1))


def brief(cell: dict[str, Any]) -> dict[str, Any]:
    """Return what the results keep of a cell."""
    return {name: cell.get(name) for name in ("verdict", "site", "exception", "reason") if cell.get(name)}


def prepare(release: str, folder: Path) -> Path:
    """Make an environment and two copies of the release's source; return the environment's Python."""
    python = folder / "env" / "bin" / "python"
    if not (folder / "env" / "ready").exists():
        say(release, "making an environment")
        run([sys.executable, "-m", "venv", "--clear", str(folder / "env")])
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if subprocess.call([*pip, f"torch=={TORCH}+cpu"], stderr=subprocess.DEVNULL):
            run([*pip, f"torch=={TORCH}"])
        run([*pip, f"transformers=={release}"])
        (folder / "env" / "ready").touch()
    wheels = folder / "wheel"
    if not wheels.exists():
        download = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "-d", str(wheels)]
        run([sys.executable, "-m", "pip", *download, f"transformers=={release}"])
    for side in SIDES:
        if not tree(folder, side).exists():
            with zipfile.ZipFile(next(wheels.glob("*.whl"))) as archive:
                archive.extractall(tree(folder, side).parent)
    return python


def tree(folder: Path, side: str) -> Path:
    """Return where a copy of the release's source stands."""
    return folder / "tree" / side / "transformers"


def repair(release: str, folder: Path) -> None:
    """Repair the copy that is run after the repair, once, and keep what was found."""
    kept = folder / "findings.json"
    if kept.exists():
        return
    say(release, "repairing")
    partial = kept.with_suffix(".partial")
    command = [sys.executable, "-m", "codemods.flex_passthrough", "-q", str(tree(folder, "after"))]
    run([*command, "--output-format", "json", "--output", str(partial)], expected=(0, 2))
    partial.rename(kept)


def findings(folder: Path) -> list[dict[str, Any]]:
    """Return what the repair found; nothing if there was none yet."""
    kept = folder / "findings.json"
    found: list[dict[str, Any]] = json.loads(kept.read_text())["findings"] if kept.exists() else []
    return found


def verify(folder: Path, side: str, name: str, python: Path, cases: list[str], models: list[str]) -> None:
    """Run the harness on a part of the models, unless an earlier run did."""
    output = folder / side / f"{name}.json"
    if output.exists():
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_suffix(".partial")
    command = [sys.executable, "-m", "codemods.verify", str(tree(folder, side)), "--python", str(python)]
    command += [*models, *(word for case in cases for word in ("--case", case)), "--yes"]
    command += ["-j", str(os.cpu_count() or 1), "--timeout", "600", "--output-format", "json"]
    code = run([*command, "--output", str(partial)], expected=(0, 2, 3))
    if code == 2 and not partial.exists():  # a release may have no model of these letters
        partial.write_text('{"results": []}')
    shutil.move(partial, output)


def load(folder: Path, side: str) -> Cells:
    """Return the cells of all parts that are measured."""
    return {
        key: cell for path in sorted(folder.glob(f"{side}/*.json")) for key, cell in read_cells(path).items()
    }


def read_cells(path: Path) -> Cells:
    """Return the cells of one run of the harness."""
    results = json.loads(path.read_text())["results"]
    return {(cell["model_type"], cell["class"], cell["case"]): cell for cell in results}


def say(release: str, what: str) -> None:
    """Say on stderr what goes on."""
    print(f"{release}: {what}", file=sys.stderr, flush=True)


def run(command: list[str], expected: tuple[int, ...] = (0,)) -> int:
    """Run a command and return its exit code; end with that if it is not expected."""
    code = subprocess.call(command)
    if code not in expected:
        sys.exit(f"exit code {code}: {' '.join(command)}")
    return code


if __name__ == "__main__":
    main()
