"""A text is cut into definitions by its lines; each piece must be what a parser finds there."""

from __future__ import annotations

import ast
from textwrap import indent
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemods.maskflow.program.outline import outline, outline_class
from codemods.maskflow.program.parsing import parse_piece


def check_cut(text: str) -> list[str]:
    """Hold the pieces of ``text`` against its syntax tree; return their names."""
    cut = outline(text)
    assert cut is not None
    statements = ast.parse(text).body
    whole = {node.lineno: node for node in statements if hasattr(node, "name")}
    found = {piece.line: parse_piece(piece) for piece in cut.pieces}
    found |= {node.lineno: node for node in ast.parse(cut.rest).body if hasattr(node, "name")}
    assert dumped(found) == dumped(whole)
    others = [node for node in statements if node.lineno not in whole]
    assert [ast.dump(node) for node in ast.parse(cut.rest).body if node.lineno not in whole] == [
        ast.dump(node) for node in others
    ]
    return [piece.name for piece in cut.pieces]


def dumped(nodes):
    return {line: ast.dump(node, include_attributes=True) for line, node in nodes.items()}


def test_functions_classes_and_what_is_between():
    assert check_cut("import a\n\ndef f(x):\n    return x\n\nB = 1\nclass C(a.D):\n    pass\n") == ["f", "C"]


def test_decorators_belong_to_what_they_decorate():
    assert check_cut("@a(\n    1,\n)\n@b\n# why\nasync def f(\n    x,\n):\n    pass\n") == ["f"]


def test_definition_in_a_string_is_none():
    assert check_cut('DOC = """\nclass A(B):\n    pass\n\nx\n"""\n\ndef f():\n    pass\n') == ["f"]


def test_lines_of_a_string_do_not_end_a_definition():
    assert check_cut('def f():\n    x = """\ny = 1\n"""\n    return x\n\nz = 1\n') == ["f"]


def test_guarded_definitions_stay_with_their_guard():
    assert check_cut("if a:\n    def f():\n        pass\nelse:\n    class C:\n        pass\n") == []


@pytest.mark.parametrize("text", ['x = """\n', "a = 1\rb = 2\r", "x = 1\n\f\ndef f():\n    pass\n"])
def test_text_that_lines_do_not_tell_enough_about_is_not_cut(text):
    assert outline(text) is None


def methods(text: str) -> list[str] | None:
    cut = outline(text)
    assert cut is not None
    inner = outline_class(cut.pieces[0])
    if inner is None:
        return None
    node = ast.parse(text).body[0]
    assert isinstance(node, ast.ClassDef)
    whole = {child.lineno: child for child in node.body if isinstance(child, ast.FunctionDef)}
    assert dumped({piece.line: parse_piece(piece) for piece in inner.pieces}) == dumped(whole)
    assert isinstance(parse_piece(cut.pieces[0], inner.rest), ast.ClassDef)
    return [piece.name for piece in inner.pieces]


def test_class_is_cut_into_methods():
    text = 'class A(B):\n    """A.\n\n    def no(self): ...\n    """\n    x = 1\n\n'
    text += "    @property\n    def f(self):\n        return 1\n\n    y = 2\n\n    def g(self): return 2\n"
    assert methods(text) == ["f", "g"]


def test_class_of_methods_alone():
    assert methods("class A:\n    def f(self):\n        pass\n    def g(self):\n        pass\n") == ["f", "g"]


def test_class_that_is_indented_otherwise_is_not_cut():
    assert methods("class A:\n  def f(self):\n    def g():\n      pass\n") is None


def test_bases_are_read_from_the_text_where_they_are_names():
    def bases(text: str) -> object:
        return SimpleNamespace(cut=outline(text)).cut.pieces[0].plain_bases()

    assert bases("class A:\n    pass\n") == ()
    assert bases("class A(\n    nn.Module, B,\n):\n    pass\n") == ("nn.Module", "B")
    assert bases("class A(B[int]):\n    pass\n") is None
    assert bases("class A(B, metaclass=M):\n    pass\n") is None


BODIES = st.sampled_from(
    [
        "pass",
        "return 1",
        '"""Doc.\n\nclass X:\n"""\nreturn 2',
        "x = (\n1,\n)\nreturn x",
        "# only\npass",
        "x = '#'",
    ]
)
BETWEEN = st.sampled_from(
    ["import a", "X = 1", "# comment", "", "if a:\n    b = 1", 'Y = """\ndef no():\n"""']
)


@st.composite
def definitions(draw):
    name, body = draw(st.sampled_from("fgh")), indent(draw(BODIES), "    ")
    method = f"def {name}(self, a=1):\n{body}"
    head = draw(st.sampled_from(["", "@deco\n", "@deco(\n    1\n)\n"]))
    if draw(st.booleans()):
        return head + method
    return f"{head}class {name.upper()}(Base):\n    z = 1\n\n{indent(method, '    ')}"


@given(st.lists(st.one_of(BETWEEN, definitions()), max_size=8))
def test_any_module_is_cut_as_a_parser_cuts_it(parts):
    check_cut("\n".join(parts) + "\n")
