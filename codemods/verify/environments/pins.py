"""What a tree says that it requires, read without running any of it."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from msgspec import Struct

from codemods.verify.locate import Target

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LIBRARY = "transformers"

# A name, perhaps extras, versions, perhaps a marker: nothing that fetches from elsewhere or that
# pip would read as an option.
_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(\[[\w\s,.-]*\])?\s*\(?(?P<versions>[<>=!~][^;@()]*)?\)?\s*(?P<marker>;.*)?"
)


class Pins(Struct, frozen=True):
    """What an environment has to hold.

    Attributes:
        packages: requirements other than torch, sorted.
        torch: the requirement on torch itself.
        python: the versions of Python that will do, such as ``>=3.11.0``; empty for any.
        left_out: requirements that are no plain name and versions.
    """

    packages: tuple[str, ...]
    torch: str = "torch"
    python: str = ""
    left_out: tuple[str, ...] = ()

    def admits(self, version: tuple[int, ...]) -> bool:
        """Say whether a version of Python is not too old."""
        least = re.search(r">=\s*(\d+)\.(\d+)", self.python)
        return least is None or version >= (int(least[1]), int(least[2]))


def pins_of(target: Target) -> Pins:
    """Return what a tree requires; of several places that say so, the most exact counts."""
    project = [target.root, target.root.parent] if target.root.name == "src" else [target.root]
    table = _table(target.root.joinpath(*target.package.split(".")))
    said = [*_metadata(target), *_pyproject(project), *_setup(project, table), *_checked(target, table)]
    lines = next((found for found in said if found), [])
    if target.modules:
        lines = [*lines, *_requirements_txt(project)]
        if not any(_name(line) == LIBRARY for line in lines):
            lines = [*lines, _library_of_config(target.root)]
    return _pins(lines, table)


def _pins(lines: Iterable[str], table: dict[str, str]) -> Pins:
    packages, left_out = [], []
    torch = table.get("torch", "torch")
    python = table.get("python", "").removeprefix("python")
    for line in lines:
        match = _REQUIREMENT.fullmatch(line.strip())
        if match is None:
            left_out.append(line.strip())
            continue
        name = _name(line)
        if "extra" in (match["marker"] or ""):
            torch = f"torch{match['versions'] or ''}" if name == "torch" and torch == "torch" else torch
        elif name == "torch":
            torch = line.strip()
        elif name == "python":
            python = match["versions"] or ""
        elif not name.startswith(("torchvision", "torchaudio")):  # bound to one torch; text needs neither
            packages.append(line.strip())
    return Pins(tuple(sorted(set(packages))), torch, python, tuple(left_out))


def _name(line: str) -> str:
    match = _REQUIREMENT.match(line.strip())
    return match["name"].lower().replace("_", "-") if match else ""


def _metadata(target: Target) -> Iterator[list[str]]:
    """Yield what an unpacked wheel says of itself."""
    top = target.package.split(".")[0]
    for file in sorted(target.root.glob(f"{top}-*.dist-info/METADATA")):
        headers = HeaderParser().parsestr(file.read_text(encoding="utf-8", errors="replace"))
        python = [f"python{headers['Requires-Python']}"] if headers["Requires-Python"] else []
        yield [*python, *(headers.get_all("Requires-Dist") or [])]


def _pyproject(project: Iterable[Path]) -> Iterator[list[str]]:
    for folder in project:
        try:
            data = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        said = data.get("project", {})
        if isinstance(said.get("dependencies"), list):
            python = [f"python{said['requires-python']}"] if "requires-python" in said else []
            yield [*python, *map(str, said["dependencies"])]


def _setup(project: Iterable[Path], table: dict[str, str]) -> Iterator[list[str]]:
    """Yield the list that a ``setup.py`` calls ``install_requires``: strings, or names in the table."""
    for folder in project:
        for name, value in _assigned(folder / "setup.py"):
            if name == "install_requires" and isinstance(value, ast.List):
                yield [line for element in value.elts if (line := _literal(element, table))]


def _literal(element: ast.expr, table: dict[str, str]) -> str | None:
    of_table = isinstance(element, ast.Subscript)
    constant = element.slice if isinstance(element, ast.Subscript) else element
    if not (isinstance(constant, ast.Constant) and isinstance(constant.value, str)):
        return None
    return table.get(constant.value) if of_table else constant.value


def _table(package: Path) -> dict[str, str]:
    """Return the package's own table of versions, as transformers and its forks have it."""
    for name, value in _assigned(package / "dependency_versions_table.py"):
        if name == "deps" and isinstance(value, ast.Dict):
            table: dict[str, str] = ast.literal_eval(value)
            return table
    return {}


def _checked(target: Target, table: dict[str, str]) -> Iterator[list[str]]:
    """Yield the requirements that the package checks when it is imported."""
    package = target.root.joinpath(*target.package.split("."))
    for name, value in _assigned(package / "dependency_versions_check.py"):
        if name == "pkgs_to_check_at_runtime" and isinstance(value, ast.List):
            names = ast.literal_eval(value)
            yield [table[name] for name in names if name in table and name != "accelerate"]


def _assigned(file: Path) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that a module assigns, and what; none for one that cannot be read."""
    try:
        body = ast.parse(file.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return
    for statement in body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            yield statement.targets[0].id, statement.value


def _requirements_txt(project: Iterable[Path]) -> list[str]:
    for folder in project:
        try:
            lines = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            continue
        stripped = (re.sub(r"(^|\s)#.*", "", line).strip() for line in lines)
        return [line for line in stripped if line]
    return []


def _library_of_config(folder: Path) -> str:
    """Return the library in the version that ``config.json`` was written by, or in any."""
    try:
        data: Any = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        version = str(data["transformers_version"])
    except (OSError, ValueError, LookupError, TypeError):
        return LIBRARY
    return f"{LIBRARY}=={version}" if re.fullmatch(r"\d+(\.\d+)+", version) else LIBRARY
