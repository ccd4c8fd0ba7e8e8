"""Whether a run goes on: its steps, how long it takes between them, and when that is too long. Pure.

Activity is no progress. A heartbeat, a GPU monitor and a log that grows say nothing; only a new step does, in any
series that is read of a run or in a line that names one. How long a step may take is learned from the runs that were
complete, and from the run itself: one that is slow throughout is slow, not stuck.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from autoresearch.run.measurement import Pace, Readings, Series

USUAL, FIRST, PAUSE = 5.0, 3.0, 2.0
"""How many usual steps, times to the first step and longest pauses a run may go without a step."""

UNKNOWING = 3.0
"""How much longer a run may take of which nothing was learned yet: the baseline's first."""

ENOUGH = 3
"""Steps from which on a run has a pace of its own."""

_REMEMBERED, _COPIES, _LATELY = 500, 50, 5


class Reached(NamedTuple):
    """How far one series has come: its highest step, and how many steps it has."""

    step: int
    points: int


_NOWHERE = Reached(-(2**63), 0)


@dataclass(frozen=True, kw_only=True)
class ProgressClock:
    """A run's own time since its last step; time in which it was stopped by others is none.

    Attributes:
        reached: How far each series has come.
        still_s: Seconds since the last new step, or since the run began.
        first_s: Seconds until the first, None while there was none.
        gaps: Seconds between the newest steps, oldest first.
        longest_s: The longest such time.
        steps: How many steps there were.
        told_s: Seconds that it has run, in all.
    """

    reached: Mapping[str, Reached] = field(default_factory=dict)
    still_s: float = 0.0
    first_s: float | None = None
    gaps: tuple[float, ...] = ()
    longest_s: float = 0.0
    steps: int = 0
    told_s: float = 0.0

    def look(self, seen: Mapping[str, Reached], passed_s: float) -> "ProgressClock":
        """The clock after another look.

        Args:
            seen: How far each series has come, now.
            passed_s: Seconds that the run has run since the look before.
        """
        still_s, told_s = self.still_s + max(0.0, passed_s), self.told_s + max(0.0, passed_s)
        new = {tag: one for tag, one in seen.items() if one.step > self._before(tag).step}
        if not new:
            return replace(self, still_s=still_s, told_s=told_s)
        made = max(1, *(one.points - self._before(tag).points for tag, one in new.items()))
        first = self.first_s is None
        between = made - first
        return ProgressClock(
            reached={**self.reached, **new},
            first_s=still_s if self.first_s is None else self.first_s,
            gaps=(*self.gaps, *[still_s / made] * min(between, _COPIES))[-_REMEMBERED:],
            longest_s=max(self.longest_s, still_s) if between else self.longest_s,
            steps=self.steps + made,
            told_s=told_s,
        )

    def _before(self, tag: str) -> Reached:
        return self.reached.get(tag, _NOWHERE)

    @property
    def usual_s(self) -> float | None:
        """Seconds between two steps at most, usually or lately, whichever is more; None below two steps.

        Steps that came between two looks share the time since the look before, and may have taken less.
        """
        return max(median(self.gaps), median(self.gaps[-_LATELY:])) if self.gaps else None

    @property
    def pace(self) -> Pace:
        """How a run went on that is over now; what it did after its last step is a pause as well."""
        longest_s = max(self.longest_s, self.still_s) if self.gaps else self.longest_s
        usual_s = median(self.gaps) if self.gaps else None
        return Pace(first_s=self.first_s, usual_s=usual_s, longest_s=longest_s, steps=self.steps)


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """How long a run may go without a new step.

    Attributes:
        seconds: So long; None when nobody can tell.
        why: In words, what it is made of.
        by_silence: Whether it counts from the last printed line, for want of steps.
    """

    seconds: float | None
    why: str
    by_silence: bool = False


def allowance(
    now: ProgressClock,
    learned: Sequence[Pace],
    *,
    floor_s: float,
    asked_s: float | None = None,
    expected_first_s: float | None = None,
) -> Allowance:
    """How long a run may go without a new step.

    Args:
        now: The run so far.
        learned: Of runs that were complete.
        floor_s: Never less than this.
        asked_s: What a person set in place of it, None for the learned time; 0 for no such clock.
        expected_first_s: Seconds until the first step as the target expects them, None when unknown.
    """
    if asked_s == 0:
        return Allowance(seconds=None, why="switched off")
    known = [pace for pace in learned if pace.steps > 1 and pace.usual_s is not None]
    if not known and now.steps <= ENOUGH:
        return _untaught(now, learned, floor_s, asked_s, expected_first_s)
    least_s = floor_s if asked_s is None else asked_s
    if now.first_s is None:
        first_s = max(pace.first_s or 0.0 for pace in known)
        longest_s = max(FIRST * first_s, PAUSE * _longest(known))
        return _at_least(longest_s, least_s, f"its parent's first step came after {_said(first_s)}")
    usual_s = max(now.usual_s or 0.0, _usual(known))
    pauses_s = PAUSE * max(_longest(known) * _slower(now, known), now.longest_s)
    care = 1.0 if known else UNKNOWING
    steps_s = USUAL * usual_s if asked_s is None else 0.0
    return _at_least(max(steps_s, pauses_s) * care, least_s * care, f"a step usually takes {_said(usual_s)} at most")


