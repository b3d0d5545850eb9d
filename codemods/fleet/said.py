"""What a manifest or the command line tells the codemod and the harness, checked before anything runs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

_VERIFICATION_TYPES: dict[str, type] = {
    **dict.fromkeys(("models", "cases"), list),
    **dict.fromkeys(("python", "env"), str),
    "timeout": int,
}
_SPOKEN = {
    str: "a string",
    list: "a list of strings",
    bool: "true or false",
    int: "a whole number",
    dict: "a table",
}


class EntryError(ValueError):
    """An entry that cannot be used; one line says what is wrong with it."""


def options_from(data: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Check what the codemod is told, and return it with rules by their ids.

    Args:
        data: among other keys, those of ``[tool.flex_passthrough]``.
        where: what stands before a key in messages.

    Raises:
        EntryError: for a rule or mode that does not exist.
    """
    options = {key: data[key] for key in ("exclude", "unsafe-fixes", "line-length") if key in data}
    for key in ("select", "ignore"):
        if key in data:
            options[key] = _rules(data[key], f"{where}{key}")
    if "mode" in data:
        options["mode"] = _mode(data["mode"], f"{where}mode")
    return options


def _rules(names: list[str], where: str) -> list[str]:
    # The rules bring the whole analysis along, and most manifests name none.
    from codemods.flex_passthrough.command.config import ConfigError, rule_ids

    try:
        return list(rule_ids(names, where))
    except ConfigError as error:
        raise EntryError(str(error)) from None


def _mode(name: str, where: str) -> str:
    from codemods.flex_passthrough.settings import Mode

    choices = [mode.value for mode in Mode]
    if name not in choices:
        raise EntryError(f"{where} must be one of {', '.join(choices)}, not {name!r}")
    return name


def verification_from(data: Mapping[str, Any]) -> dict[str, Any]:
    """Check what the harness is told, and return it.

    Raises:
        EntryError: for an unknown key, a wrong type, a case or a kind of environment that does not exist.
    """
    from codemods.verify.cases import CASES, GROUPS

    check_types(data, _VERIFICATION_TYPES, "verify: ")
    known = [*CASES, *GROUPS, "all"]
    for case in data.get("cases", ()):
        if case not in known:
            raise EntryError(f"verify: no case {case!r}; {_hint(case, known)}")
    if data.get("env", "auto") != "auto":
        raise EntryError(
            f"verify: env must be 'auto', not {data['env']!r}; an interpreter is named by python"
        )
    return dict(data)


def check_types(data: Mapping[str, Any], types: Mapping[str, type], where: str = "") -> None:
    """Check keys and the types of what they say.

    Raises:
        EntryError: for an unknown key, or a wrong type.
    """
    for key, value in data.items():
        if key not in types:
            raise EntryError(f"{where}no key {key!r}; {_hint(str(key), types)}")
        wanted = types[key]
        right = isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))
        if not right or (wanted is list and not all(isinstance(item, str) for item in value)):
            raise EntryError(f"{where}{key} must be {_SPOKEN[wanted]}")


def _hint(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
