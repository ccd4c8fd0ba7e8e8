"""Work that successive boards share: done once, and never a matter of what was asked before."""

from collections.abc import Callable
from functools import wraps
from typing import Generic, ParamSpec, TypeVar

_Question = ParamSpec("_Question")
_Answer = TypeVar("_Answer")
_Owner = TypeVar("_Owner")


class once(Generic[_Owner, _Answer]):  # noqa: N801  (read as the decorator that it is)
    """A property worked out when it is first asked for.

    `functools.cached_property` without its lock, which up to Python 3.11 costs more than most of the work kept here.
    """

    def __init__(self, work: Callable[[_Owner], _Answer]) -> None:
        self.work = work
        self.__doc__ = work.__doc__

    def __set_name__(self, owner: type[_Owner], name: str) -> None:
        self.name = name

    def __get__(self, owner: _Owner, kind: type[_Owner]) -> _Answer:
        answer = self.work(owner)
        owner.__dict__[self.name] = answer
        return answer


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
