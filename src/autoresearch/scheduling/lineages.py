"""From which arm the next idea starts. Pure: decided from the board, told with its reason, carried out by the engine.

The *archive* holds what an idea may start from: the best, what was kept, what nearly was, the baseline. How often each
is started from goes by the chance that it is at least as good as the best, by the noise of the campaign: an arm that
cannot be told from the best gets as many ideas as the best, one that is shown to be worse gets none.

After a row of ideas of which none was kept the next one may start from the baseline again, and lines that the best does
not hold may be put on top of it (*crossed*), which asks nobody for an idea.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from autoresearch.config.line_rules import LineagesConfig
from autoresearch.experiment.board import Board, Idea, Propose
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE, Status
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.statistics import normal_cdf

LEAST = 0.1
"""Chance of being at least as good as the best below which nothing starts from an arm."""

SURE = 0.6
"""Chance that a line is better than what it stands on from which it is worth crossing."""

NEWEST = 60
"""Judged ideas that are looked at, newest first."""

UNCROSSED, ON = "not crossed", "with"
"""What a note says of a line that could not be put on top of an arm: the line, and the arm."""


@dataclass(frozen=True)
class ArchivedLine:
    """An arm of the archive.

    Attributes:
        arm: What would be started from.
        kind: What it is: `the best`, `kept`, `a near miss`, `the baseline`.
        chance: How probable it is that it is at least as good as the best; 0.5 for the best itself.
    """

    arm: str
    kind: str
    chance: float

    @property
    def weight(self) -> float:
        """Its part of the ideas, 1 for the best."""
        return min(1.0, 2 * self.chance)


@dataclass(frozen=True)
class Start:
    """Where the next attempt begins.

    Attributes:
        parent: The arm it is made from.
        why: Why not from the best; empty where it is.
        crosses: The line that is put on top of it, nobody being asked; empty for a new idea.
    """

    parent: str
    why: str = ""
    crosses: str = ""


def placed(history: History, board: Board, rules: LineagesConfig, advice: Propose) -> Propose:
    """A policy's request for an idea, started where the campaign file says; other attempts under way are counted in."""
    if not advice.free:
        return advice
    open_ = (entry for entry in history.tally.open.values() if entry.committed is None and not entry.by_hand)
    unfit = frozenset(idea.name for idea in board.ideas if history.has_yardstick(idea.name))
    failed = [note.details for note in history.notes if UNCROSSED in note.details] if rules.cross_after else []
    uncrossed = frozenset((one[UNCROSSED], one[ON]) for one in failed)
    found = start(board, rules, tuple(entry.opened.parent for entry in open_), unfit, uncrossed)
    why = "; ".join(filter(None, (advice.why, found.why)))
    return replace(advice, parent=found.parent, why=why, crosses=found.crosses)


def start(
    board: Board,
    rules: LineagesConfig,
    begun: Sequence[str] = (),
    unfit: frozenset[str] = frozenset(),
    uncrossed: frozenset[tuple[str, str]] = frozenset(),
) -> Start:
    """Where the next attempt starts from.

    Args:
        board: The campaign.
        rules: What its file says.
        begun: Parents of attempts that somebody is thinking of now.
        unfit: Arms that nothing may be built upon.
        uncrossed: Lines that could not be put on top of an arm, each with that arm.
    """
    best = board.incumbent
    if rules.parents == "best" and not rules.restart_after and not rules.cross_after:
        return Start(best)
    evidence = Evidence(board)
    if rules.cross_after and (other := _to_cross(evidence, rules.cross_after, unfit, uncrossed)):
        return Start(best, f"{other}, which {best} does not hold, is crossed with it", crosses=other)
    if rules.restart_after and (row := _row_to_leave(board, rules.restart_after, begun)):
        return Start(BASELINE, f"none of the last {row} ideas was kept, so one starts from the baseline again")
    return _from_archive(evidence, begun, unfit) if rules.parents == "archive" else Start(best)


def archive(evidence: Evidence, unfit: frozenset[str] = frozenset()) -> tuple[ArchivedLine, ...]:
    """What an idea may start from, the best first."""
    best = evidence.board.incumbent
    found = [ArchivedLine(best, "the best", 0.5)]
    judged = [idea for idea in evidence.board.ideas if _may_be_built_on(evidence, idea) and idea.name not in unfit]
    for name, kind in [(idea.name, _kind(idea)) for idea in reversed(judged[-NEWEST:])] + [(BASELINE, "the baseline")]:
        effect = evidence.compare(name, best) if name != best else None
        if effect is not None and effect.error is not None and (chance := normal_cdf(effect.z)) >= LEAST:
            found.append(ArchivedLine(name, kind, chance))
    return tuple(found)


def _from_archive(evidence: Evidence, begun: Sequence[str], unfit: frozenset[str]) -> Start:
    """The line that has had the fewest ideas for its weight; of several asked for at once each another, if it can."""
    lines = archive(evidence, unfit)
    rest = [line for line in lines if line.arm not in begun] or list(lines)
    made = Counter([idea.parent for idea in evidence.board.ideas]) + Counter(begun)
    line = min(rest, key=lambda one: (made[one.arm] + 1) / one.weight)
    if line.arm == evidence.board.incumbent:
        return Start(line.arm)
    return Start(
        line.arm,
        f"{line.arm}, {line.kind}, is as good as {evidence.board.incumbent} with a chance of {line.chance:.2g}",
    )


