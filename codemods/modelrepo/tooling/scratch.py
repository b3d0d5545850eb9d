"""Scratch copies: a repository's tools run on a copy, never on what the user works with."""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from codemods.modelrepo.tooling.checkout import Checkout

# The converter looks for these in absolute paths, and takes the first it finds.
_MISLEADING = "modular_|examples/|src/{package}/"
ignored_names = shutil.ignore_patterns(
    "__pycache__", ".git", "*.pyc", "*.egg-info", ".venv", "venv", "node_modules"
)
# How temporary folders are called, and the file in them that is locked for as long as a run needs them.
_PREFIX, _LOCK = "codemods-", "in use"
_EXAMPLES = re.compile(r"""["'](examples/[\w./-]+\.py)["']""")


class ScratchError(Exception):
    """No scratch copy could be made; ``str()`` says why and what to do about it."""


class Scratch:
    r"""A copy of the parts of a checkout that its tools read, with plain newlines and no marks.

    Paths in and out are the user's; the copy's own are hidden. The tools write files anew with
    ``\n``, so files with other newlines or a byte order mark are made plain here, and get them
    back from :func:`restyle`.
    """

    def __init__(self, checkout: Checkout, folder: Path) -> None:
        self.checkout = checkout
        self.root = folder

    def place(self, path: Path) -> Path:
        """Return where the copy of ``path`` is."""
        return self.root / path.relative_to(self.checkout.root)

    def read(self, path: Path) -> bytes:
        """Return what the copy of ``path`` holds now; empty where there is none."""
        try:
            return self.place(path).read_bytes()
        except FileNotFoundError:
            return b""

    def write(self, path: Path, plain: bytes) -> None:
        """Put ``plain`` into the copy of ``path``, be it of a part that was not copied or not."""
        place = self.place(path)
        if not place.is_file() or place.read_bytes() != plain:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(plain)

    @property
    def import_root(self) -> Path:
        """The folder of the copy from which the library is imported."""
        return self.place(self.checkout.import_root)


@contextmanager
def temporary_folder(checkout: Checkout) -> Iterator[Path]:
    """Make a folder that the tools of ``checkout`` can work in, and remove it afterwards.

    Raises:
        ScratchError: if the place for temporary folders has a name that misleads the converter.
    """
    base = Path(tempfile.gettempdir()).resolve()
    if re.search(_MISLEADING.format(package=re.escape(checkout.package)), f"{base.as_posix()}/"):
        raise ScratchError(
            f"the converter would misread the path of the temporary folder {base}; set TMPDIR to another"
        )
    _sweep(base)
    made, lock = _made_and_locked(base)
    with made as name:
        try:
            yield Path(name)
        finally:
            _empty(Path(name))
            lock.release()


def _made_and_locked(base: Path) -> tuple[tempfile.TemporaryDirectory[str], BaseFileLock]:
    """Make a folder and hold its lock.

    A lock is there a moment before it is held: another run may take the folder for one that was left, and
    remove it. Then another one is made.
    """
    while True:
        made = tempfile.TemporaryDirectory(prefix=_PREFIX, dir=base, ignore_cleanup_errors=True)
        lock = FileLock(Path(made.name, _LOCK))
        with contextlib.suppress(FileNotFoundError):
            lock.acquire()
            if Path(made.name, _LOCK).is_file():
                return made, lock
            lock.release()
        made.cleanup()


def _sweep(base: Path) -> None:
    """Remove what killed runs of this user left behind: their locks went with them.

    What holds no lock is another program's, unless it is empty: then its run was killed before it made one,
    or after it took it away.
    """
    for folder in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError, Timeout):
            status = folder.lstat()
            is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == getattr(os, "getuid", lambda: 0)()
            if is_ours and (folder / _LOCK).is_file():
                with FileLock(folder / _LOCK, timeout=0):
                    _empty(folder)
                    shutil.rmtree(folder, ignore_errors=True)
            elif is_ours:
                folder.rmdir()  # refused where anything is in it


def _empty(folder: Path) -> None:
    """Remove all but the lock: killed in the middle of this, what is left is still known as a run's own."""
    with contextlib.suppress(FileNotFoundError):
        for path in folder.iterdir():
            if path.name != _LOCK:
                shutil.rmtree(path, ignore_errors=True)


@contextmanager
def scratch_copy(checkout: Checkout) -> Iterator[Scratch]:
    """Copy what the tools of ``checkout`` need to a temporary folder, and remove it afterwards.

    Raises:
        ScratchError: if there is no room, or a file cannot be read.
    """
    with temporary_folder(checkout) as folder:
        scratch = Scratch(checkout, folder / "edited")
        try:
            scratch.root.mkdir()
            _fill(scratch)
        except (OSError, shutil.Error) as error:
            raise ScratchError(f"no scratch copy of {checkout.root} could be made: {error}") from None
        yield scratch


def clone(scratch: Scratch, contents: Mapping[Path, bytes]) -> Scratch:
    """Copy a scratch copy, with other ``contents`` for some files; both are removed together."""
    copy = Scratch(scratch.checkout, scratch.root.with_name("pristine"))
    shutil.copytree(scratch.root, copy.root)
    for path, text in contents.items():
        copy.write(path, text)
    return copy


def _fill(scratch: Scratch) -> None:
    checkout = scratch.checkout
    package = checkout.import_root / checkout.package
    for folder in (package, checkout.root / "utils"):
        shutil.copytree(
            folder,
            scratch.place(folder),
            ignore=ignored_names,
            copy_function=copy_plain,
            ignore_dangling_symlinks=True,
            dirs_exist_ok=True,
        )
    for file in checkout.root.iterdir():
        if file.is_file() and not file.name.startswith("."):
            copy_plain(str(file), str(scratch.place(file)))
    for script in scratch.place(checkout.root / "utils").glob("*.py"):
        # Some checks compare examples too, and stumble where there are none.
        for example in _EXAMPLES.findall(script.read_text(encoding="utf-8", errors="replace")):
            source, place = checkout.root / example, scratch.root / example
            if source.is_file() and not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                copy_plain(str(source), str(place))


def copy_plain(source: str, target: str) -> str:
    """Copy a file, Python source made plain; for :func:`shutil.copytree`."""
    if source.endswith(".py"):
        Path(target).write_bytes(plain(Path(source).read_bytes()))
    else:
        shutil.copyfile(source, target)
    return target


def plain(raw: bytes) -> bytes:
    r"""Return ``raw`` with ``\n`` between lines and without a byte order mark."""
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n")
    return raw.removeprefix(codecs.BOM_UTF8)


def restyle(text: bytes, like: bytes) -> bytes:
    """Return plain ``text`` with the newlines and byte order mark of ``like``."""
    if like.count(b"\r\n") * 2 > like.count(b"\n"):
        text = text.replace(b"\n", b"\r\n")
    return codecs.BOM_UTF8 + text if like.startswith(codecs.BOM_UTF8) else text
