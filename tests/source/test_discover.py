from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codemods.source.discover import Discovery, discover


def make(folder: Path, *files: str) -> Path:
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return folder


def below(root: Path, discovery: Discovery) -> list[str]:
    """Return the files found, as they are called from ``root``."""
    return [path.relative_to(root).as_posix() for path in discovery.files]


def found(root: Path, *exclude: str) -> list[str]:
    discovery = discover([root], exclude)
    assert discovery.problems == ()
    return below(root, discovery)


def test_every_python_file_sorted(tmp_path: Path) -> None:
    make(tmp_path, "b.py", "a/z.py", "a.py", "a/b/__init__.py", "a-b/c.py")
    assert found(tmp_path) == ["a/b/__init__.py", "a/z.py", "a-b/c.py", "a.py", "b.py"]


def test_other_files_are_left(tmp_path: Path) -> None:
    make(tmp_path, "a.pyi", "b.pyc", "c.PY", "py", "d.ipynb", "Makefile")
    assert found(tmp_path) == []


def test_empty_folder(tmp_path: Path) -> None:
    assert discover([tmp_path]) == Discovery(())


def test_nothing_named() -> None:
    assert discover([]) == Discovery(())


@pytest.mark.parametrize(
    "folder",
    (
        *(".git", ".venv", ".tox", ".ipynb_checkpoints", "__pycache__", "__pypackages__", "node_modules"),
        *("build", "dist", "_build", "buck-out", "venv", "site-packages"),
    ),
)
def test_folders_of_tools_are_left(tmp_path: Path, folder: str) -> None:
    make(tmp_path, "a.py", f"{folder}/b.py", f"{folder}/lib/pkg/__init__.py", f"sub/{folder}/c.py")
    assert found(tmp_path) == ["a.py"]


def test_packages_that_are_called_like_build_output(tmp_path: Path) -> None:
    make(tmp_path, "pkg/build/__init__.py", "pkg/dist/__init__.py", "pkg/dist/b.py")
    assert found(tmp_path) == ["pkg/build/__init__.py", "pkg/dist/__init__.py", "pkg/dist/b.py"]


def test_environments_of_any_name_are_left(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "py311/pyvenv.cfg", "py311/lib/b.py", "conda/conda-meta/history", "conda/c.py")
    assert found(tmp_path) == ["a.py"]


def test_hidden_files_are_left(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "._a.py", ".#a.py")
    assert found(tmp_path) == ["a.py"]


@pytest.mark.parametrize("named", [".venv", "site-packages", "build/lib", ".venv/lib/site-packages/pkg"])
def test_a_named_folder_is_taken_whatever_it_is_called(tmp_path: Path, named: str) -> None:
    make(tmp_path, ".venv/pyvenv.cfg", f"{named}/a.py")
    assert found(tmp_path / named) == ["a.py"]


@pytest.mark.parametrize("named", [".hidden.py", "script", "build/a.py", "notes.txt"])
def test_a_named_file_is_taken_whatever_it_is_called(tmp_path: Path, named: str) -> None:
    make(tmp_path, named)
    (tmp_path / ".gitignore").write_text("*")
    path = tmp_path / named
    assert discover([path], ["*"]).files == (path,)


def test_overlapping_paths_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "pkg/a.py", "pkg/sub/b.py")
    monkeypatch.chdir(tmp_path)
    paths = [Path("pkg"), Path("pkg/sub"), tmp_path / "pkg/a.py", Path("pkg/../pkg/sub/b.py")]
    assert discover(paths).files == (Path("pkg/a.py"), Path("pkg/sub/b.py"))


def test_order_of_paths_does_not_matter(tmp_path: Path) -> None:
    make(tmp_path, "pkg/a.py", "b.py", "lib/c.py")
    paths = [tmp_path / "pkg", tmp_path / "b.py", tmp_path / "lib", tmp_path / "gone"]
    assert discover(paths) == discover(reversed(paths))


def test_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "pkg/a.py")
    monkeypatch.chdir(tmp_path)
    assert discover([Path()]).files == (Path("pkg/a.py"),)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n.py"))
    path.write_text("")
    assert discover([tmp_path]).files == (path,)


def test_exclude(tmp_path: Path) -> None:
    make(tmp_path, "tests/a.py", "lib/tests/b.py", "lib/c.py", "lib/test_d.py", "e.py")
    assert found(tmp_path, "tests/") == ["e.py", "lib/c.py", "lib/test_d.py"]
    assert found(tmp_path, "/tests/") == ["e.py", "lib/c.py", "lib/test_d.py", "lib/tests/b.py"]
    assert found(tmp_path, "test_*.py", "/lib/tests") == ["e.py", "lib/c.py", "tests/a.py"]
    assert found(tmp_path, "*.py", "!e.py") == ["e.py"]
    assert found(tmp_path, "*") == []