def _kind(idea: Idea) -> str:
    return "kept" if idea.verdict and idea.verdict.status is Status.KEEP else "a near miss"


def _may_be_built_on(evidence: Evidence, idea: Idea) -> bool:
    """Whether it was judged by numbers, no person has turned it down, and no code in it waits for a person's word."""
    if idea.verdict is None or idea.broken or idea.verdict.status not in (Status.KEEP, Status.DISCARD):
        return False
    if idea.vouched and _kind(idea) != "kept":
        return False
    inside = [evidence.ideas[one] for one in evidence.lineage(idea.name) if one in evidence.ideas]
    return not evidence.settings.holds or not any(one.own_code and _kind(one) != "kept" for one in inside)


def _row_to_leave(board: Board, after: int, begun: Sequence[str]) -> int:
    """How many ideas in a row were not kept, where that asks for a start from the baseline; 0 where it does not.

    One start for each so many of them.
    """
    if board.incumbent == BASELINE:
        return 0
    since = list(takewhile(lambda idea: not idea.verdict or idea.verdict.status is not Status.KEEP, board.ideas[::-1]))
    row = sum(idea.verdict is not None for idea in since)
    made = sum(idea.parent == BASELINE for idea in since) + sum(parent == BASELINE for parent in begun)
    return row if row // after > made else 0


def _to_cross(evidence: Evidence, after: int, unfit: frozenset[str], uncrossed: frozenset[tuple[str, str]]) -> str:
    """The line to put on top of the best; empty where none is worth it, or the last crossing is too new."""
    board = evidence.board
    newest = list(takewhile(lambda idea: not idea.crosses, reversed(board.ideas)))
    if len(newest) < after or board.incumbent == BASELINE:
        return ""
    tried = {idea.crosses for idea in board.ideas if idea.parent == board.incumbent}
    tried |= {idea for bundle in board.bundles if bundle.parent == board.incumbent for idea in bundle.ideas}
    tried |= {line for line, arm in uncrossed if arm == board.incumbent}
    held = set(evidence.held)
    found = {
        idea.name: chance
        for idea in board.ideas
        if _may_be_built_on(evidence, idea) and idea.name not in tried | held | unfit and not idea.crosses
        for chance in _better(evidence, idea)
    }
    return max(found, key=lambda name: (_kind(evidence.ideas[name]) == "kept", found[name]), default="")


def _better(evidence: Evidence, idea: Idea) -> Iterator[float]:
    """The chance that it is better than what it stands on, where that is high enough."""
    effect = evidence.compare(idea.name, idea.parent)
    if effect is not None and effect.error is not None and (chance := normal_cdf(effect.z)) >= SURE:
        yield chance


# -- whom to ask --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Earned:
    """What a researcher has brought, and what that took.

    Attributes:
        gain: Credited gains of its kept ideas together.
        cost: What its calls and its runs took, in any unit that is the same for all.
        tested: Its ideas that were judged.
    """

    gain: float = 0.0
    cost: float = 0.0
    tested: int = 0


def earned(history: History, evidence: Evidence, names: Sequence[str], usd_per_gpu_hour: float | None) -> list[Earned]:
    """What each researcher has brought, and what it took: in USD where all of that has a price, else in seconds."""
    asked = [one for one in history.attendance.asked if one.researcher in names]
    price = usd_per_gpu_hour if all(one.cost_usd is not None for one in asked) else None
    found = dict.fromkeys(names, Earned())

    def add(name: str, gain: float, cost: float, tested: int) -> None:
        old = found[name]
        found[name] = Earned(old.gain + gain, old.cost + cost, old.tested + tested)

    for one in asked:
        add(one.researcher, 0.0, one.seconds if price is None else one.cost_usd or 0.0, 0)
    for entry in history.judged:
        if entry.hypothesis.source in found and entry.name in evidence.ideas:
            runs = history.runs_of(entry.name)
            hours, seconds = sum(run.gpu_hours for run in runs), sum(run.wall_s or 0.0 for run in runs)
            gain = credited_gain(evidence, evidence.ideas[entry.name])
            add(entry.hypothesis.source, gain, seconds if price is None else hours * price, 1)
    return list(found.values())


def credited_gain(evidence: Evidence, idea: Idea) -> float:
    """What a kept idea is credited with over its parent, the luck that got it kept taken out; 0 for any other."""
    if idea.verdict is None or _kind(idea) != "kept":
        return 0.0
    ours, theirs = evidence.credited(idea.name), evidence.credited(idea.parent)
    return max(0.0, ours - theirs) if ours is not None and theirs is not None else 0.0


def earned_shares(earned: Sequence[Earned], floor: float) -> tuple[float, ...]:
    """Each researcher's part of the ideas to come: by what it brings for its cost, and never less than a floor.

    What it brings is drawn towards what all bring together by the cost of two ideas, so that one lucky idea, or one
    unlucky, says little.

    Args:
        earned: Of each of them.
        floor: The part of all ideas that is shared out evenly whatever they bring.
    """
    cost, tested = sum(one.cost for one in earned), sum(one.tested for one in earned)
    gain = sum(max(0.0, one.gain) for one in earned)
    even = [1 / len(earned)] * len(earned)
    if not (cost > 0 and gain > 0 and tested):
        return tuple(even)
    drawn = 2 * cost / tested
    rates = [(max(0.0, one.gain) + gain / cost * drawn) / (one.cost + drawn) for one in earned]
    return tuple(floor * part + (1 - floor) * rate / sum(rates) for part, rate in zip(even, rates, strict=True))
