"""How the analysis fares against what was run: recall and precision.

Recall: a place where an unrepaired model crashed for its mask, and whether the analysis names that line.
Precision: a safe finding in a class that was run, and whether the class crashed or was wrong there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from codemods.maskflow.flow import MaskFlow, models
from codemods.maskflow.program.hierarchy import Hierarchy
from codemods.maskflow.program.index import Index
from codemods.source.discover import discover
from codemods.source.tree import locate_tree
from codemods.verify.cases import GROUPS

# (model type, class, case) -> what the harness says
Cells = dict[tuple[str, str, str], dict[str, Any]]
Finding = dict[str, Any]

# The cases that can tell whether a finding is true, by what has to be given to get there.
CASES = {
    "plain": [*GROUPS["masks"], *GROUPS["shapes"], *GROUPS["decoder"], *GROUPS["training"]],
    "generation": list(GROUPS["cache"]),
    "inputs": ["loss"],
}

# How many classes are asked about one place: a model of several parts may hide it from the analysis.
WITNESSES = 4

# What torch says of a BlockMask that was made for other lengths.
_MASK_WORDS = ("BlockMask", "block_mask")


def witnesses(before: Cells) -> tuple[set[str], set[str]]:
    """Return a few classes for each place where a cell crashed, and the files of these places."""
    places: dict[str, list[str]] = {}
    for (_, name, _), cell in before.items():
        if cell["verdict"] == "crash" and cell.get("site"):
            places.setdefault(cell["site"], []).append(name)
    names = {name for crashed in places.values() for name in list(dict.fromkeys(crashed))[:WITNESSES]}
    return names, {place.rpartition(":")[0] for place in places}


def static_sites(tree: Path, names: set[str], files: set[str]) -> set[str]:
    """Return ``path:line`` of what the analysis says will break, from the import root.

    Asked are the classes that crashed and all in the files where they did: which language model a
    configuration chooses for a model of images and text is not to be read in the tree.
    """
    index = Index(locate_tree(tree))
    hierarchy = Hierarchy(index)
    flow = MaskFlow(index, hierarchy)
    modules = [index.module_at(path) for path in discover([tree]).files if b"mask" in path.read_bytes()]
    found: set[str] = set()
    for entry in models(index, hierarchy, [module for module in modules if module is not None]):
        here = f"{tree.name}/{entry.module.source.name}" in files
        wanted = here or (entry.name in names and hierarchy.claims_flex(entry))
        reach = flow.follow(entry) if wanted else None
        if reach is not None:
            sites = [*reach.sites, *(site for method in reach.methods for site in method.sites)]
            found |= {f"{tree.name}/{s.function.module.source.name}:{s.line}" for s in sites}
    return found


def measure_recall(before: Cells, after: Cells, sites: set[str], findings: list[Finding]) -> dict[str, Any]:
    """Return how many crash sites there are, and which of them were not foreseen.

    A crash is the mask's if it says so, or is gone after the repair. One inside torch's interface, for a
    BlockMask of wrong lengths, is foreseen if the finding that makes that mask names the class, or if the
    repair, which edits nothing but what was found, makes the cell ok.
    """
    makers = {name for finding in findings if finding["rule"] in _MAKES for name in finding["models"]}
    seen: dict[str, set[str]] = {}
    for key, cell in before.items():
        if cell["verdict"] == "crash" and cell.get("site") and _is_masks(cell, after.get(key)):
            place = cell["site"].split(" ")[0]
            mended = after.get(key, cell)["verdict"] == "ok"
            foreseen = place in sites or ("integrations/" in place and (key[1] in makers or mended))
            seen.setdefault(place, set()).add("" if foreseen else key[1])
    missed = {place: sorted(classes - {""}) for place, classes in sorted(seen.items()) if classes - {""}}
    return {
        "sites": len(seen),
        "found": len(seen) - len(missed),
        "missed": [f"{place} ({', '.join(classes)})" for place, classes in missed.items()],
    }


# The rules about masks that are made, not broken: what they foresee crashes or goes wrong in attention.
_MAKES = ("FLEX003", "FLEX004", "FLEX006")


def _is_masks(cell: dict[str, Any], after: dict[str, Any] | None) -> bool:
    if after is not None and after["verdict"] == "not-runnable":
        return False  # no attention can run it
    named = any(word in str(cell.get("exception")) for word in _MASK_WORDS)
    return named or (after is not None and after["verdict"] == "ok")


def measure_precision(
    findings: list[Finding], before: Cells, after: Cells, unbound: dict[str, bool] | None = None
) -> dict[str, Any]:
    """Return, by what has to be given, how many safe findings were run and which were false alarms.

    Args:
        findings: what the repair found.
        before: the cells before the repair.
        after: the cells after it.
        unbound: of classes that were run without flex attention, whether a name was not bound then.
    """
    measured = {}
    for way in CASES:
        run, true, behind, false = 0, 0, 0, []
        for finding in findings:
            if finding["safety"] != "safe" or finding["way"] != way:
                continue
            if finding["rule"] == "FLEX005":
                verdict = _confirmed_unbound(finding, unbound or {})
            else:
                verdict = _confirmed(finding, before, after)
            run += verdict is not None
            true += verdict in ("there", "behind")
            behind += verdict == "behind"
            if verdict == "no":
                false.append(f"{finding['rule']} {finding['path']}:{finding['line']} {finding['qualname']}")
        measured[way] = {"run": run, "true": true, "behind": behind, "false_alarms": false}
    return measured


def _confirmed(finding: Finding, before: Cells, after: Cells) -> str | None:
    """Return where the classes that a finding names broke: there, behind another crash, no; or None."""
    names, cases = set(finding["models"]), set(CASES[finding["way"]])
    keys = [key for key, cell in before.items() if key[1] in names and key[2] in cases]
    cells = [(before[key], after.get(key)) for key in keys if before[key]["verdict"] != "not-runnable"]
    if not cells:
        return None
    broken = [pair for pair in cells if pair[0]["verdict"] in ("crash", "wrong") and _is_masks(*pair)]
    place = f"/{finding['path']}:"
    there = any(place in f"/{cell.get('site')}" for cell, _ in broken)
    return "there" if there else "behind" if broken else "no"


def _confirmed_unbound(finding: Finding, unbound: dict[str, bool]) -> str | None:
    shown = [unbound[name] for name in finding["models"] if name in unbound]
    return None if not shown else "there" if any(shown) else "no"
