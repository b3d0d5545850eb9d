"""The Ray engine: the same tasks, on the machines of a Ray cluster.

Nothing but tasks and events travels: each machine makes its own copies in its own temporary folder, and
the results come back with the events. What the machines must share is the way to the sources, and, so
that equal content is planned once, a store.
"""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from codemods.fleet.engines.engine import Told
from codemods.fleet.engines.isolated import Isolated
from codemods.fleet.failure import StageFailure
from codemods.fleet.task import Ended, Event, Finished, Started, Task

_LOOK_SECONDS = 5.0


class _Flight(Struct):
    """A task on its way, and how far it is known to be."""

    task: Task
    worker: str = "ray"
    stage: str = ""


class RayEngine:
    """Carries out tasks on a cluster; a machine that is lost is a failure that may pass.

    Attributes:
        resources: for each stage what a task with it asks for, by Ray's names (``num_cpus``, ...).
    """

    def __init__(self, address: str, resources: Mapping[str, Mapping[str, float]], at_most: int = 0) -> None:
        try:
            import ray
        except ImportError:
            raise StageFailure("the ray engine needs ray: pip install 'model-codemods[ray]'") from None
        self._ray: Any = ray
        self._resources = resources
        self._at_most = at_most
        self._flights: dict[Any, _Flight] = {}
        try:
            ray.init(
                address=address or None, logging_level="ERROR", log_to_driver=False, ignore_reinit_error=True
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            lines = str(error).splitlines() or [type(error).__name__]
            raise StageFailure(f"no Ray cluster at {address or 'this machine'}: {lines[0]}") from None
        # A lost machine is reported as a failure, so that one limit of attempts holds for all engines.
        self._remote = ray.remote(max_retries=0, num_returns="streaming")(_carried_out)

    def has_room(self) -> bool:
        """Say whether another task may be handed to the cluster, which keeps a few waiting."""
        most = self._at_most or 2 * int(self._ray.cluster_resources().get("CPU", 1))
        return len(self._flights) < most

    def submit(self, task: Task) -> None:
        """Hand a task to the cluster."""
        asked: dict[str, float] = {}
        for stage in task.stages:
            for name, amount in self._resources.get(stage, {}).items():
                asked[name] = max(amount, asked.get(name, 0))
        known = {name: asked.pop(name) for name in ("num_cpus", "num_gpus", "memory") if name in asked}
        stream = self._remote.options(**known, resources=asked or None).remote(task)
        self._flights[stream] = _Flight(task, stage=task.stages[0])

    def wait(self, seconds: float) -> list[Told]:
        """Return what was told since the last call; wait for something, but no longer than ``seconds``."""
        if not self._flights:
            return []
        streams = list(self._flights)
        ready, _ = self._ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)
        if not ready:
            ready, _ = self._ray.wait(streams, num_returns=1, timeout=seconds, fetch_local=False)
        return [told for stream in ready for told in self._next(stream)]

    def stop(self) -> None:
        """End everything at once, and leave the cluster."""
        for stream in self._flights:
            self._ray.cancel(stream, force=True)
        self._flights.clear()
        self._ray.shutdown()

    def _next(self, stream: Any) -> Iterator[Told]:
        """Yield the next event of a task."""
        flight = self._flights[stream]
        try:
            worker, event = self._ray.get(next(stream))
        except StopIteration:
            event = Ended()
        except self._ray.exceptions.RayError as error:
            lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            reason = f"lost with its machine or worker: {lines[0]}"
            yield Told(flight.task, flight.worker, Finished(flight.stage, "failed", reason, transient=True))
            event = Ended()
        else:
            flight.worker = worker
        if isinstance(event, Started):
            flight.stage = event.stage
        if isinstance(event, Ended):
            del self._flights[stream]
        yield Told(flight.task, flight.worker, event)


def _carried_out(task: Task) -> Iterator[tuple[str, Event]]:
    """Carry out a task on the machine that this runs on; the process for it may crash or hang."""
    worker = socket.gethostname()
    scratch = Path(tempfile.gettempdir()) / "model-codemods-fleet"
    running = Isolated(replace(task, scratch=scratch))
    try:
        ended = False
        while not ended:
            running.connection.poll(_LOOK_SECONDS)
            for event in running.events():
                ended = isinstance(event, Ended)
                if not ended:
                    yield worker, event
    finally:
        running.ask_to_end()
