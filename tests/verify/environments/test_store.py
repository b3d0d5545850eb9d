"""Environments made by the real pip, from small wheels that these tests write."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import codemods
from codemods.verify.environments.store import clean, environments, in_use, store

from ..waiting import wait_for

METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
TREE = {
    "fork/__init__.py": "",
    "fork/models/auto/modeling_auto.py": "",
    "fork/dependency_versions_table.py": "deps = {'numpy': 'numpy>=1.17', 'torch': 'torch>=2.0'}\n",
    "fork/dependency_versions_check.py": "pkgs_to_check_at_runtime = ['numpy']\n",
}
# The small torch has nothing in it, so this is as far as a run comes.
STARTED = "module 'torch' has no attribute 'set_num_threads'"


class Place:
    """A tree, a folder of wheels that pip finds, and a cache of its own."""

    def __init__(self, folder: Path):
        self.tree = folder / "tree"
        self.wheels = folder / "wheels"
        self.cache = folder / "cache"
        self.wheels.mkdir()
        for name, text in TREE.items():
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (self.tree / name).write_text(text, encoding="utf-8")

    def wheel(self, name: str, version: str, requires: str = "") -> None:
        stem = f"{name}-{version}"
        metadata = METADATA.format(name=name, version=version)
        metadata += f"Requires-Dist: {requires}\n" if requires else ""
        with zipfile.ZipFile(self.wheels / f"{stem}-py3-none-any.whl", "w") as file:
            file.writestr(f"{name}.py", "")
            file.writestr(f"{stem}.dist-info/METADATA", metadata)
            file.writestr(f"{stem}.dist-info/WHEEL", WHEEL)
            file.writestr(f"{stem}.dist-info/RECORD", "")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        settings = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        return subprocess.Popen(
            [sys.executable, "-m", "codemods.verify", *arguments],
            env={
                **settings,
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": str(self.wheels),
                "XDG_CACHE_HOME": str(self.cache),
                "PYTHONPATH": str(Path(codemods.__file__).parents[1]),
            },
            cwd=self.wheels,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def verify(self) -> str:
        process = self.start(str(self.tree), "--yes", "--env", "auto")
        _, errors = process.communicate()
        assert process.returncode == 2
        return errors

    def env(self, *arguments: str) -> tuple[str, str]:
        process = self.start("env", *arguments)
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        return output, errors

    @property
    def environment(self) -> Path:
        (folder,) = self.cache.glob("model-codemods/environments/fork-*[0-9a-f]/")
        return folder

    def installed(self) -> set[str]:
        names = (folder.stem for folder in self.environment.glob("lib/*/site-packages/*.dist-info"))
        return {name for name in names if not re.match("pip-|setuptools-", name)}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    if os.name == "nt":
        pytest.skip("the cache of these tests is moved as on Unix")
    return Place(tmp_path)


def test_the_build_for_cpus_is_taken_once_and_kept(place: Place) -> None:
    for version in ("2.13.0+cpu", "2.13.0", "2.14.0"):
        place.wheel("torch", version)
    place.wheel("numpy", "2.0.0", requires="torch>=2.0")
    first = place.start(str(place.tree), "--yes", "--env", "auto")
    second = place.start(str(place.tree), "--yes", "--env", "auto")
    said = [process.communicate()[1] for process in (first, second)]
    assert sum("making an environment in" in errors for errors in said) == 1
    assert [errors for errors in said if STARTED not in errors] == []
    assert place.installed() == {"torch-2.13.0+cpu", "numpy-2.0.0"}

    again = place.verify()
    assert "making" not in again

    listed, _ = place.env("list")
    assert place.environment.name in listed
    assert "torch>=2.0, numpy>=1.17" in listed


def test_without_a_build_for_cpus_the_plain_one_is_taken_and_told(place: Place) -> None:
    place.wheel("torch", "2.13.0")
    place.wheel("numpy", "2.0.0")
    errors = place.verify()
    assert "torch==2.13.0+cpu is not to be had with torch>=2.0: trying the next best" in errors
    assert place.installed() == {"torch-2.13.0", "numpy-2.0.0"}


def test_what_is_left_of_an_interrupted_run_is_made_again(place: Place) -> None:
    *_, last = place.verify().splitlines()
    assert last.endswith("No matching distribution found for torch>=2.0")
    assert "not finished" in place.env("list")[0]
    place.wheel("torch", "2.13.0+cpu")
    place.wheel("numpy", "2.0.0")
    assert "making an environment in" in place.verify()
    assert "torch>=2.0, numpy>=1.17" in place.env("list")[0]
    name = place.environment.name
    _, errors = place.env("clean")
    assert errors.startswith(f"removed {name} (")
    assert place.env("list")[1].startswith("no environments in ")


def test_an_interrupted_run_says_so_and_leaves_nothing_running(place: Place, tmp_path: Path) -> None:
    slow = tmp_path / "slow-python"
    making = f"(echo $$ > {tmp_path}/pid; sleep 60)"
    slow.write_text(
        f'#!/bin/sh\ncase "$*" in *venv*) {making};; *) exec {sys.executable} "$@";; esac\n',
        encoding="utf-8",
    )
    slow.chmod(0o755)
    process = place.start(str(place.tree), "--yes", "--env", "auto", "--python", str(slow))
    wait_for((tmp_path / "pid").is_file)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, output) == (130, "")
    assert errors.splitlines()[1:] == ["interrupted"]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_an_environment_in_use_is_not_cleaned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = store() / "fork-0123456789ab"
    folder.mkdir(parents=True)
    (one,) = environments()
    with in_use(folder):
        assert not clean(one)
    assert folder.is_dir()
    assert clean(one)
    assert not folder.exists()
