"""Measures releases before and after the repair: what ``scripts/corpus`` does."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import textwrap
import zipfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codemods.maskflow.flow import MaskFlow, models
from codemods.maskflow.hierarchy import Hierarchy
from codemods.maskflow.index import Index
from codemods.source.discover import discover
from codemods.source.tree import locate_tree

RELEASES = ("4.50.3", "4.51.3", "4.52.4", "4.53.3", "5.23.0")
TORCH = "2.13.0"
BUILD = Path("build/corpus")
RESULTS = Path("docs/results.md"), Path("docs/results.json")

Cells = dict[tuple[str, str, str], dict[str, Any]]


@dataclass
class Measured:
    """One release: its cells before and after, and how the analysis fared against them.

    Attributes:
        before: cells by verdict, in the tree as it was released.
        after: the same in the repaired copy.
        regressions: cells that were ok before and are not any more.
        left: what is not ok after the repair: class, case, verdict and where.
        crash_sites: places where a cell crashed before.
        missed: those of them that the analysis did not find.
    """

    release: str
    classes: int
    before: dict[str, int]
    after: dict[str, int]
    regressions: list[str]
    left: list[str]
    crash_sites: int
    missed: list[str]


def main() -> None:
    """Measure each release that was asked for and write the table of all that are measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("releases", nargs="*", default=list(RELEASES))
    parser.add_argument("--case", action="append", default=[], help="case or group (default: all)")
    options = parser.parse_args()
    for release in options.releases:
        measure(release, options.case or ["all"])
    measured = [Measured(**json.loads(path.read_text())) for path in sorted(BUILD.glob("*/measured.json"))]
    write_results(measured)


def measure(release: str, cases: list[str]) -> None:
    """Measure one release, or take what an earlier run measured."""
    folder = BUILD / release
    result = folder / "measured.json"
    if result.exists():
        print(f"{release}: measured before; delete {result} to measure again", flush=True)
        return
    python, before, after = prepare(release, folder)
    cells_before = verify(before, python, cases, folder / "before.json")
    say(release, "repairing")
    run([sys.executable, "-m", "codemods.flex_passthrough", "-q", str(after)], expected=(0, 2))
    cells_after = verify(after, python, cases, folder / "after.json")
    sites = crash_sites(cells_before)
    found = static_sites(before)
    measured = Measured(
        release=release,
        classes=len({key[:2] for key in cells_before}),
        before=count(cells_before),
        after=count(cells_after),
        regressions=[
            name(key)
            for key, cell in cells_before.items()
            if cell["verdict"] == "ok" and cells_after[key]["verdict"] != "ok"
        ],
        left=[
            describe(key, cell) for key, cell in cells_after.items() if cell["verdict"] in ("crash", "wrong")
        ],
        crash_sites=len(sites),
        missed=sorted(site for site in sites if site not in found),
    )
    result.write_text(json.dumps(asdict(measured), indent=1))


def prepare(release: str, folder: Path) -> tuple[Path, Path, Path]:
    """Make an environment and two copies of the release's source."""
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
    trees = []
    for copy in ("before", "after"):
        target = folder / copy
        shutil.rmtree(target, ignore_errors=True)
        with zipfile.ZipFile(next(wheels.glob("*.whl"))) as archive:
            archive.extractall(target)
        trees.append(target / "transformers")
    return python, trees[0], trees[1]


def verify(tree: Path, python: Path, cases: list[str], output: Path) -> Cells:
    """Run the harness on a tree, or take what an earlier run wrote."""
    if not output.exists():
        say(tree.parts[-3], f"verifying the tree {tree.parts[-2]} the repair")
        partial = output.with_suffix(".partial")
        chosen = [word for case in cases for word in ("--case", case)]
        command = [sys.executable, "-m", "codemods.verify", str(tree), "--python", str(python), *chosen]
        command += ["--yes", "--output-format", "json", "--output", str(partial)]
        run(command, expected=(0, 3))
        partial.rename(output)
    results = json.loads(output.read_text())["results"]
    return {(cell["model_type"], cell["class"], cell["case"]): cell for cell in results}


