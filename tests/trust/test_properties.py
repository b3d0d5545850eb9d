"""What holds for any program: nothing crashes, and nothing changes but what has to."""

from __future__ import annotations

import ast
import os
import random
import re
import subprocess
import sys
import tempfile
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from codemods.flex_passthrough.api import Plan, plan
from codemods.review.finding import Status
from codemods.source.position import split_lines
from tests.trust.programs import MaskMethod, mask_methods, programs
from tests.trust.trees import MODEL, package

ROOT = Path(__file__).parents[2]
EXAMPLES = int(os.environ.get("CODEMODS_EXAMPLES", "25"))


def planned(source: str) -> tuple[Plan, bytes, bytes]:
    """Plan for a package with this one model; return its text before and after."""
    with tempfile.TemporaryDirectory() as folder:
        root = package(Path(folder), tiny=source)
        found = plan([root])
        before = source.encode()
        after = {change.path.name: change.after for change in found.changes}.get("modeling_tiny.py", before)
        again = plan([package(Path(folder), tiny=after)])
        assert not again.changes, "a second run finds something to do"
    return found, before, after


def parses(source: str) -> bool:
    try:
        compile(source, "program", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


@settings(max_examples=EXAMPLES)
@given(programs())
def test_any_program(source: str) -> None:
    found, before, after = planned(source)
    if before != after:
        assert any(finding.status is Status.WOULD_FIX for finding in found.findings)
        ast.parse(after)
    elif parses(source):
        assert not found.problems
    for finding in found.findings:
        assert finding.status is not Status.FAILED or finding.reason
    added_and_changed_only(before.decode(), after.decode())


def added_and_changed_only(before: str, after: str) -> None:
    """Make sure that no line is lost but such as are extended: an import, or a guarded statement."""
    old, new = split_lines(before), split_lines(after)
    for tag, start, end, new_start, new_end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag in ("delete", "replace"):
            kept = "".join(new[new_start:new_end])
            for line in old[start:end]:
                words = re.findall(r"\w+", line)
                assert all(word in kept for word in words), line


class Anything:
    """Stands for tensors, modules and whatever else is asked for; remembers what was done to it."""

    def __init__(self, done: str = "tensor", rank: int = 4) -> None:
        self.done, self.rank = done, rank
        self.shape = (rank,)
        self.training = False

    def dim(self) -> int:
        return self.rank

    def size(self, _: int) -> int:
        return 3

    def __contains__(self, _: object) -> bool:
        return False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *a, **k: Anything(f"{self.done}.{name}{a}", self.rank)

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Anything) and self.done == other.done

    __hash__ = None  # type: ignore[assignment]


class BlockMask:
    """Has none of what a tensor has."""


def method_of(source: str, name: str) -> Any:
    """Return the mask method of a module, with nothing around it that would need torch."""
    (cls,) = [n for n in ast.parse(source).body if isinstance(n, ast.ClassDef) and n.name == "TinyModel"]
    (node,) = [n for n in cls.body if isinstance(n, ast.FunctionDef) and n.name == name]
    node.decorator_list = []
    namespace: dict[str, Any] = {
        "BlockMask": BlockMask,
        "is_torch_flex_attn_available": lambda: True,
        "torch": Anything("torch"),
    }
    exec(compile(ast.Module([node], []), name, "exec"), namespace)
    return namespace[name]


class Model:
    """What ``self`` is."""

    training = True

    def __init__(self, implementation: str) -> None:
        self.config = type("Config", (), {"_attn_implementation": implementation})

    def context(self) -> Anything:
        return Anything()


@settings(max_examples=EXAMPLES)
@given(mask_methods())
def test_any_mask_method_gets_one_passthrough_and_treats_tensors_as_before(case: MaskMethod) -> None:
    found, before, after = planned(case.source)
    assert [finding.status for finding in found.findings] == [Status.WOULD_FIX], found.findings
    added_and_changed_only(before.decode(), after.decode())
    text = after.decode()
    assert len(re.findall(rf"isinstance\({case.mask}, BlockMask\)", text)) == 1
    newlines = "\r\n" if "\r\n" in case.source else "\n"
    assert "\r" not in text.replace("\r\n", "") and (newlines == "\n") == ("\r" not in text)
    assert text.endswith("\n") == case.source.endswith("\n")
    old, new = method_of(case.source, case.method), method_of(text, case.method)
    block_mask = BlockMask()
    assert new(Model("flex_attention"), block_mask, Anything("input")) is block_mask
    for implementation in ("eager", "sdpa", "flex_attention", "flash_attention_2"):
        for mask in (Anything("mask", 2), Anything("mask", 4), None):
            results = []
            for method in (old, new):
                try:
                    results.append(method(Model(implementation), mask, Anything("input")))
                except AttributeError as error:  # a one-line body asks None
                    results.append(str(error))
            assert results[0] == results[1]


def test_any_order_of_files_and_any_hash_seed(tmp_path: Path) -> None:
    root = package(tmp_path, **{f"m{n}": MODEL.replace("Tiny", f"Tiny{n}") for n in range(5)})
    script = """
import sys
from pathlib import Path
from codemods.flex_passthrough.api import plan
from codemods.review.patch import render_patch
found = plan([Path(name) for name in sys.argv[1:]])
sys.stdout.buffer.write(render_patch(found))
print([(f.path, f.rule, f.models) for f in found.findings])
"""
    files = [str(path) for path in sorted(root.rglob("*.py"))]
    outputs = set()
    for seed in range(3):
        random.Random(seed).shuffle(files)
        outputs.add(
            subprocess.run(
                [sys.executable, "-c", script, *files],
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(seed)},
                capture_output=True,
                check=True,
            ).stdout
        )
    assert len(outputs) == 1
    assert outputs.pop().count(b"diff --git") == 6


@pytest.mark.xfail(
    reason="two blank lines follow imports, as isort sets them in transformers; black 26 takes one",
    strict=False,  # black 25 leaves two alone
)
@settings(max_examples=3, phases=[Phase.generate])
@given(mask_methods())
def test_what_black_left_alone_it_leaves_alone(case: MaskMethod) -> None:
    black = pytest.importorskip("black")
    mode = black.Mode(line_length=119)
    source = black.format_str(case.source, mode=mode)
    _, _, after = planned(source)
    assert black.format_str(after.decode(), mode=mode) == after.decode()
