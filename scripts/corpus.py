"""Measures releases before and after the repair: what ``scripts/corpus`` does."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import corpus_packages
import corpus_sample
import memory
from corpus_page import write_page
from corpus_place import BUILD, SIDES, Place, content_of, harness, run, say, tool
from corpus_repair import findings, repair
from corpus_truth import Cells, measure_precision, measure_recall, static_sites, witnesses
from corpus_unbound import without_flex

import codemods

RELEASES = ("4.50.3", "4.51.3", "4.52.4", "4.53.3", "5.23.0", "5.24.0")
TORCH = "2.13.0"

# Models are run a few at a time, by the first letters of their types, so that little is lost by a stop.
PARTS = ("[a-c]*", "[d-f]*", "[g-l]*", "[m-p]*", "[q-z]*")

# What the harness says of models that a release does not have, or that no auto mapping names.
_UNKNOWN = re.compile(r"no model type or class matches (.*)")

# Releases whose memory is measured too: the last that prepares masks in each model, and the newest.
MEMORY = ("4.51.3", "5.24.0")


def main() -> None:
    """Measure each release that was asked for and write the page of all that are measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("releases", nargs="*", default=list(RELEASES))
    parser.add_argument("--case", action="append", default=[], help="case or group (default: all)")
    parser.add_argument("--page", action="store_true", help="only write the page of what is measured so far")
    parser.add_argument("--cells", action="store_true", help="only the cells: no sample, no memory")
    parser.add_argument("--packages", action="store_true", help="only packages that somebody else wrote")
    parser.add_argument("--seed", type=int, default=37299, help="seed of the sample that is drawn")
    options = parser.parse_args()
    if not options.page and not options.cells:
        corpus_packages.measure_packages()
    for place in [] if options.packages else map(Place, options.releases):
        if not options.page:
            run_release(place, options.case or ["all"])
            if not options.cells:
                put_to_the_proof(place, options.seed)
        summarize(place, options.seed)
    made = [place for place in map(Place, sorted(_measured())) if (place.stage / "measured.json").exists()]
    for release in sorted(_measured() - {place.release for place in made}):
        say(release, "left out of the page: measured with another tool than this; measure it again")
    by = {"tool": tool(), "harness": harness(), "version": codemods.__version__, "torch": TORCH}
    releases = [json.loads((place.stage / "measured.json").read_text()) for place in made]
    write_page(releases, by, corpus_packages.measured())


def run_release(place: Place, cases: list[str]) -> None:
    """Do all that is not done yet of both sides, the repair between them, and what was foreseen."""
    prepare(place)
    repair(place)
    for number, part in enumerate(PARTS, 1):
        for side in SIDES:
            say(place.release, f"{side} the repair, part {number} of {len(PARTS)}")
            verify(place, place.tree(side), "part", [part], cases)
    sites = place.stage / "sites.json"
    if not sites.exists():
        say(place.release, "looking for sites")
        found = static_sites(place.original, *witnesses(load(place, "before")))
        sites.write_text(json.dumps(sorted(found)))
    unbound = place.stage / "unbound.json"
    if not unbound.exists():
        shown = without_flex(findings(place), place.original, place.repaired, place.python)
        unbound.write_text(json.dumps(shown))


def put_to_the_proof(place: Place, seed: int) -> None:
    """Run a sample of what plain cases do not reach, and see what forward passes take."""
    sample, taken = place.stage / "sample.json", _memory(place)
    found = findings(place)
    drawn = corpus_sample.draw(found, load(place, "before"), seed)
    if drawn and not sample.exists():
        say(place.release, "running a sample of what plain cases do not reach")
        runner = _runner(place)
        sample.write_text(json.dumps(corpus_sample.run_sample(place, drawn, found, runner), indent=1))
    if place.release in MEMORY and not taken.exists():
        say(place.release, "measuring memory")
        rows = list(memory.compare(place.original, place.repaired, str(place.python)))
        taken.parent.mkdir(parents=True, exist_ok=True)
        taken.write_text(json.dumps(rows, indent=1))


def summarize(place: Place, seed: int) -> None:
    """Bring together what is measured of a release, if anything is."""
    before, after = load(place, "before"), load(place, "after")
    common = [key for key in before if key in after]
    if not common:
        return
    found = findings(place)
    classes = len({key[1] for key in before})
    before, after = ({key: cells[key] for key in common} for cells in (before, after))
    sites, sample, unbound = (_kept(place, name) for name in ("sites", "sample", "unbound"))
    measured = {
        "release": place.release,
        "classes": classes,
        "cells": [
            {"model_type": key[0], "class": key[1], "case": key[2]}
            | {side: brief(cells[key]) for side, cells in zip(SIDES, (before, after), strict=True)}
            for key in common
        ],
        "recall": None if sites is None else measure_recall(before, after, set(sites), found),
        "precision": measure_precision(found, before, after, unbound) if found else None,
        "sample": None if sample is None else corpus_sample.judge(sample, found, seed),
        "care": (_kept(place, "care") or {}) | compare_digests(before, after),
        "memory": json.loads(_memory(place).read_text()) if _memory(place).exists() else None,
    }
    (place.stage / "measured.json").write_text(json.dumps(measured, indent=1))


