"""A decision edited by hand: what somebody makes of its definition, taken over into all that follows it.

The text that is edited is the definition as the mend leaves it. What is changed in it is merged, line by
line, into every other definition that the decision changes. Where one reads differently around those
lines nothing is taken over at all, so that a repository never ends up with a root and its followers apart.
"""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from codemods.flex_passthrough.mends.window_helper import HELPER
from codemods.flex_passthrough.mends.writing.cannot import CannotMend
from codemods.flex_passthrough.mends.writing.hunks import edits_between
from codemods.flex_passthrough.mends.writing.imports import Need
from codemods.flex_passthrough.planning.editing import FileEdits, Workshop
from codemods.flex_passthrough.planning.trial import Trial, trial_id
from codemods.modelrepo.definition import Definition
from codemods.modelrepo.tooling.merge import MergeConflictError, take_over
from codemods.review.decision import Decision
from codemods.review.finding import Status
from codemods.rewrite.check import RewriteError
from codemods.rewrite.edit import Edit, OverlappingEdits, apply_edits
from codemods.source.problem import SourceError
from codemods.source.text import decode_source

# Bound in every module, whatever it holds.
_ALWAYS = frozenset(
    {*dir(builtins), "__file__", "__name__", "__doc__", "__package__", "__spec__", "__path__"}
)


class EditRefusedError(ValueError):
    """An edit that cannot be made; its text is one line that says why."""


class Passage(Struct, frozen=True):
    """A definition that a decision changes, from its first line to its last.

    Attributes:
        start: the offset in its file's text of its first character; ``end`` of the one behind its last.
        before: how it reads now.
        edits: what the decision changes in it.
    """

    definition: Definition
    start: int
    end: int
    before: str
    edits: tuple[Edit, ...]

    @property
    def after(self) -> str:
        """How the decision leaves it."""
        inside = [Edit(e.start - self.start, e.end - self.start, e.replacement) for e in self.edits]
        return apply_edits(self.before, inside)

    def becoming(self, text: str) -> list[Edit]:
        """Return the edits, in its file, that make ``text`` of it."""
        between = edits_between(self.before, text)
        return [Edit(e.start + self.start, e.end + self.start, e.replacement) for e in between]


def text_to_edit(trial: Trial, workshop: Workshop) -> str:
    r"""Return the definition that stands for a decision, as the decision leaves it; lines end with ``\n``.

    Raises:
        EditRefusedError: if the decision changes no definition.
    """
    return _unix(_passages(trial, workshop)[0].after)


def edited(trial: Trial, text: str, workshop: Workshop) -> Trial:
    r"""Return the decision that makes ``text`` of that definition, and the same of all that follows it.

    Args:
        trial: the decision as it is.
        text: the definition as somebody wants it, with lines that end with ``\n``.
        workshop: knows the files.

    Raises:
        EditRefusedError: if the text is not that definition, changes nothing, uses a name that one of the
            files does not bind, or cannot be taken over into a follower.
    """
    passages = _passages(trial, workshop)
    first = passages[0]
    text = text if text.endswith("\n") or not first.before.endswith("\n") else f"{text}\n"
    _check_definition(text, first)
    if text == _unix(first.before):
        raise EditRefusedError("that leaves the definition as it is now; to leave it so, say n")
    texts = _taken_over(passages, text, workshop)
    edits = _edits(trial.edits, texts)
    _check_files(edits, workshop)
    new_id = trial_id(trial.proposal, workshop, edits)
    return replace(trial, id=new_id, edits=edits, by_hand=True)


def check_nothing_is_lost(
    before: Iterable[Decision], after: Iterable[Decision], edited_id: str, new_id: str
) -> None:
    """Make sure that the edited decision, and every other that could be carried out before, still can be.

    Raises:
        EditRefusedError: naming the first that cannot, and why.
    """
    now = {decision.id: decision for decision in after}
    for decision in before:
        if decision.status is Status.WOULD_FIX:
            other = now[new_id if decision.id == edited_id else decision.id]
            if other.status is not Status.WOULD_FIX:
                what = "it" if other.id == new_id else f"{other.rule} at {other.root[1]} in {other.root[0]}"
                raise EditRefusedError(f"{what} could not be carried out then: {other.reason}")


def _passages(trial: Trial, workshop: Workshop) -> list[Passage]:
    """Return the definitions that a decision changes, the root first, or else what would follow it."""
    root = trial.proposal.root
    members = [member.definition for member in trial.proposal.members]
    passages = list(_changed(dict.fromkeys([root, *members]), trial, workshop))
    if not passages:
        raise EditRefusedError("it changes no definition, only what its files import: say y or n")
    return passages


