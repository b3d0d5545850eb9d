"""The pieces that drive the tools: processes, the toolchain, the checkout, the cache, scratch copies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import given
from hypothesis import strategies as st

from codemods.modelrepo.tooling.cache import ConversionCache, key_of
from codemods.modelrepo.tooling.checkout import Checkout, find_checkout
from codemods.modelrepo.tooling.process import Runner, run_tool
from codemods.modelrepo.tooling.scratch import ScratchError, plain, restyle, scratch_copy, temporary_folder
from codemods.modelrepo.tooling.toolchain import ToolMissingError, find_toolchain, pinned_ruff
from codemods.source.tree import locate_tree


def python(code: str, seconds: float = 60) -> tuple[int | None, str, str]:
    outcome = run_tool([sys.executable, "-c", code], Path.cwd(), os.environ, seconds)
    return outcome.status, outcome.output, outcome.reason


def test_process_that_succeeds() -> None:
    assert python("print('done')") == (0, "done\n", "done")


def test_process_that_fails_says_its_last_line() -> None:
    status, output, reason = python("import sys; print('out'); raise ValueError('no')")
    assert (status, reason) == (1, "ValueError: no")
    assert "out" in output


def test_process_that_says_nothing() -> None:
    assert python("raise SystemExit(3)")[2] == "exit status 3"


def test_process_that_cannot_start() -> None:
    outcome = run_tool(["/no/such/program"], Path.cwd(), {}, 5)
    assert outcome.status is None
    assert outcome.reason == "/no/such/program could not be started: No such file or directory"


def test_runner_that_was_stopped_starts_nothing() -> None:
    runner = Runner()
    runner.stop()
    outcome = runner.run([sys.executable, "-c", "print(1)"], Path.cwd(), os.environ, 60)
    assert (outcome.status, outcome.reason) == (None, "stopped")


def test_process_past_its_time_is_killed_with_its_children(tmp_path: Path) -> None:
    child = f"import time; time.sleep(3); open({str(tmp_path / 'alive')!r}, 'w')"
    code = (
        f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    )
    status, _, reason = python(code, seconds=1)
    assert (status, reason) == (None, "killed after 1 s")
    time.sleep(3)
    assert not (tmp_path / "alive").exists()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("setup.py", '    "ruff==0.11.2",\n', "0.11.2"),
        ("setup.py", '    "ruff>=0.11",\n', None),
        ("pyproject.toml", 'dev = ["ruff == 0.5.1"]\n', "0.5.1"),
        ("src/grove/dependency_versions_table.py", '    "ruff": "ruff==0.13.1",\n', "0.13.1"),
        ("requirements-dev.txt", "pytest\nruff==0.14.10\n", "0.14.10"),
        ("setup.py", '    "scruff==1.0",\n', None),
        ("README.md", "ruff==1.0", None),
    ],
)
def test_pin_is_read_where_repositories_write_it(
    tmp_path: Path, name: str, text: str, expected: str | None
) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    assert pinned_ruff(tmp_path) == expected


def fake_ruff(folder: Path, version: str) -> Path:
    program = folder / "ruff"
    folder.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\necho ruff {version}\n")
    program.chmod(0o755)
    return program


def test_pinned_ruff_on_the_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_ruff(tmp_path / "bin", "0.11.2")
    (tmp_path / "setup.py").write_text('"ruff==0.11.2"')
    monkeypatch.setenv("PATH", str(program.parent))
    found = find_toolchain(tmp_path, tmp_path / "cache", Path(tmp_path, "python"), install=False)
    assert (found.ruff, found.ruff_version, found.notice) == (program, "0.11.2", "")


def test_cached_ruff_comes_before_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = fake_ruff(tmp_path / "cache" / "ruff-0.11.2" / "bin", "0.11.2")
    fake_ruff(tmp_path / "bin", "0.14.0")
    (tmp_path / "setup.py").write_text('"ruff==0.11.2"')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    found = find_toolchain(tmp_path, tmp_path / "cache", Path(tmp_path, "python"), install=False)
    assert (found.ruff, found.notice) == (cached, "")


def test_other_ruff_does_with_a_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_ruff(tmp_path / "bin", "0.14.0")
    (tmp_path / "setup.py").write_text('"ruff==0.11.2"')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    found = find_toolchain(tmp_path, tmp_path / "cache", Path(tmp_path, "python"), install=False)
    assert found.notice == (
        "ruff 0.11.2 cannot be had (installing is switched off); "
        "ruff 0.14.0 formats instead, only the edit is kept"
    )


def test_no_ruff_at_all_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "setup.py").write_text('"ruff==0.11.2"')
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissingError) as caught:
        find_toolchain(tmp_path, tmp_path / "cache", Path(tmp_path, "python"), install=False)
    assert str(caught.value) == (
        "regeneration needs ruff==0.11.2 (installing is switched off); "
        "put it on PATH: pip install ruff==0.11.2"
    )


def test_failed_installation_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "setup.py").write_text('"ruff==0.11.2"')
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no network\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(ToolMissingError, match="pip: no network"):
        find_toolchain(tmp_path, tmp_path / "cache", broken)
    assert list((tmp_path / "cache").iterdir()) == []


def test_checkout_is_found_from_anywhere_within(grove: Path, models: Path) -> None:
    for path in (
        grove,
        grove / "src",
        grove / "src" / "grove",
        models / "birch",
        models / "birch" / "modular_birch.py",
    ):
        found = find_checkout(locate_tree(path))
        assert found is not None, path
        assert (found.root, found.import_root, found.package) == (grove, grove / "src", "grove")
        assert (found.file_option, found.has_copies) == ("--files_to_parse", True)


def test_tree_without_a_converter_is_no_checkout(grove: Path) -> None:
    (grove / "utils" / "modular_model_converter.py").unlink()
    assert find_checkout(locate_tree(grove)) is None


def test_command_lines_are_relative_to_the_root(grove: Path, models: Path) -> None:
    checkout = found(grove)
    assert checkout.convert([models / "birch" / "modular_birch.py"]) == [
        "utils/modular_model_converter.py",
        "--files_to_parse",
        "src/grove/models/birch/modular_birch.py",
    ]
    assert checkout.refresh(models / "moss" / "modeling_moss.py") == [
        "utils/check_copies.py",
        "--file",
        "src/grove/models/moss/modeling_moss.py",
        "--fix_and_overwrite",
    ]


def test_scratch_copy_is_complete_and_goes_away(grove: Path, models: Path) -> None:
    checkout = found(grove)
    with scratch_copy(checkout) as scratch:
        names = {path.relative_to(scratch.root).as_posix() for path in scratch.root.rglob("*.py")}
        assert names == {path.relative_to(grove).as_posix() for path in grove.rglob("*.py")}
        assert not any(path.is_symlink() for path in scratch.root.rglob("*"))
        scratch.write(models / "birch" / "modular_birch.py", b"x = 1\n")
    assert not scratch.root.exists()
    assert (models / "birch" / "modular_birch.py").read_bytes() != b"x = 1\n"


def found(grove: Path) -> Checkout:
    checkout = find_checkout(locate_tree(grove))
    assert checkout is not None
    return checkout


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_copy_that_a_killed_run_left_goes_with_the_next_run(grove: Path, temporary: Path) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from codemods.modelrepo.tooling.checkout import find_checkout\n"
        "from codemods.modelrepo.tooling.scratch import scratch_copy\n"
        "from codemods.source.tree import locate_tree\n"
        "with scratch_copy(find_checkout(locate_tree(Path(sys.argv[1])))):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    env = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code, str(grove)], env=env, check=False)
    (left,) = temporary.iterdir()
    (temporary / "codemods-of-somebody" / "work").mkdir(parents=True)  # not one of ours: it holds no lock
    checkout = found(grove)
    with scratch_copy(checkout) as used, scratch_copy(checkout) as other:
        assert not left.exists()
        assert used.root.is_dir()
        assert other.root.is_dir()
    assert [path.name for path in temporary.iterdir()] == ["codemods-of-somebody"]


def test_run_killed_while_it_cleans_up_leaves_what_the_next_one_knows(
    grove: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = found(grove)
    seen = []
    real = shutil.rmtree

    def noted(path: Any, *arguments: Any, **named: Any) -> None:
        seen.append((folder / "in use").is_file())
        real(path, *arguments, **named)

    with temporary_folder(checkout) as folder:
        (folder / "edited" / "src").mkdir(parents=True)
        monkeypatch.setattr(shutil, "rmtree", noted)
    assert seen[0] and not folder.exists()


def test_folder_of_a_run_killed_before_its_lock_was_made_goes_with_the_next_run(
    grove: Path, temporary: Path
) -> None:
    left = Path(tempfile.mkdtemp(prefix="codemods-", dir=temporary))
    with temporary_folder(found(grove)):
        assert not left.exists()


def test_link_in_the_tree_is_copied_not_followed_back(grove: Path, models: Path) -> None:
    outside = grove.parent / "outside.py"
    outside.write_bytes(b"mine = True\n")
    (models / "birch" / "linked.py").symlink_to(outside)
    (models / "birch" / "dangling.py").symlink_to(grove / "gone.py")
    checkout = found(grove)
    with scratch_copy(checkout) as scratch:
        scratch.write(models / "birch" / "linked.py", b"mine = False\n")
    assert outside.read_bytes() == b"mine = True\n"


def test_temporary_folder_that_would_mislead_the_converter(
    grove: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "examples"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    checkout = found(grove)
    with pytest.raises(ScratchError, match="set TMPDIR to another"), scratch_copy(checkout):
        pass


@given(st.text("ab\n", max_size=30), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_plain_text_gets_its_style_back(text: str, newline: str, has_mark: bool) -> None:
    raw = (b"\xef\xbb\xbf" if has_mark else b"") + text.replace("\n", newline).encode()
    assert restyle(plain(raw), raw) == raw


def test_cache_remembers_by_content(tmp_path: Path) -> None:
    cache = ConversionCache(tmp_path / "cache")
    key = key_of([b"a", b"b"])
    assert cache.get(key) is None
    cache.put(key, {"modeling_a.py": b"\x00text"})
    assert cache.get(key) == {"modeling_a.py": b"\x00text"}
    assert key_of([b"ab", b""]) != key


def test_cache_without_a_folder_forgets() -> None:
    cache = ConversionCache(None)
    cache.put("key", {"a": b"b"})
    assert cache.get("key") is None
    cache.prune()


def test_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = ConversionCache(tmp_path / "file")
    cache.put("key", {"a": b"b"})
    assert cache.get("key") is None


@pytest.mark.parametrize("damaged", [b"", b"[]", b"null", b'{"a": 1}', b'{"a": "%%%"}', b"\xff"])
def test_damaged_entry_is_a_miss(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "key.json").write_bytes(damaged)
    assert ConversionCache(tmp_path).get("key") is None


def test_entries_of_last_month_are_removed(tmp_path: Path) -> None:
    cache = ConversionCache(tmp_path)
    cache.put("old", {})
    cache.put("new", {})
    os.utime(tmp_path / "old.json", (0, 0))
    cache.prune()
    assert [entry.name for entry in tmp_path.iterdir()] == ["new.json"]


def test_folder_that_another_run_sweeps_away_before_its_lock_is_held_is_made_again(
    grove: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = found(grove)
    real, swept = FileLock.acquire, []

    def acquire(lock: FileLock, *arguments: Any, **named: Any) -> Any:
        if not swept:
            swept.append(Path(lock.lock_file).parent)
            shutil.rmtree(swept[0])
            raise FileNotFoundError(lock.lock_file)
        return real(lock, *arguments, **named)

    monkeypatch.setattr(FileLock, "acquire", acquire)
    with temporary_folder(checkout) as folder:
        assert folder.is_dir() and folder != swept[0] and not swept[0].exists()
    assert not folder.exists()
