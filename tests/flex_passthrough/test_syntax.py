import ast

import pytest

from codemods.flex_passthrough.syntax import alike, in_order, parents, same_text


def expression(text):
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("mask", "mask"),
        ("(mask)  is   not None", "mask is not None"),
        ('self.masks["full"]', "self.masks['full']"),
        ("u'a'", "u'a'"),
        ("f(a,b , *c, d=-1)", "f(a, b, *c, d=-1)"),
        ("f'{x!r:>{n}}'", "f'{x!r:>{n}}'"),
    ],
)
def test_same_text_whatever_the_format(written, text):
    assert same_text(expression(written), text)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("mask", "masks"),
        ("mask is None", "mask is not None"),
        ("mask == 1", "mask == True"),
        ("mask == 1", "mask == 1.0"),
        ("f(a)", "f(a, b)"),
        ("f(a, b)", "f(a,b)"),  # no expression is written out like that
        ("mask", "if mask"),
    ],
)
def test_other_text(written, text):
    assert not same_text(expression(written), text)


def test_same_text_of_what_is_assigned_to():
    (assignment,) = ast.parse("self.mask[0] = mask").body
    assert same_text(assignment.targets[0], "self.mask[0]")


def test_statement_is_no_expression():
    (statement,) = ast.parse("mask").body
    assert not same_text(statement, "mask")


def test_nodes_are_put_in_order_once():
    function = ast.parse("def f(x):\n    return g(x) + x\n").body[0]
    assert in_order(function) is in_order(function)
    assert parents(function) is parents(function)
    assert [node.col_offset for node in alike(function, "x")] == [13, 18]