def _untaught(
    now: ProgressClock, learned: Sequence[Pace], floor_s: float, asked_s: float | None, expected_first_s: float | None
) -> Allowance:
    """Nothing is known of its steps: only what a person asked for, or what the target expects."""
    if asked_s is not None:
        return Allowance(seconds=asked_s, why="no steps are known", by_silence=True)
    if learned or now.first_s is not None or expected_first_s is None:
        why = "complete runs showed no steps" if learned else "nothing is known of its steps yet"
        return Allowance(seconds=None, why=why)
    why = f"its first step is expected after {_said(expected_first_s)}"
    return _at_least(UNKNOWING * FIRST * expected_first_s, UNKNOWING * floor_s, why)


def _longest(paces: Iterable[Pace]) -> float:
    return max((pace.longest_s for pace in paces), default=0.0)


def _usual(paces: Iterable[Pace]) -> float:
    return max((pace.usual_s or 0.0 for pace in paces), default=0.0)


def _slower(now: ProgressClock, known: Sequence[Pace]) -> float:
    """How many times slower than the slowest complete run a run is: its pauses may be longer by as much."""
    usual_s = _usual(known)
    if now.usual_s is None or usual_s <= 0:
        return 1.0
    return max(1.0, now.usual_s / usual_s)


def _at_least(seconds: float, floor_s: float, why: str) -> Allowance:
    return Allowance(seconds=max(seconds, floor_s), why=why)


def _said(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def stalled(now: ProgressClock, allowed: Allowance, silent_s: float) -> str:
    """Why a run counts as stalled, empty when it does not.

    Args:
        now: The run so far.
        allowed: How long it may go without a new step.
        silent_s: Seconds since it last printed anything.
    """
    still_s = silent_s if allowed.by_silence else now.still_s
    if allowed.seconds is None or still_s <= allowed.seconds:
        return ""
    what = "nothing printed" if allowed.by_silence else "no new step" if now.first_s is not None else "no first step"
    return f"stalled: {what} for {_said(still_s)} ({allowed.why}; {_said(allowed.seconds)} are allowed)"


# -- where steps are seen --------------------------------------------------------------------------------------------

_MONITOR = re.compile(
    r"(?i)heart.?beat|\bmonitor\b(?!/)|\braylet\b|\bautoscaler\b|gcs_server|keep.?alive|watch.?dog|\bwaiting\b"
    r"|health.?check|nvidia-smi|\bretry|\bretries\b|\bpolling\b"
)
"""Words of a line that is printed whether or not anything goes on."""

_MACHINE = re.compile(
    r"(?i)^(?:ray|system|sys|gpu|cpu|node|monitor|hardware|host)s?(?:[/._:-]|\d|$)|heart.?beat|uptime|keep.?alive"
    r"|(?:^|[/._])(?:wall_?time|timestamp|elapsed(?:_s)?|time|now|rss|util(?:ization)?|gpu_?mem\w*)$"
)
"""Series that a monitor of the machine writes, on a count of its own."""

_EPOCH = re.compile(r"(?i)\bepoch\b\W{0,3}(\d{1,7})(?![\d.])")
_STEP = re.compile(r"(?i)(?:steps?|iter(?:ation)?s?|updates?|batch(?:es)?|episodes?|rounds?)\b[\"']?\W{0,3}(\d{1,12})")
_BAR = re.compile(r"(?:^|[\s|])(\d{1,12})/\d{1,12} \[\d[\d:]*<")
"""A progress bar of the usual kind, `12/100 [00:10<01:20`."""

_DIGITS = re.compile(r"\d+")
_KINDS = 500


class StepLines:
    """Reads a log line by line and counts the new steps it names; a count that begins anew in each epoch goes on.

    Lines of one kind, alike before their number, are compared with each other only: `max_steps: 1000` says nothing
    about `step 3`.
    """

    def __init__(self) -> None:
        self._epoch = 0
        self._highest: dict[str, int] = {}
        self._count = 0

    def feed(self, line: str) -> None:
        """Take one cleaned line."""
        if _MONITOR.search(line):
            return
        epoch = _EPOCH.search(line)
        if epoch and int(epoch[1]) > self._epoch:
            self._epoch, self._highest = int(epoch[1]), {}
            self._count += 1
        step = _STEP.search(line) or _BAR.search(line)
        if step is None:
            return
        kind = _DIGITS.sub("#", line[: step.start(1)])[-80:]
        before = self._highest.get(kind)
        if before is None and len(self._highest) >= _KINDS:
            return
        self._highest[kind] = int(step[1]) if before is None else max(before, int(step[1]))
        self._count += before is None or int(step[1]) > before

    def reached(self) -> Reached:
        """How many new steps were named."""
        return Reached(self._count, self._count)


def reached(readings: Mapping[str, Readings], lines: StepLines, judged: str = "") -> dict[str, Reached]:
    """How far each series has come, those that a monitor writes left out.

    Args:
        readings: What the sources found, by their names.
        lines: What the log's lines say.
        judged: The metric, which is no monitor's.
    """
    told = lines.reached()
    found = {_LINES: told} if told.points else {}
    for one in readings.values():
        for tag, series in one.series.items():
            if series.steps and (tag == judged or not _MACHINE.search(tag)):
                counted = told.points > 1 and _without_steps(series)
                here = _changes(series) if counted else Reached(series.steps[-1], len(series.steps))
                found[tag] = max(here, found.get(tag, here))
    return found


_LINES = "\nlines"


def _without_steps(series: Series) -> bool:
    """Whether its points are merely counted."""
    return series.steps[0] == 1 and series.steps[-1] == len(series.steps)


def _changes(series: Series) -> Reached:
    """Of a number that is printed without a step in a log that has steps, only another value is something new."""
    changes = sum(before != after for before, after in pairwise(series.values))
    return Reached(changes + 1, changes + 1)
