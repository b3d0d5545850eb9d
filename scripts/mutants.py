"""Mutation testing of the rules and of what writes: ``python scripts/mutants.py [PART...] [--sample N]``.

Each mutant is one small change to one line: a comparison turned round, a condition negated, a constant
moved, a statement left out, and so on. It is killed if the part's tests fail. The mutants that live are
printed, and the score. Work is done on a copy; a sample is drawn with a fixed seed.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS = 300

# What is mutated, and the tests that have to notice.
PARTS = {
    "write": (
        [
            f"codemods/rewrite/{name}.py"
            for name in ("write", "journal", "steps", "recovery", "transaction", "store")
        ],
        [
            "tests/rewrite/test_recovery.py",
            "tests/rewrite/test_write.py",
            "tests/rewrite/test_transaction.py",
            "tests/test_undo.py",
            "tests/trust/test_faults.py",
        ],
    ),
    "edit": (
        ["codemods/rewrite/edit.py", "codemods/rewrite/check.py"],
        ["tests/rewrite/test_edit.py", "tests/rewrite/test_check.py"],
    ),
    "rules": (
        sorted(
            str(path.relative_to(ROOT)) for path in ROOT.glob("codemods/flex_passthrough/rules/flex0*.py")
        ),
        ["tests/flex_passthrough/rules"],
    ),
}

_TURNED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
}
_STATEMENTS = (ast.Assign, ast.AugAssign, ast.Expr, ast.Raise, ast.Return, ast.Continue)


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield every mutant of a module: its line, what was changed, and its whole text."""
    tree = ast.parse(source)
    for number, node in enumerate(ast.walk(tree)):
        for what, change in _changes(node):
            mutated = copy.deepcopy(tree)
            twin = next(each for n, each in enumerate(ast.walk(mutated)) if n == number)
            change(mutated, twin)
            yield getattr(node, "lineno", 0), what, ast.unparse(ast.fix_missing_locations(mutated))


def _changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _TURNED:
        yield "comparison turned", lambda _, n: n.ops.__setitem__(0, _TURNED[type(n.ops[0])]())
    if isinstance(node, (ast.BoolOp, ast.BinOp)) and type(node.op) in _TURNED:
        yield "operator turned", lambda _, n: setattr(n, "op", _TURNED[type(n.op)]())
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        yield "condition negated", lambda _, n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not left out", _replaced_by(lambda n: n.operand)
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "constant turned", lambda _, n: setattr(n, "value", not n.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield "number moved", lambda _, n: setattr(n, "value", n.value + 1)
    if isinstance(node, _STATEMENTS) and not _is_docstring(node):
        yield "statement left out", _replaced_by(lambda _: ast.Pass())


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _replaced_by(other):  # type: ignore[no-untyped-def]
    def change(tree: ast.AST, node: ast.AST) -> None:
        for parent in ast.walk(tree):
            for name, value in ast.iter_fields(parent):
                if value is node:
                    setattr(parent, name, other(node))
                elif isinstance(value, list) and any(each is node for each in value):
                    value[[each is node for each in value].index(True)] = other(node)

    return change


def passes(folder: Path, tests: list[str]) -> bool:
    """Say whether the tests pass on the copy in ``folder``."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    env = {**os.environ, "PYTHONPATH": str(folder), "CI": "1"}
    try:
        return not subprocess.run(
            command, cwd=folder, env=env, capture_output=True, timeout=SECONDS
        ).returncode
    except subprocess.TimeoutExpired:
        return False


def main() -> None:
    """Test what the command line asks for, and print who lives."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--sample", type=int, help="so many mutants of each part only")
    parser.add_argument("--tests", nargs="+", help="these tests, not the part's")
    options = parser.parse_args()
    for part in options.parts or PARTS:
        files, tests = PARTS[part]
        tests = options.tests or tests
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "copy"
            kept = shutil.ignore_patterns(".*", "__pycache__")
            shutil.copytree(ROOT, folder, ignore=kept)
            assert passes(folder, tests), "the tests must pass to begin with"
            made = [(name, *mutant) for name in files for mutant in mutants((ROOT / name).read_text("utf-8"))]
            if options.sample:
                made = random.Random(0).sample(made, min(options.sample, len(made)))
            alive = 0
            for name, line, what, text in made:
                path = folder / name
                original = path.read_text("utf-8")
                path.write_text(text, "utf-8")
                if passes(folder, tests):
                    alive += 1
                    print(f"alive: {name}:{line}: {what}", flush=True)
                path.write_text(original, "utf-8")
            killed = len(made) - alive
            print(
                f"{part}: {killed} of {len(made)} mutants killed, {100 * killed / len(made):.0f} %",
                flush=True,
            )


if __name__ == "__main__":
    main()