def compare_digests(before: Cells, after: Cells) -> dict[str, Any]:
    """Return how many outputs of eager and sdpa attention there are on both sides, and which changed."""
    pairs = [
        (key, name, digest, others[name])
        for key, cell in before.items()
        for others in [after[key].get("digests") or {}]
        for name, digest in (cell.get("digests") or {}).items()
        if name != "flex_attention" and name in others
    ]
    changed = [f"{key[1]} {key[2]} ({name})" for key, name, one, other in pairs if one != other]
    return {"outputs": len(pairs), "outputs_changed": changed}


def brief(cell: dict[str, Any]) -> dict[str, Any]:
    """Return what the results keep of a cell."""
    return {name: cell.get(name) for name in ("verdict", "site", "exception", "reason") if cell.get(name)}


def prepare(place: Place) -> None:
    """Make an environment and a copy of the release's source."""
    environment = place.folder / "env"
    if not (environment / "ready").exists():
        say(place.release, "making an environment")
        run([sys.executable, "-m", "venv", "--clear", str(environment)])
        pip = [str(place.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if subprocess.call([*pip, f"torch=={TORCH}+cpu"], stderr=subprocess.DEVNULL):
            run([*pip, f"torch=={TORCH}"])
        run([*pip, f"transformers=={place.release}"])
        (environment / "ready").touch()
    if not place.original.exists():
        wheels = place.folder / "wheel"
        download = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "-d", str(wheels)]
        run([sys.executable, "-m", "pip", *download, f"transformers=={place.release}"])
        with zipfile.ZipFile(next(wheels.glob("*.whl"))) as archive:
            archive.extractall(place.original.parent)


def verify(
    place: Place, tree: Path, what: str, models: Iterable[str], cases: Iterable[str], *extra: str
) -> Path:
    """Return where the cells of some models are, run now unless that was done with a tree of these bytes.

    Models that the harness does not know are left out.
    """
    wanted, cases = sorted(models), sorted(cases)
    asked = hashlib.blake2b(json.dumps([wanted, cases, extra]).encode(), digest_size=5).hexdigest()
    output = place.runs(tree) / f"{what}-{asked}.json"
    if output.exists():
        return output
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    command = [sys.executable, "-m", "codemods.verify", str(tree), "--python", str(place.python), *extra]
    command += [*(word for case in cases for word in ("--case", case)), "--yes"]
    command += ["-j", str(os.cpu_count() or 1), "--timeout", "600", "--output-format", "json"]
    while not partial.exists():
        if not wanted:  # a release may have no model of these letters
            partial.write_text('{"results": []}')
            break
        words = [word for name in wanted for word in ("--model", name)]
        done = subprocess.run(
            [*command, *words, "--output", str(partial)], stderr=subprocess.PIPE, text=True, check=False
        )
        unknown = _UNKNOWN.search(done.stderr)
        if done.returncode not in (0, 2, 3) or (done.returncode == 2 and unknown is None):
            sys.exit(f"exit code {done.returncode}: {' '.join(command)}\n{done.stderr}")
        if unknown is not None:
            wanted = [name for name in wanted if name not in unknown[1].split(", ")]
    shutil.move(partial, output)
    return output


def _runner(place: Place) -> corpus_sample.Runner:
    def run_classes(tree: Path, classes: Iterable[str], cases: Iterable[str]) -> Cells:
        return read_cells(verify(place, tree, "sample", classes, cases, "--heads"))

    return run_classes


def load(place: Place, side: str) -> Cells:
    """Return the cells of all parts that are measured."""
    parts = sorted(place.runs(place.tree(side)).glob("part-*.json"))
    return {key: cell for path in parts for key, cell in read_cells(path).items()}


def read_cells(path: Path) -> Cells:
    """Return the cells of one run of the harness."""
    results = json.loads(path.read_text())["results"]
    return {(cell["model_type"], cell["class"], cell["case"]): cell for cell in results}


def _memory(place: Place) -> Path:
    """Return where it is kept what masks cost in trees of these bytes."""
    trees = "-".join(content_of(place.tree(side)) for side in SIDES)
    return place.folder / "memory" / f"{trees}.json"


def _kept(place: Place, name: str) -> Any:
    path = place.stage / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def _measured() -> set[str]:
    return {path.parent.parent.name for path in BUILD.glob("*/tool-*/measured.json")}


if __name__ == "__main__":
    main()
