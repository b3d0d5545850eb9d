"""The device is chosen where models run; what only a GPU shows is skipped where there is none."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from codemods.verify.cases import select
from codemods.verify.locate import locate
from codemods.verify.run import Options, run

pytestmark = pytest.mark.torch

WORKER = Path(__file__).parents[2] / "codemods" / "verify"


def in_torch(torch_python: str, program: str) -> object:
    """Run a program where torch is, with the worker importable, and return what it prints as JSON."""
    words = [torch_python, "-c", program]
    return json.loads(subprocess.run(words, cwd=WORKER, capture_output=True, text=True, check=True).stdout)


def test_the_gpu_is_chosen_where_torch_can_use_one(torch_python: str) -> None:
    program = """
import json, torch
from worker import device
found = []
for usable in (True, False):
    torch.cuda.is_available = lambda: usable
    found.append(device.chosen())
print(json.dumps(found))
"""
    assert in_torch(torch_python, program) == ["cuda", "cpu"]


def test_a_gpu_that_takes_no_more_work_is_noticed(torch_python: str) -> None:
    program = """
import json, torch
from worker import device
made = torch.ones
def ones(*sizes, device):
    if device == "cuda":
        raise RuntimeError("CUDA error: device-side assert triggered")
    return made(*sizes, device=device)
torch.ones = ones
print(json.dumps([device.works("cpu"), device.works("cuda")]))
"""
    assert in_torch(torch_python, program) == [True, False]


def test_on_a_gpu_flex_attention_is_compiled_and_right(tinyformers: Path, torch_python: str) -> None:
    has_gpu = "import json, torch; print(json.dumps(torch.cuda.is_available()))"
    if not in_torch(torch_python, has_gpu):
        pytest.skip("torch finds no GPU here")
    report = run(locate(tinyformers), Options(models=["plain"], cases=select(), python=torch_python))
    assert report.environment["flex_attention"] == "compiled"
    assert report.environment["worked_around"] == []
    assert {cell.verdict for cell in report.cells} == {"ok"}
