"""Repairs a copy of a release and holds the repair to what it promises, whatever the models do.

Every rewritten file compiles under the release's own Python, a second run finds nothing to change, and the
patch of a dry run makes of the original, byte for byte, what the run itself wrote.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from corpus_place import Place, run, say

_COMPILE = "import sys; [compile(open(name, 'rb').read(), name, 'exec') for name in sys.argv[1:]]"


def repair(place: Place) -> None:
    """Repair a copy with the present tool, unless that was done; keep findings, patch and care."""
    kept = place.stage / "findings.json"
    if kept.exists():
        return
    again = " again: the tool is another one than before" if place.earlier() else ""
    say(place.release, f"repairing{again}")
    shutil.rmtree(place.stage, ignore_errors=True)
    shutil.copytree(place.original, place.repaired, ignore=shutil.ignore_patterns("__pycache__"))
    run(["git", "init", "--quiet", str(place.repaired.parent)])  # the patch's names begin here
    patch, partial = place.stage / "repair.patch", kept.with_suffix(".partial")
    tool = [sys.executable, "-m", "codemods.flex_passthrough", "--quiet", str(place.repaired)]
    run([*tool, "--dry-run", "--output", str(patch)], expected=(0, 2))
    run([*tool, "--output-format", "json", "--output", str(partial)], expected=(0, 2))
    found = json.loads(partial.read_text())
    rewritten = [place.repaired / entry["path"] for entry in found["files"]]
    care = {
        "files": len(rewritten),
        "compile": _compile(place.python, rewritten),
        "second_run_changes": run([*tool, "--no-cache", "--check"], expected=(0, 1, 2)) == 1,
        "patch_is_what_was_written": _applied(place, patch),
    }
    (place.stage / "care.json").write_text(json.dumps(care, indent=1))
    for stage in place.earlier():
        shutil.rmtree(stage / "tree", ignore_errors=True)
    partial.rename(kept)


def findings(place: Place) -> list[dict[str, Any]]:
    """Return what the repair found; nothing if there was none yet."""
    kept = place.stage / "findings.json"
    found: list[dict[str, Any]] = json.loads(kept.read_text())["findings"] if kept.exists() else []
    return found


def _compile(python: Path, files: list[Path]) -> bool:
    return subprocess.call([str(python), "-c", _COMPILE, *map(str, files)]) == 0


def _applied(place: Place, patch: Path) -> bool:
    """Say whether ``git apply`` makes of the original what the run wrote."""
    copy = place.stage / "patched"
    shutil.copytree(place.original, copy / "transformers", ignore=shutil.ignore_patterns("__pycache__"))
    run(["git", "init", "--quiet", str(copy)])
    applied = subprocess.call(["git", "-C", str(copy), "apply", str(patch.resolve())]) == 0
    same = applied and _texts(copy) == _texts(place.repaired.parent)
    shutil.rmtree(copy)
    return same


def _texts(folder: Path) -> dict[str, bytes]:
    found = (path for path in (folder / "transformers").rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in found
        if "__pycache__" not in path.parts
    }
