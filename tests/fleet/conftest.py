"""Small forks in the style of a transformers of 2025, real git, and the command as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

LIBRARY = {
    "pkg/__init__.py": "",
    "pkg/models/__init__.py": "",
    "pkg/models/tiny/__init__.py": "",
    "pkg/modeling_utils.py": """
        from torch import nn


        class PreTrainedModel(nn.Module):
            _supports_flex_attn = False


        ALL_ATTENTION_FUNCTIONS = {}
    """,
    "pkg/utils/__init__.py": "def is_torch_flex_attn_available(): ...\n\n\nclass logging: ...\n",
}
MODEL = """\
import torch
from torch import nn

from ...modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
from ...utils import logging


class TinyAttention(nn.Module):
    def forward(self, hidden_states, attention_mask=None):
        attention_interface = ALL_ATTENTION_FUNCTIONS[self.config._attn_implementation]
        return attention_interface(self, hidden_states, attention_mask)


class TinyPreTrainedModel(PreTrainedModel):
    _supports_flex_attn = True


class TinyModel(TinyPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.layers = nn.ModuleList([TinyAttention() for _ in range(config.num_hidden_layers)])

    def forward(self, input_ids=None, attention_mask=None):
        hidden_states = self.embed_tokens(input_ids)
        causal_mask = self._update_causal_mask(attention_mask, hidden_states)
        for layer in self.layers:
            hidden_states = layer(hidden_states, attention_mask=causal_mask)
        return hidden_states

    def _update_causal_mask(self, attention_mask, input_tensor):
        if attention_mask is not None and attention_mask.dim() == 4:
            return attention_mask
        return torch.tril(input_tensor)
"""
TINY = "pkg/models/tiny/modeling_tiny.py"
FORK = {name: dedent(text) for name, text in {**LIBRARY, TINY: MODEL}.items()}


def write(folder: Path, files: Mapping[str, str]) -> Path:
    """Write files below ``folder`` and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8", newline="")
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git as a user would, with nothing of the machine's configuration."""
    env = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_COMMITTER_DATE": "2025-05-05T05:05:05Z",
        "GIT_AUTHOR_DATE": "2025-05-05T05:05:05Z",
    }
    identity = (
        "-c",
        "user.name=Someone",
        "-c",
        "user.email=someone@example.org",
        "-c",
        "commit.gpgSign=false",
    )
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(folder: Path, message: str = "one") -> str:
    """Commit all that is in ``folder``, and return the commit."""
    if not (folder / ".git").exists():
        git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def fork(tmp_path: Path) -> Callable[..., Path]:
    """Write a fork with one model to mend; further files may be given."""

    def make(name: str, files: Mapping[str, str] | None = None) -> Path:
        return write(tmp_path / "forks" / name, {**FORK, **(files or {})})

    return make


@pytest.fixture
def checkout(fork: Callable[..., Path]) -> Callable[..., Path]:
    """Write a fork and commit it."""

    def make(name: str, files: Mapping[str, str] | None = None) -> Path:
        folder = fork(name, files)
        commit(folder)
        return folder

    return make


@pytest.fixture
def fleet(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command in a folder of the test's own."""

    def run(*arguments: object, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "codemods.fleet", *map(str, arguments)],
            capture_output=True,
            text=True,
            input=stdin,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **environment},
            timeout=120,
        )

    return run


@pytest.fixture
def rows(tmp_path: Path) -> Callable[[], dict[str, dict[str, Any]]]:
    """Return what the JSON page says of each repository, by name."""

    def read() -> dict[str, dict[str, Any]]:
        page = json.loads((tmp_path / "fleet" / "fleet.json").read_text())
        return {row["name"]: row for row in page["repositories"]}

    return read


@pytest.fixture
def serve() -> Iterator[Callable[[type[BaseHTTPRequestHandler]], str]]:
    """Answer HTTP with a handler of the test's own, and return the address."""
    servers = []

    def start(handler: type[BaseHTTPRequestHandler]) -> str:
        class Quiet(handler):  # type: ignore[misc, valid-type]
            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
