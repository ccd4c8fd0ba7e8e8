"""Work done once, kept by the object that needs it: nothing here outlives its owner, and no answer depends on it."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, TypeVarTuple

_Answer = TypeVar("_Answer")
_Owner = TypeVar("_Owner")
_Question = TypeVarTuple("_Question")


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


class LastAnswers:
    """The last question to each of several pure functions, and its answer.

    Held by whoever reads one board after another of one campaign: the next board mostly differs in one run or one idea.
    `==` is quick between tuples that share their parts, for it looks no further where both hold the very same object; a
    hash, which `functools.lru_cache` needs, is worked out in full.
    """

    def __init__(self) -> None:
        self._last: dict[Callable[..., Any], tuple[tuple[object, ...], Any]] = {}

    def of(self, work: Callable[[*_Question], _Answer], *question: *_Question) -> _Answer:
        """What `work` answers to the question, worked out only when it is not the last one again."""
        last = self._last.get(work)
        if last is not None and last[0] == question:
            kept: _Answer = last[1]
            return kept
        answer = work(*question)
        self._last[work] = (question, answer)
        return answer
