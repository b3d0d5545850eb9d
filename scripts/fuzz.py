"""A coverage-guided fuzzer over the analysis and the rewriter; ``scripts/fuzz`` runs it.

An input picks a mask method of many shapes and pieces to put in it, or is itself the source of a model.
Whatever it is, planning must not crash, what is planned must parse, keep every line that is not extended,
and be all: a second run finds nothing to do.
"""

from __future__ import annotations

import ast
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))
with atheris.instrument_imports(include=["codemods"]):
    from codemods.flex_passthrough import api
    from codemods.maskflow import index  # noqa: F401
    from codemods.review.finding import Status
    from codemods.rewrite import diff, edit  # noqa: F401

from tests.trust.trees import HEAD, METHOD, MODEL, model, package

# What model code is made of; an input's bytes choose among these.
_WORDS = [
    "attention_mask",
    "causal_mask",
    "self",
    "input_tensor",
    ".dim()",
    ".shape[0]",
    "[:, :, :, :4]",
    " = ",
    " == ",
    " is not None",
    " and ",
    "(",
    ")",
    ", ",
    ":\n",
    "\n",
    "if ",
    "elif ",
    "else",
    "for x in ",
    "while ",
    "return ",
    "def f(self, attention_mask)",
    "class A(TinyModel)",
    "try",
    "except Exception",
    "with x as y",
    "lambda attention_mask: ",
    "isinstance(attention_mask, BlockMask)",
    'self.config._attn_implementation == "flex_attention"',
    "torch.where",
    "*",
    "await ",
    "async ",
    "None",
    "match ",
    "case ",
    "_",
    "@torch.no_grad()\n",
    "# note\n",
    '"""text"""\n',
    ":=",
    "\t",
    "\r\n",
    "\f",
    "\\\n",
    "f'{x}'",
    "1",
    "global x\n",
    "del ",
    "pass\n",
]
_LEVELS = 4


def source_of(data: bytes) -> str:
    """Turn an input into the source of a model."""
    provider = atheris.FuzzedDataProvider(data)
    if provider.ConsumeIntInRange(0, 7) == 0:
        return HEAD + provider.ConsumeUnicodeNoSurrogates(4000)
    pieces, level = [], 1
    while provider.remaining_bytes() and len(pieces) < 200:
        word = _WORDS[provider.ConsumeIntInRange(0, len(_WORDS) - 1)]
        if word.endswith("\n"):
            level = max(1, min(_LEVELS, level + provider.ConsumeIntInRange(-1, 1)))
            word += "    " * level
        pieces.append(word)
    body = "".join(pieces)
    where = provider.ConsumeIntInRange(0, 2)
    if where == 0:
        return MODEL + body
    return model(METHOD.replace("    if", f"    {body}\n    if", 1)) if where == 1 else model(body)


def holds(source: str) -> None:
    """Make sure that everything promised holds for one model's source."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        planned = api.plan([package(Path(folder), tiny=source.encode("utf-8", "replace"))])
        for change in planned.changes:
            ast.parse(change.after)
            change.path.write_bytes(change.after)
        if planned.changes:
            assert any(finding.status is Status.WOULD_FIX for finding in planned.findings)
            assert not api.plan([Path(folder) / "pkg"]).changes, "a second run finds something to do"


def main() -> None:
    """Fuzz as the command line says, which is libFuzzer's."""
    atheris.Setup(sys.argv, lambda data: holds(source_of(data)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
