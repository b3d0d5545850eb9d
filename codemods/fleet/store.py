"""The store: what was worked out once for some content, kept for whatever holds the same content.

An entry is named by all that it depends on, and is never changed. One that is damaged counts as missing.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import filelock

from codemods.fleet.artifacts import Artifacts, pack, unpack
from codemods.fleet.failure import StageFailure, why_not


class Store(Protocol):
    """A place for artifacts, by key."""

    def get(self, key: str) -> dict[str, bytes] | None:
        """Return the artifacts of a key; None where there are none, or they are damaged."""

    def put(self, key: str, artifacts: Artifacts) -> None:
        """Keep the artifacts of a key."""

    def claim(self, key: str, seconds: float) -> contextlib.AbstractContextManager[None]:
        """Keep others from working out the same; wait for one who does, but no longer than ``seconds``."""


class LocalStore:
    """A folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> dict[str, bytes] | None:
        """Return the artifacts of a key; None where there are none, or they are damaged."""
        try:
            return unpack(self._place(key).read_bytes())
        except (OSError, zipfile.BadZipFile, ValueError):
            return None

    def put(self, key: str, artifacts: Artifacts) -> None:
        """Keep the artifacts of a key. They appear whole or not at all."""
        place = self._place(key)
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(pack(artifacts))
            Path(name).replace(place)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @contextlib.contextmanager
    def claim(self, key: str, seconds: float) -> Iterator[None]:
        """Keep others from working out the same; wait for one who does, but no longer than ``seconds``."""
        lock = self._folder / "claims" / f"{key[:3]}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        claimed = filelock.FileLock(lock)
        with contextlib.suppress(filelock.Timeout):
            claimed.acquire(timeout=seconds)
        try:
            yield
        finally:
            claimed.release()

    def _place(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key[2:]}.zip"


class RemoteStore:
    """A folder behind any URL that fsspec understands, shared by several machines."""

    def __init__(self, url: str) -> None:
        fsspec = _fsspec()
        try:
            self._files, self._folder = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise StageFailure(f"--store {url}: {error}") from None

    def get(self, key: str) -> dict[str, bytes] | None:
        """Return the artifacts of a key; None where there are none, or they are damaged."""
        try:
            data: bytes = self._files.cat_file(self._place(key))
            return unpack(data)
        except (FileNotFoundError, zipfile.BadZipFile, ValueError):
            return None
        except OSError as error:
            raise why_not(error) from None

    def put(self, key: str, artifacts: Artifacts) -> None:
        """Keep the artifacts of a key; object stores make them appear whole."""
        place = self._place(key)
        try:
            self._files.makedirs(place.rpartition("/")[0], exist_ok=True)
            self._files.pipe_file(place, pack(artifacts))
        except OSError as error:
            raise why_not(error) from None

    def claim(self, key: str, seconds: float) -> contextlib.AbstractContextManager[None]:
        """Claim nothing: work that two machines do at once is done twice, with the same result."""
        return contextlib.nullcontext()

    def _place(self, key: str) -> str:
        return f"{self._folder}/{key[:2]}/{key[2:]}.zip"


def open_store(where: str) -> Store:
    """Return the store at a folder or URL.

    Raises:
        StageFailure: if it is a URL and fsspec, or what it needs for this kind of URL, is not installed.
    """
    return RemoteStore(where) if "://" in where else LocalStore(Path(where))


def _fsspec() -> Any:
    try:
        import fsspec
    except ImportError:
        raise StageFailure("a store behind a URL needs fsspec: pip install 'model-codemods[fleet]'") from None
    return fsspec
