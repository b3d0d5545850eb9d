"""What is promised for the source of any model, in a form that a fuzzer and a property can ask for."""

from __future__ import annotations

import ast
import re
import tempfile
from collections import Counter
from difflib import SequenceMatcher
from pathlib import Path

from codemods.flex_passthrough.api import Plan, plan
from codemods.review.finding import Status
from codemods.source.position import split_lines
from tests.trust.trees import package

SEEDS = Path(__file__).parent / "seeds"

# A builder for flex branches to call, as trees of early 2025 have it.
_BUILDER = b"""\
import torch
from torch.nn.attention.flex_attention import BlockMask, create_block_mask


def build_block_mask(mask_2d: torch.Tensor) -> "BlockMask":
    batch_size, length = mask_2d.shape

    def mask_mod(b, h, q, k):
        return (q >= k) & (mask_2d[b, q] == mask_2d[b, k]) & (mask_2d[b, q] > 0)

    return create_block_mask(mask_mod=mask_mod, B=batch_size, H=None, Q_LEN=length, KV_LEN=length)
"""


def seeds() -> dict[str, str]:
    """Return the sources that the fuzzer begins with, by name."""
    return {path.stem: path.read_text("utf-8") for path in sorted(SEEDS.glob("*.txt"))}


def tree(folder: Path, source: bytes) -> Path:
    """Write a package below ``folder`` whose model is ``source``, with a builder beside it."""
    root = package(folder, tiny=source)
    integrations = root / "integrations"
    integrations.mkdir(exist_ok=True)
    (integrations / "__init__.py").touch()
    (integrations / "flex_attention.py").write_bytes(_BUILDER)
    return root


def holds(source: bytes) -> Plan:
    """Make sure that everything promised holds for the source of one model, and return what was planned.

    Planning does not crash. What changes has a finding, is Python afterwards, and keeps every line that is
    not extended. A second run has nothing to do, unless the first says that something failed: two mends
    that want the same characters are made one after the other.
    """
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        root = tree(Path(folder), source)
        planned = plan([root])
        before = {path: path.read_bytes() for path in root.rglob("*.py")}
        for change in planned.changes:
            ast.parse(change.after)
            added_and_changed_only(before[change.path], change.after)
            change.path.write_bytes(change.after)
        if planned.changes:
            assert any(finding.status is Status.WOULD_FIX for finding in planned.findings)
            if all(finding.status is not Status.FAILED for finding in planned.findings):
                assert not plan([root]).changes, "a second run finds something to do"
    for finding in planned.findings:
        assert finding.status is not Status.FAILED or finding.reason
    return planned


def added_and_changed_only(before: bytes, after: bytes) -> None:
    """Make sure that no line is lost but such as are extended: an import, or a guarded statement.

    An import may move below a guard, and ``is not None`` become a question that a BlockMask answers with no.
    """
    old, new = split_lines(before.decode("latin-1")), split_lines(after.decode("latin-1"))
    stripped = Counter(line.strip() for line in new)
    stripped.subtract(line.strip() for line in old)
    for tag, start, end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag in ("delete", "replace"):
            kept = "".join(new[new_start:new_end])
            for line in old[start:end]:
                words = set(re.findall(r"\w+", line)) - {"is", "not", "None"}
                assert stripped[line.strip()] >= 0 or all(word in kept for word in words), line
