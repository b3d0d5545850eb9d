from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from codemods.rewrite.write import ChangedOnDisk, WriteError, check_writable, write_file

BEFORE, AFTER = b"x = 1\r\n", b"x = 2\r\n"


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


def test_change_is_told_from_other_errors(file: Path) -> None:
    with pytest.raises(ChangedOnDisk):
        write_file(file, b"other", AFTER)


@pytest.mark.parametrize(
    "replace", [Path.mkdir, lambda path: path.symlink_to("b.py"), os.mkfifo, lambda path: None]
)
def test_vanished_or_replaced(file: Path, replace: Callable[[Path], None]) -> None:
    file.unlink()
    replace(file)
    with pytest.raises(ChangedOnDisk, match=r"^a\.py:1:1: has (vanished|changed) since it was read"):
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
        assert refusal(path) == "a.py:1:1: cannot be written: Permission denied; it is left as it is"
        with pytest.raises(WriteError, match="cannot be written: its folder is read-only"):
            check_writable(path, BEFORE)
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
from codemods.rewrite.write import WriteError, write_file

path = Path(sys.argv[1], "a.py")
path.write_bytes(b"before")
if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    write_file(path, b"before", b"after" * 100_000, "a.py")
except WriteError as error:
    print(error, path.read_bytes(), os.listdir(path.parent))
"""


def test_file_size_limit(tmp_path: Path) -> None:
    assert run(_TRY_TO_WRITE, tmp_path, "limit") == (
        "a.py:1:1: cannot be written: File too large; it is left as it is b'before' ['a.py']\n"
    )


def test_disk_full(tmp_path: Path) -> None:
    mount = f'mount -t tmpfs -o size=64k none {tmp_path} && exec "$@"'
    wrapper = ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh")
    if not shutil.which("unshare") or subprocess.run([*wrapper, "true"], capture_output=True).returncode:
        pytest.skip("no file system of our own can be mounted here")
    assert run(_TRY_TO_WRITE, tmp_path, "full", wrapper=wrapper) == (
        "a.py:1:1: cannot be written: No space left on device; it is left as it is b'before' ['a.py']\n"
    )


# Before each of its calls into the system in turn, the writer is killed or told of a failing disk.
_STOP_AT_EVERY_CALL = """
import errno, io, itertools, os, signal, sys
from pathlib import Path
from codemods.rewrite.write import TEMPORARY_PREFIX, WriteError, write_file

path, how = Path(sys.argv[1], "a.py"), sys.argv[2]
BEFORE, AFTER = b"before", b"after" * 10_000

def write_but_stop_at(number):
    calls = itertools.count(1)

    def count(frame, event, function):
        if event != "c_call":
            return
        if function in (os.fspath, getattr(os, "_path_normpath", None)):  # these only look at a text
            return
        if function.__module__ != os.open.__module__ and not isinstance(function.__self__, io.IOBase):
            return
        if next(calls) == number:
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(errno.EIO, "Input/output error")

    sys.setprofile(count)
    try:
        write_file(path, BEFORE, AFTER)
    except WriteError:
        return 1
    finally:
        sys.setprofile(None)
    return 0 if next(calls) > number else 2

for number in itertools.count(1):
    path.write_bytes(BEFORE)
    child = os.fork()
    if not child:
        os._exit(write_but_stop_at(number))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    content, beside = path.read_bytes(), [name for name in os.listdir(path.parent) if name != "a.py"]
    if how == "kill":
        assert content in (BEFORE, AFTER)
        assert all(name.startswith(TEMPORARY_PREFIX) for name in beside) and len(beside) < 2
        for name in beside:
            path.with_name(name).unlink()
    else:
        assert content == (BEFORE if status == 1 else AFTER), (number, status, content[:20])
        assert not beside, (number, beside)
    if status == 2:
        break
print(number)
"""


@pytest.mark.parametrize("how", ["kill", "fail"])
def test_stopped_at_any_call(tmp_path: Path, how: str) -> None:
    assert int(run(_STOP_AT_EVERY_CALL, tmp_path, how)) > 20
