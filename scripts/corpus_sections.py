"""The parts of ``docs/results.md`` beside the cells: care, memory, foresight, and other people's packages."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator
from typing import Any

from memory import TOKENS, describe, is_dearer


def prose(text: str) -> list[str]:
    """Return a paragraph in lines, and an empty one."""
    return [*textwrap.wrap(" ".join(text.split()), 110, break_on_hyphens=False), ""]


def care(releases: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what stays as it was."""
    yield from ("", "## What stays as it was", "")
    yield from prose(
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
        kept = release["care"]
        yield f"| {release['release']} | {kept.get('files', '-')} | " + " | ".join(
            (
                "all" if kept.get("compile") else "not all",
                "something" if kept.get("second_run_changes") else "nothing",
                "the same" if kept.get("patch_is_what_was_written") else "something else",
                str(kept["outputs"]),
                ", ".join(kept["outputs_changed"]) or "none",
            )
        ) + " |"


def memory(releases: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what masks cost before and after."""
    measured = [release for release in releases if release["memory"]]
    if not measured:
        return
    yield from ("", "## What masks cost", "")
    yield from prose(
        f"""One forward of {TOKENS:,} tokens under flex attention, four layers, by `scripts/memory.py`: what
        it adds to the process's memory at its peak, how many BlockMasks are made in it (a causal one, and
        one for a window, whatever the number of layers), and what attention is given. Attention itself is
        left out, for unfused on a CPU it is dense whatever its mask. A forward that is given no mask and
        hands none to attention is not causal, so its memory says nothing."""
    )
    yield from (
        "| release | model | mask | before | after |",
        "|---|---|---|---|---|",
    )
    for release in measured:
        for row in release["memory"]:
            dearer = " (**dearer**)" if is_dearer(row["before"], row["after"]) else ""
            sides = (describe(row["before"]), describe(row["after"]) + dearer)
            columns = (release["release"], row["model"], row["mask"], *sides)
            yield "| " + " | ".join(columns) + " |"


def truth(releases: list[dict[str, Any]]) -> Iterator[str]:
    """Yield recall, precision and the sample, with every miss and every false alarm."""
    yield from ("", "## What the analysis foresees", "")
    yield from prose(
        """*Crash sites*: places where an unrepaired model crashed for its mask, and how many of them the
        analysis names before anything runs. *Safe findings*: those in classes that were run, and how many
        crashed or were wrong there (those of FLEX005 by a forward pass in a library without flex attention);
        in brackets those that showed behind another crash only. *Sample*:
        findings beyond what the plain cases reach (labels, router losses, task heads, caches), drawn by
        seed, each run in a tree where everything is mended but this: true is what breaks there and not in
        the repaired tree. What is reported only is true if it breaks in the repaired tree."""
    )
    yield from (
        "| release | crash sites | foreseen | safe findings | plain | with a cache | other inputs | sample |",
        "|---|---|---|---|---|---|---|---|",
    )
    for each in releases:
        recall, sample = each["recall"], each["sample"]
        columns = [
            str(recall["sites"]) if recall else "-",
            str(recall["found"]) if recall else "-",
            _all(each["precision"]),
            *(_precision(each["precision"], way) for way in ("plain", "generation", "inputs")),
            _sample(sample),
        ]
        yield f"| {each['release']} | " + " | ".join(columns) + " |"
    samples = [each["sample"] for each in releases if each["sample"]]
    if samples:
        true, run = (sum(sample[name] for sample in samples) for name in ("true", "run"))
        yield from ("", f"All samples together: {true} of {run} true ({percent(true, run)}).")
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


def _all(precision: dict[str, Any] | None) -> str:
    if not precision:
        return "-"
    true, run = (sum(way[name] for way in precision.values()) for name in ("true", "run"))
    return f"{true} of {run} ({percent(true, run)})"


def packages(measured: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what was found in packages that somebody else wrote."""
    if not measured:
        return
    yield from ("", "## Code that nobody here wrote", "")
    yield from prose(
        """Packages of PyPI that carry modeling files, or patch those of transformers; read, never run, beside
        an installed transformers 4.53.3 (`scripts/corpus --packages`). Each finding was looked at by hand:
        it is right if the line breaks, or loses the mask, when a BlockMask comes there. Of a fork of a whole
        release, what the release has too is counted as that."""
    )
    yield "| package | files | findings: safe | unsafe | report | right | wrong | not looked at |"
    yield "|---|---|---|---|---|---|---|---|"
    for package in measured:
        found = package["findings"]
        safety, seen = (Counter(each[name] for each in found) for name in ("safety", "seen"))
        words = Counter(
            "as in" if word.startswith("as in") else word.partition(":")[0] for word in seen.elements()
        )
        right = str(words["right"]) + (f" and {words['as in']} of the release" if words["as in"] else "")
        counts = (
            safety["safe"],
            safety["unsafe"],
            safety["report"],
            right,
            words["wrong"],
            words["not looked at"],
        )
        ended = f" ({package['ended']})" if package["ended"] else " (refused)" if package["refused"] else ""
        yield f"| {package['package']}{ended} | {package['files']} | " + " | ".join(map(str, counts)) + " |"
    yield ""
    for package in measured:
        yield from (f"- {package['package']}: refused, {message}" for message in package["refused"])
        for finding in package["findings"]:
            if not finding["seen"].startswith("as in"):
                place = f"{finding['rule']} ({finding['safety']}) {finding['path']} {finding['qualname']}"
                yield f"- {package['package']}: {place}: {finding['seen']}"


def _sample(sample: dict[str, Any] | None) -> str:
    return f"{sample['true']} of {sample['run']} true" if sample else "-"


def percent(part: int, whole: int) -> str:
    """Return a share; 100 % is said of all only."""
    if not whole:
        return "-"
    share = 100 * part / whole
    return "100 %" if part == whole else f"{min(share, 99.9):.1f} %"
