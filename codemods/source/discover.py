"""Finding the Python files that the user means."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from codemods.source.ignore import GITIGNORE, IgnoreRules, read_gitignore
from codemods.source.problem import Problem
from codemods.source.text import NOT_REGULAR, why_unreadable

# What tools put beside sources. A package of that name is source all the same.
_SKIPPED = frozenset(
    (
        "__pycache__",
        "__pypackages__",
        "_build",
        "buck-out",
        "build",
        "dist",
        "node_modules",
        "site-packages",
        "venv",
    )
)
# A folder with one of these is an environment, whatever its name.
_ENVIRONMENT_MARKS = frozenset(["pyvenv.cfg", "conda-meta"])


class Discovery(Struct, frozen=True):
    """What was found.

    Attributes:
        files: the Python files, each once, in the order of their paths.
        problems: paths and folders that could not be looked at.
        outside: links below the named folders that lead out of them. They are not followed: who wants
            such a file changed names it.
    """

    files: tuple[Path, ...]
    problems: tuple[Problem, ...] = ()
    outside: tuple[Path, ...] = ()


def discover(paths: Iterable[Path], exclude: Sequence[str] = ()) -> Discovery:
    """Find every Python file at and below ``paths``.

    A file that is named is always taken. Below a folder that is named these are passed over: hidden
    names, environments, caches and build output; what a ``.gitignore`` there, or above in the same
    repository, ignores; and links, since what they lead to is found where it really is.

    Args:
        paths: files and folders.
        exclude: patterns as in a ``.gitignore`` file in each named folder.

    Raises:
        ValueError: if one of ``exclude`` is not a pattern.
    """
    search = _Search(IgnoreRules(exclude) if exclude else None)
    for path in paths:
        search.take(path)
    return search.result()


class _Scope(Struct, frozen=True):
    """Ignore rules and the folder, a real path, that they are relative to."""

    rules: IgnoreRules
    folder: str

    def verdict(self, path: str) -> bool | None:
        return self.rules.verdict(path[len(_inside(self.folder)) :].replace(os.sep, "/"))


class _Search(Struct):
    """A discovery on its way: paths as the user spells them, by their real paths."""

    exclude: IgnoreRules | None
    files: dict[str, Path] = field(default_factory=dict)
    named_links: dict[str, Path] = field(default_factory=dict)
    found_links: list[tuple[str, Path]] = field(default_factory=list)
    roots: list[str] = field(default_factory=list)
    problems: set[Problem] = field(default_factory=set)

    def take(self, path: Path) -> None:
        """Take ``path``, a file or a folder that the user named."""
        try:
            mode = path.stat().st_mode
        except (OSError, ValueError) as error:
            self._report(path, error)
            return
        if stat.S_ISDIR(mode):
            self._walk(path)
        elif stat.S_ISREG(mode):
            found = self.named_links if path.is_symlink() else self.files
            found.setdefault(os.path.realpath(path), path)
        else:
            self.problems.add(Problem(path.as_posix(), 1, 1, NOT_REGULAR))

    def result(self) -> Discovery:
        """Return what was found, sorted."""
        files = self.named_links | self.files
        inside = tuple(_inside(root) for root in self.roots)
        outside = {
            link
            for real, link in self.found_links
            if real not in files and not _inside(real).startswith(inside)
        }
        return Discovery(tuple(sorted(files.values())), tuple(sorted(self.problems)), tuple(sorted(outside)))

    def _walk(self, root: Path) -> None:
        real_root = os.path.realpath(root)
        self.roots.append(real_root)
        excluded = (_Scope(self.exclude, real_root),) if self.exclude else ()
        pending = [(real_root, _scopes_above(Path(real_root)))]
        while pending:
            folder, scopes = pending.pop()
            shown = root / folder[len(_inside(real_root)) :]
            try:
                with os.scandir(folder) as listing:
                    entries = [(entry, _kind(entry)) for entry in listing]
            except OSError as error:
                self._report(shown, error)
                continue
            names = {entry.name for entry, _ in entries}
            if folder != real_root and _holds_no_source(shown.name, names):
                continue
            if GITIGNORE in names and (rules := read_gitignore(Path(folder))):
                scopes = (_Scope(rules, folder), *scopes)
            for entry, kind in entries:
                path = _inside(entry.path) if kind == "folder" else entry.path
                if kind is None or _is_ignored(path, (*excluded, *scopes)):
                    continue
                if kind == "folder":
                    pending.append((entry.path, scopes))
                elif kind == "file":
                    self.files.setdefault(entry.path, shown / entry.name)
                else:
                    self.found_links.append((os.path.realpath(entry.path), shown / entry.name))

    def _report(self, path: Path, error: OSError | ValueError) -> None:
        self.problems.add(Problem(path.as_posix(), 1, 1, why_unreadable(error)))


def _scopes_above(root: Path) -> tuple[_Scope, ...]:
    """Return the ignore rules of the repository around ``root``, the innermost first.

    Where they ignore a folder on the way to ``root``, they do not count: it was named.
    """
    way = [root]
    while not os.access(way[-1] / ".git", os.F_OK):
        if way[-1] == way[-1].parent:
            return ()
        way.append(way[-1].parent)
    scopes: tuple[_Scope, ...] = ()
    for folder, child in pairwise(reversed(way)):
        if rules := read_gitignore(folder):
            scopes = (_Scope(rules, str(folder)), *scopes)
        if _is_ignored(_inside(str(child)), scopes):
            scopes = ()
    return scopes


def _is_ignored(path: str, scopes: tuple[_Scope, ...]) -> bool:
    """Say whether ``path`` is ignored: the innermost rules that speak of it decide."""
    for scope in scopes:
        verdict = scope.verdict(path)
        if verdict is not None:
            return verdict
    return False


def _holds_no_source(name: str, names: set[str]) -> bool:
    """Say whether the folder ``name``, which holds ``names``, belongs to a tool."""
    return not names.isdisjoint(_ENVIRONMENT_MARKS) or (name in _SKIPPED and "__init__.py" not in names)


def _kind(entry: os.DirEntry[str]) -> Literal["file", "folder", "link"] | None:
    """Return what ``entry`` is, ``None`` if it is nothing to look for Python source in."""
    if entry.name.startswith("."):
        return None
    if entry.is_dir(follow_symlinks=False):
        return "folder"
    if entry.is_symlink():
        return "link" if _leads_to_source(entry) else None
    return "file" if entry.name.endswith(".py") and entry.is_file(follow_symlinks=False) else None


def _leads_to_source(link: os.DirEntry[str]) -> bool:
    try:
        mode = link.stat().st_mode
    except OSError:  # it leads nowhere
        return False
    return stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and link.name.endswith(".py"))


def _inside(folder: str) -> str:
    """Return what the paths of everything in ``folder`` start with."""
    return folder if folder.endswith(os.sep) else folder + os.sep
