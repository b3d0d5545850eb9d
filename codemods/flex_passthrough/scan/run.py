"""One run over the model files of a tree: what is remembered of them, what is scanned here or by workers."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from codemods.flex_passthrough.identity import own_identity
from codemods.flex_passthrough.rules.rule import Rule
from codemods.flex_passthrough.scan.diagnosed import FileScan
from codemods.flex_passthrough.scan.facts import FileFacts
from codemods.flex_passthrough.scan.file_scan import scan_file
from codemods.flex_passthrough.scan.memory import Memory
from codemods.flex_passthrough.scan.model_files import ModelFiles
from codemods.flex_passthrough.scan.portable import Portable, folders_of
from codemods.flex_passthrough.scan.workers import PORTION, Job, scan_beside
from codemods.maskflow.index import Index
from codemods.source.digest import digest_of, digest_of_text


class Run:
    """One run over the model files of a tree."""

    def __init__(
        self, index: Index, found: ModelFiles, rules: Sequence[Rule], facts: FileFacts, memory: Memory | None
    ) -> None:
        self.index = index
        self.found = found
        self.rules = rules
        self.facts = facts
        self.memory = memory
        self.portable = Portable(folders_of(index))
        self._common = self._what_all_depend_on() if memory is not None else b""

    def remembered(self) -> dict[Path, FileScan]:
        """Return what earlier runs found out of files that are as they were, with all that they depend on."""
        if self.memory is None:
            return {}
        keys = {self._key(path): path for path in self.found.paths}
        scans = {}
        for key, packed in self.memory.scans(keys, self._content).items():
            with contextlib.suppress(Exception):  # whatever is wrong with it, it is none
                scans[keys[key]] = self.portable.unpack(packed)
        return scans

    def scanned(self, paths: Sequence[Path], jobs: int) -> Iterator[tuple[Path, FileScan]]:
        """Scan files, and remember what comes of it."""
        kept = []
        beside = jobs > 1 and len(paths) >= 2 * PORTION
        for path, each, packed in self._by_workers(paths, jobs) if beside else self._here(paths):
            if self.memory is not None:
                kept.append((self._key(path), each.depends_on, packed or self.portable.pack(each)))
            yield path, each
        if self.memory is not None:
            self.memory.keep_scans(kept)
            self.memory.keep_facts(self.facts.looked_at, self.facts.learned)

    def _here(self, paths: Sequence[Path]) -> Iterator[tuple[Path, FileScan, bytes]]:
        for path in paths:
            yield path, scan_file(self.index, path, self.found.attached, self.rules), b""

    def _by_workers(self, paths: Sequence[Path], jobs: int) -> Iterator[tuple[Path, FileScan, bytes]]:
        rules = tuple(rule.id for rule in self.rules)
        job = Job(self.index.tree, self.index.libraries, self.found.patching, rules)
        for portion, answer in scan_beside(job, paths, jobs):
            if answer is None:  # what a worker dies of may be its size: here there is no other to lose
                yield from self._here(portion)
                continue
            self.index.work.add(answer.work)
            for path, packed in zip(portion, answer.scans, strict=True):
                yield path, self.portable.unpack(packed), packed

    def _content(self, name: str) -> bytes | None:
        path = self.index.path_of(name)
        return self.facts.of(path).digest if path is not None else None

    def _what_all_depend_on(self) -> bytes:
        """Return a digest of all but the file that a scan depends on, and that does not stand in a module."""
        tree = self.index.tree
        parts = (
            own_identity(),
            sys.version_info,
            sorted(self.index.libraries),
            tree.package.partition(".")[0],
            [rule.id for rule in self.rules],
            [(tree.module_name(path), self.facts.of(path).digest) for path in self.found.patching],
        )
        return digest_of_text(repr(parts))

    def _key(self, path: Path) -> bytes:
        name = self.index.name_of(path).encode("utf-8", "surrogateescape")
        return digest_of(self._common + self.facts.of(path).digest + name)
