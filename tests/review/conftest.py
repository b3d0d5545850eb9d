"""A report in which everything occurs that a face has to show."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from codemods.review.change import Change
from codemods.review.decision import Decision, Member, decision_id
from codemods.review.finding import Finding, Safety, Status, Step
from codemods.review.report import Report
from codemods.source.position import Span
from codemods.source.problem import Problem

BASE = """\
import torch


class Base:
    def mask(self, attention_mask):
        return self.prepare(attention_mask)

    def forward(self, attention_mask):
        if attention_mask.dim() == 2:
            attention_mask = attention_mask[:, None]
        return self.mask(attention_mask)
"""
GUARD = "        if isinstance(attention_mask, BlockMask):\n            return attention_mask\n"
IMPORT = "import torch\nfrom torch.nn.attention.flex_attention import BlockMask\n"


def with_guard(text: str) -> str:
    text = text.replace("        return self.prepare", GUARD + "        return self.prepare")
    return text.replace("import torch\n", IMPORT)


def with_test(text: str) -> str:
    test = "if isinstance(attention_mask, torch.Tensor) and attention_mask.dim() == 2:"
    return text.replace("if attention_mask.dim() == 2:", test)


def a_finding(**changes: object) -> Finding:
    values: dict[str, object] = {
        "rule": "FLEX001",
        "path": "models/a.py",
        "span": Span(5, 8, 5, 12),
        "qualname": "A.mask",
        "message": "does not hand a BlockMask back",
        "safety": Safety.SAFE,
        "origin": "generated",
        "root": ("models/base.py", "Base.mask"),
        "models": ("A", "AForCausalLM"),
        "steps": (
            Step("models/a.py", 8, "A.forward", "attention_mask"),
            Step("models/a.py", 5, "A.mask", "attention_mask"),
        ),
        "status": Status.WOULD_FIX,
        "files": ("models/a.py", "models/base.py"),
    }
    return Finding(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Two decisions in the same two files, one that is left to the reader, one not claimed, a problem."""
    texts = {"models/base.py": BASE, "models/a.py": BASE.replace("class Base", "class A")}
    (tmp_path / "models").mkdir()
    for name, text in texts.items():
        (tmp_path / name).write_text(text, newline="")

    def change(name: str, before: str, after: str) -> Change:
        how = "edited" if name.endswith("base.py") else "mirrored"
        return Change(tmp_path / name, name, before.encode(), after.encode(), how)

    def decision(rule: str, method: str, line: int, finding: Finding, **attributes: object) -> Decision:
        root = ("models/base.py", f"Base.{method}")
        return Decision(
            id=decision_id(rule, "models.base", root[1], []),
            rule=rule,
            name={"FLEX001": "missing-passthrough"}.get(rule, "tensor-only-operation"),
            why="A sentence about the rule.",
            root=root,
            line=line,
            findings=[replace(finding, rule=rule, root=root)],
            members=(
                Member("models/base.py", root[1], line, "root"),
                Member("models/a.py", f"A.{method}", line, "generated", root),
            ),
            **attributes,  # type: ignore[arg-type]
        )

    tested = decision(
        "FLEX002",
        "forward",
        8,
        a_finding(span=Span(9, 11, 9, 31), qualname="A.forward", message="asks a mask for <.dim()> & more"),
        changes=tuple(change(name, text, with_test(text)) for name, text in sorted(texts.items())),
        steps=tuple(change(name, text, with_test(text)) for name, text in sorted(texts.items())),
    )
    guarded = decision(
        "FLEX001",
        "mask",
        5,
        a_finding(),
        changes=tuple(change(name, text, with_guard(text)) for name, text in sorted(texts.items())),
        steps=tuple(
            change(name, with_test(text), with_guard(with_test(text))) for name, text in sorted(texts.items())
        ),
    )
    unclaimed = a_finding(
        path="models/d.py",
        safety=Safety.UNSAFE,
        status=Status.SKIPPED,
        reason="no model claims it",
        files=(),
        root=("models/d.py", "D.mask"),
        qualname="D.mask",
        models=("D",),
    )
    undecided = a_finding(
        rule="FLEX003",
        path="models/c\u202e.py",
        safety=Safety.REPORT,
        status=Status.SKIPPED,
        reason="a <b>decision</b>",
        files=(),
        root=("models/c\u202e.py", "C.mask"),
        models=("C",),
    )
    others = [
        Decision(
            id=decision_id(finding.rule, finding.path, finding.qualname, []),
            rule=finding.rule,
            name="missing-passthrough",
            why="A sentence about the rule.",
            root=finding.root,
            line=3,
            findings=[finding],
        )
        for finding in (unclaimed, undecided)
    ]
    decisions = sorted([tested, guarded, *others], key=Decision.sort_key)
    return Report(
        tmp_path,
        findings=sorted((f for d in decisions for f in d.findings), key=Finding.sort_key),
        decisions=decisions,
        changes=[change(name, text, with_guard(with_test(text))) for name, text in sorted(texts.items())],
        problems=[Problem("x.py", 3, 7, "does not parse:\n50 % odd")],
        notices=["the converter was not run"],
        files_seen=9,
    )
