"""The script that the tree's interpreter runs: reads a request, answers with lines of JSON.

It loads the package beside it under a private name, and only then touches the tree.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

PRIVATE_NAME = "_verification_worker"


def load_package() -> None:
    """Import the folder of this file as the package ``PRIVATE_NAME``."""
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != here]
    location = here / "__init__.py"
    spec = importlib.util.spec_from_file_location(
        PRIVATE_NAME, location, submodule_search_locations=[str(here)]
    )
    assert spec is not None and spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules[PRIVATE_NAME] = package
    spec.loader.exec_module(package)


def main() -> None:
    """Serve one request, given as JSON on standard input."""
    request = json.load(sys.stdin)
    answers = os.dup(1)
    os.dup2(2, 1)  # what the tree prints must not get between the answers
    load_package()
    serve = importlib.import_module(PRIVATE_NAME + ".serve")
    serve.serve(request, answers)


if __name__ == "__main__":
    main()
