"""Fetch: get hold of a repository and learn what it holds."""

from __future__ import annotations

from codemods.fleet.failure import StageFailure
from codemods.fleet.stages.bench import Bench
from codemods.fleet.task import Finished


def fetch(bench: Bench) -> Finished:
    """Survey the repository, unless all is done from its content as it is."""
    fingerprint = bench.source.fingerprint()
    if fingerprint == bench.task.known:
        return Finished("fetch", "unchanged")
    survey = bench.survey
    if not any(path.endswith(".py") for path in survey.files):
        notes = tuple(survey.notes)
        return Finished("fetch", "skipped", "holds no Python file", fingerprint=fingerprint, notes=notes)
    inside = f"{bench.entry.subdirectory}/" if bench.entry.subdirectory else ""
    if not any(path.startswith(inside) for path in survey.files):
        raise StageFailure(f"has no folder {bench.entry.subdirectory!r} with Python in it")
    bench.say(
        f"{len(survey.files)} files of {bench.entry.shown}{f' at {survey.commit}' if survey.commit else ''}"
    )
    return Finished(
        "fetch",
        "done",
        fingerprint=fingerprint,
        content=bench.content,
        notes=tuple(survey.notes),
        summary={"commit": survey.commit, "sources": len(survey.files)},
    )
