"""The worker, at the other end of :mod:`.workers`: takes files, and answers with what they tell."""

from __future__ import annotations

import gc
import pickle
import signal
import sys
from dataclasses import replace

from codemods.flex_passthrough.remembered.portable import Portable, folders_of
from codemods.flex_passthrough.rules import RULES
from codemods.flex_passthrough.scan.file_scan import scan_file
from codemods.flex_passthrough.scan.model_files import attached_by
from codemods.flex_passthrough.scan.workers import Job, Portion
from codemods.maskflow.index import Index

# After so many evaluations a worker begins anew: what it has parsed would fill the memory, and is of use to
# few other files.
MOST_EVALUATED = 5000


def main() -> None:
    """Answer until there is no more to read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks says when it is over
    gc.disable()  # it makes millions of objects, drops few, and does not live long
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    job: Job = pickle.load(asked)
    rules = [RULES[rule] for rule in job.rules]
    index = Index(job.tree, job.libraries)
    portable = Portable(folders_of(index))
    attached = attached_by(index, job.patching)
    while True:
        try:
            paths = pickle.load(asked)
        except EOFError:
            return
        if index.work.functions_evaluated > MOST_EVALUATED:
            index = Index(job.tree, job.libraries)
            attached = attached_by(index, job.patching)
            gc.collect()
        before = replace(index.work)
        scans = [portable.pack(scan_file(index, path, attached, rules)) for path in paths]
        pickle.dump(Portion(scans, index.work.since(before)), answers, protocol=5)
        answers.flush()
