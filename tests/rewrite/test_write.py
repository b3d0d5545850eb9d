from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from codemods.rewrite.transaction import Change, write_all
from codemods.rewrite.write import ChangedOnDisk, WriteError, bring_names_to_disk, check_writable

BEFORE, AFTER = b"x = 1\r\n", b"x = 2\r\n"


def write_file(path: Path, before: bytes, after: bytes, name: str = "a.py") -> None:
    """Write one file as a run does."""
    (outcome,) = write_all([Change(path, name, before, after)])
    if outcome.problem:
        raise WriteError(outcome.problem)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.py"
    path.write_bytes(BEFORE)
    return path


def refusal(path: Path, before: bytes = BEFORE) -> str:
    """Return why ``path`` is not written, having made sure that nothing changed."""
    with pytest.raises(WriteError) as caught:
        write_file(path, before, AFTER, "a.py")
    return str(caught.value)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_written(file: Path) -> None:
    write_file(file, BEFORE, AFTER)
    assert file.read_bytes() == AFTER
    assert names(file.parent) == ["a.py"]


def test_emptied_and_filled(file: Path) -> None:
    write_file(file, BEFORE, b"")
    assert file.read_bytes() == b""
    write_file(file, b"", AFTER)
    assert file.read_bytes() == AFTER


def test_relative_path(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    write_file(Path("a.py"), BEFORE, AFTER)
    assert file.read_bytes() == AFTER


def test_longest_name(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 252 + ".py")
    path.write_bytes(BEFORE)
    write_file(path, BEFORE, AFTER)
    assert path.read_bytes() == AFTER


def test_reader_keeps_what_it_opened(file: Path) -> None:
    with file.open("rb") as reader:
        write_file(file, BEFORE, AFTER)
        assert reader.read() == BEFORE


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755, 0o664, 0o2755])
def test_mode_stays(file: Path, mode: int) -> None:
    file.chmod(mode)
    write_file(file, BEFORE, AFTER)
    assert stat.S_IMODE(file.stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_owner_stays(file: Path) -> None:
    os.chown(file, 1234, 2345)
    write_file(file, BEFORE, AFTER)
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 2345)


def test_owner_that_cannot_be_kept(
    shared_folder: Path, ordinary_user: Callable[[], AbstractContextManager[None]]
) -> None:
    path = shared_folder / "a.py"
    path.write_bytes(BEFORE)
    path.chmod(0o666)
    with ordinary_user():
        write_file(path, BEFORE, AFTER)
    assert path.read_bytes() == AFTER
    assert stat.S_IMODE(path.stat().st_mode) == 0o666


@pytest.mark.skipif(sys.platform != "linux", reason="extended attributes are named otherwise elsewhere")
def test_extended_attributes_stay(file: Path) -> None:
    try:
        os.setxattr(file, "user.note", b"kept")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    write_file(file, BEFORE, AFTER)
    assert os.getxattr(file, "user.note") == b"kept"


def test_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/a.py").write_bytes(BEFORE)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "a.py").symlink_to("link/a.py")
    write_file(tmp_path / "a.py", BEFORE, AFTER)
    assert (tmp_path / "a.py").readlink() == Path("link/a.py")
    assert (tmp_path / "real/a.py").read_bytes() == AFTER
    assert names(tmp_path) == ["a.py", "link", "real"]
    assert names(tmp_path / "real") == ["a.py"]


def test_other_hard_link_keeps_the_old_content(file: Path, tmp_path: Path) -> None:
    (tmp_path / "cached.py").hardlink_to(file)
    write_file(file, BEFORE, AFTER)
    assert file.read_bytes() == AFTER
    assert (tmp_path / "cached.py").read_bytes() == BEFORE


def test_changed_since(file: Path) -> None:
    file.write_bytes(b"x = 3\r\n")
    assert refusal(file) == "a.py:1:1: has changed since it was read; it is left as it is, run again"
    assert file.read_bytes() == b"x = 3\r\n"
    assert names(file.parent) == ["a.py"]


