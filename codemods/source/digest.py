"""Digests: what stands for a content wherever contents are compared, within a run and between runs."""

from __future__ import annotations

import hashlib

# How long one is, in bytes.
LENGTH = 16


def digest_of(data: bytes) -> bytes:
    """Return what stands for ``data``."""
    return hashlib.blake2b(data, digest_size=LENGTH).digest()


def digest_of_text(text: str) -> bytes:
    """Return what stands for ``text``, whatever characters are in it."""
    return digest_of(text.encode("utf-8", "surrogateescape"))
