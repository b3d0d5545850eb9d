from __future__ import annotations

from pathlib import Path

import pytest

from codemods.maskflow.program.index import Index, Module
from codemods.modelrepo.copies import (
    CopyComment,
    Replacement,
    copied_definition,
    find_comments,
    find_source,
    is_ignored,
)
from codemods.source.tree import locate_tree

COMMENT = "# Copied from grove.models.oak.modeling_oak.OakModel"
PATH = Path("modeling_elm.py")


def comments_in(text: str) -> list[CopyComment]:
    return list(find_comments(PATH, text.encode()))


def module_of(folder: Path, text: str) -> Module:
    file = folder / "modeling_elm.py"
    file.write_text(text, encoding="utf-8")
    module = Index(locate_tree(folder)).module_at(file)
    assert module is not None
    return module


def test_comment_names_its_source_and_line() -> None:
    text = f"import torch\n\n    {COMMENT}.forward\n    def forward(self): ...\n"
    assert comments_in(text) == [CopyComment(PATH, 3, "grove.models.oak.modeling_oak.OakModel.forward")]


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("", ()),
        (" with Oak->Elm", (Replacement("Oak", "Elm"),)),
        (" with Oak->Elm,oak->elm", (Replacement("Oak", "Elm"), Replacement("oak", "elm"))),
        (" with Oak->Elm, OAK->ELM", (Replacement("Oak", "Elm"), Replacement("OAK", "ELM"))),
        (" with Oak->Elm all-casing", (Replacement("Oak", "Elm", True),)),
        ("  with self.oak->self.elm", (Replacement("self.oak", "self.elm"),)),
        (" Oak->Elm", (Replacement("Oak", "Elm"),)),
        (" and simplified", ()),
    ],
)
def test_replacements(tail: str, expected: tuple[Replacement, ...]) -> None:
    (comment,) = comments_in(COMMENT + tail + "\nclass ElmModel: ...\n")
    assert comment.replacements == expected


def test_lines_are_counted_in_files_with_windows_newlines() -> None:
    text = f"a = 1\r\n\r\n{COMMENT} with Oak->Elm\r\nclass ElmModel: ...\r\n"
    assert comments_in(text) == [CopyComment(PATH, 3, COMMENT.split()[-1], (Replacement("Oak", "Elm"),))]


@pytest.mark.parametrize(
    "line",
    [
        "# Copied from https://example.org/oak.py",
        "# Copied from `modeling_oak.py`",
        "# NO LONGER EXIST Copied from grove.models.oak.modeling_oak.OakModel",
        '"""Copied from grove.models.oak.modeling_oak.OakModel"""',
        "x = 1  # Copied from grove.models.oak.modeling_oak.OakModel",
        "# copied from grove.models.oak.modeling_oak.OakModel",
        "# Adapted from grove.models.oak.modeling_oak.OakModel",
    ],
)
def test_other_comments_copy_nothing(line: str) -> None:
    assert comments_in(line + "\nclass ElmModel: ...\n") == []


@pytest.mark.parametrize(
    ("replacement", "text", "expected"),
    [
        (Replacement("Oak", "Elm"), "OakModel oak OAK", "ElmModel oak OAK"),
        (Replacement("Oak", "Elm", True), "OakModel oak OAK", "ElmModel elm ELM"),
        (Replacement("self.oak", "self.elm"), "self.oak(x)", "self.elm(x)"),
        (Replacement("(", "["), "f(x)", "f[x)"),
        (Replacement("(a+)+$", "x"), "a" * 60 + "b", "a" * 60 + "b"),  # as an expression it takes years
        (Replacement("(a|a)*b?", "x"), "(a|a)*b?" + "a" * 60, "x" + "a" * 60),
        (Replacement("oak", r"\g<no>"), "oak", r"\g<no>"),
    ],
)
def test_renaming(replacement: Replacement, text: str, expected: str) -> None:
    assert CopyComment(PATH, 1, "a.b", (replacement,)).rename(text) == expected


def test_renaming_that_would_fill_the_memory_stops() -> None:
    comment = CopyComment(PATH, 1, "a.b", (Replacement("a", "a" * 1000),) * 50)
    assert len(comment.rename("a")) < 64 * 1024 * 1024


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{COMMENT}\nclass Elm:\n    def f(self): ...\n", "Elm"),
        (f"{COMMENT}\n@decorate\n@decorate(\n    1\n)\ndef f(): ...\n", "f"),
        (f"class Elm:\n    {COMMENT}\n    @property\n    def f(self): ...\n", "Elm.f"),
        (
            f"class Elm:\n    def f(self): ...\n\n    {COMMENT}\n    # a word\n\n    def g(self): ...\n",
            "Elm.g",
        ),
        (f"if True:\n    {COMMENT}\n    def f(): ...\n", "f"),
        (f"class Elm:\n    {COMMENT}\n    class Inner: ...\n", "Elm.Inner"),
        (f"{COMMENT}\nx = 1\ndef f(): ...\n", None),
        (f"def f(): ...\n{COMMENT}\n", None),
    ],
)
def test_comment_covers_the_definition_below_it(tmp_path: Path, text: str, expected: str | None) -> None:
    module = module_of(tmp_path, text)
    (comment,) = find_comments(module.path, module.source.raw)
    assert copied_definition(module, comment) == expected


@pytest.mark.parametrize(
    "source",
    [
        "grove.models.oak.modeling_oak.OakModel.forward",
        "transformers.models.oak.modeling_oak.OakModel.forward",  # the fork renamed its package
        "transformers.elsewhere.models.oak.modeling_oak.OakModel.forward",
        "oak.modeling_oak.OakModel.forward",
    ],
)
def test_source_is_found_whatever_the_package_is_called(grove: Path, models: Path, source: str) -> None:
    index = Index(locate_tree(grove))
    found = find_source(index, CopyComment(models / "elm" / "modeling_elm.py", 1, source))
    assert found is not None
    assert (found[0].name, found[1]) == ("grove.models.oak.modeling_oak", "OakModel.forward")


@pytest.mark.parametrize(
    "source",
    [
        "grove.models.oak.modeling_oak.GoneModel",
        "grove.models.oak.modeling_oak.OakModel.gone",
        "grove.models.gone.modeling_gone.GoneModel",
        "grove.models.oak.modeling_oak",
        "grove.models.oak",
    ],
)
def test_source_that_is_not_there_is_none(grove: Path, models: Path, source: str) -> None:
    index = Index(locate_tree(grove))
    assert find_source(index, CopyComment(models / "elm" / "modeling_elm.py", 1, source)) is None


def test_member_marked_to_be_ignored_is_the_copy_s_own(models: Path) -> None:
    module = module_of(models / "elm", (models / "elm" / "modeling_elm.py").read_text(encoding="utf-8"))
    assert is_ignored(module, "ElmMixer.describe")
    assert not is_ignored(module, "ElmMixer.forward")
    assert not is_ignored(module, "ElmModel.__init__")
    assert not is_ignored(module, "ElmModel.gone")
