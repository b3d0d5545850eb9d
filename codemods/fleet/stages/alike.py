"""Alike: a plan holds for every repository that differs from its own only in files without a part in it.

Most files of a fork have none: no models stand in them, and nothing that models run comes from them. Which
do was found out when the plan was made. Of a file that no plan was made with, its bytes alone tell whether
it could have one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from codemods.fleet.sources.source import tells
from codemods.fleet.stages.bench import Bench
from codemods.flex_passthrough.identity import identity_digest
from codemods.flex_passthrough.library import NAME
from codemods.flex_passthrough.planning.era import INTEGRATION
from codemods.flex_passthrough.planning.plan import Plan
from codemods.flex_passthrough.remembered.facts import Facts
from codemods.source.contents import Contents
from codemods.source.digest import digest_of, digest_of_text
from codemods.source.installed import installed_version

# Repositories with more files than that which no plan was made with are none that differ in a few.
_MOST_NEW = 200
_INERT, _ALIVE = b"inert", b"alive"


def plan_that_holds(bench: Bench, key: str) -> str:
    """Return the key of a plan that holds for a repository as it is: its own ``key`` where none is known."""
    if not _is_planned_by_content(bench):
        return key
    blobs = bench.survey.files
    contents = Contents(lambda path: _digest(blobs[path]) if path in blobs else None)
    known = bench.memory.answer(_question(bench), contents)
    if known is None:
        return key
    found, parts = known
    rest = [path for path in blobs if path.endswith(".py") and path not in parts]
    return found.decode() if _have_no_part(bench, rest) else key


def keep(bench: Bench, key: str, plan: Plan) -> None:
    """Take note of which files had a part in a plan."""
    if not _is_planned_by_content(bench) or plan.problems or len(plan.drafts) != 1:
        return
    (draft,) = plan.drafts
    if not _stands_alone(draft.tree.root, draft.tree.import_root):
        return
    top, blobs = bench.tree, bench.survey.files
    parts = {path.relative_to(top).as_posix() for path in plan.read if path.is_relative_to(top)}
    sources = [path for path in blobs if path.endswith(".py")]
    inert = {path: draft.answers.facts.of(top / path).is_inert for path in sources}
    parts |= {path for path in sources if not inert[path] or Path(path).parts[-2:] == INTEGRATION}
    depends_on = {path: _digest(blobs[path]) for path in sorted(parts & blobs.keys())}
    bench.memory.keep_answers([(_question(bench), depends_on, key.encode())])
    _learn(bench, {blobs[path]: inert[path] for path in sources})


def _is_planned_by_content(bench: Bench) -> bool:
    """Whether a plan depends on nothing but the files that are analysed: no tool of the repository runs."""
    return bench.entry.options.get("mode", "mirror") in ("mirror", "in-place")


def _stands_alone(root: Path, import_root: Path) -> bool:
    """Whether folders alone told where imports start, and no look into files was needed."""
    folder = root if root.is_dir() else root.parent
    between = [each for each in (folder, *folder.parents) if each.is_relative_to(import_root)][:-1]
    gaps = any(not (each / "__init__.py").is_file() for each in between)
    return not gaps and not (import_root.parent / "__init__.py").is_file()


def _question(bench: Bench) -> bytes:
    """Return what stands for the names of all files, the content of those that configure, and the options."""
    files = {
        path: "" if path.endswith(".py") else blob
        for path, blob in sorted(bench.survey.files.items())
        if tells(path)
    }
    about = (bench.entry.options, bench.entry.subdirectory, bench.label, installed_version(NAME))
    return digest_of_text(json.dumps([identity_digest().hex(), about, files], sort_keys=True, default=str))


def _have_no_part(bench: Bench, paths: list[str]) -> bool:
    """Whether no file among ``paths`` could have a part in a plan."""
    blobs = bench.survey.files
    known = {path: bench.memory.made(_key(blobs[path])) for path in paths}
    new = [path for path in paths if known[path] is None]
    if _ALIVE in known.values() or len(new) > _MOST_NEW:
        return False
    looked_at = dict(_looked_at(bench, new))
    _learn(bench, {blobs[path]: inert for path, inert in looked_at.items()})
    return all(looked_at.values())


def _looked_at(bench: Bench, paths: list[str]) -> Iterator[tuple[str, bool]]:
    for path, data in bench.source.contents(bench.survey, paths):
        yield path, Facts.of(data).is_inert


def _learn(bench: Bench, inert: dict[str, bool]) -> None:
    bench.memory.keep_made({_key(blob): _INERT if is_inert else _ALIVE for blob, is_inert in inert.items()})


def _key(blob: str) -> bytes:
    return digest_of(b"part" + identity_digest() + blob.encode())


def _digest(blob: str) -> bytes:
    return digest_of(blob.encode())
