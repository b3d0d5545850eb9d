"""The repository's own consistency checks, run on scratch copies with and without an edit.

A check may ask git which models differ from ``main``, and looks at those only. So each side is a git
repository of its own, on a branch of which ``main`` is the other side: both sides then look at the same
models. The checks that rewrite files while they look cannot reach the user's.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from msgspec import Struct

from codemods.modelrepo.tooling.checkout import Checkout
from codemods.modelrepo.tooling.process import Outcome, Runner
from codemods.modelrepo.tooling.scratch import (
    ScratchError,
    copy_plain,
    ignored_names,
    plain,
    temporary_folder,
)
from codemods.modelrepo.tooling.toolchain import Toolchain

# A target such as ``repo-consistency:`` names the checks, one in each line of its recipe.
_TARGET = re.compile(r"^[\w-]*consistency[\w-]*:[^\n=]*\n((?:\t.*\n?)+)", re.MULTILINE)
_CHECK = re.compile(r"^\t@?python3? (utils/\w+\.py)(.*)$", re.MULTILINE)
_USUAL = ("utils/check_copies.py", "utils/check_modular_conversion.py")

# Larger files are weights and data; no check reads them.
_LARGEST = 10_000_000
_GIT_SECONDS = 300

_COLOR = re.compile(r"\x1b\[[0-9;]*m")

Report = Callable[[int, int, str], None]


class Comparison(Struct, frozen=True):
    """What one check says of the repository before and after an edit.

    Attributes:
        check: the command, without the interpreter.
        before: what came of it without the edit.
        after: what came of it with the edit.
    """

    check: str
    before: Outcome
    after: Outcome

    @property
    def is_worse(self) -> bool:
        """Whether the check has something to say that it did not say before."""
        return self.after.status != 0 and (self.before.status == 0 or bool(self.new_lines))

    @property
    def new_lines(self) -> list[str]:
        """The lines that are said only after the edit, numbers within them aside."""
        seen = Counter(map(_shape, self.before.output.splitlines()))
        new = []
        for line in self.after.output.splitlines():
            shape = _shape(line)
            if shape and not seen[shape]:
                new.append(line.strip())
            seen[shape] -= seen[shape] > 0
        return new

    def __str__(self) -> str:
        before, after = self.before, self.after
        if before.status == after.status == 0:
            return f"{self.check}: clean before and after"
        if after.status == 0:
            return f"{self.check}: clean after, and not before: {before.reason}"
        if before.status == 0:
            return f"{self.check}: clean before, and not after: {after.reason}"
        if self.is_worse:
            return f"{self.check}: says after what it did not say before: {self.new_lines[0]}"
        return f"{self.check}: says the same before and after: {after.reason}"


def find_checks(root: Path) -> tuple[str, ...]:
    """Return the checks that the repository at ``root`` holds itself to, as command lines for python."""
    makefile = root / "Makefile"
    text = makefile.read_text(encoding="utf-8", errors="replace") if makefile.is_file() else ""
    recipes = "".join(found[1] for found in _TARGET.finditer(text))
    named = [f"{script}{rest.rstrip()}" for script, rest in _CHECK.findall(recipes)]
    found = named or list(_USUAL)
    return tuple(dict.fromkeys(check for check in found if (root / check.split()[0]).is_file()))


def compare_checks(
    checkout: Checkout,
    toolchain: Toolchain,
    changed: Mapping[Path, bytes],
    seconds: float = 1800,
    report: Report = lambda done, total, name: None,
) -> list[Comparison]:
    """Run the checks of ``checkout`` without and with an edit; the user's tree is only read.

    Args:
        checkout: the repository.
        toolchain: what its scripts run with.
        changed: the edit: the new bytes of files.
        seconds: the time limit of one check.
        report: called with the number of runs done, the number of all, and what was run.

    Raises:
        ScratchError: if no copy could be made.
    """
    checks = find_checks(checkout.root)
    before = {path: path.read_bytes() for path in changed}
    runner = Runner()
    done = count(1)

    def run_all(side: _Side) -> list[Outcome]:
        outcomes = []
        for check in checks:
            outcomes.append(side.run(check, seconds))
            report(next(done), 2 * len(checks), check)
        return outcomes

    with temporary_folder(checkout) as folder, ThreadPoolExecutor(max_workers=2) as pool:
        try:
            sides = [
                _Side(checkout, toolchain, runner, folder / "0", main=changed, branch=before),
                _Side(checkout, toolchain, runner, folder / "1", main=before, branch=changed),
            ]
            without, with_edit = pool.map(run_all, sides)
        except BaseException:  # an interrupt must not wait for checks to end
            pool.shutdown(wait=False, cancel_futures=True)
            runner.stop()
            raise
    return [Comparison(*each) for each in zip(checks, without, with_edit, strict=True)]


class _Side:
    """A copy of the whole repository, with or without the edit, as a git repository of its own."""

    def __init__(
        self,
        checkout: Checkout,
        toolchain: Toolchain,
        runner: Runner,
        folder: Path,
        main: Mapping[Path, bytes],
        branch: Mapping[Path, bytes],
    ) -> None:
        self._toolchain = toolchain
        self._runner = runner
        self._folder = folder
        self._environment = _environment(toolchain, folder / checkout.import_root.relative_to(checkout.root))
        try:
            shutil.copytree(checkout.root, folder, ignore=_needless, copy_function=copy_plain)
            self._git("init", "--quiet", "--initial-branch=main")
            self._commit(checkout, main)
            self._git("checkout", "--quiet", "-b", "edited")
            self._commit(checkout, branch)
        except (OSError, shutil.Error) as error:
            raise ScratchError(f"no copy of {checkout.root} could be made: {error}") from None

    def run(self, check: str, seconds: float) -> Outcome:
        """Run one check, and take back whatever it did to the copy."""
        command: list[str | Path] = [self._toolchain.python, *shlex.split(check)]
        outcome = self._runner.run(command, self._folder, self._environment, seconds)
        self._git("reset", "--quiet", "--hard")
        self._git("clean", "--quiet", "--force", "-d")
        text = _COLOR.sub("", outcome.output).replace(f"{self._folder.as_posix()}/", "")
        return Outcome(outcome.status, text)

    def _commit(self, checkout: Checkout, texts: Mapping[Path, bytes]) -> None:
        for path, text in texts.items():
            (self._folder / path.relative_to(checkout.root)).write_bytes(plain(text))
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--no-verify", "--message=.")

    def _git(self, *arguments: str) -> None:
        """Run git, where there is one; a check that cannot do without says so itself, on both sides."""
        self._runner.run(["git", *arguments], self._folder, self._environment, _GIT_SECONDS)


def _environment(toolchain: Toolchain, import_root: Path) -> dict[str, str]:
    """Return the environment for checks: git asks neither the user's settings nor a hook's variables."""
    variables = toolchain.environment(import_root, light=False)
    variables = {key: value for key, value in variables.items() if not key.startswith("GIT_")}
    who = {f"GIT_{role}_{what}": "codemods" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return variables | who | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "COLUMNS": "1000"}


def _needless(folder: str, names: list[str]) -> set[str]:
    """Return what no check reads: environments, caches, large files, and links to folders above."""
    needless = set(ignored_names(folder, names))
    for name in set(names) - needless:
        path = Path(folder, name)
        if path.is_dir():
            is_circle = path.is_symlink() and path.resolve() in [path, *path.absolute().parents]
            needless |= {name} if is_circle else set()
        elif not path.is_file() or path.stat().st_size > _LARGEST:
            needless.add(name)
    return needless


def _shape(line: str) -> str:
    """Return a line without what an edit further up changes: numbers, and the space around."""
    return re.sub(r"\d+", "#", line.strip())
