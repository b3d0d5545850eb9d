"""An answer is kept with all that was looked at for it, and given again while that is the same."""

from __future__ import annotations

import pytest

from codemods.maskflow.program.index import Index
from codemods.modelrepo.definition import Definition
from codemods.modelrepo.layout import Layout
from codemods.modelrepo.marks import marks_of
from codemods.modelrepo.recall import Recall
from codemods.source.contents import NOTHING
from codemods.source.discover import discover
from codemods.source.tree import locate_tree


class Notebook:
    """What runs tell each other, in a dict."""

    def __init__(self):
        self.answers = {}
        self.index = None

    def content(self, module):
        path = self.index.path_of(module)
        return self.index.digest_at(path) if path is not None else None

    def marks(self, path):
        return marks_of(path, path.read_bytes())

    def get(self, question, contents):
        depends_on, answer, problems = self.answers.get(question, ({}, None, ()))
        if answer is None or any(contents[name] != (was or NOTHING) for name, was in depends_on.items()):
            return None
        self.index.take_over(problems)
        return answer, frozenset(depends_on)

    def add(self, question, depends_on, answer, problems=()):
        self.answers[question] = dict(depends_on), answer, problems


@pytest.fixture
def notebook():
    return Notebook()


@pytest.fixture
def recall(grove, notebook):
    """Begin a new run over the grove."""

    def begin():
        notebook.index = Index(locate_tree(grove))
        return Recall(notebook.index, Layout(notebook.index.tree, discover([grove]).files), notebook)

    return begin


def place(models, name):
    return Definition(models / name, "CedarModel", 1)


def test_answer_is_found_once_in_a_run_and_not_in_the_next(recall, models):
    subject = place(models, "cedar/modeling_cedar.py")
    first = recall()
    assert first.lasting(("color", subject), lambda: "green") == "green"
    assert first.lasting(("color", subject), pytest.fail) == "green"
    assert recall().lasting(("color", subject), pytest.fail) == "green"


def test_what_lasts_for_a_run_only_is_found_again_in_the_next(recall, models):
    subject = place(models, "cedar/modeling_cedar.py")
    assert recall().once(("color", subject), lambda: "green") == "green"
    assert recall().once(("color", subject), lambda: "brown") == "brown"


@pytest.mark.parametrize("changes", [True, False])
def test_answer_depends_on_what_was_looked_at_for_it(recall, models, changes):
    subject = place(models, "cedar/modeling_cedar.py")
    first = recall()
    first.lasting(("color", subject), lambda: first.module_at(models / "oak/modeling_oak.py") and "green")
    changed = models / ("oak/modeling_oak.py" if changes else "elm/modeling_elm.py")
    changed.write_text(changed.read_text() + "X = 1\n")
    assert recall().lasting(("color", subject), lambda: "brown") == ("brown" if changes else "green")


def test_answer_depends_on_what_questions_within_it_looked_at(recall, models):
    outer, inner = place(models, "cedar/modeling_cedar.py"), models / "oak/modeling_oak.py"
    first = recall()

    def ask_oak():
        return first.once(("is there", inner), lambda: first.module_at(inner) is not None)

    assert ask_oak()  # an answer that is there already has its part, too
    assert first.lasting(("has oak", outer), ask_oak)
    inner.write_text("")
    assert recall().lasting(("has oak", outer), lambda: "asked again") == "asked again"


def test_answer_depends_on_marks_and_not_on_the_files_that_carry_them(recall, models):
    birch = models / "birch/modeling_birch.py"
    subject = Definition(birch, "BirchModel", 1)
    first = recall()
    first.lasting(("children", subject), lambda: len(first.modulars_naming(birch)))
    cedar = models / "cedar/modular_cedar.py"
    cedar.write_text(cedar.read_text() + "X = 1\n")
    recall().lasting(("children", subject), pytest.fail)
    cedar.write_text("# It takes nothing from anybody any more.\n")
    assert recall().lasting(("children", subject), lambda: "asked again") == "asked again"


def test_problems_are_remembered_with_the_answer(recall, models, notebook):
    subject, broken = place(models, "cedar/modeling_cedar.py"), models / "oak/modeling_oak.py"
    broken.write_text("def (:\n")
    first = recall()
    first.lasting(("is there", subject), lambda: first.module_at(broken) is not None)
    met = list(notebook.index.problems)
    recall().lasting(("is there", subject), pytest.fail)
    assert met and notebook.index.problems == met
