"""Measures this command beside others on the same trees: what ``scripts/bench`` does.

Every run is a whole process, from its start to its end. The tools take turns, round by round, so that
a machine that gets busier slows all of them; what counts is the ratio of medians within one run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BUILD = Path("build/bench")
RESULTS, PLOT = Path("docs/speed.md"), Path("docs/speed.svg")
RELEASES = ("4.51.3", "5.24.0")
# The model file that changes: in 5.x nearly all others are made from it.
MODEL = "models/llama/modeling_llama.py"
COPIES = (1, 2, 4, 8)
NAME = "_update_causal_mask"
START, END = "<!-- measured -->", "<!-- end -->"

Command = Callable[[Sequence[Path]], "list[str] | None"]


@dataclass(frozen=True)
class Tool:
    """Something to measure: what it does, its command line for some trees, and what comes before it."""

    name: str
    does: str
    command: Command
    prepare: Callable[[Sequence[Path]], None] = lambda trees: None
    is_slow: bool = False


@dataclass
class Runs:
    """The measurements of one tool on one set of trees."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median of processor seconds."""
        return statistics.median(self.cpu)


def main() -> None:
    """Measure, and put the tables and the plot into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", action="append", help="a release of transformers (repeatable)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", help="the name of a tool (repeatable)")
    parser.add_argument("--quick", action="store_true", help="one release, one round, no slow tools")
    parser.add_argument("--no-copies", action="store_true", help="no folders of 2, 4 and 8 copies")
    options = parser.parse_args()
    releases = options.release or (RELEASES[:1] if options.quick else RELEASES)
    rounds = 1 if options.quick else options.rounds
    chosen = [tool for tool in TOOLS if not (options.quick and tool.is_slow)]
    if options.only:
        chosen = [tool for tool in TOOLS if tool.name in options.only]
    compile_all()
    parts = []
    for release in releases:
        tree = unpacked(release)
        parts.append(table(release, tree, measure(chosen, [tree], rounds)))
    if not options.no_copies:
        tree = unpacked(releases[0])
        ours = [tool for tool in TOOLS if tool.name in ("ours", "ours, warm", "ripgrep")]
        grown = {count: measure(ours, copies(tree, count), rounds) for count in COPIES}
        parts.append(copies_table(releases[0], grown))
        PLOT.write_text(plot(grown), encoding="utf-8")
    text = RESULTS.read_text(encoding="utf-8")
    head, _, rest = text.partition(START)
    _, _, tail = rest.partition(END)
    RESULTS.write_text(f"{head}{START}\n\n" + "\n".join(parts) + f"\n{END}{tail}", encoding="utf-8")
    print(f"wrote {RESULTS}")


def measure(tools: Sequence[Tool], trees: Sequence[Path], rounds: int) -> dict[str, Runs]:
    """Run the tools in turns, ``rounds`` times."""
    runs: dict[str, Runs] = {}
    for turn in range(rounds):
        for tool in tools:
            command = tool.command(trees)
            if command is None:
                continue
            tool.prepare(trees)
            wall, cpu, memory = run(command)
            each = runs.setdefault(tool.name, Runs())
            each.wall.append(wall)
            each.cpu.append(cpu)
            each.memory.append(memory)
            print(
                f"round {turn + 1}: {tool.name}: {cpu:.2f} s CPU, {wall:.2f} s, {memory:.0f} MB", flush=True
            )
    return runs


def run(command: list[str]) -> tuple[float, float, float]:
    """Run a command; return wall seconds, processor seconds with those of children, and peak megabytes."""
    started = time.perf_counter()
    with open(os.devnull, "r+b") as nowhere:  # noqa: PTH123
        process = subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, env=environment())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def environment() -> dict[str, str]:
    """Return an environment with a cache of our own, and with the tools beside this interpreter."""
    return {
        **os.environ,
        "CODEMODS_CACHE_DIR": str((BUILD / "cache").resolve()),
        "PYTHONPATH": str(Path.cwd()),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def compile_all() -> None:
    """Compile the package, as an installation does."""
    subprocess.run([sys.executable, "-m", "compileall", "-q", "codemods"], check=True)


def ours(*arguments: str) -> Command:
    """Return our command with some options."""
    return lambda trees: [
        *(sys.executable, "-m", "codemods.flex_passthrough", "--quiet", "--no-progress"),
        *(*arguments, *map(str, trees)),
    ]


def cold(trees: Sequence[Path]) -> None:
    """Forget what earlier runs found out."""
    shutil.rmtree(BUILD / "cache", ignore_errors=True)


def warm(trees: Sequence[Path]) -> None:
    """Run our command once, so that the next run finds what it left."""
    run(ours("--check")(trees) or [])


def touch_model(trees: Sequence[Path]) -> None:
    """Change one model file, with the cache full."""
    warm(trees)
    touch(trees[0] / MODEL)


def touch(file: Path) -> None:
    """Add a comment to a file."""
    file.write_text(file.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")


def warm_hook(trees: Sequence[Path]) -> None:
    """Run the hook once, so that the next run finds what it left."""
    run(hooked(trees) or [])


def touch_hooked(trees: Sequence[Path]) -> None:
    """Change the file that the hook looks at, with the cache full."""
    warm_hook(trees)
    touch(trees[0] / MODEL)


def hooked(trees: Sequence[Path]) -> list[str] | None:
    """Return what a pre-commit hook runs for one changed model file."""
    return ours("--check")([trees[0] / MODEL])


def found(program: str, *arguments: str) -> Command:
    """Return a command of a program that may not be there."""

    def command(trees: Sequence[Path]) -> list[str] | None:
        path = shutil.which(program, path=environment()["PATH"])
        return None if path is None else [path, *arguments, *map(str, trees)]

    return command


def semgrep(trees: Sequence[Path]) -> list[str] | None:
    """Return a semgrep run with one pattern."""
    return found("semgrep", "--metrics=off", "--quiet", "--lang", "python", "--pattern", NAME)(trees)


def libcst_runner(trees: Sequence[Path]) -> list[str] | None:
    """Return LibCST's own runner with a transformer of four lines that inserts the guard."""
    folder = BUILD / "libcst"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "insert_guard.py").write_text(FOUR_LINES, encoding="utf-8")
    (folder / ".libcst.codemod.yaml").write_text("modules: [insert_guard]\nformatter: []\n", encoding="utf-8")
    code = (
        f"import os, sys; os.chdir({str(folder.resolve())!r}); sys.path.insert(0, '.');"
        "from libcst.tool import main; sys.exit(main('libcst.tool', sys.argv[1:]))"
    )
    options = ["codemod", "-x", "insert_guard.InsertGuard", "--no-format", "-j", "2", "-u", "3"]
    return [sys.executable, "-c", code, *options, *(str(tree.resolve()) for tree in trees)]


