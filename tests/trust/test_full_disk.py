"""A disk that is really full: all files of a run are written or none, wherever the room ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IN_A_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]

# Mounts a disk of every size in turn, with tree and journals on it.
SCRIPT = """
import json, subprocess, sys
from pathlib import Path

from codemods.rewrite.recovery import recover
from codemods.rewrite.store import Store
from codemods.rewrite.transaction import Change, write_all

disk = Path(sys.argv[1])
statuses = []
for kilobytes in range(48, 240, 8):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", disk], check=True)
    tree, store = disk / "tree", Store(disk / "journals")
    tree.mkdir()
    changes = []
    for name in ("a.py", "b.py", "c.py"):
        (tree / name).write_bytes(b"o" * 6000)
        changes.append(Change(tree / name, name, b"o" * 6000, b"n" * 14000))
    outcomes = {outcome.status for outcome in write_all(changes, store=store)}
    recover(store=store)
    held = {path.name: path.read_bytes()[:1] for path in tree.iterdir()}
    new = outcomes == {"written"}
    assert new or not outcomes & {"written", "stuck"}, outcomes
    assert held == dict.fromkeys(("a.py", "b.py", "c.py"), b"n" if new else b"o"), (kilobytes, held)
    assert not store.interrupted()
    statuses.append(new)
    subprocess.run(["umount", disk], check=True)
print(json.dumps(statuses))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets users mount disks of their own")
def test_wherever_the_room_ends(tmp_path: Path) -> None:
    try:
        subprocess.run(
            [*IN_A_NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", tmp_path], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine lets nobody mount disks")
    done = subprocess.run(
        [*IN_A_NAMESPACE, sys.executable, "-c", SCRIPT, tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    written = json.loads(done.stdout)
    assert written.count(False) >= 3 and written.count(True) >= 3
