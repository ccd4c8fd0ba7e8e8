"""Researchers that think beside the loop: who is being asked for which attempt, and what has been answered.

A worker's thread runs `propose` of a researcher of its own in a worktree of its own, and nothing else. What comes
before (brief, worktree) and after (examination, commit, journal) is done by the loop's thread, an attempt at a time.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import ceil
from queue import SimpleQueue
from statistics import median

from autoresearch.engine import chain
from autoresearch.engine.branches import Attempt
from autoresearch.engine.chain import Answered, Question
from autoresearch.engine.context import Context
from autoresearch.experiment.attendance import PROPOSED
from autoresearch.experiment.events import ExperimentAbandoned
from autoresearch.git import worktree
from autoresearch.ports.researcher import Concurrent, Researcher

_AGAIN_S = 0.1
_STUCK_S = 120.0
_LATEST, _CROWD = 20, 2


@dataclass(kw_only=True)
class _Ask:
    """One attempt on its way to a commit; without a thread it waits until its question may be put."""

    steps: Attempt
    question: Question
    asked: Researcher
    thread: threading.Thread | None = None


class Asks:
    """The attempts for which somebody is thinking.

    Args:
        ctx: The campaign at work; `ctx.asked` is kept as it is here.
        ring: Called by a worker that has an answer.
    """

    def __init__(self, ctx: Context, ring: Callable[[], None]) -> None:
        self._ctx, self._ring = ctx, ring
        self._asks: dict[int, _Ask] = {}
        self._answers: SimpleQueue[tuple[int, Answered]] = SimpleQueue()
        self._idle: dict[str, list[Researcher]] = {}
        self._dry: set[str] = set()
        """Who answers at once, and had nothing when it was last asked."""

    @property
    def indexes(self) -> frozenset[int]:
        """Attempts for which an answer is to come."""
        return frozenset(self._asks)

    @property
    def answered(self) -> bool:
        """Whether an answer is there to be taken in."""
        return not self._answers.empty()

    @property
    def ahead(self) -> int:
        """Ideas that may be asked for although no slot is free.

        None while it is the turn of one that answers at once: it is asked when there is a slot, and knows more then.
        """
        first, slots = self._first(), self._ctx.campaign.launcher.parallel
        if first is None or not self._beside(first):
            return 0
        most = self._most(first.name)
        return 0 if slots == 1 and most <= 1 else max(slots, most)

    @property
    def busy(self) -> bool:
        """Whether whoever is next cannot be asked before one of those that think has answered."""
        if not self._asks:
            return False
        first = self._first()
        return first is None or any(one.thread is None for one in self._asks.values()) or not self._may(first)

    def begin(self, index: int, steps: Attempt) -> None:
        """Bring an attempt as far as it goes without anybody's thinking."""
        try:
            question = next(steps)
        except StopIteration:
            return
        self._go_on(index, steps, question)

    def take_in(self) -> None:
        """Go on with an attempt that has its answer, then put the questions that waited for one."""
        if self.answered:
            self._take(*self._answers.get_nowait())
        for index, one in [(index, one) for index, one in self._asks.items() if one.thread is None]:
            if self._may(one.question.researcher):
                self._go_on(index, one.steps, one.question)

    def drop(self, reason: str) -> None:
        """End whoever thinks, and give up their attempts; what the calls have cost until then is written down."""
        ctx = self._ctx
        asks = self.close()
        for index, one in sorted(asks.items()):
            if one.thread is not None:
                chain.collect_notes(ctx, one.asked)
                chain.settle_bills(ctx, one.asked, index, None)
            worktree.remove(ctx.paths.root, ctx.paths.worktree(str(index)))
            ctx.record(ExperimentAbandoned(ctx.clock(), index, reason, dropped=True))

    def close(self) -> dict[int, _Ask]:
        """End whoever thinks; returns whose attempts are without a commit: they stay open, and are asked for again."""
        asks, self._asks = self._asks, {}
        self._ctx.asked.clear()
        threads = [(one.thread, one.asked) for one in asks.values() if one.thread]
        for _ in range(int(_STUCK_S / _AGAIN_S)):
            threads = [(thread, asked) for thread, asked in threads if thread.is_alive()]
            if not threads:
                break
            for _, asked in threads:
                if isinstance(asked, Concurrent):
                    asked.interrupt()
            threads[0][0].join(_AGAIN_S)
        while self.answered:
            self._answers.get_nowait()
        for one in asks.values():
            one.steps.close()
        return asks

    # -- one attempt ----------------------------------------------------------------------------------------------

    def _go_on(self, index: int, steps: Attempt, question: Question) -> None:
        """Put a question: to a worker, here where that answers at once, or later."""
        while not self._beside(question.researcher):
            if self._alone(question.researcher) and self._thinking():
                break
            name, answer = question.researcher.name, chain.put(question)
            (self._dry.add if answer.found is answer.failure is None else self._dry.discard)(name)
            try:
                question = steps.send(answer)
            except StopIteration:
                self._forget(index)
                return
        one = _Ask(steps=steps, question=question, asked=question.researcher)
        self._asks[index], self._ctx.asked[index] = one, question.researcher.name
        if self._beside(question.researcher) and self._may(question.researcher):
            self._start(index, one)

    def _start(self, index: int, one: _Ask) -> None:
        name = one.question.researcher.name
        idle, another = self._idle.setdefault(name, []), self._ctx.another
        assert another is not None  # noqa: S101 - `_beside` looked
        one.asked = asked = idle.pop() if idle else another(name)

        def think() -> None:
            self._answers.put((index, chain.put(one.question, asked)))
            self._ring()

        one.thread = threading.Thread(target=think, name=f"ask-{index}", daemon=True)
        one.thread.start()

    def _take(self, index: int, answer: Answered) -> None:
        one = self._asks[index]
        self._forget(index)
        self._idle[one.question.researcher.name].append(one.asked)
        try:
            question = one.steps.send(answer)
        except StopIteration:
            return
        self._go_on(index, one.steps, question)

    def _forget(self, index: int) -> None:
        self._asks.pop(index, None)
        self._ctx.asked.pop(index, None)

    # -- who may be asked -----------------------------------------------------------------------------------------

    def _beside(self, one: Researcher) -> bool:
        """Whether it is asked in a thread of its own."""
        return isinstance(one, Concurrent) and self._ctx.another is not None and one.at_once() > 0

    def _first(self) -> Researcher | None:
        """Whose turn it is, of those that may have an idea."""
        turn = chain.in_turn(self._ctx) if self._ctx.researchers else ()
        return next((one for one in turn if one.name not in self._dry), None)

    def _alone(self, one: Researcher) -> bool:
        """Whether nothing else may go on while it thinks."""
        return isinstance(one, Concurrent) and one.at_once() <= 0

    def _thinking(self) -> list[str]:
        return [one.question.researcher.name for one in self._asks.values() if one.thread is not None]

    def _may(self, one: Researcher) -> bool:
        """Whether it may be asked now."""
        if not isinstance(one, Concurrent):
            return True
        most, thinking = one.at_once(), self._thinking()
        return not thinking if most <= 0 else thinking.count(one.name) < min(most, self._most(one.name))

    def _most(self, name: str) -> int:
        """How many calls of a researcher its plan allows together."""
        specs = zip(self._ctx.researchers, self._ctx.campaign.researcher, strict=True)
        wish = next(spec.at_once for one, spec in specs if one.name == name)
        history, slots = self._ctx.history, self._ctx.campaign.launcher.parallel
        if wish or slots == 1:
            return wish or 1
        calls = (one for one in islice(reversed(history.attendance.asked), _LATEST) if one.researcher == name)
        thought = [one.seconds for one in calls if one.outcome == PROPOSED]
        runs = islice(reversed(history.runs.values()), _LATEST)
        return enough(slots, thought, [run.wall_s for run in runs if run.valid and run.wall_s])


def enough(slots: int, thought: Sequence[float], ran: Sequence[float]) -> int:
    """How many calls together keep so many slots filled: as many as slots, more where thinking takes longer than a run.

    Twice as many at most, for each knows as much less of the others' results and no provider likes a crowd.

    Args:
        slots: Runs at a time.
        thought: Seconds that the latest ideas took.
        ran: Seconds that the latest runs took.
    """
    if not thought or not ran:
        return slots
    return min(_CROWD * slots, max(slots, ceil(slots * median(thought) / median(ran))))
