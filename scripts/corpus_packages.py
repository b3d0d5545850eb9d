"""Runs the tool through packages that somebody else wrote, and says of each finding whether it is right.

The packages are those of PyPI that carry modeling files or patch those of transformers. Each is unpacked and
read, never installed or run. What was found in it was looked at by hand, and what came of that stands in
``corpus_judged.json``: a finding that nobody has looked at yet shows as such.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from corpus_place import BUILD, Place, run, say, tool
from corpus_repair import findings

FOLDER = BUILD / "packages"
JUDGED = Path(__file__).with_name("corpus_judged.json")

# Where packages look for the transformers that they build on.
LIBRARY = "4.53.3"

PACKAGES = (
    "adapters==1.3.0",
    "axolotl==0.21.0",
    "colpali-engine==0.3.18",
    "easydel==0.3.0",
    "eagle-llm==1.2.1",
    "flagembedding==1.4.2",
    "fschat==0.2.36",
    "liger-kernel==0.8.5",
    "llamafactory==0.9.5",
    "llm2vec==0.2.2",
    "lmms-eval==0.7.3",
    "ms-swift==4.6.0",
    "my-transformers==4.5.1",
    "optimum==2.3.0",
    "optimum-habana==1.21.2",
    "optimum-intel==1.22.0",
    "peft==0.21.2",
    "sentence-transformers==6.2.0",
    "trl==0.16.0",
    "trl==1.16.0",
    "unsloth==2026.10.9",
    "unsloth-zoo==2026.10.9",
)

# A whole transformers of another name, and the release that it was made from. What the tool finds in both is
# measured there.
FORKS = {"transformers-openpi==4.53.3": "4.53.3"}


def measure_packages() -> None:
    """Run the tool as it is now through each package, unless that was done."""
    kept = FOLDER / f"tool-{tool()}.json"
    if kept.exists():
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps([_measure(package) for package in (*PACKAGES, *FORKS)], indent=1))


def measured() -> list[dict[str, Any]]:
    """Return what the present tool found, with what was seen by hand; nothing if it was not run."""
    kept = FOLDER / f"tool-{tool()}.json"
    rows: list[dict[str, Any]] = json.loads(kept.read_text()) if kept.exists() else []
    judged = json.loads(JUDGED.read_text())
    for row in rows:
        name = row["package"].partition("==")[0]
        known = _of_release(FORKS[row["package"]]) if row["package"] in FORKS else {}
        for finding in row["findings"]:
            finding["seen"] = (
                judged.get(f"{name}: {finding['rule']} {finding['path']} {finding['qualname']}")
                or known.get((finding["rule"], finding["path"].partition("/")[2], finding["qualname"]))
                or "not looked at"
            )
    return rows


def _of_release(release: str) -> dict[tuple[str, str, str], str]:
    """Return what is said of a fork's findings that its release has too."""
    found = findings(Place(release))
    return {(each["rule"], each["path"], each["qualname"]): f"as in {release}" for each in found}


def _measure(package: str) -> dict[str, Any]:
    say(package, "reading")
    folder = FOLDER / re.sub(r"\W+", "-", package)
    if not folder.exists():
        wheels = folder.with_suffix(".wheel")
        # Whatever Python it wants: it is read, never run.
        download = ["download", "--quiet", "--no-deps", "--only-binary=:all:", "--ignore-requires-python"]
        download += ["-d", str(wheels), package]
        run([sys.executable, "-m", "pip", *download])
        with zipfile.ZipFile(next(wheels.glob("*.whl"))) as archive:
            archive.extractall(folder)
    output = folder.with_suffix(".json")
    command = [sys.executable, "-m", "codemods.flex_passthrough", str(folder), "--check", "--quiet"]
    command += ["--python", str(Place(LIBRARY).python), "--output-format", "json", "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(output.read_text()) if output.exists() else {"findings": [], "summary": {}}
    return {
        "package": package,
        "ended": "internal error" if "Traceback" in done.stderr or not output.exists() else "",
        "files": found["summary"].get("files_seen", 0),
        "refused": [problem["message"] for problem in found.get("problems", [])],
        "findings": [
            {name: finding[name] for name in ("rule", "path", "qualname", "safety", "message")}
            for finding in found["findings"]
        ],
    }
