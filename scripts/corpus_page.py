"""Writes ``docs/results.md`` and ``docs/results.json`` from what ``scripts/corpus`` measured."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpus_sections import care, memory, packages, percent, prose, truth

from codemods.verify.cases import GROUPS

PAGE, DATA = Path("docs/results.md"), Path("docs/results.json")

# Why cells are not ok after the repair, where that is known: what the cell's line says, and the cause.
CAUSES = (
    (r"^DiffusionGemma.*(padding|offset|backward_none|backward_document)", "wrong without a BlockMask too"),
    (r"^Fuyu.*persimmon", "the language model, Persimmon, does not claim flex attention and runs eager"),
    (r"^Aria.*modeling_aria", "its language model runs eager attention under a flex claim"),
    (
        r"^Gemma3ForConditionalGeneration loss: wrong",
        "eager attention takes no dense mask there: the reference is given one by hand, without the window",
    ),
    (r"^PegasusX", "its encoder computes block-local attention itself"),
    (r"^Udop.*BlockMask", "the mask is extended by image patches, which no BlockMask can be"),
    (r"^Sam3", "the prompt's mask hides padding in attention to images, of which a BlockMask says nothing"),
)
OPEN = "not mended when this was measured"


def write_page(releases: list[dict[str, Any]], by: dict[str, str], others: list[dict[str, Any]]) -> None:
    """Write the page for readers and the same for programs.

    Args:
        releases: what was measured of each.
        by: what measured all of them: the tool, its version, the harness, and torch.
        others: what was found in packages that somebody else wrote.
    """
    PAGE.write_text("\n".join([*_page(releases, by), *packages(others)]) + "\n", encoding="utf-8")
    rows = [_data(release) for release in releases]
    DATA.write_text(
        json.dumps({**by, "releases": rows, "packages": others}, indent=1) + "\n", encoding="utf-8"
    )
    print(f"written: {PAGE} and {DATA}")


def _page(releases: list[dict[str, Any]], by: dict[str, str]) -> Iterator[str]:
    yield from ("# Results", "")
    yield from prose(
        f"""Made by `scripts/corpus`: tiny models of each release under flex attention against eager
        attention, with torch {by['torch']} on a CPU, before and after the repair, without
        `--unsafe-fixes`. A cell is one class with one case; shares are of the cells that eager attention
        itself can run. `build/corpus` keeps the cells by the content of what was run, harness and tree: a
        tool that writes the same bytes has nothing to run again. `docs/results.json` has the numbers below
        for programs. All of it was measured with one tool: version {by['version']}, source `{by['tool']}`,
        harness `{by['harness']}` (hashes of their files)."""
    )
    yield from (
        "| release | classes measured | built | cells | ok before | ok after | fixed | worse | left |",
        "|---|---|---|---|---|---|---|---|---|",
    )
    for each in map(_data, releases):
        shares = [percent(each[side], each["runnable"]) for side in ("ok_before", "ok_after")]
        measured = f"{each['measured']} of {each['classes']} | {each['built']} | {each['runnable']}"
        counts = f"{each['fixed']} | {len(each['worse'])} | {len(each['left'])}"
        yield f"| {each['release']} | {measured} | {shares[0]} | {shares[1]} | {counts} |"
    yield from ("", "## By case", "", "Share of runnable cells that are ok, before → after.", "")
    yield "| case | " + " | ".join(each["release"] for each in releases) + " |"
    yield "|---" * (len(releases) + 1) + "|"
    for case in (case for group in GROUPS.values() for case in group):
        shares = [_share_of_case(each, case) for each in releases]
        if any(share != "-" for share in shares):
            yield f"| `{case}` | " + " | ".join(shares) + " |"
    yield from care(releases)
    yield from memory(releases)
    yield from truth(releases)
    for each in map(_data, releases):
        if each["left"]:
            yield from ("", f"## {each['release']}: not ok after the repair", "")
            yield from _left(each["left"])
        if each["worse"]:
            yield from ("", f"## {each['release']}: worse after the repair", "")
            yield from (f"- {row}" for row in each["worse"])


def _data(release: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of a release, and every cell that is left."""
    runnable = [cell for cell in release["cells"] if _is_runnable(cell)]
    left = [cell for cell in runnable if cell["after"]["verdict"] in ("crash", "wrong")]
    names = {cell["class"] for cell in release["cells"]}
    unbuilt = {c["class"] for c in release["cells"] if "cannot be" in str(c["before"].get("reason"))}
    return {
        "release": release["release"],
        "classes": release["classes"],
        "measured": len(names),
        "built": len(names - unbuilt),
        "runnable": len(runnable),
        "ok_before": sum(cell["before"]["verdict"] == "ok" for cell in runnable),
        "ok_after": sum(cell["after"]["verdict"] == "ok" for cell in runnable),
        "fixed": sum(c["before"]["verdict"] != "ok" and c["after"]["verdict"] == "ok" for c in runnable),
        "worse": [
            f"{cell['class']} {cell['case']}: {cell['after']['verdict']}"
            for cell in release["cells"]
            if cell["before"]["verdict"] == "ok" and cell["after"]["verdict"] != "ok"
        ],
        "left": [_describe(cell) for cell in left],
        "cases": {
            case: {
                side: dict(Counter(cell[side]["verdict"] for cell in cells)) for side in ("before", "after")
            }
            for case in (case for group in GROUPS.values() for case in group)
            if (cells := [cell for cell in release["cells"] if cell["case"] == case])
        },
        **{name: release[name] for name in ("recall", "precision", "sample", "care", "memory")},
    }


def _is_runnable(cell: dict[str, Any]) -> bool:
    return all(cell[side]["verdict"] != "not-runnable" for side in ("before", "after"))


def _left(left: list[dict[str, str]]) -> Iterator[str]:
    """List classes by cause, each with the cases that are left and where they end."""
    causes: dict[str, dict[str, list[dict[str, str]]]] = {}
    for row in left:
        causes.setdefault(row["cause"], {}).setdefault(row["class"], []).append(row)
    for cause, classes in sorted(causes.items()):
        yield f"- **{cause}** ({sum(map(len, classes.values()))})"
        for name, rows in classes.items():
            where = sorted({row["where"] for row in rows if row["where"]})
            yield f"  - {name}: " + "; ".join([", ".join(f"`{row['case']}`" for row in rows), *where])


def cause_of(line: str) -> str:
    """Return the cause of a cell that is left, as far as it is known."""
    return next((cause for pattern, cause in CAUSES if re.search(pattern, line)), OPEN)


def _describe(cell: dict[str, Any]) -> dict[str, str]:
    """Return what is said of a cell that is left."""
    after = cell["after"]
    exception = textwrap.shorten(after.get("exception") or "", 120, placeholder=" ...")
    where = " ".join(filter(None, [after.get("site"), exception]))
    row = {"class": cell["class"], "case": cell["case"], "verdict": after["verdict"], "where": where}
    return {**row, "cause": cause_of(f"{cell['class']} {cell['case']}: {after['verdict']} {where}")}


def _share_of_case(release: dict[str, Any], case: str) -> str:
    cells = [cell for cell in release["cells"] if cell["case"] == case and _is_runnable(cell)]
    if not cells:
        return "-"
    shares = [
        percent(sum(cell[side]["verdict"] == "ok" for cell in cells), len(cells))
        for side in ("before", "after")
    ]
    return " → ".join(shares) if shares[0] != shares[1] else shares[0]
