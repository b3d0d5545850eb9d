"""Environments on disk: made once for the same pins, by one run at a time, and kept until cleaned."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout
from msgspec import Struct
from msgspec.structs import asdict

from codemods.verify.environments.pins import Pins
from codemods.verify.problem import CannotVerify
from codemods.verify.processes import end
from codemods.verify.watch import Watcher

TORCH = "2.13.0"  # where the tree does not name a version

_MADE = "made.json"  # written last: a folder without it is what is left of an interrupted run
_ABSENT = re.compile(r"No matching distribution found for torch==|ResolutionImpossible")


class CannotMake(CannotVerify):
    """An environment could not be made; the message is one line."""


class Environment(Struct, frozen=True):
    """One environment.

    Attributes:
        folder: where it is.
        label: the package it was made for first.
        pins: what it holds; None where it was never finished.
        size: bytes on disk.
        used: when it was made or last used, in seconds since 1970.
    """

    folder: Path
    label: str
    pins: Pins | None
    size: int
    used: float


def store() -> Path:
    """Return the folder in which environments are kept."""
    return Path(platformdirs.user_cache_path("model-codemods", appauthor=False)) / "environments"


@contextlib.contextmanager
def environment(label: str, pins: Pins, python: str, watcher: Watcher) -> Iterator[str]:
    """Give the interpreter of an environment that holds ``pins``, made now if there is none yet.

    While the context lasts, the environment is not cleaned. Of concurrent runs that want the same
    one, the first makes it and the others wait.

    Args:
        label: the package that it is for; part of its folder's name.
        pins: what it has to hold.
        python: the interpreter to make it from.
        watcher: is told how it goes.

    Raises:
        CannotMake: if the interpreter will not do, or a requirement cannot be met.
    """
    version = _version(python)
    if not pins.admits(version):
        needed = f"{label} requires Python {pins.python}, and {python} is {'.'.join(map(str, version))}"
        raise CannotMake(f"{needed}; name another interpreter with --python")
    wanted = json.dumps([asdict(pins), version, TORCH, _has_gpu()], sort_keys=True)
    folder = store() / f"{label}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    stack = contextlib.ExitStack()
    with _held(folder, watcher):
        if not (folder / _MADE).is_file():
            _make(folder, pins, python, watcher)
            made = {"label": label, "pins": asdict(pins)}
            (folder / _MADE).write_text(json.dumps(made), encoding="utf-8")
        (folder / _MADE).touch()
        stack.enter_context(in_use(folder))
    with stack:
        yield str(_interpreter(folder))


@contextlib.contextmanager
def in_use(folder: Path) -> Iterator[None]:
    """Keep an environment from being cleaned, also by a run that starts later."""
    _users(folder).mkdir(exist_ok=True)
    file = _users(folder) / f"{os.getpid()}-{time.time_ns()}"
    with FileLock(file):
        yield
    file.unlink(missing_ok=True)


def environments() -> list[Environment]:
    """Return all environments, the last used first."""
    found = []
    for folder in store().glob("*/"):
        if folder.suffix == ".users" or not folder.is_dir():  # glob takes files too before Python 3.11
            continue
        try:
            made = json.loads((folder / _MADE).read_text(encoding="utf-8"))
            used = (folder / _MADE).stat().st_mtime
        except (OSError, ValueError):
            made, used = {"label": folder.name.rpartition("-")[0], "pins": None}, folder.stat().st_mtime
        pins = Pins(**made["pins"]) if made["pins"] else None
        found.append(Environment(folder, made["label"], pins, _size(folder), used))
    return sorted(found, key=lambda environment: -environment.used)


def clean(environment: Environment) -> bool:
    """Remove an environment; return False for one that is being made or used, which stays."""
    try:
        with FileLock(_lock(environment.folder), timeout=0), contextlib.ExitStack() as stack:
            for user in _users(environment.folder).glob("*"):
                stack.enter_context(FileLock(user, timeout=0))
            shutil.rmtree(environment.folder)
    except Timeout:
        return False
    shutil.rmtree(_users(environment.folder), ignore_errors=True)
    return True


def _make(folder: Path, pins: Pins, python: str, watcher: Watcher) -> None:
    """Make an environment: torch first, since what asks for torch would bring a build of its own choice."""
    watcher.step(f"making an environment in {folder}")
    for line in pins.left_out:
        watcher.step(f"left out, as it is no plain name and versions: {line}")
    shutil.rmtree(folder, ignore_errors=True)
    pip = _make_bare(folder, python, watcher)
    exact = re.search(r"==\s*(\d+(?:\.\d+)+)\s*$", pins.torch)
    version = exact[1] if exact else TORCH
    builds = [f"torch=={version}", ""]
    if not _has_gpu():
        builds.insert(0, f"torch=={version}+cpu")
    for build in builds:
        try:
            _install(pip, [build, pins.torch] if build else [pins.torch], watcher)
            break
        except CannotMake as error:
            if not build or not _ABSENT.search(str(error)):
                raise
            watcher.step(
                f"{build} is not to be had with {pins.torch}: trying the next best, which may be large"
            )
    # What is installed must not be replaced by another build, which would be a second download.
    constraint = folder / "constraint.txt"
    constraint.write_text(f"torch=={_installed_torch(folder)}\n", encoding="utf-8")
    if pins.packages:
        _install(pip, ["--constraint", str(constraint), *pins.packages], watcher)


def _install(pip: list[str], arguments: list[str], watcher: Watcher) -> None:
    options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    _run([*pip, "install", *options, *arguments], watcher)


def _make_bare(folder: Path, python: str, watcher: Watcher) -> list[str]:
    """Make an environment with nothing in it; return the command of a pip that installs there.

    That is the pip of ``python``, since putting one into each environment takes most of the time that
    an environment takes; where there is none or an old one, the environment gets its own.
    """
    ask = "import pip; raise SystemExit(tuple(map(int, pip.__version__.split('.')[:2])) < (22, 3))"
    borrowed = subprocess.run([python, "-c", ask], capture_output=True, check=False).returncode == 0
    _run([python, "-m", "venv", *(["--without-pip"] if borrowed else []), str(folder)], watcher)
    interpreter = str(_interpreter(folder))
    return [python, "-m", "pip", "--python", interpreter] if borrowed else [interpreter, "-m", "pip"]


def _run(command: list[str], watcher: Watcher) -> None:
    """Run a command, passing on each line it prints.

    Raises:
        CannotMake: if it fails, with the errors it printed last.
    """
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
            errors="replace", stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise CannotMake(f"cannot start {command[0]}: {error.strerror or error}") from error
    said: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.strip())
            watcher.detail(said[-1])
    except BaseException:
        end(process)  # pip does its work in a child of its own
        raise
    finally:
        process.wait()
    if process.returncode:
        errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")]
        raise CannotMake("; ".join(errors[-2:]) or next(iter(said[-1:]), f"{command[0]} failed"))


def _installed_torch(folder: Path) -> str:
    ask = "from importlib.metadata import version; print(version('torch'))"
    command = [str(_interpreter(folder)), "-c", ask]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _version(python: str) -> tuple[int, ...]:
    command = [python, "-c", "import sys; print(*sys.version_info[:3])"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except OSError as error:
        raise CannotMake(f"cannot start {python}: {error.strerror or error}") from error
    except subprocess.CalledProcessError as error:
        raise CannotMake(f"{python} is no Python interpreter") from error
    return tuple(map(int, answer.split()))


def _has_gpu() -> bool:
    return shutil.which("nvidia-smi") is not None


@contextlib.contextmanager
def _held(folder: Path, watcher: Watcher) -> Iterator[None]:
    """Hold the right to make or remove an environment."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(_lock(folder))
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        watcher.step(f"waiting for another run that makes {folder}")
        held = lock.acquire()
    with held:
        yield


def _lock(folder: Path) -> Path:
    return folder.with_name(folder.name + ".lock")


def _users(folder: Path) -> Path:
    return folder.with_name(folder.name + ".users")


def _interpreter(folder: Path) -> Path:
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def _size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())
