"""Writes ``docs/results.md`` and ``docs/results.json`` from what ``scripts/corpus`` measured."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codemods.verify.cases import GROUPS

PAGE, DATA = Path("docs/results.md"), Path("docs/results.json")

# Why cells are not ok after the repair, where that is known: what the cell's line says, and the cause.
CAUSES = (
    (r"^Doge", "Doge's own attention drops every mask under flex attention; no mask's doing"),
    (r"score_mod IndexError", "T5's position bias has a batch of one and is indexed by row: no mask's doing"),
    (r"^MobileBert.* backward", "gradients differ by 5e-4 without any mask too"),
    (r"^DiffusionGemma.*(padding|offset|backward_none|backward_document)", "wrong without a BlockMask too"),
    (r"^Fuyu.*persimmon", "the language model, Persimmon, does not claim flex attention and runs eager"),
    (r"^Aria.*eager_attention_forward", "its language model runs eager attention under a flex claim"),
    (r"pegasus_x.*block_|pegasus_x.*forward TypeError", "its encoder computes block-local attention itself"),
    (r"^Udop.*BlockMask", "the mask is extended by image patches, which no BlockMask can be"),
    (r"^Sam3", "the prompt's mask is put together with another one, which no BlockMask can be"),
)
OPEN = "not mended when this was measured"


def write_page(releases: list[dict[str, Any]], torch: str) -> None:
    """Write the page for readers and the same for programs."""
    PAGE.write_text("\n".join(_page(releases, torch)) + "\n", encoding="utf-8")
    rows = [_data(release) for release in releases]
    DATA.write_text(json.dumps({"torch": torch, "releases": rows}, indent=1) + "\n", encoding="utf-8")
    print(f"written: {PAGE} and {DATA}")


def _page(releases: list[dict[str, Any]], torch: str) -> Iterator[str]:
    yield from (
        "# Results",
        "",
        "Made by `scripts/corpus`: tiny models of each release under flex attention against eager attention,",
        f"with torch {torch} on a CPU, before and after the repair, without `--unsafe-fixes`. A cell is one",
        "class with one case; shares are of the cells that eager attention itself can run. `build/corpus`",
        "keeps the cells; `docs/results.json` has the numbers below for programs.",
        "",
        "| release | classes measured | built | cells | ok before | ok after | fixed | worse | left |",
        "|---|---|---|---|---|---|---|---|---|",
    )
    for each in map(_data, releases):
        shares = [_percent(each[side], each["runnable"]) for side in ("ok_before", "ok_after")]
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
    yield from _truth(releases)
    for each in map(_data, releases):
        if each["left"]:
            yield from ("", f"## {each['release']}: not ok after the repair", "")
            yield from _left(each["left"])
        if each["worse"]:
            yield from ("", f"## {each['release']}: worse after the repair", "")
            yield from (f"- {row}" for row in each["worse"])


def _truth(releases: list[dict[str, Any]]) -> Iterator[str]:
    yield from (
        "",
        "## What the analysis foresees",
        "",
        "*Crash sites*: places where an unrepaired model crashed for its mask, and how many of them the",
        "analysis names before anything runs. *Safe findings*: those in classes that were run, and how many",
        "crashed or were wrong there; in brackets those that showed behind another crash only. *Sample*:",
        "findings beyond what the plain cases reach (labels, router losses, task heads, caches), drawn by",
        "seed and run.",
        "",
        "| release | crash sites | foreseen | safe findings: plain | with a cache | other inputs | sample |",
        "|---|---|---|---|---|---|---|",
    )
    for each in releases:
        recall, sample = each["recall"], each["sample"]
        columns = [
            str(recall["sites"]) if recall else "-",
            str(recall["found"]) if recall else "-",
            *(_precision(each["precision"], way) for way in ("plain", "generation", "inputs")),
            f"{sample['true']} of {sample['run']} true" if sample else "-",
        ]
        yield f"| {each['release']} | " + " | ".join(columns) + " |"
    for each in releases:
        rows = [f"missed: {row}" for row in (each["recall"] or {"missed": []})["missed"]]
        for way in ("plain", "generation", "inputs"):
            alarms = each["precision"][way]["false_alarms"] if each["precision"] else []
            rows += [f"false alarm ({way}): {row}" for row in alarms]
        rows += [
            f"did not break in the sample: {row}"
            for row in (each["sample"] or {"false_alarms": []})["false_alarms"]
        ]
        if rows:
            yield from ("", f"{each['release']}:", "")
            yield from (f"- {row}" for row in rows)


def _precision(precision: dict[str, Any] | None, way: str) -> str:
    measured = precision[way] if precision else {"run": 0}
    if not measured["run"]:
        return "-"
    behind = f" ({measured['behind']} behind)" if measured["behind"] else ""
    return f"{measured['true']} of {measured['run']}{behind}"


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
        **{name: release[name] for name in ("recall", "precision", "sample")},
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
        _percent(sum(cell[side]["verdict"] == "ok" for cell in cells), len(cells))
        for side in ("before", "after")
    ]
    return " → ".join(shares) if shares[0] != shares[1] else shares[0]


def _percent(part: int, whole: int) -> str:
    """Return a share; 100 % is said of all only."""
    if not whole:
        return "-"
    share = 100 * part / whole
    return "100 %" if part == whole else f"{min(share, 99.9):.1f} %"
