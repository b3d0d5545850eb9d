"""What the run asks of an engine."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from codemods.fleet.task import Event, Task


class Told(Struct, frozen=True):
    """An event of a task, and the worker that it comes from."""

    task: Task
    worker: str
    event: Event


class Engine(Protocol):
    """Carries out tasks. Of each it tells events; the last is always Ended, whatever happens."""

    def has_room(self) -> bool:
        """Say whether another task can start now."""

    def submit(self, task: Task) -> None:
        """Begin a task."""

    def wait(self, seconds: float) -> list[Told]:
        """Return what was told since the last call; wait for something, but no longer than ``seconds``."""

    def stop(self) -> None:
        """End everything at once."""
