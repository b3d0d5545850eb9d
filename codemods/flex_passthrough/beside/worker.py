"""The worker, at the other end of :mod:`.workers`: takes errands, and answers with what comes of them.

What it parses would fill the memory in time, and to sort out what may go takes as long as to parse it. So,
after the first errand, which reads what nearly all others need too, forks of it do the rest, each until it is
full. With a fork goes all that it made, at once.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys

from codemods.flex_passthrough.beside.workplace import Workplace

# How a fork ends that is full, and may be followed by another one.
_FULL = 0


def main() -> None:
    """Answer until there is no more to read."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks says when it is over
    gc.disable()  # it makes millions of objects, drops few, and does not live long
    place = Workplace(pickle.load(sys.stdin.buffer))
    _answer(place)
    gc.collect()
    place.begin()
    if hasattr(os, "fork"):
        while _fork(place) == _FULL:
            pass
        os._exit(0)
    while True:
        _answer(place)
        if place.is_full:
            place.begin_anew()


def _fork(place: Workplace) -> int:
    """Answer in a fork until that is full; return how it ended."""
    fork = os.fork()
    if not fork:
        try:
            while not place.is_full:
                _answer(place)
            os._exit(_FULL)
        finally:  # whatever it was, this is not the process to go on with it
            os._exit(1)
    _, status = os.waitpid(fork, 0)
    return os.waitstatus_to_exitcode(status)


def _answer(place: Workplace) -> None:
    """Do one errand; with no more to read, end the process."""
    try:
        errand = pickle.load(sys.stdin.buffer)
    except EOFError:
        sys.exit()
    pickle.dump(place.do(errand), sys.stdout.buffer, protocol=5)
    sys.stdout.buffer.flush()
