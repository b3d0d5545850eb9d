"""The importable API, which the commands use: :func:`verify`.

>>> from pathlib import Path
>>> from codemods.verify.api import Options, verify
>>> outcome = verify(Path("src/transformers"), Options(models=["qwen2"]))  # doctest: +SKIP
>>> outcome.summary()  # doctest: +SKIP
{'ok': 8, 'crash': 0, 'wrong': 0, 'not-runnable': 0, 'classes': 1}
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from codemods.verify.cases import select
from codemods.verify.locate import Target, locate, narrowed
from codemods.verify.outcome import FAILURES, Outcome, Pair
from codemods.verify.problem import CannotVerify
from codemods.verify.results import Cell, Report
from codemods.verify.run import Options, run
from codemods.verify.watch import Progress, Watcher

__all__ = [
    "FAILURES",
    "CannotVerify",
    "Cell",
    "Options",
    "Outcome",
    "Pair",
    "Progress",
    "Report",
    "Watcher",
    "select",
    "verify",
]


def verify(
    path: Path,
    options: Options | None = None,
    *,
    before: Path | Report | None = None,
    files: Sequence[Path] = (),
    consent: Callable[[str], None] | None = None,
    watcher: Watcher | None = None,
) -> Outcome:
    """Run the models of the tree at ``path`` and, where wanted, compare them with those of another.

    The code at ``path`` is executed, in a child process that is kept apart (docs/verify.md).

    Args:
        path: a transformers-like package, a checkout, one model's folder, or code that stands alone.
        options: which models and cases, in which environment, within which limits.
        before: the tree to compare with, or a report that was made of it.
        files: files of the tree; only the models that these are part of are run. A file that models
            share means all of them.
        consent: is told, in a sentence, what is going to be executed; raises to refuse.
        watcher: is told how it goes.

    Raises:
        CannotVerify: if there is no model code, no environment for it, or it cannot be imported.
    """
    options, watcher = options or Options(), watcher or Watcher()
    target = narrowed(locate(path), files)
    trees = [(path, target)]
    if isinstance(before, Path):
        trees.insert(0, (before, replace(locate(before), folders=target.folders)))
    if consent is not None:
        consent(_what_runs([path for path, _ in trees], options))
    *old, after = [_run(path, target, options, watcher) for path, target in trees]
    compared = ("--before", str(before)) if isinstance(before, Path) else ()
    return Outcome(after, before if isinstance(before, Report) else next(iter(old), None), compared)


def _what_runs(paths: Sequence[Path], options: Options) -> str:
    where = "an environment of its own" if options.own_environment else options.python
    return (
        f"The code in {' and '.join(map(str, paths))} is going to run, in {where},"
        " without your environment and home."
    )


def _run(path: Path, target: Target, options: Options, watcher: Watcher) -> Report:
    watcher.begins(path)
    try:
        with _interpreter(target, options, watcher) as python:
            report = run(target, replace(options, python=python), watcher.progress)
    except CannotVerify as error:
        raise CannotVerify(f"{path}: {error}") from error
    return replace(report, command=_command(path, options))


@contextmanager
def _interpreter(target: Target, options: Options, watcher: Watcher) -> Iterator[str]:
    """Give the interpreter to run a tree in, from an environment of its own where that is wanted."""
    if not options.own_environment:
        yield options.python
        return
    from codemods.verify.environments.pins import pins_of
    from codemods.verify.environments.store import environment

    label = target.package.split(".")[0]
    with environment(label, pins_of(target), options.python, watcher) as python:
        yield python


def _command(path: Path, options: Options) -> tuple[str, ...]:
    """Return the command that verifies a tree in the same environment and within the same limits."""
    usual = Options()
    python = () if options.python == sys.executable else ("--python", options.python)
    env = ("--env", "auto") if options.own_environment else ()
    timeout = () if options.seconds == usual.seconds else ("--timeout", f"{options.seconds:g}")
    memory = () if options.memory == usual.memory else ("--memory", f"{options.memory / 2**30:g}")
    return ("python", "-m", "codemods.verify", str(path), *python, *env, *timeout, *memory)
