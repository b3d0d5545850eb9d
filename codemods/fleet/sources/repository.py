"""Git repositories: checkouts, bare ones, and those behind a URL."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from codemods.fleet.failure import StageFailure, why_not
from codemods.fleet.sources.git import git
from codemods.fleet.sources.source import MOST_BYTES, Survey, is_lfs_pointer, taken, tells

_FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# Attributes of the tree must not change bytes on the way out of the clone.
_RAW = "* -text -eol -filter -ident -working-tree-encoding\n"
_POINTER_BYTES = range(100, 300)


class GitRepository(Struct):
    """A repository of which a clone is made, sharing objects with the source where that is local.

    Attributes:
        location: the path or URL.
        ref: branch, tag or commit; empty for what is checked out there.
        clone: where the clone is, or is going to be.
        local: the path, where the source is on this machine.
    """

    location: str
    ref: str
    clone: Path
    local: Path | None = None

    def fingerprint(self) -> str:
        """Return the commit that the reference stands for now."""
        if self.local is not None:
            return self._resolve(self._in_source)
        if _FULL_ID.fullmatch(self.ref):
            return self.ref
        wanted = self.ref or "HEAD"
        lines = git("ls-remote", "--", self.location, wanted).decode("utf-8", "replace").splitlines()
        found = {name: commit for commit, _, name in (line.partition("\t") for line in lines)}
        for name in (wanted, f"refs/tags/{wanted}^{{}}", f"refs/heads/{wanted}", f"refs/tags/{wanted}"):
            if name in found:
                return found[name]
        if re.fullmatch(r"[0-9a-f]{7,}", wanted):
            return wanted  # the start of a commit's id: only the clone can tell
        raise StageFailure(f"there is no branch or tag {wanted!r}" if self.ref else "the repository is empty")

    def survey(self) -> Survey:
        """Clone, and list the files of the commit; nothing is checked out."""
        commit = self.fetch()
        survey = Survey(commit=commit)
        submodules, giants, small = [], [], {}
        for mode, blob, size, path in self._listed(commit):
            if mode == "160000":
                submodules.append(path)
            elif mode.startswith("100") and taken(path):
                if size > MOST_BYTES:
                    giants.append(path)
                    continue
                survey.files[path] = blob
                if size in _POINTER_BYTES:
                    small[path] = blob
        survey.note("submodules, not looked at", submodules)
        survey.note(f"left out, larger than {MOST_BYTES // 10**6} MB", giants)
        survey.note("Git LFS pointers, not content", self._pointers(small))
        if self.local is not None and not self.ref:
            self._note_uncommitted(survey)
        return survey

    def contents(self, survey: Survey, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield some files, as they are in the commit."""
        self.fetch()
        names = list(paths)
        yield from zip(names, self._blobs([survey.files[name] for name in names]), strict=True)

    def export(self, survey: Survey, folder: Path) -> None:
        """Write the files of a survey below ``folder``, byte for byte as they are in the commit."""
        commit = self.fetch()
        index = {"GIT_INDEX_FILE": str(self.clone / "export.index")}
        self._in_clone("read-tree", commit, environment=index)
        names = b"\0".join(path.encode("utf-8", "surrogateescape") for path in survey.files)
        where = ("--git-dir", self.clone, "--work-tree", folder, "-C", folder)
        git(*where, "checkout-index", "-f", "-z", "--stdin", data=names, environment=index)

    def fetch(self) -> str:
        """Make the clone, unless it is there, and return the full id of the commit."""
        done = self.clone / "fetched"
        with contextlib.suppress(OSError):
            return done.read_text()
        shutil.rmtree(self.clone, ignore_errors=True)
        try:
            self.clone.mkdir(parents=True)
            commit = self._borrow() if self.local is not None else self._fetch_remote()
            (self.clone / "info").mkdir(exist_ok=True)
            (self.clone / "info" / "attributes").write_text(_RAW)
            done.write_text(commit)
        except OSError as error:
            raise why_not(error) from None
        return commit

    def _borrow(self) -> str:
        """Make a clone that reads the source's objects where they are: nothing is copied or asked."""
        commit = self._resolve(self._in_source)
        kind = _line(self._in_source("rev-parse", "--show-object-format"))
        git("init", "-q", "--bare", "--template=", f"--object-format={kind}", self.clone)
        # Where a checkout is one of several worktrees, both lie in the repository they share.
        for inside, target in (("objects", "objects/info/alternates"), ("shallow", "shallow")):
            path = Path(self.location, _line(self._in_source("rev-parse", "--git-path", inside)))
            if inside == "objects":
                (self.clone / target).write_text(f"{path}\n")
            elif path.is_file():
                shutil.copyfile(path, self.clone / target)
        return commit

    def _fetch_remote(self) -> str:
        """Fetch as little as the server allows: one commit, or all branches to find a shortened id in."""
        git("init", "-q", "--bare", "--template=", self.clone)
        try:
            wanted = self.ref or "HEAD"
            self._in_clone("fetch", "-q", "--depth=1", "--no-tags", "--", self.location, wanted)
        except StageFailure:
            if not re.fullmatch(r"[0-9a-f]{7,}", self.ref):
                raise
            self._in_clone("fetch", "-q", "--tags", "--", self.location, "+refs/heads/*:refs/heads/*")
            return self._resolve(self._in_clone)
        return _line(self._in_clone("rev-parse", "FETCH_HEAD^{commit}"))

    def _resolve(self, run: Callable[..., bytes]) -> str:
        """Return the commit that the reference stands for: as it is written, or a branch of a remote."""
        for name in (self.ref, f"refs/remotes/origin/{self.ref}") if self.ref else ("HEAD",):
            with contextlib.suppress(StageFailure):
                return _line(run("rev-parse", "--verify", "-q", f"{name}^{{commit}}"))
        run("rev-parse", "--git-dir")  # says so if this is no repository, or not ours to read
        absent = (
            f"there is no branch, tag or commit {self.ref!r}" if self.ref else "the repository has no commit"
        )
        try:
            found = _line(run("rev-parse", "--verify", "-q", self.ref or "HEAD"))
        except StageFailure:
            raise StageFailure(absent) from None
        raise StageFailure(
            f"{self.ref or 'HEAD'} is {found[:12]}, no commit that can be read; see `git fsck` there"
        )

    def _listed(self, commit: str) -> Iterator[tuple[str, str, int, str]]:
        """Yield mode, object, size and path of everything in a commit."""
        for record in self._in_clone("ls-tree", "-r", "-l", "-z", commit).split(b"\0"):
            if record:
                about, _, path = record.partition(b"\t")
                mode, _, blob, size = about.decode().split()
                yield mode, blob, int(size) if size.isdigit() else 0, os.fsdecode(path)

    def _pointers(self, small: Mapping[str, str]) -> list[str]:
        """Return which of some small files are Git LFS pointers."""
        contents = zip(small, self._blobs(list(small.values())), strict=True)
        return [path for path, data in contents if is_lfs_pointer(data)]

    def _blobs(self, ids: Sequence[str]) -> Iterator[bytes]:
        """Yield the content of some objects, in their order."""
        asked = "".join(f"{blob}\n" for blob in ids).encode()
        answer = io.BytesIO(self._in_clone("cat-file", "--batch", data=asked) if ids else b"")
        for _ in ids:
            size = int(answer.readline().split()[2])
            yield answer.read(size)
            answer.read(1)

    def _note_uncommitted(self, survey: Survey) -> None:
        """Note that the source has changes that are not committed, for those are not looked at.

        The source's index is compared through the clone, so that no filter of the source is run.
        """
        assert self.local is not None
        index = Path(self.location, _line(self._in_source("rev-parse", "--git-path", "index")))
        if not index.is_file() or _line(self._in_source("rev-parse", "--is-bare-repository")) == "true":
            return
        copy = self.clone / "source.index"
        shutil.copyfile(index, copy)
        where = ("--git-dir", self.clone, "--work-tree", self.local, "-C", self.local)
        environment = {"GIT_INDEX_FILE": str(copy)}
        with contextlib.suppress(StageFailure):  # so it ends where something has changed
            git(*where, "update-index", "-q", "--refresh", environment=environment)
        changed = git(
            *where, "diff-files", "--name-only", "-z", "--ignore-submodules", environment=environment
        )
        staged = self._in_clone(
            "diff-index",
            "--cached",
            "--name-only",
            "-z",
            survey.commit,
            environment={"GIT_INDEX_FILE": str(copy)},
        )
        names = {os.fsdecode(name) for name in (changed + staged).split(b"\0") if name}
        survey.note("changes not committed, not looked at", sorted(filter(tells, names)))

    def _in_source(self, *arguments: str | Path) -> bytes:
        assert self.local is not None
        return git("-C", self.local, *arguments, below=self.local)

    def _in_clone(
        self,
        *arguments: str | Path,
        data: bytes | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> bytes:
        return git("--git-dir", self.clone, *arguments, data=data, environment=environment)


def _line(output: bytes) -> str:
    """Return the one line that git printed; a path may hold any byte."""
    return os.fsdecode(output).rstrip("\n")