def _changed(places: Iterable[Definition], trial: Trial, workshop: Workshop) -> Iterator[Passage]:
    for place in places:
        if place.path not in trial.edits.edits or place in trial.out_of_step:
            continue
        start, end = workshop.extent(place)
        inside = tuple(e for e in trial.edits.edits[place.path] if start <= e.start and e.end <= end)
        if inside:
            yield Passage(place, start, end, workshop.source(place.path).text[start:end], inside)


def _check_definition(text: str, passage: Passage) -> None:
    """Make sure that ``text`` is Python, and one definition of the same name at the same place."""
    name = passage.definition.qualname.rpartition(".")[2]
    header = "if 1:\n" if text[:1] in (" ", "\t") else ""
    try:
        body = ast.parse(header + text).body
    except SyntaxError as error:
        line = (error.lineno or 1) - bool(header)
        raise EditRefusedError(f"line {line} of the definition is not Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        raise EditRefusedError("that is not Python") from None
    if header and isinstance(body[0], ast.If):
        body = [*body[0].body, *body[0].orelse, *body[1:]]
    found, *more = body or [ast.Pass()]
    margin = len(passage.before) - len(passage.before.lstrip(" \t"))
    is_same = isinstance(found, (ast.FunctionDef, ast.AsyncFunctionDef)) and found.name == name
    if more or not is_same or found.col_offset != margin:
        raise EditRefusedError(
            f"what is left has to be the definition of {name}, in its place, and nothing else"
        )


def _taken_over(passages: list[Passage], text: str, workshop: Workshop) -> Mapping[Passage, str]:
    """Return what every definition becomes.

    Raises:
        EditRefusedError: naming those that what was changed has no place in.
    """
    base = _unix(passages[0].after)
    texts: dict[Passage, str] = {}
    refused: list[str] = []
    for passage in passages:
        newline = workshop.source(passage.definition.path).newline
        try:
            merged = take_over(base, text, _unix(passage.after)) if passage is not passages[0] else text
        except MergeConflictError:
            refused.append(f"{passage.definition.qualname} in {workshop.name(passage.definition.path)}")
        else:
            texts[passage] = merged.replace("\n", newline)
    if refused:
        raise EditRefusedError(f"it cannot be carried to {_listed(refused)}: the text is another there")
    return texts


def _edits(before: FileEdits, texts: Mapping[Passage, str]) -> FileEdits:
    """Return a decision's edits with its definitions as they were edited; the rest stays as it was.

    What no definition mentions any more is not imported for it.
    """
    after = FileEdits()
    helps = not any(HELPER in passage.after for passage in texts) or any(HELPER in t for t in texts.values())
    for path in before.paths():
        here = {passage: text for passage, text in texts.items() if passage.definition.path == path}
        replaced = {edit for passage in here for edit in passage.edits}
        edits = [edit for edit in before.edits[path] if edit not in replaced]
        for passage, text in here.items():
            edits += passage.becoming(text)
        needs = before.needs[path]
        if here:
            needs = [
                need
                for need in needs
                if _is_mentioned(need, [*here.values(), *(e.replacement for e in edits)])
            ]
        if edits or needs or (helps and path in before.helpers):
            after.add(path, edits, needs, before.how[path])
    after.helpers = before.helpers if helps else set()
    return after


def _is_mentioned(need: Need, texts: Iterable[str]) -> bool:
    name = re.compile(rf"\b{re.escape(need.name or need.module.rpartition('.')[2])}\b")
    return any(name.search(text) for text in texts)


def _check_files(edits: FileEdits, workshop: Workshop) -> None:
    """Make sure that every file comes out right, and binds every name that is new in it."""
    missing: list[str] = []
    for path in edits.paths():
        source = workshop.source(path)
        try:
            text = decode_source(path, source.name, workshop.render(path, edits)).text
        except (CannotMend, OverlappingEdits, RewriteError, SourceError) as error:
            raise EditRefusedError(getattr(error, "reason", "") or str(error)) from None
        missing += [
            f"{name} in {source.name}" for name in sorted(unbound_names(text) - unbound_names(source.text))
        ]
    if missing:
        raise EditRefusedError(f"nothing binds {_listed(missing)}")


def unbound_names(text: str) -> set[str]:
    """Return the global names that the functions of a module mention and that nothing binds there."""
    if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in ast.parse(text).body):
        return set()
    top = symtable.symtable(text, "module", "exec")
    bound = {
        symbol.get_name()
        for symbol in top.get_symbols()
        if symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
    }
    return {
        symbol.get_name()
        for table in _below(top)
        for symbol in table.get_symbols()
        if symbol.is_global() and symbol.is_referenced()
    } - (bound | _ALWAYS)


def _below(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _below(child)


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
