"""One run over the model files of a tree: what is remembered of them, what is scanned here or by workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from codemods.flex_passthrough.beside.workers import Workers
from codemods.flex_passthrough.beside.workplace import portions
from codemods.flex_passthrough.remembered.answers import Answers
from codemods.flex_passthrough.rules.rule import Rule
from codemods.flex_passthrough.scan.diagnosed import FileScan
from codemods.flex_passthrough.scan.errand import PORTION, ScanFiles
from codemods.flex_passthrough.scan.file_scan import scan_file
from codemods.flex_passthrough.scan.model_files import ModelFiles
from codemods.maskflow.program.index import Index
from codemods.source.digest import digest_of_text


class Run:
    """One run over the model files of a tree."""

    def __init__(self, index: Index, found: ModelFiles, rules: Sequence[Rule], answers: Answers) -> None:
        self.index = index
        self.found = found
        self.rules = rules
        self.answers = answers
        self._common = self._what_all_depend_on()

    def remembered(self) -> dict[Path, FileScan]:
        """Return what earlier runs found out of files that are as they were, with all that they depend on."""
        known = {path: self.answers.get(self._question(path)) for path in self.found.paths}
        return {path: each[0] for path, each in known.items() if each is not None}

    def scanned(self, paths: Sequence[Path], workers: Workers) -> Iterator[tuple[Path, FileScan]]:
        """Scan files, and remember what comes of it."""
        beside = workers.are_worth(len(paths) // PORTION)
        for path, each, packed in self._by_workers(paths, workers) if beside else self._here(paths):
            self.answers.add(self._question(path), each.depends_on, packed or each)
            yield path, each

    def _here(self, paths: Sequence[Path]) -> Iterator[tuple[Path, FileScan, bytes]]:
        for path in paths:
            yield path, scan_file(self.index, path, self.found.attached, self.rules), b""

    def _by_workers(self, paths: Sequence[Path], workers: Workers) -> Iterator[tuple[Path, FileScan, bytes]]:
        rules = tuple(rule.id for rule in self.rules)
        errands = [ScanFiles(some, self.found.patching, rules) for some in portions(paths, PORTION)]
        for errand, scans, work in workers.do(errands):
            if scans is None:  # what a worker dies of may be its size: here there is no other to lose
                yield from self._here(errand.paths)
                continue
            self.index.work.add(work)
            for path, packed in zip(errand.paths, scans, strict=True):
                yield path, self.answers.portable.unpack(packed), packed

    def _what_all_depend_on(self) -> bytes:
        """Return a digest of all but the file that a scan depends on, and that does not stand in a module."""
        tree, facts = self.index.tree, self.answers.facts
        parts = (
            tree.package.partition(".")[0],
            [rule.id for rule in self.rules],
            [(tree.module_name(path), facts.of(path).digest) for path in self.found.patching],
        )
        return digest_of_text(repr(parts))

    def _question(self, path: Path) -> tuple[object, ...]:
        return "scan", self._common, self.index.name_of(path), self.answers.facts.of(path).digest
