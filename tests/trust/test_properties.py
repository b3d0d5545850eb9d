"""What holds for any program: nothing crashes, and nothing changes but what has to."""

from __future__ import annotations

import ast
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from inspect import iscoroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from codemods.flex_passthrough.api import Plan, Settings, plan
from codemods.review.finding import Status
from tests.trust.programs import MaskMethod, mask_methods, programs
from tests.trust.promises import added_and_changed_only
from tests.trust.trees import MODEL, package

ROOT = Path(__file__).parents[2]
EXAMPLES = int(os.environ.get("CODEMODS_EXAMPLES", "25"))


def planned(source: str, how: Settings | None = None) -> tuple[Plan, bytes, bytes]:
    """Plan for a package with this one model; return its text before and after."""
    with tempfile.TemporaryDirectory() as folder:
        root = package(Path(folder), tiny=source)
        found = plan([root], how)
        before = source.encode()
        after = {change.path.name: change.after for change in found.changes}.get("modeling_tiny.py", before)
        again = plan([package(Path(folder), tiny=after)], how)
        # Two mends that want the same characters are made one after the other, and that is said.
        if all(finding.status is not Status.FAILED for finding in found.findings):
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
    added_and_changed_only(before, after)


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


def method_in(source: str, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef:
    """Return the syntax tree of the mask method of a module."""
    (cls,) = [n for n in ast.parse(source).body if isinstance(n, ast.ClassDef) and n.name == "TinyModel"]
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    (node,) = [n for n in cls.body if isinstance(n, functions) and n.name == name]
    return node


def method_of(source: str, name: str) -> Callable[..., Any]:
    """Return the mask method of a module, with nothing around it that would need torch."""
    node = method_in(source, name)
    node.decorator_list = []
    namespace: dict[str, Any] = {
        "BlockMask": BlockMask,
        "is_torch_flex_attn_available": lambda: True,
        "torch": Anything("torch"),
    }
    exec(compile(ast.Module([node], []), name, "exec"), namespace)

    def called(*arguments: object) -> Any:
        result = namespace[name](*arguments)
        if not iscoroutine(result):
            return result
        with pytest.raises(StopIteration) as ended:
            result.send(None)
        return ended.value.value

    return called


def one_guard_in_its_place(case: MaskMethod, after: str) -> None:
    """Make sure that the passthrough is behind docstring and flash branch, and all else as it was."""
    old, new = method_in(case.source, case.method).body, method_in(after, case.method).body
    asks = f"isinstance({case.mask}, BlockMask)"
    (at,) = [n for n, statement in enumerate(new) if asks in ast.unparse(statement)]
    assert isinstance(new[at], ast.If)
    assert [ast.dump(each) for each in [*new[:at], *new[at + 1 :]]] == [ast.dump(each) for each in old]
    for n, statement in enumerate(new[:at]):
        docstring = n == 0 and isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        assert docstring or "flash_attention_2" in ast.unparse(statement)


def other_code(source: str, method: str) -> list[str]:
    """Return the syntax of all of a module but its imports and its mask method."""
    imports = (ast.Import, ast.ImportFrom)
    kept = []
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.ClassDef):
            kept += [ast.dump(each) for each in statement.body if getattr(each, "name", "") != method]
        elif not isinstance(statement, imports) and "is_torch_flex_attn_available" not in ast.dump(statement):
            kept.append(ast.dump(statement))
    return kept


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
    added_and_changed_only(before, after)
    text = after.decode()
    assert len(re.findall(rf"isinstance\({case.mask}, BlockMask\)", text)) == 1
    one_guard_in_its_place(case, text)
    assert other_code(text, case.method) == other_code(case.source, case.method)
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


def test_any_order_of_files_any_number_of_jobs_and_any_hash_seed(tmp_path: Path) -> None:
    root = package(tmp_path, **{f"m{n}": MODEL.replace("Tiny", f"Tiny{n}") for n in range(5)})
    script = """
import sys
from pathlib import Path
from codemods.flex_passthrough.api import Settings, plan
from codemods.review.patch import render_patch
jobs, *names = sys.argv[1:]
found = plan([Path(name) for name in names], Settings(jobs=int(jobs)))
sys.stdout.buffer.write(render_patch(found))
print([(f.path, f.rule, f.models) for f in found.findings])
"""
    files = [str(path) for path in sorted(root.rglob("*.py"))]
    outputs = set()
    for seed in range(3):
        random.Random(seed).shuffle(files)
        outputs.add(
            subprocess.run(
                [sys.executable, "-c", script, str(seed + 1), *files],
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(seed)},
                capture_output=True,
                check=True,
            ).stdout
        )
    assert len(outputs) == 1
    assert outputs.pop().count(b"diff --git") == 6


@pytest.mark.parametrize("width", [88, 100, 120])
@settings(max_examples=max(EXAMPLES // 5, 3), phases=[Phase.generate])
@given(case=mask_methods())
def test_what_black_left_alone_it_leaves_alone(case: MaskMethod, width: int) -> None:
    """At 119 columns black has one blank line after imports where transformers' isort has two."""
    black = pytest.importorskip("black")
    mode = black.Mode(line_length=width)
    source = black.format_str(case.source, mode=mode)
    _, _, after = planned(source, Settings(line_length=width))
    assert black.format_str(after.decode(), mode=mode) == after.decode()
