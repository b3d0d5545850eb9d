"""The scan: from files to diagnoses, each with the models that a BlockMask gets there through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codemods.flex_passthrough.rules import RULES
from codemods.flex_passthrough.rules.rule import Diagnosis, Rule
from codemods.maskflow.flow import MaskFlow, Reach, models
from codemods.maskflow.hierarchy import Hierarchy
from codemods.maskflow.index import Class, Index, Module

# Bytes without which a file cannot hold a torch model that takes a mask.
_MARKS = (b"attention_mask", b"def forward", b"torch")

Progress = Callable[[str, int, int], None]


@dataclass
class Diagnosed:
    """A diagnosis and the model classes that reach its site."""

    diagnosis: Diagnosis
    claiming: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)

    @property
    def claimed(self) -> bool:
        """Whether a model that claims flex attention reaches the site."""
        return bool(self.claiming)


def scan(
    index: Index, files: Sequence[Path], rules: Sequence[Rule] | None = None, progress: Progress | None = None
) -> list[Diagnosed]:
    """Follow a BlockMask through every model in ``files`` and return what the rules say of it.

    Args:
        index: the tree that the files belong to; definitions outside ``files`` are read as needed.
        files: where models are looked for.
        rules: those to ask; all by default.
        progress: told (what is done, steps done, steps in all).
    """
    hierarchy = Hierarchy(index)
    flow = MaskFlow(index, hierarchy)
    asked = list(RULES.values()) if rules is None else list(rules)
    found: dict[tuple[object, ...], Diagnosed] = {}
    entries = models(index, hierarchy, _modules(index, files))
    for done, entry in enumerate(entries):
        if progress is not None:
            progress("following masks", done, len(entries))
        reach = flow.follow(entry)
        if reach is None:
            continue
        claims = hierarchy.claims_flex(entry)
        for diagnosis in _ask(asked, reach, claims):
            key = (diagnosis.rule, diagnosis.function, diagnosis.mend, diagnosis.node)
            if not isinstance(diagnosis.mend, str):
                key = (diagnosis.rule, diagnosis.function, diagnosis.mend)
            diagnosed = found.setdefault(key, Diagnosed(diagnosis))
            (diagnosed.claiming if claims else diagnosed.others).append(_name(entry))
    return list(found.values())


def _modules(index: Index, files: Sequence[Path]) -> Iterator[Module]:
    for path in files:
        try:
            data = path.read_bytes()
        except OSError:
            data = b"".join(_MARKS)  # the index reports why it cannot be read
        if all(mark in data for mark in _MARKS) and not _has_generated_twin(path):
            module = index.module_at(path)
            if module is not None:
                yield module


def _has_generated_twin(path: Path) -> bool:
    # A modular file is written for the converter; the models that run stand in what it generates.
    name = path.name
    return (
        name.startswith("modular_") and path.with_name("modeling_" + name.removeprefix("modular_")).exists()
    )


def _ask(rules: Sequence[Rule], reach: Reach, claims: bool) -> Iterator[Diagnosis]:
    for rule in rules:
        if claims:
            yield from rule.diagnose(reach)
        elif rule.speaks_of_unclaimed is not None:
            yield from filter(rule.speaks_of_unclaimed, rule.diagnose(reach))


def _name(entry: Class) -> str:
    return entry.name