def fixit(trees: Sequence[Path]) -> list[str] | None:
    """Return a Fixit run with one of its own rules."""
    return found("fixit", "--rules", "fixit.rules:NoStaticIfCondition", "lint")(trees)


FOUR_LINES = f"""
import libcst as cst
from libcst.codemod import VisitorBasedCodemodCommand

GUARD = cst.parse_statement("if isinstance(attention_mask, BlockMask):\\n    return attention_mask\\n")


class InsertGuard(VisitorBasedCodemodCommand):
    DESCRIPTION = "Insert the guard into every {NAME}."

    def leave_FunctionDef(self, original_node, updated_node):
        if original_node.name.value != "{NAME}":
            return updated_node
        body = updated_node.body
        return updated_node.with_changes(body=body.with_changes(body=[GUARD, *body.body]))
"""

TOOLS = (
    Tool("ripgrep", "finds the bare name in bytes", found("rg", "--type", "py", "--count", NAME)),
    Tool(
        "git grep",
        "finds the bare name in bytes",
        lambda trees: ["git", "grep", "--no-index", "-c", NAME, "--", *map(str, trees)],
    ),
    Tool(
        "ours",
        "follows masks through all models, plans all edits, keeps the plan",
        ours("--check"),
        cold,
    ),
    Tool("ours, dry run", "the same, and prints all diffs", ours("--dry-run", "--no-cache")),
    Tool("ours, warm", "the same, nothing changed since", ours("--check"), warm),
    Tool("ours, one model changed", "the same, after one model file changed", ours("--check"), touch_model),
    Tool(
        "ours, one file",
        "one model file, as a hook names it, unchanged",
        hooked,
        warm_hook,
    ),
    Tool("ours, one file changed", "the same, after the file changed", hooked, touch_hooked),
    Tool(
        "ruff",
        "two rules on every file",
        found("ruff", "check", "--isolated", "--no-cache", "--select", "F401,E711"),
    ),
    Tool(
        "ast-grep",
        "finds the bare name in syntax trees",
        found("ast-grep", "run", "--lang", "python", "--pattern", NAME),
    ),
    Tool("semgrep", "finds the bare name in syntax trees", semgrep),
    Tool(
        "LibCST's runner", "inserts the guard by name, no imports, prints diffs", libcst_runner, is_slow=True
    ),
    Tool("Fixit", "one of its own rules on every file", fixit, is_slow=True),
)