@pytest.mark.parametrize(
    "replace", [Path.mkdir, lambda path: path.symlink_to("b.py"), os.mkfifo, lambda path: None]
)
def test_vanished_or_replaced(file: Path, replace: Callable[[Path], None]) -> None:
    file.unlink()
    replace(file)
    with pytest.raises(WriteError, match=r"^a\.py:1:1: has (vanished|changed) since it was read"):
        write_file(file, BEFORE, AFTER, "a.py")


def test_folder_vanished(file: Path) -> None:
    shutil.rmtree(file.parent)
    assert refusal(file) == "a.py:1:1: has vanished since it was read"


def test_read_only_file(
    shared_folder: Path, ordinary_user: Callable[[], AbstractContextManager[None]]
) -> None:
    path = shared_folder / "a.py"
    path.write_bytes(BEFORE)
    path.chmod(0o444)
    with ordinary_user():
        assert refusal(path) == "a.py:1:1: cannot be written: Permission denied; it is left as it is"
    assert path.read_bytes() == BEFORE
    assert names(shared_folder) == ["a.py"]


def test_read_only_folder(
    shared_folder: Path, ordinary_user: Callable[[], AbstractContextManager[None]]
) -> None:
    path = shared_folder / "a.py"
    path.write_bytes(BEFORE)
    path.chmod(0o666)
    shared_folder.chmod(0o555)
    with ordinary_user():
        assert refusal(path) == "a.py:1:1: cannot be written: its folder is read-only; it is left as it is"
    assert path.read_bytes() == BEFORE


def test_check_writes_nothing(file: Path) -> None:
    check_writable(file, BEFORE)
    with pytest.raises(ChangedOnDisk):
        check_writable(file, AFTER)
    assert file.read_bytes() == BEFORE
    assert names(file.parent) == ["a.py"]


def run(script: str, *arguments: object, wrapper: tuple[str, ...] = ()) -> str:
    """Run ``script`` in a process of its own and return what it prints."""
    command = [*wrapper, sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


_TRY_TO_WRITE = """
import os, resource, sys
from pathlib import Path
from codemods.rewrite.transaction import Change, write_all

path = Path(sys.argv[1], "a.py")
path.write_bytes(b"before")
if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
(outcome,) = write_all([Change(path, "a.py", b"before", b"after" * 100_000)])
print(outcome.problem, path.read_bytes(), os.listdir(path.parent))
"""


def test_file_size_limit(tmp_path: Path) -> None:
    assert run(_TRY_TO_WRITE, tmp_path, "limit") == (
        f"{os.environ['CODEMODS_STATE_DIR']}:1:1: no journal can be kept here: File too large;"
        " nothing is written without one, name another folder with CODEMODS_STATE_DIR b'before' ['a.py']\n"
    )


def test_disk_full(tmp_path: Path) -> None:
    mount = f'mount -t tmpfs -o size=64k none {tmp_path} && exec "$@"'
    wrapper = ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh")
    if not shutil.which("unshare") or subprocess.run([*wrapper, "true"], capture_output=True).returncode:
        pytest.skip("no file system of our own can be mounted here")
    assert run(_TRY_TO_WRITE, tmp_path, "full", wrapper=wrapper) == (
        "a.py:1:1: cannot be written: No space left on device; it is left as it is b'before' ['a.py']\n"
    )


@pytest.mark.parametrize(("code", "fails"), [(errno.EINVAL, False), (errno.EIO, True), (errno.ENOSPC, True)])
def test_folders_that_cannot_be_brought_to_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, fails: bool
) -> None:
    """Some systems bring no folders to disk; a disk that fails is another matter."""

    def fsync(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match=os.strerror(code)) if fails else nullcontext():
        bring_names_to_disk(tmp_path)
