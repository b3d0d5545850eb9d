from __future__ import annotations

import pytest

from codemods.modelrepo.change import ANYTHING, changed_names, needed_names

MODULE = """\
import torch
from .utils import first, second

if torch_is_there():
    from elsewhere import third
else:
    third = None

# About the limit.
LIMIT = 3


def helper(x):
    return first(x, LIMIT)


class Layer:
    def forward(self, x):
        return helper(x)


class Model(Layer):
    \"\"\"Not a second thing.\"\"\"

    def forward(self, x):
        return third(x)
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("first(x, LIMIT)", "first(x)", {"helper"}),
        ("# About", "# Concerning", {"LIMIT"}),
        ("import first, second", "import first, fourth, second", {"fourth"}),
        ("import first, second", "import (\n    first,\n    second,\n)", set()),
        ("from .utils", "from .tools", {"first", "second"}),
        ("import third", "import third as other", {"third", "other"}),
        ("torch_is_there()", "True", {"third"}),
        ("LIMIT = 3\n\n\n", "LIMIT = 3\n\n\n\n\n", set()),
        ("LIMIT = 3", "LIMIT = 3\nprint(LIMIT)", {ANYTHING}),
        ("class Layer:", "class Layer(:", {ANYTHING}),
        ("x", "x", set()),
    ],
)
def test_changed_names(old: str, new: str, expected: set[str]) -> None:
    assert old in MODULE
    assert changed_names(MODULE, MODULE.replace(old, new, 1)) == expected


@pytest.mark.parametrize(
    ("starts", "expected"),
    [
        (["LIMIT"], {"LIMIT"}),
        (["helper"], {"helper", "first", "LIMIT"}),
        (["Model"], {"Model", "Layer", "helper", "first", "LIMIT", "third"}),
        (["gone"], set()),
    ],
)
def test_needed_names(starts: list[str], expected: set[str]) -> None:
    assert needed_names(MODULE, starts) == expected


def test_text_that_is_no_python_may_need_anything() -> None:
    assert needed_names("def broken(:", ["a"]) == {ANYTHING, "a"}
    assert changed_names("def broken(:", "def broken(:") == frozenset()
