"""Memo: what was found out about a definition is kept with it, and goes when it goes.

A cache of the process would hold every tree that was ever analysed, for as long as the process lives.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

_Owner = TypeVar("_Owner")
_Rest = ParamSpec("_Rest")
_Answer = TypeVar("_Answer")


def kept(
    function: Callable[Concatenate[_Owner, _Rest], _Answer],
) -> Callable[Concatenate[_Owner, _Rest], _Answer]:
    """Decorate a function of a definition, a module or an index: that keeps what is answered about it.

    What else the function is given has to be hashable.
    """

    @wraps(function)
    def answer(owner: _Owner, /, *rest: _Rest.args, **named: _Rest.kwargs) -> _Answer:
        answers: dict[Any, _Answer] = vars(owner).setdefault("_kept", {})
        key = (function, *rest, *named.items())
        if key not in answers:
            answers[key] = function(owner, *rest, **named)
        return answers[key]

    return answer
