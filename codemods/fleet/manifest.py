"""Manifests: TOML, JSON Lines, lists of words, paths, globs; each becomes entries.

An entry that cannot be used spoils no other: it becomes a row of the table, failed, with the reason. Only
a manifest that cannot be read at all is an error.
"""

from __future__ import annotations

import glob
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from msgspec import Struct
from msgspec.structs import replace

from codemods.fleet.entry import Entry, entry_from, kind_of, safe_name
from codemods.fleet.said import EntryError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class ManifestError(ValueError):
    """A manifest that cannot be read; one line says where and why."""


class Listed(Struct, frozen=True):
    """One repository as it was listed, and the reason why it cannot be used, if it cannot."""

    entry: Entry
    trouble: str = ""


def read_manifests(words: Sequence[str], stdin: TextIO, defaults: Mapping[str, Any]) -> list[Listed]:
    """Return every repository that ``words`` name, each under a name of its own, in order.

    Args:
        words: manifests (``.toml``, ``.jsonl``, ``.txt``), ``-`` for standard input, paths, globs, git
            URLs, pinned requirements.
        stdin: what ``-`` reads: a word or a JSON object on each line.
        defaults: what holds for every entry that does not say otherwise.

    Raises:
        ManifestError: if a manifest cannot be read or parsed.
    """
    found: list[Listed] = []
    for word in words:
        if word == "-":
            found += _lines(stdin, Path.cwd(), "<stdin>", defaults)
        elif word.endswith((".toml", ".jsonl", ".txt")) and Path(word).is_file():
            found += _file(Path(word), defaults)
        else:
            found += _word(word, Path.cwd(), defaults)
    return list(_with_unique_names(found))


def _file(path: Path, defaults: Mapping[str, Any]) -> Iterator[Listed]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    folder = path.absolute().parent
    if path.suffix != ".toml":
        yield from _lines(text.splitlines(), folder, str(path), defaults)
        return
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ManifestError(f"{path}: is not TOML: {error}") from None
    unknown = [key for key in document if key not in ("defaults", "repository")]
    if unknown:
        raise ManifestError(f"{path}: no table {unknown[0]!r}; there are [defaults] and [[repository]]")
    tables, common = document.get("repository", []), document.get("defaults", {})
    if not isinstance(tables, list) or not isinstance(common, dict):
        raise ManifestError(f"{path}: write [[repository]], with two brackets, and [defaults], with one")
    for number, table in enumerate(tables, 1):
        yield from _table(table, folder, f"{path}: repository {number}", _with_defaults(common, defaults))


def _lines(lines: Iterable[str], folder: Path, where: str, defaults: Mapping[str, Any]) -> Iterator[Listed]:
    for number, line in enumerate(lines, 1):
        word = line.strip()
        if not word or word.startswith("#"):
            continue
        if not word.startswith("{"):
            yield from _word(word, folder, defaults)
            continue
        try:
            table = json.loads(word)
        except json.JSONDecodeError as error:
            place = f"{where}:{number}:{error.colno}"
            yield _unusable(f"line-{number}", word, f"{place}: is not JSON: {error.msg}")
            continue
        yield from _table(table, folder, f"{where}:{number}:1", defaults)


def _word(word: str, folder: Path, defaults: Mapping[str, Any]) -> Iterator[Listed]:
    kind = kind_of(word)
    if kind == "path" and glob.has_magic(word) and not os.path.lexists(folder / word):
        pattern = str(folder / Path(word).expanduser())
        matches = sorted(glob.glob(pattern))  # noqa: PTH207 - patterns may be absolute
        if not matches:
            yield _unusable(safe_name(word), word, f"{word}: nothing matches")
        for match in matches:
            yield from _table({"path": match}, folder, match, defaults)
    else:
        yield from _table({kind: word}, folder, word, defaults)


def _table(table: Any, folder: Path, where: str, defaults: Mapping[str, Any]) -> Iterator[Listed]:
    if not isinstance(table, dict):
        yield _unusable("entry", str(table), f"{where}: must be a table of keys and values")
        return
    try:
        entry = entry_from(_with_defaults(table, defaults))
    except EntryError as error:
        named = table.get("name") or table.get("path") or table.get("git") or table.get("pypi") or "entry"
        yield _unusable(safe_name(str(named)), str(named), f"{where}: {error}")
        return
    if entry.kind == "path":
        # Absolute, but links stay as they are: the name of a link is what the user knows it by.
        path = os.path.abspath(folder / Path(entry.location).expanduser())  # noqa: PTH100
        entry = replace(entry, location=path)
    python = entry.verify.get("python", "")
    if os.path.dirname(python):  # noqa: PTH120 - a bare name is looked for on the search path
        entry = replace(entry, verify={**entry.verify, "python": str((folder / python).absolute())})
    yield Listed(entry)


def _with_defaults(table: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with what holds for all where it says nothing; options of the harness one by one."""
    merged = {**defaults, **table}
    both = (defaults.get("verify"), table.get("verify"))
    if all(isinstance(options, dict) for options in both):
        merged["verify"] = {**defaults["verify"], **table["verify"]}
    return merged


def _unusable(name: str, location: str, trouble: str) -> Listed:
    return Listed(Entry("path", location, name), trouble)


def _with_unique_names(found: Iterable[Listed]) -> Iterator[Listed]:
    """Number the later ones of repositories with one name; compare as file systems may: without case."""
    taken: set[str] = set()
    for listed in found:
        name = base = safe_name(listed.entry.name)
        number = 1
        while name.lower() in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name.lower())
        yield replace(listed, entry=replace(listed.entry, name=name))
