"""What a run has to do on fixed input, counted: a guard against waste that seconds would not show."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent, indent

import libcst
import pytest

from codemods.flex_passthrough.api import Settings, plan

from .rules.test_flex001_missing_passthrough import ASKS, BUILD, GUARD, HEAD, MENDED_HEAD, model
from .test_cli import LIBRARY, TINY

# Methods that no mask reaches: enough of them that the file is not parsed whole.
UNUSED = "".join(f"    def unused_{n}(self, x):\n        return self.layer(x) + {n}\n\n" for n in range(80))
LONG = HEAD + indent(dedent(model(ASKS + BUILD)), "") + "\n\nclass Unused:\n" + UNUSED


@pytest.fixture
def work(write_tree, monkeypatch):
    """Plan for a package; return the counts, those of LibCST among them."""

    def count(files):
        parsed = []
        parse = libcst.parse_module
        monkeypatch.setattr("libcst.parse_module", lambda text: parsed.append(len(text)) or parse(text))
        proposed = plan([write_tree({**LIBRARY, **files}) / "pkg"], Settings())
        (draft,) = proposed.drafts
        counts = draft.index.work.as_dict() | {"libcst_parses": len(parsed), "libcst_characters": sum(parsed)}
        return proposed, counts

    return count


def test_one_model(work):
    proposed, counts = work({TINY: LONG})
    assert len(proposed.changes) == 1
    assert counts["models_followed"] == 1
    assert counts["functions_evaluated"] <= 20
    assert counts["definitions_parsed"] <= 10  # not the 80 methods that no mask reaches
    assert counts["files_parsed"] <= 2  # short ones, and not the one that is edited: its mends parse that
    assert counts["libcst_characters"] <= 2 * len(LONG) // 10


def test_files_that_name_no_mask_are_not_looked_into(work):
    _, alone = work({TINY: LONG})
    _, among = work({TINY: LONG, **{f"pkg/models/m{n}/modeling_m{n}.py": UNMASKED for n in range(20)}})
    assert among == alone


def test_second_model_that_inherits_costs_little(work):
    _, alone = work({TINY: LONG})
    child = "from ..tiny.modeling_tiny import TinyModel  # torch, def forward, attention_mask\n"
    child += "class ChildModel(TinyModel):\n    pass\n"
    _, both = work({TINY: LONG, "pkg/models/child/modeling_child.py": child})
    assert both["definitions_parsed"] == alone["definitions_parsed"]
    assert both["libcst_parses"] == alone["libcst_parses"]


def test_nothing_to_edit_needs_no_libcst(work):
    proposed, counts = work({"pkg/models/tiny/modeling_tiny.py": UNMASKED})
    assert (proposed.findings, counts["libcst_parses"], counts["models_followed"]) == ([], 0, 0)


def test_scan_that_finds_nothing_loads_no_libcst(write_tree):
    root = write_tree({**LIBRARY, TINY: MENDED_HEAD + model(ASKS + GUARD + BUILD)})
    code = "import sys; from codemods.flex_passthrough.api import plan; from pathlib import Path\n"
    code += "found = plan([Path(sys.argv[1])]); print(len(found.findings), 'libcst' in sys.modules)"
    command = [sys.executable, "-c", code, str(root / "pkg")]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    assert subprocess.run(command, capture_output=True, env=env, text=True).stdout.split() == ["0", "False"]


UNMASKED = "import torch\nfrom ...modeling_utils import PreTrainedModel\n\n\n"
UNMASKED += "class M(PreTrainedModel):\n" + UNUSED
