"""Work that successive boards share: done once, and never a matter of what was asked before."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

_Question = ParamSpec("_Question")
_Answer = TypeVar("_Answer")


def latest(work: Callable[_Question, _Answer]) -> Callable[_Question, _Answer]:
    """Remember the last question to a pure function, and its answer.

    The next board mostly differs in one run or one idea. `==` is quick between tuples that share their parts, for it
    looks no further where both hold the very same object; a hash, which `lru_cache` needs, is worked out in full.
    """
    remembered: list[tuple[object, _Answer]] = []

    @wraps(work)
    def ask(*question: _Question.args, **named: _Question.kwargs) -> _Answer:
        asked = (question, named)
        for before, answer in remembered:
            if before == asked:
                return answer
        answer = work(*question, **named)
        remembered[:] = [(asked, answer)]
        return answer

    return ask
