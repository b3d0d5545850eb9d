"""Values are sets: what depends on the order of their atoms asks for one that every run has."""

from __future__ import annotations

from pathlib import Path

from codemods.maskflow.index import Class, Module
from codemods.maskflow.outline import outline
from codemods.maskflow.values import Instance, Unknown, in_order
from codemods.source.text import decode_source

TEXT = "class First:\n    pass\n\n\nclass Second:\n    pass\n"


def test_objects_come_in_the_order_of_their_classes_whatever_their_addresses():
    path = Path("model.py")
    module = Module("model", path, decode_source(path, "model.py", TEXT.encode()), False)
    cut = outline(TEXT)
    assert cut is not None
    first, second = (Class(module, piece, piece.name) for piece in cut.pieces)
    for _ in range(20):
        made = [Instance(second, number=1), Instance(first, number=2), Instance(first, number=0), Unknown()]
        assert in_order(frozenset(made)) == [made[2], made[1], made[0], made[3]]
