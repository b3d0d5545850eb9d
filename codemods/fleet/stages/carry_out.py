"""Carrying out a task: its stages in order, until one comes to nothing."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from codemods.fleet.failure import StageFailure, why_not
from codemods.fleet.stages.bench import Bench
from codemods.fleet.stages.fetch import fetch
from codemods.fleet.stages.mend import mend
from codemods.fleet.stages.plan import plan
from codemods.fleet.stages.verify import verify
from codemods.fleet.task import Event, Finished, Started, Task

_STAGES: Mapping[str, Callable[[Bench], Finished]] = {
    "fetch": fetch,
    "plan": plan,
    "mend": mend,
    "verify": verify,
}

Emit = Callable[[Event], object]


def carry_out(task: Task, emit: Emit) -> None:
    """Do the stages of a task and tell of each when it starts and when it ends.

    Whatever happens in a stage becomes its outcome; nothing is raised.
    """
    with Bench(task) as bench:
        for stage in task.stages:
            emit(Started(stage))
            finished = _done(stage, bench)
            emit(finished)
            if finished.outcome != "done":
                return


def _done(stage: str, bench: Bench) -> Finished:
    bench.log.clear()
    try:
        finished = _STAGES[stage](bench)
    except StageFailure as failure:
        finished = Finished(stage, "failed", failure.reason, failure.transient)
    except OSError as error:
        why = why_not(error)
        finished = Finished(stage, "failed", why.reason, why.transient)
    except MemoryError:
        gigabytes = bench.task.limits.memory / 2**30
        finished = Finished(stage, "failed", f"needs more than {gigabytes:g} GiB of memory")
    except Exception as error:  # a mistake of ours in one repository must not hide the others
        lines = str(error).splitlines()
        reason = f"internal error: {type(error).__name__}: {lines[0] if lines else ''}".rstrip(": ")
        bench.say(traceback.format_exc().replace(f"{bench.task.scratch}{os.sep}", ""))
        finished = Finished(stage, "failed", reason)
    return replace(finished, log="\n".join(bench.log))
