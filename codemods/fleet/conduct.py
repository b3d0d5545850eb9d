"""Conducting a run: from what the user asked for to the engine, the ledger and the pages."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, fields
from rich.console import Console

from codemods.fleet.engines.engine import Engine
from codemods.fleet.engines.isolated import remove_leftovers
from codemods.fleet.engines.local import LocalEngine
from codemods.fleet.failure import StageFailure
from codemods.fleet.ledger import Ledger
from codemods.fleet.overview import Overview, overview
from codemods.fleet.pages import as_csv, as_html, as_json
from codemods.fleet.place import Place
from codemods.fleet.progress import Progress
from codemods.fleet.results import write_whole
from codemods.fleet.run import Order, Run
from codemods.fleet.stages.mend import checked
from codemods.fleet.store import open_store
from codemods.fleet.task import STAGES, BranchStyle, Limits


class Wishes(Struct, frozen=True):
    """What the user asked for, as a later `resume` finds it in the ledger."""

    stages: tuple[str, ...] = ("fetch", "plan")
    jobs: int = 1
    seconds: float = 900.0
    memory: float = 8.0
    retries: int = 2
    store: str = ""
    engine: str = "local"
    address: str = ""
    resources: tuple[str, ...] = ()
    branch: str = BranchStyle().branch
    author: str = BranchStyle().author
    message: str = BranchStyle().message

    def to_json(self) -> dict[str, Any]:
        """Return them as JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Wishes:
        """Read what :meth:`to_json` wrote; what is not known is passed over."""
        known = {field.name for field in fields(cls)}
        wishes = {name: value for name, value in data.items() if name in known}
        lists = {name: tuple(value) for name, value in wishes.items() if isinstance(value, list)}
        return cls(**{**wishes, **lists})


def conduct(
    place: Place, ledger: Ledger, wishes: Wishes, console: Console, *, shown: bool, pinned: bool
) -> Overview:
    """Run the fleet in the ledger; write the pages, also when it is interrupted.

    Raises:
        KeyboardInterrupt: when it is interrupted, by a key or by SIGTERM.
        LedgerError: if something could not be put on record.
        StageFailure: if the store cannot be used.
    """
    where = wishes.store or str(place.store.absolute())
    open_store(where)
    style = BranchStyle(wishes.branch, wishes.author, wishes.message)
    if "mend" in wishes.stages:
        checked(style)
    remove_leftovers(place.scratch)
    order = Order(
        wishes.stages,
        place.scratch.absolute(),
        where,
        Limits(wishes.seconds, int(wishes.memory * 2**30)),
        style,
        wishes.retries,
        pinned,
    )
    engine = make_engine(wishes)
    ledger.begin(wishes.to_json(), os.getpid())
    try:
        with (
            _termination_interrupts(),
            Progress(len(ledger.repositories()), console, shown=shown) as progress,
        ):
            Run(ledger, place.results, engine, order, progress).go()
    finally:
        ledger.end()
        found = overview(ledger.repositories(), wishes.stages)
        write_pages(place, found)
        remove_leftovers(place.scratch)
    return found


def make_engine(wishes: Wishes) -> Engine:
    """Return the engine that was asked for.

    Raises:
        StageFailure: if it is not installed, or cannot be reached.
    """
    if wishes.engine == "ray":
        from codemods.fleet.engines.ray import RayEngine

        return RayEngine(wishes.address, resources_by_stage(wishes.resources))
    return LocalEngine(wishes.jobs)


def resources_by_stage(words: Iterable[str]) -> dict[str, dict[str, float]]:
    """Read what stages ask of a cluster, as in ``verify:num_gpus=1``.

    Raises:
        StageFailure: for a word of another form, or a stage that does not exist.
    """
    found: dict[str, dict[str, float]] = {}
    for word in words:
        parts = re.fullmatch(r"(\w+):(\w+)=(\d+(?:\.\d+)?)", word)
        if parts is None or parts[1] not in STAGES:
            raise StageFailure(
                f"--resource {word!r}: write STAGE:NAME=AMOUNT, with one of {', '.join(STAGES)}"
            )
        found.setdefault(parts[1], {})[parts[2]] = float(parts[3])
    return found


def write_pages(place: Place, found: Overview) -> None:
    """Write the pages of the fleet into the work directory."""
    write_whole(place.page("json"), as_json.render(found).encode())
    write_whole(place.page("csv"), as_csv.render(found).encode())
    write_whole(place.page("html"), as_html.render(found).encode())


@contextlib.contextmanager
def _termination_interrupts() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def relative(path: Path) -> str:
    """Return a path as the user would write it."""
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
