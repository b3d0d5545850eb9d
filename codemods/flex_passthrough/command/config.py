"""``[tool.flex_passthrough]`` in the nearest ``pyproject.toml``."""

from __future__ import annotations

import difflib
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from codemods.flex_passthrough.settings import Mode, Settings
from codemods.source.problem import SourceError, printable
from codemods.source.text import read_bytes

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SECTION = "tool.flex_passthrough"

_KEYS: dict[str, type] = {
    "select": list,
    "ignore": list,
    "exclude": list,
    "unsafe-fixes": bool,
    "annotate": bool,
    "mode": str,
    "line-length": int,
}


class ConfigError(ValueError):
    """A configuration that cannot be used; its text is one line that says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))  # it quotes what a tree's own file says


def find_config(start: Path) -> Path | None:
    """Return the nearest ``pyproject.toml`` at or above ``start``; a repository's top ends the search."""
    folder = start if _is(start, stat.S_ISDIR) else start.parent
    for candidate in (folder, *folder.parents):
        path = candidate / "pyproject.toml"
        if _is(path, stat.S_ISREG):
            return path
        if os.access(candidate / ".git", os.F_OK):
            return None
    return None


def _is(path: Path, kind: Callable[[int], bool]) -> bool:
    """Whether something of a kind is at ``path``; nothing is where nobody may look, or under no name."""
    try:
        return kind(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def load_config(path: Path, *, required: bool) -> Settings:
    """Read the settings in ``path``.

    Args:
        path: a ``pyproject.toml``.
        required: whether the user named the file. What was only found lying there may belong to a
            tool with other ideas of TOML, so it is passed over if it does not parse.

    Raises:
        ConfigError: for unknown keys, wrong types or unknown rules.
    """
    try:
        document = tomllib.loads(read_bytes(path, str(path)).decode("utf-8"))
    except SourceError as error:
        if not required:
            return Settings()
        raise ConfigError(str(error)) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        if not required:
            return Settings()
        raise ConfigError(f"{path}: cannot be read as TOML: {error}") from None
    tool = document.get("tool", {})
    section = tool.get("flex_passthrough", {}) if isinstance(tool, dict) else {}
    if not isinstance(section, dict):
        raise ConfigError(f"{path}: [{SECTION}] must be a table")
    for key, value in section.items():
        _check(path, key, value)
    return Settings(
        select=rule_ids(section.get("select", ()), f"{path}: select"),
        ignore=rule_ids(section.get("ignore", ()), f"{path}: ignore"),
        exclude=tuple(section.get("exclude", ())),
        unsafe_fixes=section.get("unsafe-fixes", False),
        annotate=section.get("annotate", False),
        mode=_mode(path, section.get("mode", "auto")),
        line_length=section.get("line-length", _formatter_width(tool)),
    )


def rule_ids(names: Any, where: str) -> tuple[str, ...]:
    """Return rule ids as written anywhere: in any case, by id or by name.

    Raises:
        ConfigError: for a rule that does not exist, with the nearest one that does.
    """
    if not names:
        return ()
    from codemods.flex_passthrough.rules import RULES  # a run that remembers its plan asks no rule

    by_name = {rule.name: rule.id for rule in RULES.values()}
    ids = []
    for name in names:
        text = str(name).strip()
        found = by_name.get(text.lower()) or (text.upper() if text.upper() in RULES else None)
        if found is None:
            raise ConfigError(f"{where}: no rule '{text}'{_suggest(text.upper(), [*RULES, *by_name])}")
        ids.append(found)
    return tuple(ids)


def _check(path: Path, key: str, value: Any) -> None:
    if key not in _KEYS:
        raise ConfigError(f"{path}: [{SECTION}] has no key '{key}'{_suggest(key, list(_KEYS))}")
    expected = _KEYS[key]
    right = isinstance(value, expected) and not (expected is int and isinstance(value, bool))
    if expected is list:
        right = right and all(isinstance(item, str) for item in value)
    if not right:
        wanted = (
            "a list of strings"
            if expected is list
            else {bool: "true or false", str: "a string"}.get(expected, "a whole number")
        )
        raise ConfigError(f"{path}: [{SECTION}] {key} must be {wanted}")


def _mode(path: Path, value: str) -> Mode:
    try:
        return Mode(value)
    except ValueError:
        choices = ", ".join(mode.value for mode in Mode)
        raise ConfigError(f"{path}: [{SECTION}] mode must be one of {choices}, not '{value}'") from None


def _suggest(word: str, choices: list[str]) -> str:
    near = difflib.get_close_matches(word, choices, n=1)
    return f"; did you mean '{near[0]}'?" if near else f"; there are {', '.join(choices)}"


def _formatter_width(tool: Any) -> int | None:
    """Return the line length that the tree's own formatter is set to."""
    for name in ("ruff", "black"):
        section = tool.get(name, {}) if isinstance(tool, dict) else {}
        width = section.get("line-length") if isinstance(section, dict) else None
        if isinstance(width, int) and not isinstance(width, bool):
            return width
    return None
