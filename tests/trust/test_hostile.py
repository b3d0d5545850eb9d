"""Hostile files and trees: bounded time and memory, one clear line each, exit code 2, and the rest done."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

from codemods.flex_passthrough.command.config import ConfigError, load_config
from codemods.flex_passthrough.settings import Settings
from tests.trust.trees import METHOD, MODEL, model, package

ROOT = Path(__file__).parents[2]
SECONDS = 120  # far more than needed: how fast a machine is today is no property of the code
MEGABYTES = 1500

_LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[1]) << 20,) * 2)
sys.argv = sys.argv[2:]
runpy.run_module(sys.argv[0], run_name="__main__")
"""


def run(*arguments: str | Path, code: int, cwd: Path | None = None) -> str:
    """Run a command in bounded time and memory, and return what it says."""
    command = [
        sys.executable,
        "-c",
        _LIMITED,
        str(MEGABYTES),
        "codemods.flex_passthrough",
        *map(str, arguments),
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, timeout=SECONDS, env=env, cwd=cwd)
    said = done.stdout.decode("utf-8", "surrogateescape") + done.stderr.decode("utf-8", "surrogateescape")
    assert "Traceback" not in said, said
    assert done.returncode == code, said
    return said


def lines(said: str) -> list[str]:
    """Return the lines about what could not be done."""
    found = (line.strip() for line in said.splitlines())
    return [line for line in found if re.match(r"\S+:\d+:\d+: ", line) and "[fixed]" not in line]


def deep(statement: str) -> str:
    """Return a model whose mask method begins with ``statement``."""
    return model(METHOD.replace("    if", indent(statement, "    ") + "    if", 1))


