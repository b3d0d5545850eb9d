"""Writes ``docs/results.md`` and ``docs/results.json`` from what ``scripts/corpus`` measured."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from memory import TOKENS

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


def write_page(releases: list[dict[str, Any]], by: dict[str, str]) -> None:
    """Write the page for readers and the same for programs.

    Args:
        releases: what was measured of each.
        by: what measured all of them: the tool, its version, the harness, and torch.
    """
    PAGE.write_text("\n".join(_page(releases, by)) + "\n", encoding="utf-8")
    rows = [_data(release) for release in releases]
    DATA.write_text(json.dumps({**by, "releases": rows}, indent=1) + "\n", encoding="utf-8")
    print(f"written: {PAGE} and {DATA}")


def _page(releases: list[dict[str, Any]], by: dict[str, str]) -> Iterator[str]:
    yield from ("# Results", "")
    yield from _prose(
        f"""Made by `scripts/corpus`: tiny models of each release under flex attention against eager
        attention, with torch {by['torch']} on a CPU, before and after the repair, without
        `--unsafe-fixes`. A cell is one class with one case; shares are of the cells that eager attention
        itself can run. `build/corpus` keeps the cells; `docs/results.json` has the numbers below for
        programs. All of it was measured with one tool: version {by['version']}, source `{by['tool']}`,
        harness `{by['harness']}` (hashes of their files)."""
    )
    yield from (
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
    yield from _care(releases)
    yield from _memory(releases)
    yield from _truth(releases)
    for each in map(_data, releases):
        if each["left"]:
            yield from ("", f"## {each['release']}: not ok after the repair", "")
            yield from _left(each["left"])
        if each["worse"]:
            yield from ("", f"## {each['release']}: worse after the repair", "")
            yield from (f"- {row}" for row in each["worse"])


def _prose(text: str) -> list[str]:
    """Return a paragraph in lines, and an empty one."""
    return [*textwrap.wrap(" ".join(text.split()), 110, break_on_hyphens=False), ""]


def _care(releases: list[dict[str, Any]]) -> Iterator[str]:
    yield from ("", "## What stays as it was", "")
    yield from _prose(
        """On the copy of each release that was repaired: whether every rewritten file compiles, whether a
        second run would change anything, whether the patch of a dry run, put on the original by `git
        apply`, gives the same files byte for byte; and of all outputs of eager and sdpa attention, how
        many are not the same to the last bit."""
    )
    yield from (
        "| release | rewritten | compile | a second run changes | the patch gives | outputs | changed |",
        "|---|---|---|---|---|---|---|",
    )
    for release in releases:
        care = release["care"]
        yield f"| {release['release']} | {care.get('files', '-')} | " + " | ".join(
            (
                "all" if care.get("compile") else "not all",
                "something" if care.get("second_run_changes") else "nothing",
                "the same" if care.get("patch_is_what_was_written") else "something else",
                str(care["outputs"]),
                ", ".join(care["outputs_changed"]) or "none",
            )
        ) + " |"


def _memory(releases: list[dict[str, Any]]) -> Iterator[str]:
    measured = [release for release in releases if release["memory"]]
    if not measured:
        return
    yield from ("", "## What masks cost", "")
    yield from _prose(
        f"""One forward of {TOKENS:,} tokens under flex attention, four layers, by `scripts/memory.py`: what
        it adds to the process's memory at its peak, how many BlockMasks are made in it, and what
        attention is given. Attention itself is left out, for unfused on a CPU it is dense whatever its
        mask. A model with windowed and full layers needs two masks, and no more."""
    )
    yield from (
        "| release | model | mask | before | after |",
        "|---|---|---|---|---|",
    )
    for release in measured:
        for row in release["memory"]:
            dearer = " (**dearer**)" if row["dearer"] else ""
            columns = (release["release"], row["model"], row["mask"], row["before"], row["after"] + dearer)
            yield "| " + " | ".join(columns) + " |"


def _truth(releases: list[dict[str, Any]]) -> Iterator[str]:
    yield from ("", "## What the analysis foresees", "")
    yield from _prose(
        """*Crash sites*: places where an unrepaired model crashed for its mask, and how many of them the
        analysis names before anything runs. *Safe findings*: those in classes that were run, and how many
        crashed or were wrong there; in brackets those that showed behind another crash only. *Sample*:
        findings beyond what the plain cases reach (labels, router losses, task heads, caches), drawn by
        seed, each run in a tree where everything is mended but this: true is what breaks there and not in
        the repaired tree. What is reported only is true if it breaks in the repaired tree."""
    )
    yield from (
        "| release | crash sites | foreseen | safe findings: plain | with a cache | other inputs | sample |",
        "|---|---|---|---|---|---|---|",
    )
    for each in releases:
        recall, sample = each["recall"], each["sample"]
        columns = [
            str(recall["sites"]) if recall else "-",
            str(recall["found"]) if recall else "-",
            *(_precision(each["precision"], way) for way in ("plain", "generation", "inputs")),
            _sample(sample),
        ]
        yield f"| {each['release']} | " + " | ".join(columns) + " |"
    samples = [each["sample"] for each in releases if each["sample"]]
    if samples:
        true, run = (sum(sample[name] for sample in samples) for name in ("true", "run"))
        yield from ("", f"All samples together: {true} of {run} true ({_percent(true, run)}).")
    for each in releases:
        rows = [f"missed: {row}" for row in (each["recall"] or {"missed": []})["missed"]]
        for way in ("plain", "generation", "inputs"):
            alarms = each["precision"][way]["false_alarms"] if each["precision"] else []
            rows += [f"false alarm ({way}): {row}" for row in alarms]
        rows += [
            f"{what} in the sample: {row}"
            for what, rows in (("did not break", "false_alarms"), ("could not be run", "not_run"))
            for row in (each["sample"] or {rows: []})[rows]
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


def _sample(sample: dict[str, Any] | None) -> str:
    return f"{sample['true']} of {sample['run']} true" if sample else "-"


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