def unpacked(release: str) -> Path:
    """Return the package of a release, unpacked once."""
    folder = BUILD / release
    if not (folder / "transformers").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
        subprocess.run([*command, f"transformers=={release}"], check=True)
        for wheel in folder.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(folder)
    return folder / "transformers"


def copies(tree: Path, count: int) -> list[Path]:
    """Return ``count`` copies of a tree, each a package of its own."""
    made = []
    for number in range(count):
        copy = BUILD / "copies" / str(number) / tree.name
        if not copy.is_dir():
            shutil.copytree(tree, copy)
        made.append(copy)
    return made


def table(release: str, tree: Path, runs: dict[str, Runs]) -> str:
    """Return what was measured on one release as a Markdown table."""
    files = list(tree.rglob("*.py"))
    size = sum(path.stat().st_size for path in files) / 1e6
    fastest = min((each.seconds for name, each in runs.items() if "ours" not in name), default=1.0)
    rounds = max(len(each.cpu) for each in runs.values())
    lines = [
        f"transformers {release}: {len(files)} files, {size:.0f} MB; medians of {rounds}.",
        "",
        "| tool | what it does | CPU s | wall s | times the quickest | peak MB |",
        "|---|---|---|---|---|---|",
    ]
    does = {tool.name: tool.does for tool in TOOLS}
    for name, each in sorted(runs.items(), key=lambda pair: pair[1].seconds):
        ratio = each.seconds / max(fastest, 0.001)
        lines.append(
            f"| {name} | {does[name]} | {each.seconds:.2f} | {statistics.median(each.wall):.2f} "
            f"| {ratio:.0f} | {max(each.memory):.0f} |"
        )
    return "\n".join([*lines, ""])


def copies_table(release: str, grown: dict[int, dict[str, Runs]]) -> str:
    """Return what copies of one tree cost, as times one copy."""
    names = list(next(iter(grown.values())))
    lines = [
        f"Copies of {release} in one run, processor time as a multiple of one copy:",
        "",
        f"| tool | {' | '.join(map(str, grown))} |",
        f"|---|{'---|' * len(grown)}",
    ]
    for name in names:
        one = grown[min(grown)][name].seconds
        cells = [f"{runs[name].seconds / max(one, 0.001):.1f}" for runs in grown.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def plot(grown: dict[int, dict[str, Runs]]) -> str:
    """Draw processor seconds over the number of copies, both axes by powers of two."""
    from math import log2

    width, height, margin = 560, 320, 48
    names = list(next(iter(grown.values())))
    values = [runs[name].seconds for runs in grown.values() for name in names]
    low, high = log2(max(min(values), 0.01)), log2(max(values))
    right = log2(max(grown)) or 1

    def x(count: int) -> float:
        return margin + (width - 2 * margin) * log2(count) / right

    def y(seconds: float) -> float:
        return (
            height - margin - (height - 2 * margin) * (log2(max(seconds, 0.01)) - low) / ((high - low) or 1)
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">'
    ]
    parts.append(f'<text x="{margin}" y="20" font-size="13">processor seconds over copies of one tree</text>')
    for count in grown:
        parts.append(f'<text x="{x(count):.0f}" y="{height - 20}" font-size="11">{count}</text>')
    for name, color in zip(names, ("#4477aa", "#cc3311", "#228833", "#aa3377"), strict=False):
        line = [(x(count), y(runs[name].seconds), runs[name].seconds) for count, runs in grown.items()]
        points = " ".join(f"{left:.1f},{top:.1f}" for left, top, _ in line)
        parts.append(f'<polyline fill="none" stroke="{color}" stroke-width="2" points="{points}"/>')
        parts.append(
            f'<text x="{line[0][0]:.0f}" y="{line[0][1] - 6:.0f}" font-size="11" fill="{color}">{name}</text>'
        )
        for left, top, seconds in line:
            parts.append(f'<circle cx="{left:.1f}" cy="{top:.1f}" r="3" fill="{color}"/>')
            parts.append(f'<text x="{left + 5:.0f}" y="{top + 12:.0f}" font-size="9">{seconds:.2f}</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    main()