# What is in the file, and the line that it gets.
FILES: dict[str, tuple[str | bytes, str]] = {
    "fifty_megabytes": (MODEL + "x = 1\n" * (50 * 1024 * 1024 // 6), "1:1: larger than 4 MB, and not read;"),
    "one_line": (MODEL + "x = [" + "1, " * (10 * 1024 * 1024 // 3) + "]\n", "1:1: larger than 4 MB"),
    "long_string": (MODEL + f"x = '{'a' * 10 * 1024 * 1024}'\n", "1:1: larger than 4 MB"),
    "brackets": (
        MODEL + "x = " + "(" * 10_000 + "1" + ")" * 10_000 + "\n",
        "does not parse: too many nested",
    ),
    "minuses": (MODEL + "x = " + "-" * 10_000 + "1\n", "does not parse: it is nested too deeply"),
    "attributes": (MODEL + "x = y" + ".a" * 10_000 + "\n", "does not parse: it is nested too deeply"),
    "elifs": (deep("if 0: pass\n" + "elif 1: pass\n" * 10_000), "does not parse: it is nested too deeply"),
    "some_elifs": (deep("if 0: pass\n" + "elif x: pass\n" * 400), "nested too deeply to be"),
    "null": (MODEL.encode() + b"\0", "null byte: this is not Python source"),
    "not_utf8": (MODEL.encode() + b"# \xff\xfe\n", "byte 0xff is not utf-8 text"),
    "no_such_cookie": (b"# coding: no-such\n" + MODEL.encode(), "1:11: 'no-such' is no text encoding"),
    "rot13": (b"# coding: rot13\n" + MODEL.encode(), "1:11: 'rot13' is no text encoding"),
    "syntax": (MODEL + "def (:\n", "does not parse: invalid syntax"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="memory can be limited like this on Linux only")
def test_hostile_files_get_a_line_each_and_the_rest_is_done(tmp_path: Path) -> None:
    root = package(tmp_path, **{name: content for name, (content, _) in FILES.items()})
    before = {path: path.read_bytes() for path in root.rglob("*.py")}
    said = run(root, code=2)
    assert "Fixed 1 finding at 1 root in 1 file." in said
    assert len(lines(said)) == len(FILES), said
    for name, (_, expected) in FILES.items():
        (line,) = [line for line in lines(said) if line.startswith(f"models/{name}/modeling_{name}.py:")]
        assert expected in line
    changed = {path.name for path, content in before.items() if path.read_bytes() != content}
    assert changed == {"modeling_tiny.py"}


# Python that is odd, not wrong: nothing is evaluated, nothing takes long, and the model is mended.
ODD = {
    "numbers": deep("y = 10**10**10\nz = 'a' * 10**12\nw = [0] * 10**12\nv = 1 << 10**12\n"),
    "formats": deep("y = '%1000000000d' % 1\nz = f'{1:1000000000}'\n"),
    "ranges": deep("for i in range(10**12): attention_mask.x\n"),
    "doubling": deep("z = attention_mask\n" + "z = (z, z)\n" * 60),
    "forking": deep("z = attention_mask\n" + "z = (z, None) if self.a else (None, z)\n" * 30),
    "calls_itself": MODEL + "\n    def f(self, mask, *a):\n        return self.f((mask, a), a, a)\n",
    "sum": deep("y = 0" + " + 1" * 300 + "\n"),
    "form_feeds": MODEL.replace("class TinyModel", "\fclass TinyModel"),
    "classes": MODEL + "".join(f"\n\nclass C{i}(TinyModel):\n    pass\n" for i in range(500)),
}


@pytest.mark.skipif(sys.platform != "linux", reason="memory can be limited like this on Linux only")
def test_odd_files_are_mended(tmp_path: Path) -> None:
    root = package(tmp_path, **ODD)
    said = run(root, code=0)
    assert f"in {len(ODD) + 1} files" in said
    assert "Nothing to fix" in run(root, "--check", code=0)


def test_what_cannot_be_edited_is_said(tmp_path: Path) -> None:
    root = package(tmp_path, old_mac=MODEL.replace("\n", "\r"))
    said = run(root, code=2)
    assert "Fixed 1 finding" in said
    (line,) = lines(said)
    assert "[failed]" in line


NAMES = (
    "a\nb",
    "a\rb",
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "\u202egnp",
    "::error::x%0A",
    "<img src=x onerror=alert(1)>",
    "[bold]x[bold",
    "-rf",
    "$(touch x)",
    "\\",
    "'\"",
    b"\xff".decode("utf-8", "surrogateescape"),
)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not have such names")
@pytest.mark.parametrize("broken", ["", "def (:\n"])
def test_names_are_escaped_in_every_report(tmp_path: Path, broken: str) -> None:
    root = package(tmp_path)
    for number, name in enumerate(NAMES):
        folder = root / "models" / f"{name}{number}"
        folder.mkdir()
        (folder / f"modeling_{name}.py").write_text(MODEL + broken)
    code = 2 if broken else 0
    said = run(root, "--dry-run", "-vv", code=code)
    for character in "\r\x1b\x07\u202e\x00":
        assert character not in said
    for line in said.splitlines():
        assert not line.startswith(("b", "0", "::error"))
    if not broken:
        patch = tmp_path / "patch"
        run(root, "--dry-run", "--output", patch, code=0)
        subprocess.run(["git", "apply", "-p1", str(patch)], cwd=root, check=True)
        assert "Nothing to fix" in run(root, "--check", code=0)


FORMATS = ("text", "json", "jsonl", "sarif", "github", "patch", "mbox")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not have such names")
@pytest.mark.parametrize("broken", ["", "def (:\n"])
def test_names_are_escaped_in_every_format(tmp_path: Path, broken: str) -> None:
    root = package(tmp_path)
    for number, name in enumerate(NAMES):
        folder = root / "models" / f"{name}{number}"
        folder.mkdir()
        (folder / f"modeling_{name}.py").write_text(MODEL + broken)
    for form in FORMATS:
        page = tmp_path / "page.html"
        said = run(root, "--check", "--output-format", form, "--html", page, code=2 if broken else 1)
        shown = page.read_text("utf-8")
        for character in "\r\x1b\x07\u202e\x00":
            assert character not in said, form
            assert character not in shown
        assert "<img src=x" not in shown
        assert not any(line.startswith("::error::x") for line in said.splitlines())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_links_fifos_and_devices_are_passed_over(tmp_path: Path) -> None:
    root = package(tmp_path)
    outside = tmp_path / "outside.py"
    outside.write_text(MODEL)
    (root / "loop").symlink_to("loop")
    (root / "up").symlink_to("..")
    for name, target in {
        "loop": "modeling_loop.py",
        "nowhere": "/nowhere",
        "secret": "/etc/passwd",
        "zero": "/dev/zero",
        "outside": "../outside.py",
    }.items():
        (root / f"modeling_{name}.py").symlink_to(target)
    os.mkfifo(root / "modeling_fifo.py")
    os.mkfifo(root / ".gitignore")
    os.mkfifo(root / "pyproject.toml")
    (root / "sub").mkdir()
    os.mkfifo(root / "sub/__init__.py")
    (root / "sub/modeling_sub.py").write_text(MODEL.replace("from ...", "from pkg."))
    assert "Fixed" in run(root, code=0)
    assert outside.read_text() == MODEL
    for name in ("fifo", "loop"):
        assert lines(run(root / f"modeling_{name}.py", "--check", code=2))


def test_a_tree_that_changes_while_it_is_read(tmp_path: Path) -> None:
    root = package(tmp_path, other=MODEL)
    script = """
import sys, threading
from pathlib import Path
from codemods.flex_passthrough.api import apply, plan
root = Path(sys.argv[1])
planned = plan([root])
assert len(planned.changes) == 2
(root / "models/tiny/modeling_tiny.py").unlink()
(root / "models/other/modeling_other.py").write_text("mine")
for outcome in apply(planned):
    print(outcome.status, outcome.problem)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(root)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=SECONDS,
    )
    assert done.stdout.splitlines() == [
        "failed models/other/modeling_other.py:1:1: has changed since it was read; it is left as it is,"
        " run again",
        "failed models/tiny/modeling_tiny.py:1:1: has vanished since it was read",
    ], done.stderr


@pytest.mark.parametrize(
    "value",
    ["select = 7", "select = [7]", "exclude = {}", "mode = []", "unsafe-fixes = 'yes'", "line-length = 1.5"],
)
def test_configuration_with_surprising_types(tmp_path: Path, value: str) -> None:
    config = tmp_path / "pyproject.toml"
    config.write_text(f"[tool.flex_passthrough]\n{value}\n")
    with pytest.raises(ConfigError, match=r"pyproject\.toml"):
        load_config(config, required=False)


@pytest.mark.parametrize(
    "line", [r'"a\nb\u001b[31m" = 1', r'mode = "\u001b]0;x\u0007"', r'select = ["x\n::error::y"]']
)
def test_configuration_forges_no_line(tmp_path: Path, line: str) -> None:
    config = tmp_path / "pyproject.toml"
    config.write_text(f"[tool.flex_passthrough]\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(config, required=False)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["tool = 7\n", "[tool]\nruff = []\nblack = {line-length = 'x'}\n", ""])
def test_configuration_that_is_somebody_else_s(tmp_path: Path, text: str) -> None:
    config = tmp_path / "pyproject.toml"
    config.write_text(text)
    assert load_config(config, required=True) == Settings()


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"[" * 100_000, b"\0", b"a = " + b"[" * 5000, b"#" * 5_000_000]
)
def test_configuration_that_is_no_toml(tmp_path: Path, content: bytes) -> None:
    config = tmp_path / "pyproject.toml"
    config.write_bytes(content)
    assert load_config(config, required=False) == Settings()
    with pytest.raises(ConfigError, match=r"pyproject\.toml"):
        load_config(config, required=True)
