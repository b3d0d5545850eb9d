"""One request from beginning to end: import the tree, choose the models, run them."""

from __future__ import annotations

import fnmatch
import gc
import json
import os
import platform
import tempfile
from collections.abc import Callable
from typing import Any

from .landlock import write_only_in
from .limits import adopt, cut_network, end_with, limit, move_into
from .protocol import Channel
from .standalone import Standalone
from .tree import Candidate, Tree, Unusable

# What torch does on a CPU that users do not meet on their GPUs, and what is done about it here.
_WORKED_AROUND_ON_A_CPU = [
    "compiled, flex attention refuses to return its log-sum-exp on a CPU: it is run unfused (force_eager)",
    "it refuses gradients on a CPU, though unfused it has them: the check is lifted for the training cases",
    "a process that has used two threads and then forks hangs its children: torch is kept to one thread",
]


def serve(request: dict[str, Any], answers: int) -> None:
    """Answer a request.

    Args:
        request: ``root`` and ``package`` of the tree, ``folders`` (of models; none for all), ``modules``
            and ``loose`` (code that stands alone), ``models`` and ``cases`` (names), ``heads``
            (whether task heads too), ``done`` (classes that an earlier process has seen to), ``fork``
            (whether each gets a process of its own where that can be), ``jobs`` at a time, ``seconds`` and
            ``memory`` (bytes) for each.
        answers: the file descriptor to write events to.
    """
    gc.disable()  # until all is imported: of that, nothing would be found to be collected
    channel = Channel(answers)
    parent = os.getppid()
    network = not cut_network()
    writes = not write_only_in(os.environ["HOME"])
    end_with(parent)
    adopt()
    try:
        _one_thread()
        tree = _tree(request)
    except Unusable as error:
        channel.send("unusable", reason=str(error))
        return
    device = _chosen_device()
    channel.send("environment", **_environment(tree, device), network=network, writes=writes)
    chosen, unmatched = _chosen(tree, request)
    channel.send("plan", models=[[c.model_type, c.class_name] for c in chosen], unmatched=unmatched)
    _make_ready(tree, request["cases"], device)
    claiming = tree.may_claim(chosen)
    for candidate in chosen:
        if candidate not in claiming and candidate.class_name not in request["done"]:
            _done(candidate, channel)
    waiting = [candidate for candidate in claiming if candidate.class_name not in request["done"]]
    if request["fork"] and hasattr(os, "fork") and device == "cpu":
        _run_forked(tree, waiting, request, device, channel)
    else:
        _run_here(tree, waiting, request["cases"], device, channel)
    channel.send("end")


def _tree(request: dict[str, Any]) -> Tree:
    root, package, modules = request["root"], request["package"], request["modules"]
    return Standalone(root, package, modules, request["loose"]) if modules else Tree(root, package)


def _one_thread() -> None:
    """Keep torch to one thread from its first operation on.

    A process that has run an operation with two threads and then forks hangs its children.
    """
    try:
        import torch
    except ImportError as error:
        raise Unusable("the package 'torch' is not installed") from error
    torch.set_num_threads(1)
    torch.set_num_interop_threads(1)


def _chosen_device() -> str:
    from .device import chosen

    return chosen()


def _make_ready(tree: Tree, cases: list[str], device: str) -> None:
    """Silence the tree's log, and import and make what every child needs before the first is forked."""
    import warnings

    import torch.nn.attention.flex_attention  # noqa: F401

    from . import attention, experiments, model  # noqa: F401

    warnings.simplefilter("ignore")
    tree.silence()
    tree.import_shared()
    attention.run_as_users_do(device)
    for case in cases:
        experiments.experiment(case, device)
    # What is there by now stays there: no collection has to look at it again, in any child.
    gc.freeze()
    gc.enable()


def _environment(tree: Tree, device: str) -> dict[str, Any]:
    import torch

    return {
        "package": tree.name,
        "version": tree.version,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": device if device == "cpu" else torch.cuda.get_device_name(),
        "flex_attention": "unfused" if device == "cpu" else "compiled",
        "worked_around": _WORKED_AROUND_ON_A_CPU if device == "cpu" else [],
    }


def _chosen(tree: Tree, request: dict[str, Any]) -> tuple[list[Candidate], list[str]]:
    """Return the candidates that the request is about, and the names that match none."""
    names, folders = request["models"], request["folders"]
    inside = [c for c in tree.candidates() if not folders or tree.folder(c.model_type) in folders]
    if not names:
        return [candidate for candidate in inside if request["heads"] or not candidate.extra], []
    matching = {name: [c for c in inside if _is_meant(c, name, request["heads"])] for name in names}
    unmatched = [name for name, found in matching.items() if not found]
    return [c for c in inside if any(c in found for found in matching.values())], unmatched


def _is_meant(candidate: Candidate, name: str, heads: bool) -> bool:
    """A class's own name means it in any case, its model type only where it is not extra."""
    if fnmatch.fnmatch(candidate.class_name, name):
        return True
    return fnmatch.fnmatch(candidate.model_type, name) and (heads or not candidate.extra)


def _run(tree: Tree, candidate: Candidate, cases: list[str], device: str, channel: Channel) -> None:
    from . import model

    for result in model.results(tree, candidate, cases, device):
        channel.send("result", **result)


def _done(candidate: Candidate, channel: Channel, ended: str | None = None) -> None:
    """Say that nothing more will come of a class and, if it is so, what its process ended with."""
    channel.send("done", model_type=candidate.model_type, **{"class": candidate.class_name}, ended=ended)


def _run_here(
    tree: Tree, candidates: list[Candidate], cases: list[str], device: str, channel: Channel
) -> None:
    """Run models one after the other in this process, saying first which it is.

    So it is on a GPU, whose context no fork survives, and where a system has no fork. A model that takes
    this process down is then known, and the next process goes on behind it.
    """
    from .device import works

    for candidate in candidates:
        channel.send("begin", **{"class": candidate.class_name})
        _run(tree, candidate, cases, device, channel)
        _done(candidate, channel)
        if not works(device):
            channel.send("again")
            return


def _run_forked(
    tree: Tree, candidates: list[Candidate], request: dict[str, Any], device: str, channel: Channel
) -> None:
    """Run each model in a process of its own, some at a time."""
    from .pool import Ended, run_forked

    worker = os.getpid()

    def job_of(candidate: Candidate) -> Callable[[int], None]:
        def job(writer: int) -> None:
            end_with(worker)
            move_into(tempfile.mkdtemp(prefix="model-"))
            limit(request["memory"], request["seconds"])
            _run(tree, candidate, request["cases"], device, Channel(writer))
            _done(candidate, Channel(writer))

        return job

    finished: set[str] = set()
    jobs = [job_of(candidate) for candidate in candidates]
    for answer in run_forked(jobs, request["jobs"], request["seconds"]):
        if isinstance(answer, Ended):
            candidate = candidates[answer.job]
            if candidate.class_name not in finished:
                _done(candidate, channel, ended=answer.reason or "ended before it was done")
            continue
        event = json.loads(answer)
        if event["event"] == "done":
            finished.add(event["class"])
        channel.send_line(answer)