def test_exclude_wins_over_gitignore(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "b.py")
    (tmp_path / ".gitignore").write_text("*.py\n!a.py\n!b.py\n")
    assert found(tmp_path) == ["a.py", "b.py"]
    assert found(tmp_path, "b.py") == ["a.py"]


def test_exclude_that_is_no_pattern(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'\[z-' is not a pattern"):
        discover([tmp_path], ["[z-"])


def test_gitignore_in_the_tree(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "gen/b.py", "lib/gen.py", "lib/c.py", "lib/d.py", "lib/sub/c.py")
    (tmp_path / ".gitignore").write_text("gen/\nc.py\n")
    (tmp_path / "lib/.gitignore").write_text("/d.py\n!c.py\n")
    assert found(tmp_path) == ["a.py", "lib/c.py", "lib/gen.py", "lib/sub/c.py"]


def test_gitignore_above_in_the_repository(tmp_path: Path) -> None:
    make(tmp_path, ".git/HEAD", "src/a.py", "src/gen/b.py")
    (tmp_path / ".gitignore").write_text("gen/\n")
    assert found(tmp_path / "src") == ["a.py"]


def test_gitignore_above_the_repository(tmp_path: Path) -> None:
    make(tmp_path, "repo/.git/HEAD", "repo/a.py", "repo/src/b.py")
    (tmp_path / ".gitignore").write_text("*.py\n")
    assert found(tmp_path / "repo") == ["a.py", "src/b.py"]
    assert found(tmp_path / "repo/src") == ["b.py"]


def test_gitignore_above_without_a_repository(tmp_path: Path) -> None:
    make(tmp_path, "src/a.py")
    (tmp_path / ".gitignore").write_text("*.py\n")
    assert found(tmp_path / "src") == ["a.py"]


def test_named_folder_that_the_repository_ignores(tmp_path: Path) -> None:
    make(tmp_path, ".git/HEAD", "scratch/lib/a.py", "scratch/lib/gen/b.py", "scratch/c.py")
    (tmp_path / ".gitignore").write_text("scratch/\ngen/\n*.py\n")
    assert found(tmp_path / "scratch/lib") == ["a.py", "gen/b.py"]


def listed_by_git(root: Path) -> list[str]:
    subprocess.run(["git", "init", "-q", root], check=True)
    command = ["git", "-C", root, "ls-files", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [path.as_posix() for path in sorted(map(Path, listed.splitlines()))]


def test_same_files_as_git_lists(tmp_path: Path) -> None:
    make(tmp_path, "a.py", "lib/b.py", "lib/gen/c.py", "gen/d.py", "keep/e.py", "keep/f.py", "x/y/z/g.py")
    (tmp_path / ".gitignore").write_text("/gen\nlib/*\n!lib/gen/\nkeep/*\n!keep/e.py\n**/z\n")
    assert found(tmp_path) == listed_by_git(tmp_path) == ["a.py", "keep/e.py", "lib/gen/c.py"]


def test_stars_right_behind_the_start_of_a_name_cross_folders_as_in_git(tmp_path: Path) -> None:
    make(tmp_path, "a/ab/b.py", "a/c.py", "ab.py", "lib/x/y.py", "lib/z.py", "libs/y.py", "keep/k.py", "k.py")
    (tmp_path / ".gitignore").write_text("a**/b.py\nlib**/y.py\n/k*\n!/ke**\n")
    assert found(tmp_path) == listed_by_git(tmp_path) == ["a/c.py", "keep/k.py", "lib/z.py"]


_FOLDERS = ("", "a/", "ab/", "a/ab/", "a/ab/b/")
_plain = ["a", "ab", "b", "*", "?", "[ab]", "a*", "*.py", "b.py", "*y", "*p", "[!a].py"]
_odd = ["**", "a**", "a***", "*b*.*", "[[:alpha:]]*", r"\a*", "[]b-a]", "?.[a-p]?"]
_segments = st.sampled_from([*_plain, *_odd])
_patterns = st.builds(
    lambda parts, anchor, end: f"{anchor}{'/'.join(parts)}{end}",
    st.lists(_segments, min_size=1, max_size=3),
    st.sampled_from(["", "/", "**/"]),
    st.sampled_from(["", "/"]),
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(_FOLDERS), st.lists(_patterns, max_size=3), max_size=3))
def test_any_gitignore_files_as_git_reads_them(gitignores: dict[str, list[str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = make(Path(name), *(f"{folder}{file}" for folder in _FOLDERS for file in ("a.py", "b.py")))
        for folder, lines in gitignores.items():
            (root / folder / ".gitignore").write_text("\n".join(lines))
        assert found(root) == listed_by_git(root)


def test_link_within_the_tree_counts_once(tmp_path: Path) -> None:
    make(tmp_path, "pkg/a.py")
    (tmp_path / "a_link.py").symlink_to("pkg/a.py")
    (tmp_path / "link").symlink_to("pkg")
    (tmp_path / "pkg/up").symlink_to("..")
    assert discover([tmp_path]) == Discovery((tmp_path / "pkg/a.py",))


def test_links_out_of_the_tree_are_told(tmp_path: Path) -> None:
    make(tmp_path, "tree/a.py", "other/b.py", "other/c.txt")
    tree = tmp_path / "tree"
    (tree / "b.py").symlink_to("../other/b.py")
    (tree / "b_again.py").symlink_to("../other/b.py")
    (tree / "c.txt").symlink_to("../other/c.txt")
    (tree / "folder").symlink_to("../other")
    (tree / "gone.py").symlink_to("../other/gone.py")
    (tree / "loop.py").symlink_to("loop.py")
    outside = (tree / "b.py", tree / "b_again.py", tree / "folder")
    assert discover([tree]) == Discovery((tree / "a.py",), outside=outside)


def test_link_into_another_named_folder(tmp_path: Path) -> None:
    make(tmp_path, "one/a.py", "two/b.py")
    (tmp_path / "one/b.py").symlink_to("../two/b.py")
    assert discover([tmp_path / "one", tmp_path / "two"]) == Discovery(
        (tmp_path / "one/a.py", tmp_path / "two/b.py")
    )


def test_named_link_is_taken(tmp_path: Path) -> None:
    make(tmp_path, "tree/a.py", "other/b.py")
    link = tmp_path / "tree/b.py"
    link.symlink_to("../other/b.py")
    assert discover([link]).files == (link,)
    assert discover([link, tmp_path / "tree"]) == Discovery((tmp_path / "tree/a.py", link))
    assert discover([link, tmp_path / "other"]).files == (tmp_path / "other/b.py",)


def test_named_link_to_a_folder_is_walked(tmp_path: Path) -> None:
    make(tmp_path, "real/a.py")
    (tmp_path / "link").symlink_to("real")
    assert discover([tmp_path / "link"]).files == (tmp_path / "link/a.py",)


def test_hard_links_are_files_of_their_own(tmp_path: Path) -> None:
    make(tmp_path, "a.py")
    (tmp_path / "b.py").hardlink_to(tmp_path / "a.py")
    assert found(tmp_path) == ["a.py", "b.py"]


def test_fifo_and_socket_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's address must be short
    os.mkfifo("fifo.py")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.py")
        assert found(tmp_path) == []


def problems(*paths: Path) -> list[str]:
    return [f"{Path(problem.path).name}: {problem.message}" for problem in discover(paths).problems]


def test_named_fifo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.py")
    assert problems(tmp_path / "a.py") == ["a.py: not a regular file; name a Python file or a folder"]


def test_named_path_that_is_missing(tmp_path: Path) -> None:
    make(tmp_path, "a.py")
    discovery = discover([tmp_path / "gone", tmp_path / "a.py"])
    assert discovery.files == (tmp_path / "a.py",)
    assert [str(problem) for problem in discovery.problems] == [
        f"{tmp_path.as_posix()}/gone:1:1: no such file or folder"
    ]


def test_impossible_name() -> None:
    assert problems(Path("a\0b")) == ["a\0b: not a possible file name"]


def test_forbidden_folder(
    shared_folder: Path, ordinary_user: Callable[[], AbstractContextManager[None]]
) -> None:
    make(shared_folder, "a.py", "locked/b.py")
    (shared_folder / "locked").chmod(0)
    with ordinary_user():
        discovery = discover([shared_folder])
    assert below(shared_folder, discovery) == ["a.py"]
    assert [str(problem) for problem in discovery.problems] == [
        f"{shared_folder.as_posix()}/locked:1:1: cannot be read: Permission denied"
    ]


def test_folders_deeper_than_a_path_may_be_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a.py")
    monkeypatch.chdir(tmp_path)
    for _ in range(30):
        Path("d" * 200).mkdir()
        os.chdir("d" * 200)
    discovery = discover([tmp_path])
    assert below(tmp_path, discovery) == ["a.py"]
    assert [problem.message for problem in discovery.problems] == ["cannot be read: File name too long"]
