"""Runs models as a library without flex attention would: what FLEX005 foresees shows nowhere else.

A name of flex attention that is imported under a guard is not bound where the guard says no, as on an older
torch or on a TPU. There, a class that such a finding names ends its first forward pass under eager attention
in a NameError before the repair, and comes through after it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from codemods.verify.launch import START

CHILD = """
import importlib, json, runpy, sys

start, root, names = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
sys.path.insert(0, root)
import transformers.utils

for module in (transformers.utils, transformers.utils.import_utils):
    module.is_torch_flex_attn_available = lambda: False

package = runpy.run_path(start)
package["load_package"]()
tree, attention, tiny = (
    importlib.import_module(package["PRIVATE_NAME"] + "." + name) for name in ("tree", "attention", "tiny")
)
tree = tree.Tree(root, "transformers")
said = {}
for candidate in tree.candidates():
    if candidate.class_name in names:
        try:
            attention.Models(tree, candidate, tree.model_class(candidate), "cpu")  # runs it once, too
            said[candidate.class_name] = ""
        except tiny.CannotBuild as error:
            said[candidate.class_name] = str(error)
print(json.dumps(said))
"""


def run_unbound(tree: Path, python: Path, classes: Iterable[str]) -> dict[str, str]:
    """Return what each class says in a library without flex attention; nothing if it runs."""
    command = [str(python), "-c", CHILD, str(START), str(tree.parent), json.dumps(sorted(classes))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"exit code {done.returncode}: {tree} without flex attention")
    said: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return said


def without_flex(findings: list[dict[str, Any]], before: Path, after: Path, python: Path) -> dict[str, bool]:
    """Return, for each class that a FLEX005 finding names, whether a name was not bound before only."""
    classes = {name for finding in findings if finding["rule"] == "FLEX005" for name in finding["models"]}
    if not classes:
        return {}
    first, last = (run_unbound(tree, python, classes) for tree in (before, after))
    return {
        name: "NameError" in said and "NameError" not in last[name]
        for name, said in first.items()
        if said == "" or "NameError" in said
    }
