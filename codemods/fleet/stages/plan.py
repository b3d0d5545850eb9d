"""Plan: find what is wrong and work out the patch. Equal content is planned once for the whole fleet."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from msgspec.structs import replace

import codemods
from codemods.fleet.failure import StageFailure
from codemods.fleet.stages import alike
from codemods.fleet.stages.bench import Bench
from codemods.fleet.stages.series import dump, series
from codemods.fleet.task import Finished
from codemods.flex_passthrough import api
from codemods.flex_passthrough.command.config import ConfigError, load_config
from codemods.flex_passthrough.library import NAME
from codemods.flex_passthrough.planning.proposed import RegenerationError
from codemods.flex_passthrough.settings import Mode, Settings
from codemods.review.change import relative_names
from codemods.review.finding import Status
from codemods.review.html.page import render as render_html
from codemods.review.json_report import render_json
from codemods.rewrite.diff import unified_diff
from codemods.source.installed import installed_version

# Changes when the artifacts of a plan do.
_FORM = 5
# What only other stages read.
_INNER = ("summary.json", "series.json")


def plan_key(bench: Bench) -> str:
    """Return a digest of all that the plan depends on."""
    own_name = bench.label if "__init__.py" in bench.survey.files else ""
    # Models outside a library inherit from the one that is installed.
    library = installed_version(NAME)
    parts = [codemods.__version__, _FORM, bench.content, bench.entry.subdirectory, own_name, library]
    options = json.dumps(bench.entry.options, sort_keys=True)
    return hashlib.sha256("\0".join([*map(str, parts), options]).encode()).hexdigest()


def plan(bench: Bench) -> Finished:
    """Return the plan from the store, or work it out and keep it there."""
    key = plan_key(bench)
    if bench.store.get(key) is None:
        key = alike.plan_that_holds(bench, key)
    artifacts, reused = bench.once(key, lambda: _worked_out(bench, key))
    bench.plan = artifacts
    summary = json.loads(artifacts["summary.json"])
    bench.say(
        f"{summary['findings']} findings, {summary['would_fix']} to be mended in {summary['files']} files"
    )
    return Finished(
        "plan",
        "done",
        content=hashlib.sha256(artifacts["patch.diff"]).hexdigest(),
        notes=tuple(summary.pop("notes")),
        summary=summary,
        artifacts={name: data for name, data in artifacts.items() if name not in _INNER},
        reused=reused,
    )


def _worked_out(bench: Bench, key: str) -> dict[str, bytes]:
    tree = bench.tree
    try:
        report = api.plan([bench.below(tree)], _settings(bench, tree), memory=bench.memory)
    except (RegenerationError, ValueError) as error:
        raise StageFailure(str(error)) from None
    alike.keep(bench, key, report)
    patch = b"".join(
        unified_diff(name, change.before, change.after)
        for name, change in relative_names(report.changes, tree)
    )
    shown = replace(report, root=Path(bench.entry.subdirectory or "."))
    summary: dict[str, Any] = {
        "findings": len(report.findings),
        "would_fix": report.count(Status.WOULD_FIX),
        "skipped": report.count(Status.SKIPPED),
        "failed": report.count(Status.FAILED),
        "roots": len(report.roots(Status.WOULD_FIX)),
        "files": len(report.changes),
        "problems": len(report.problems),
        "notes": [*map(str, report.problems[:3]), *report.notices],
    }
    return {
        "patch.diff": patch,
        "series.json": dump(series(report.decisions, tree)),
        "review.html": render_html(shown).encode(),
        "findings.json": render_json(shown, "fleet").encode(),
        "summary.json": json.dumps(summary, sort_keys=True).encode(),
    }


def _settings(bench: Bench, tree: Path) -> Settings:
    """Return the repository's own settings, overruled by the manifest's."""
    options = bench.entry.options
    settings = _own_settings(bench.below(tree), tree)
    return replace(
        settings,
        select=tuple(options.get("select", settings.select)),
        ignore=tuple(options.get("ignore", settings.ignore)),
        exclude=(*settings.exclude, *options.get("exclude", ())),
        unsafe_fixes=options.get("unsafe-fixes", settings.unsafe_fixes),
        mode=Mode(options.get("mode", Mode.MIRROR)),
        line_length=options.get("line-length", settings.line_length),
        jobs=1,  # other repositories are planned beside this one
    )


def _own_settings(start: Path, top: Path) -> Settings:
    """Read the nearest ``pyproject.toml`` in the repository."""
    folder = start if start.is_dir() else start.parent
    while True:
        path = folder / "pyproject.toml"
        if path.is_file():
            try:
                return load_config(path, required=False)
            except ConfigError as error:
                raise StageFailure(str(error).replace(f"{top}{os.sep}", "")) from None
        if folder == top:
            return Settings()
        folder = folder.parent
