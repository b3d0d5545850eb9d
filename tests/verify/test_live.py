from __future__ import annotations

import io

from rich.console import Console

from codemods.verify.live import LiveTable
from codemods.verify.results import Cell
from codemods.verify.watch import Progress


def shown(*cells: Cell, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=80, height=height)
    table = LiveTable("tree", console)
    for done, cell in enumerate(cells):
        table.update(Progress(done, 7, cell))
    with console.capture() as capture:
        console.print(table.rendered())
    return [line.rstrip() for line in capture.get().splitlines()]


def cell(name: str, verdict: str) -> Cell:
    return Cell.from_json({"model_type": "", "class": name, "case": "none", "verdict": verdict})


def test_a_class_has_a_sign_for_each_case() -> None:
    verdicts = ("ok", "crash", "wrong", "not-runnable")
    row, counts, bar = shown(*(cell("SomeForCausalLM", verdict) for verdict in verdicts))
    assert row == "SomeForCausalLM  ·CW-"
    assert counts == "· 1 ok   C 1 crash   W 1 wrong   - 1 not-runnable"
    assert bar.startswith("tree ") and "3/7" in bar


def test_of_many_classes_the_last_are_shown() -> None:
    lines = shown(*(cell(f"Model{number}", "ok") for number in range(9)), height=6)
    assert [line.split()[0] for line in lines] == ["Model7", "Model8", "·", "tree"]
