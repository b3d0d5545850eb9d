"""The store: whole entries or none, damaged ones count as missing, and any URL will do."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codemods.fleet.artifacts import pack, unpack
from codemods.fleet.failure import StageFailure
from codemods.fleet.store import LocalStore, RemoteStore, open_store

NAMES = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)


@given(st.dictionaries(NAMES, st.binary(max_size=200), max_size=5))
def test_packing_loses_nothing_and_depends_on_nothing_else(artifacts):
    packed = pack(artifacts)
    assert unpack(packed) == artifacts
    assert pack(dict(reversed(artifacts.items()))) == packed


@pytest.fixture(params=["folder", "url"])
def store(request, tmp_path):
    if request.param == "url":
        pytest.importorskip("fsspec", reason="fsspec is not installed (the [fleet] extra)")
        return open_store(f"file://{tmp_path}/store")
    return open_store(str(tmp_path / "store"))


def test_what_is_put_can_be_got(store):
    assert store.get("ab12") is None
    store.put("ab12", {"patch.diff": b"x", "findings.json": b"{}"})
    assert store.get("ab12") == {"patch.diff": b"x", "findings.json": b"{}"}
    store.put("ab12", {"patch.diff": b"x", "findings.json": b"{}"})
    with store.claim("ab12", 1):
        assert store.get("ab13") is None


def test_a_damaged_entry_counts_as_missing(store, tmp_path):
    store.put("ab12", {"patch.diff": b"x" * 1000})
    (entry,) = (tmp_path / "store").rglob("*.zip")
    entry.write_bytes(entry.read_bytes()[:50])
    assert store.get("ab12") is None
    packed = bytearray(pack({"patch.diff": b"some words " * 50}))
    packed[45] ^= 1
    entry.write_bytes(packed)
    assert store.get("ab12") is None


def test_a_claim_keeps_others_waiting_but_not_for_ever(tmp_path):
    store = LocalStore(tmp_path)
    taken, done = threading.Event(), threading.Event()

    def hold():
        with store.claim("ab", 10):
            taken.set()
            done.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    taken.wait(10)
    begun = time.monotonic()
    with store.claim("ab", 0.3):
        waited = time.monotonic() - begun
    done.set()
    holder.join()
    assert waited >= 0.3


def test_a_url_of_an_unknown_kind_is_one_line():
    pytest.importorskip("fsspec", reason="fsspec is not installed (the [fleet] extra)")
    with pytest.raises(StageFailure, match="--store nowhere://x: "):
        RemoteStore("nowhere://x")