def crash_sites(cells: Cells) -> set[str]:
    """Return ``path:line`` of each crash that concerns a BlockMask, from the import root."""
    return {
        cell["site"].split(" ")[0]
        for cell in cells.values()
        if cell["verdict"] == "crash" and cell.get("site") and "BlockMask" in str(cell.get("exception"))
    }


def static_sites(tree: Path) -> set[str]:
    """Return ``path:line`` of each operation that the mask flow says will break, from the import root."""
    located = locate_tree(tree)
    index = Index(located)
    hierarchy = Hierarchy(index)
    flow = MaskFlow(index, hierarchy)
    modules = [index.module_at(path) for path in discover([tree]).files if b"mask" in path.read_bytes()]
    found: set[str] = set()
    for entry in models(index, hierarchy, [module for module in modules if module is not None]):
        reach = flow.follow(entry) if hierarchy.claims_flex(entry) else None
        if reach is not None:
            sites = [*reach.sites, *(site for method in reach.methods for site in method.sites)]
            found |= {f"{tree.name}/{s.function.module.source.name}:{s.line}" for s in sites}
    return found


def count(cells: Cells) -> dict[str, int]:
    """Count cells by verdict."""
    return dict(Counter(cell["verdict"] for cell in cells.values()))


def share(verdicts: dict[str, int]) -> str:
    """Return the share of runnable cells that are ok."""
    runnable = sum(number for verdict, number in verdicts.items() if verdict != "not-runnable")
    return f"{100 * verdicts.get('ok', 0) / runnable:.1f} %" if runnable else "-"


def write_results(measured: list[Measured]) -> None:
    """Write the table for readers and the same for programs."""
    lines = [
        "# Results",
        "",
        "Made by `scripts/corpus`: tiny models of each release under flex attention against eager attention,",
        f"with torch {TORCH} on a CPU, before and after the repair. A cell is one class with one case;",
        "shares are of the cells that eager attention itself can run.",
        "",
        "| release | classes | ok before | ok after | fixed | worse | crash sites on a BlockMask | found |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for each in measured:
        fixed = each.after.get("ok", 0) - each.before.get("ok", 0) + len(each.regressions)
        lines.append(
            f"| {each.release} | {each.classes} | {share(each.before)} | {share(each.after)} | {fixed} "
            f"| {len(each.regressions)} | {each.crash_sites} | {each.crash_sites - len(each.missed)} |"
        )
    for each in measured:
        for title, rows in (
            ("Not ok after the repair", each.left),
            ("Worse after the repair", each.regressions),
            ("Crash sites that the analysis missed", each.missed),
        ):
            if rows:
                lines += ["", f"## {each.release}: {title.lower()}", "", *(f"- {row}" for row in rows)]
    page, data = RESULTS
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    data.write_text(json.dumps([asdict(each) for each in measured], indent=1) + "\n", encoding="utf-8")
    print(f"written: {page} and {data}")


def name(key: tuple[str, str, str]) -> str:
    """Return how lists call a cell."""
    return f"{key[1]} {key[2]}"


def describe(key: tuple[str, str, str], cell: dict[str, Any]) -> str:
    """Return one line on a cell that is not ok."""
    exception = textwrap.shorten(cell.get("exception") or "", 120, placeholder=" ...")
    return " ".join(filter(None, [f"{name(key)}: {cell['verdict']}", cell.get("site"), exception]))


def say(release: str, what: str) -> None:
    """Say on stderr what goes on."""
    print(f"{release}: {what}", file=sys.stderr, flush=True)


def run(command: list[str], expected: tuple[int, ...] = (0,)) -> None:
    """Run a command; end with its exit code if that is not expected."""
    code = subprocess.call(command)
    if code not in expected:
        sys.exit(f"exit code {code}: {' '.join(command)}")


if __name__ == "__main__":
    main()
