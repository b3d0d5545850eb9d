"""One plan, one content: what each format's own consumer makes of it is what a run writes."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from codemods.flex_passthrough.api import Plan, apply, plan
from codemods.flex_passthrough.command import output
from codemods.review.html.page import render
from tests.review.test_sarif import apply_fix

ROOT = Path(__file__).parents[2]
GROVE = ROOT / "fixtures" / "modular"
Contents = dict[str, str]
_ROW = re.compile(
    r'<tr class="(\w+)"><td class="n">(\d*)</td><td class="n">\d*</td><td class="code">(.*?)</td></tr>'
)


def git(folder: Path, *arguments: str, data: bytes | None = None) -> None:
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, input=data, check=True, capture_output=True)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed repository without its converter: a root, mirrored files and copies."""
    folder = tmp_path_factory.mktemp("origin") / "grove"
    shutil.copytree(GROVE, folder, ignore=shutil.ignore_patterns("__pycache__", "utils"))
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", "before")
    return folder


@pytest.fixture(scope="module")
def planned(origin: Path) -> Plan:
    found = plan([origin])
    assert len(found.changes) == 7
    return found


@pytest.fixture(scope="module")
def written(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """What a run leaves, in a copy of its own."""
    copy = tmp_path_factory.mktemp("written") / "grove"
    shutil.copytree(origin, copy)
    apply(plan([copy]))
    return contents(copy)


def contents(folder: Path) -> Contents:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*.py")}


def rendered(planned: Plan, output_format: str) -> bytes:
    return output.data(planned, output_format, dry_run=True)


def text(planned: Plan, folder: Path) -> None:
    git(folder, "apply", "-", data=rendered(planned, "text"))


def patch(planned: Plan, folder: Path) -> None:
    if shutil.which("patch") is None:
        pytest.skip("patch is not installed")
    subprocess.run(["patch", "-p1", "--quiet"], input=rendered(planned, "patch"), cwd=folder, check=True)


def mbox(planned: Plan, folder: Path) -> None:
    git(folder, "am", "--quiet", data=rendered(planned, "mbox"))


def as_json(planned: Plan, folder: Path) -> None:
    files = [
        file for decision in json.loads(rendered(planned, "json"))["decisions"] for file in decision["files"]
    ]
    git(folder, "apply", "-", data="".join(file["diff"] for file in files).encode())


def jsonl(planned: Plan, folder: Path) -> None:
    lines = map(json.loads, rendered(planned, "jsonl").splitlines())
    files = [file for line in lines if line["type"] == "decision" for file in line["files"]]
    git(folder, "apply", "-", data="".join(file["diff"] for file in files).encode())


def sarif(planned: Plan, folder: Path) -> None:
    (run,) = json.loads(rendered(planned, "sarif"))["runs"]
    fixes = {result["partialFingerprints"]["decision/v1"]: result["fixes"][0] for result in run["results"]
             if "fixes" in result}  # fmt: skip
    for fix in fixes.values():
        for name, data in apply_fix(fix, run["originalUriBaseIds"]).items():
            (folder / name).write_bytes(data)


def page(planned: Plan, folder: Path) -> None:
    """Take lines from the page's tables, as somebody would who reads them."""
    for name, table in re.findall(
        r'<summary><span class="path">([^<]+)</span> <span class="how">.*?<tbody>(.*?)</tbody>',
        render(planned),
        re.DOTALL,
    ):
        lines = (folder / name).read_text().split("\n")
        at = 0
        result: list[str] = []
        for kind, old, code in _ROW.findall(table):
            line = html.unescape(re.sub(r"<[^>]+>", "", code))
            if kind == "add":
                result.append(line)
            elif kind in ("same", "del"):
                result += lines[at : int(old) - 1]
                at = int(old)
                assert lines[at - 1] == line
                result += [line] if kind == "same" else []
        (folder / name).write_text("\n".join(result + lines[at:]))


def libcst(planned: Plan, folder: Path) -> None:
    codemod = "codemods.flex_passthrough.libcst_command.FlexPassthroughCommand"
    command = [sys.executable, "-m", "libcst.tool", "codemod", "-x", codemod, "--no-format", "-j", "1"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [*command, folder / "src"], env=env, cwd=folder, check=True, capture_output=True, timeout=300
    )


@pytest.mark.parametrize("consumer", [text, patch, mbox, as_json, jsonl, sarif, page, libcst])
def test_every_format_says_the_same(
    origin: Path, planned: Plan, written: Contents, tmp_path: Path, consumer: Callable[[Plan, Path], None]
) -> None:
    copy = tmp_path / "grove"
    shutil.copytree(origin, copy)
    consumer(planned, copy)
    assert contents(copy) == written


def test_annotations_and_the_summary_of_the_job_name_every_file_that_changes(planned: Plan) -> None:
    said = rendered(planned, "github").decode()
    assert {finding.path for finding in planned.findings} == set(re.findall(r"file=([^,]+),", said))


@pytest.mark.parametrize("output_format", ["json", "mbox", "sarif", "html"])
def test_nothing_depends_on_the_order_of_sets(origin: Path, tmp_path: Path, output_format: str) -> None:
    assert len({run(origin, tmp_path, output_format, seed=seed) for seed in ("1", "2")}) == 1


def test_nothing_depends_on_which_conversion_ends_first(grove: Path, tmp_path: Path, monkeypatch) -> None:
    results = []
    for jobs in ("1", "3"):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"cache{jobs}"))  # so that both convert
        results.append(json.loads(run(grove, tmp_path, "json", "-j", jobs)))
    assert results[0] == results[1]
    assert "regenerated" in {file["how"] for file in results[0]["files"]}


def run(folder: Path, tmp_path: Path, output_format: str, *options: str, seed: str = "0") -> bytes:
    """Return what the command makes of a repository, as a user runs it."""
    file = tmp_path / "out"
    wanted = (
        ["--html", file] if output_format == "html" else ["--output-format", output_format, "--output", file]
    )
    command = [sys.executable, "-m", "codemods.flex_passthrough", folder, "--dry-run", "--no-cache", *options]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
    subprocess.run([*map(str, command + wanted)], env=env, check=True, capture_output=True, timeout=300)
    return file.read_bytes()
