"""The worker, at the other end of :mod:`.workers`: takes errands, and answers with what comes of them."""

from __future__ import annotations

import gc
import pickle
import signal
import sys

from codemods.flex_passthrough.beside.workplace import Workplace


def main() -> None:
    """Answer until there is no more to read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks says when it is over
    gc.disable()  # it makes millions of objects, drops few, and does not live long
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    place = Workplace(pickle.load(asked))
    while True:
        try:
            errand = pickle.load(asked)
        except EOFError:
            return
        pickle.dump(place.do(errand), answers, protocol=5)
        answers.flush()
