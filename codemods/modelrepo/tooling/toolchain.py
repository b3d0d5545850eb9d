"""The tools that a repository's scripts call: an interpreter, and the formatter it asks for."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from codemods.modelrepo.tooling.process import run_tool

INSTALL_SECONDS = 120

# Where repositories say which ruff they want; the first that does counts.
_PIN_FILES = ("setup.py", "pyproject.toml", "src/*/dependency_versions_table.py", "*requirements*.txt")
_PIN = re.compile(r"""\bruff\s*==\s*([0-9][\w.]*)""")


class ToolMissingError(Exception):
    """A tool that regeneration cannot do without; ``str()`` says which, and what to do about it."""


class Toolchain(Struct, frozen=True):
    """The interpreter and formatter that conversions run with.

    Attributes:
        python: the interpreter.
        ruff: the formatter's program.
        ruff_version: what it says it is.
        notice: one line where it is not the formatter that the repository asks for; else empty.
    """

    python: Path
    ruff: Path
    ruff_version: str
    notice: str = ""

    def environment(self, import_root: Path, light: bool = True) -> dict[str, str]:
        """Return the environment for scripts that import the library below ``import_root``.

        Without it on the path, a converter reads parents from an installed library and drops the
        edit without a word. Sets are iterated in one order, so that two runs compare.

        Args:
            import_root: the folder that holds the library.
            light: whether the scripts do without torch, which takes long to import.
        """
        variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        without = {"USE_TORCH": "0", "USE_TF": "0", "USE_FLAX": "0"} if light else {}
        return (
            variables
            | without
            | {
                "PATH": os.pathsep.join([str(self.ruff.parent), variables.get("PATH", os.defpath)]),
                "PYTHONPATH": str(import_root),
                "PYTHONHASHSEED": "0",
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONUTF8": "1",
                "HF_HUB_OFFLINE": "1",
                "NO_COLOR": "1",
            }
        )


def pinned_ruff(root: Path) -> str | None:
    """Return the version of ruff that the repository at ``root`` pins, or None."""
    for pattern in _PIN_FILES:
        for file in sorted(root.glob(pattern)):
            found = _PIN.search(file.read_text(encoding="utf-8", errors="replace"))
            if found:
                return found[1]
    return None


def find_toolchain(root: Path, cache: Path, python: Path | None = None, install: bool = True) -> Toolchain:
    """Find the tools for the repository at ``root``.

    The pinned ruff is taken from the path, from beside the interpreter, from ``cache``, or
    installed there, in this order. Where it cannot be had, another one does: what a formatter of
    another year changes by itself is told apart from the edit (see ``regenerate``).

    Args:
        root: the repository.
        cache: a folder for downloaded tools.
        python: the interpreter for the repository's scripts; the current one when left out.
        install: whether a missing ruff may be downloaded.

    Raises:
        ToolMissingError: if there is no ruff at all.
    """
    python = python or Path(sys.executable)
    wanted = pinned_ruff(root)
    fallback: tuple[Path, str] | None = None
    for program in _candidates(python, cache, wanted):
        version = _version(program)
        if version is not None and wanted in (None, version):
            return Toolchain(python, program, version)
        if version is not None and fallback is None:
            fallback = program, version
    reason = "installing is switched off"
    if wanted is not None and install:
        reason = _install(python, cache, wanted)
        version = _version(_cached(cache, wanted))
        if version == wanted:
            return Toolchain(python, _cached(cache, wanted), version)
    if fallback is None:
        exact = f"ruff=={wanted}" if wanted else "ruff"
        raise ToolMissingError(f"regeneration needs {exact} ({reason}); put it on PATH: pip install {exact}")
    program, version = fallback
    notice = f"ruff {wanted} cannot be had ({reason}); ruff {version} formats instead, only the edit is kept"
    return Toolchain(python, program, version, notice)


def _candidates(python: Path, cache: Path, wanted: str | None) -> Iterator[Path]:
    if wanted is not None:
        yield _cached(cache, wanted)
    name = "ruff.exe" if os.name == "nt" else "ruff"
    for folder in (str(python.parent), *os.get_exec_path()):
        yield Path(folder, name)


def _cached(cache: Path, version: str) -> Path:
    return cache / f"ruff-{version}" / "bin" / ("ruff.exe" if os.name == "nt" else "ruff")


def _version(program: Path) -> str | None:
    if not program.is_file():
        return None
    outcome = run_tool([program, "--version"], Path.cwd(), os.environ, seconds=20)
    found = re.search(r"(\d[\w.]*)", outcome.output) if outcome.status == 0 else None
    return found[1] if found else None


def _install(python: Path, cache: Path, version: str) -> str:
    """Install ruff into ``cache`` in one step, so that a killed run leaves nothing half done."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            target = Path(folder, "ruff")
            command: list[str | Path] = [
                python,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ]
            command += ["--no-deps", "--only-binary", ":all:", "--target", target, f"ruff=={version}"]
            outcome = run_tool(command, Path(folder), os.environ, INSTALL_SECONDS)
            if outcome.status != 0:
                return f"pip: {outcome.reason}"
            final = cache / f"ruff-{version}"
            shutil.rmtree(final, ignore_errors=True)
            target.replace(final)
    except OSError as error:
        return str(error)
    return ""
