"""A coverage-guided fuzzer over the analysis and the rewriter; ``scripts/fuzz`` runs it.

An input is the source of a model. It begins with those in ``tests/trust/seeds`` and changes them as
``tests/trust/mutate.py`` does; what is asked of each is in ``tests/trust/promises.py``.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))
with atheris.instrument_imports(include=["codemods"]):
    from codemods.flex_passthrough import api  # noqa: F401
    from codemods.maskflow.program import index  # noqa: F401
    from codemods.rewrite import diff, edit  # noqa: F401

from tests.trust.mutate import mutated
from tests.trust.promises import SEEDS, holds, seeds

_OTHERS = [source.encode() for source in seeds().values()]


def changed(data: bytes, limit: int, seed: int) -> bytes:
    """Change an input a few times, as libFuzzer asks for it."""
    chance = random.Random(seed)
    for _ in range(chance.choice([1, 1, 2, 3, 5])):
        data = mutated(data, _OTHERS, chance, lambda text: atheris.Mutate(text, max(len(text), 1)))
    return data[:limit]


def main() -> None:
    """Fuzz as the command line says, which is libFuzzer's; the last argument is the corpus."""
    corpus = Path(sys.argv[-1])
    for path in SEEDS.glob("*.txt"):
        with contextlib.suppress(shutil.SameFileError):
            shutil.copy(path, corpus / path.stem)
    atheris.Setup(sys.argv, holds, custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
