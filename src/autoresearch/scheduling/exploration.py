"""Whether new ideas are asked for, and of whom. Pure: decided from the history, carried out by the engine.

Whose turn: each researcher has a share and a limit, and rests after refusals in a row.

Whether at all: exploration is held because the machine, not the ideas, fails. Like failures that nothing ties to an
idea open the *breaker*, and so does a *canary* that fails: the incumbent once more, on a seed it has run with. While it
is open nothing is begun but canaries, with longer and longer pauses in between. One that is well closes it; what fell
meanwhile is run again, its own number judges nothing.

An idea whose end cannot be told from that of a sick machine is in *doubt*: a canary goes before its row is written.
A run that was taken away *rests* before it is made again, a little longer each time, while other ideas go on. A node
that fails runs is tried so often, then left out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile

from autoresearch.config.duration import span
from autoresearch.experiment.board import Advice, Measure, Propose, Settle, TakenBack, Trial
from autoresearch.experiment.experiment import Run, lost, taken_back, trial_of, well
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE, WELL, Purpose, Status
from autoresearch.run.ending import Ending, Who
from autoresearch.verdict.plausible import told_of_held

ALIKE, STRANGE = 2, 3
"""Ends alike in a row that open it: ones that the machine is known for, and the different ideas nobody explains."""
FIRST_S, MOST_S = 5.0, 600.0
"""The pause after the first canary that failed; each further one doubles it, up to the second number."""
RESTS_S = (5.0, 30.0, 120.0, 600.0)
"""Seconds a run rests before it is made again: after the first that was lost in a row, after the second, ..."""

OUTLIVES_S = 15.0
"""Seconds by which a canary that makes steps outlives what fell before it is ended."""

_RECENT = 100
"""Runs looked at, newest first."""

_MACHINE = frozenset({Who.ENVIRONMENT, Who.NODE})


PATIENCE = 3
"""Refused proposals in a row after which a researcher rests: a fourth would tell nobody anything new."""


@dataclass(frozen=True)
class Breaker:
    """Why exploration is held.

    Attributes:
        ending: The newest end.
        failures: Ends in a row without a number, those of canaries left out.
        canaries: Canaries that failed since.
        again_at: When the next canary may be sent, Unix seconds.
        rows: Rows of ideas that were written before, and whose run ended as the incumbent's did since.
    """

    ending: Ending
    failures: int
    canaries: int
    again_at: float
    rows: tuple[int, ...] = ()

    @property
    def sentence(self) -> str:
        """In one sentence, with the evidence; in a second one, the rows that are in doubt."""
        tried = f", and {self.canaries} of the incumbent" if self.canaries else ""
        told = f"{self.failures} run{'s' * (self.failures != 1)} in a row{tried} ended without a number"
        rows = f"row{'s' * (len(self.rows) > 1)} {', '.join(map(str, self.rows))}"
        doubt = f". In doubt, for the same end: {rows}; have the idea run once more, or overrule" if self.rows else ""
        return f"the machine is suspected, no idea is run: {told}: {self.ending.sentence}{doubt}"


def breaker(history: History) -> Breaker | None:
    """The breaker as it stands; None while it is closed."""
    since = _since_the_last_good_sign(history)
    canaries = [run for run in since if run.planned.purpose is Purpose.CANARY]
    ideas = [run for run in since if run.planned.purpose is not Purpose.CANARY and run.ending]
    if not ideas or not (canaries or _opens(history, _alike(ideas))):
        return None
    newest, last = (canaries or ideas)[0].ending, max(run.ended.at for run in since if run.ended)
    assert newest is not None  # noqa: S101 - only such runs are among them
    pause = min(MOST_S, FIRST_S * 2 ** (len(canaries) - 1)) if canaries else 0.0
    failures = len(ideas) if canaries else len(_alike(ideas))
    return Breaker(newest, failures, len(canaries), last + pause, _rows(history, ideas, canaries))


def _rows(history: History, ideas: list[Run], canaries: list[Run]) -> tuple[int, ...]:
    """A row is not taken back: one was written per attempt, and each attempt counts (R76, R96). A person may."""
    ends = {run.ending.what for run in canaries if run.ending}
    fell = {run.planned.experiment for run in ideas if run.ending and run.ending.what in ends}
    known = (entry for entry in history.experiments.values() if entry.name in fell and entry.judged)
    return tuple(sorted(entry.index for entry in known if entry.verdict and entry.verdict.status is not Status.KEEP))


def _since_the_last_good_sign(history: History) -> list[Run]:
    settled = [run for run in islice(reversed(history.runs.values()), _RECENT) if run.settled and run.ended]
    ended = sorted(settled, key=lambda run: run.ended.at if run.ended else 0.0, reverse=True)
    return list(takewhile(lambda run: not well(run), ended))


def _alike(ideas: Iterable[Run]) -> list[Run]:
    """The newest ends in a row that are alike and nobody's doing, newest first."""
    found: list[Run] = []
    for run in ideas:
        if run.ending is None or not _strange(run.ending):
            break
        if found and found[0].ending and found[0].ending.what != run.ending.what:
            break
        found.append(run)
    return found


def _strange(ending: Ending) -> bool:
    return ending.who in _MACHINE or (ending.who is Who.UNKNOWN and ending.what not in {"no-metric", "contradicted"})


def _opens(history: History, row: list[Run]) -> bool:
    """Ends of one idea, whatever it was merged into or built upon, say nothing of the machine; the incumbent's do."""
    if not row or _in_common(history, row):
        return False
    if all(run.ending and run.ending.who in _MACHINE for run in row):
        return len(row) >= ALIKE
    return len({run.planned.experiment for run in row}) >= STRANGE


def _in_common(history: History, row: list[Run]) -> frozenset[str]:
    """Ideas that all of these ran and the incumbent is not made of."""
    held = [frozenset(history.lineage(arm)) for arm in {run.planned.experiment for run in row}]
    return frozenset.intersection(*held) - frozenset(history.lineage(history.incumbent))


# -- an end that may be the machine's ------------------------------------------------------------------------------


def doubt(history: History, arm: str) -> Ending | None:
    """The end of an idea without a number that a sick machine may have made as well; None when there is no doubt.

    A run that was begun afterwards and shows the machine well removes it.
    """
    runs = history.current_runs(arm)
    last = runs[-1] if runs else None
    if last is None or not last.settled or last.ended is None or last.ending is None or any(map(well, runs)):
        return None
    if last.cancelled_by or not (lost(last) or last.ending.doubtful):
        return None
    at = last.ended.at
    signs = (run for run in history.runs.values() if run.planned.at >= at and well(run))
    return None if any(signs) else last.ending


def unspent(history: History, advice: Settle) -> bool:
    """Whether an idea is about to be called a crash only because the budget ended before a run of it counted."""
    name = advice.idea
    entry = history.experiment(name)
    if advice.verdict.status is not Status.CRASH or (entry.committed and entry.committed.breaches):
        return False
    if any(name in bundle.ideas and history.runs_of(bundle.name) for bundle in history.bundles.values()):
        return False
    return _uncounted(history, name)


def _uncounted(history: History, name: str) -> bool:
    return history.unspent(name) or (history.untested(name) and doubt(history, name) is not None)


def left_over(history: History) -> tuple[str, ...]:
    """One sentence for the ideas that are open and of which no run counts; none where there is none."""
    names = [
        entry.name
        for entry in history.tally.open.values()
        if entry.committed and not entry.by_hand and _uncounted(history, entry.name)
    ]
    told = f"{len(names)} idea{'s' * (len(names) != 1)} unspent, for no run of theirs counts: {', '.join(names)}"
    return (told,) if names else ()


def held_back(history: History, now: float) -> tuple[str, ...]:
    """Why ideas are not kept or run, a sentence each: a person's word, a suspected machine, rests, leftovers."""
    asked = told_of_held((one.index, one.verdict.reason) for one in history.judged if one.verdict)
    if history.ended:
        return (*asked, *left_over(history))
    suspected, rests = breaker(history), (rest.sentence(now) for rest in resting(history, now))
    return (*asked, *([suspected.sentence] if suspected else []), *rests)


@dataclass(frozen=True)
class HeldBack:
    """Why a canary goes first, and from when on it may."""

    why: str
    until: float


def hold_for(history: History, advice: Advice, now: float) -> HeldBack | None:
    """What holds back a run, a new idea, or the row of an idea that gave no number; None when nothing does."""
    if history.baseline is None or history.baseline.judged is None:
        return None
    suspected = breaker(history)
    if isinstance(advice, Propose | Measure):
        return HeldBack(suspected.sentence, suspected.again_at) if suspected else None
    found = doubt(history, advice.idea) if isinstance(advice, Settle) and advice.verdict.value is None else None
    if found is None:
        return None
    if suspected and suspected.canaries:
        return HeldBack(suspected.sentence, suspected.again_at)
    assert isinstance(advice, Settle)  # noqa: S101 - only those are in doubt
    return HeldBack(f"is the machine well? {advice.idea} ended without a number: {found.sentence}", now)


def came_far_enough(history: History, ran_s: float, steps: int) -> str:
    """Why a canary need not run to its end, in words; empty while it must.

    It has outlived the runs that fell, and made a step; without steps that can be seen it outlives them by far.

    Args:
        history: The campaign so far.
        ran_s: Seconds it has run.
        steps: Steps it has made.
    """
    fell = [run for run in _since_the_last_good_sign(history) if run.planned.purpose is not Purpose.CANARY]
    longest_s = max((run.wall_s or 0.0 for run in fell), default=0.0)
    if steps and ran_s > longest_s + OUTLIVES_S:
        return f"{WELL}: the incumbent made a step and outlived what fell after {span(longest_s)}"
    if ran_s > 2 * longest_s + 10 * OUTLIVES_S:
        return f"{WELL}: the incumbent still ran after {span(ran_s)}, what fell did so within {span(longest_s)}"
    return ""


def canary_for(history: History, why: str) -> Measure | None:
    """The incumbent once more, on a seed that it gave a number with; None before there is one."""
    known = [run for run in history.current_runs(history.incumbent) if run.valid]
    return Measure(history.incumbent, known[0].planned.seed, Purpose.CANARY, why) if known else None


# -- rests between two tries ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Resting:
    """A run that was taken away and is made again when its rest is over."""

    run: Run
    until: float

    @property
    def arm(self) -> str:
        """What it runs."""
        return self.run.planned.experiment

    def trial(self) -> Trial:
        """The run as a policy sees it: still to come, so that other ideas go on meanwhile."""
        return replace(trial_of(self.run), pending=True, excused=False, note="", value=None)

    def sentence(self, now: float) -> str:
        """In words, for whoever waits."""
        why = f": {self.run.ending.sentence}" if self.run.ending else ""
        return f"{self.arm} is run again in {span(max(1.0, self.until - now))}{why}"


def resting(history: History, now: float) -> list[Resting]:
    """Runs that rest, the one that is over first in front; a sign that the machine is well ends every rest."""
    good, arms = history.tally.begun.most, history.tally.failed
    rests = filter(None, (_rest(history, arm) for arm in arms if not _judged(history, arm)))
    found = [rest for rest in rests if rest.until > now and _ended(rest.run) > good]
    return sorted(found, key=lambda rest: rest.until)


def _rest(history: History, arm: str) -> Resting | None:
    runs = [run for run in history.runs_of(arm) if run.planned.purpose is not Purpose.CANARY]
    again = {run.run_id for run in history.made_again(arm) if not run.cancelled_by}
    row = list(takewhile(lambda run: run.run_id in again, reversed(runs)))
    if not row:
        return None
    return Resting(row[0], _ended(row[0]) + RESTS_S[min(len(row), len(RESTS_S)) - 1])


def _ended(run: Run) -> float:
    return run.ended.at if run.ended else 0.0


def taken_from(history: History) -> tuple[TakenBack, ...]:
    """What the runs of each arm took back in their own words, for the board."""
    ends = sorted(history.tally.excused)
    found = {arm: taken_back(history.current_runs(arm), history.signs()) for arm in ends}
    return tuple(
        TakenBack(arm, len(runs), sum(bool(run.ending and run.ending.own_word) for run in runs))
        for arm, runs in found.items()
        if runs
    )


def on_its_seed(history: History, advice: Advice) -> Advice:
    """A run that is made again has the seed of the one that was lost: another would be another draw."""
    if not isinstance(advice, Measure):
        return advice
    since = {run.planned.seed: run.planned.number for run in history.current_runs(advice.arm)}
    owed = (run.planned for run in history.made_again(advice.arm) if run.planned.seed in since)
    seeds = [one.seed for one in owed if one.purpose is advice.purpose and since[one.seed] == one.number]
    return replace(advice, seed=seeds[0]) if seeds and advice.seed not in seeds else advice


def _judged(history: History, arm: str) -> bool:
    return arm != BASELINE and arm not in history.bundles and history.experiment(arm).judged is not None


# -- whose turn it is -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Turn:
    """One researcher as the chain sees it.

    Attributes:
        proposed: Experiments it has proposed so far.
        share: Its weight among those that have one; None: asked in the order written.
        limit: Most experiments it may propose, None for no limit.
        refused: Its latest proposals that were refused, in a row; see `history.History.refused`.
        patience: How many of them send it to rest, None for no number.
    """

    proposed: int
    share: float | None = None
    limit: int | None = None
    refused: int = 0
    patience: int | None = PATIENCE

    @property
    def rests(self) -> bool:
        """Whether it is left alone until something has changed that could change its mind."""
        return self.patience is not None and self.refused >= self.patience

    @property
    def able(self) -> bool:
        """Whether it may be asked."""
        return not self.rests and (self.limit is None or self.proposed < self.limit)


def patience(wish: int | None, *, finite: bool) -> int | None:
    """Refused proposals in a row after which a researcher rests, None for never; `wish` comes first.

    A finite one has each idea once: what it was refused says nothing about what is still to come.
    """
    return wish if wish is not None or finite else PATIENCE


def order(turns: Sequence[Turn]) -> tuple[int, ...]:
    """Places of the researchers in the order they are to be asked; those at their limit or at rest are left out.

    Researchers without a share come in the order written. Those with one take turns among themselves, so that each has
    proposed in proportion to its share; they stand where the first of them stands in the list.
    """
    able = [place for place, turn in enumerate(turns) if turn.able]
    shared = sorted((place for place in able if turns[place].share), key=lambda place: _due(turns[place], place))
    ordered: list[int] = []
    for place in able:
        if not turns[place].share:
            ordered.append(place)
        elif shared[0] not in ordered:
            ordered.extend(shared)
    return tuple(ordered)


def why_nobody(names: Sequence[str], turns: Sequence[Turn]) -> str:
    """In words, why no proposal came although nobody was in trouble."""
    resting = [(name, turn) for name, turn in zip(names, turns, strict=True) if turn.rests]
    rest = [f"{name} rests after {turn.patience} refused proposals in a row" for name, turn in resting]
    if len(rest) == len(turns):
        return "; ".join(rest)
    return "; ".join(["no researcher has another idea", *rest])


def _due(turn: Turn, place: int) -> tuple[float, int]:
    return ((turn.proposed + 1) / (turn.share or 1.0), place)


TWICE = 2
"""Runs in a row that a node has to fail before it is left out."""


def bad_nodes(runs: Iterable[Run]) -> dict[str, str]:
    """Nodes to leave out, each with how its last run there ended, in the order they failed.

    A run that gave a number on it clears a node. Runs over several nodes accuse none of them.
    """
    failures: dict[str, list[str]] = {}
    ended = [run for run in runs if run.settled and run.ended]
    for run in sorted(ended, key=lambda run: run.ended.at if run.ended else 0.0):
        node = run.ended.status.node if run.ended else ""
        if not node or "," in node or "[" in node:
            continue
        if run.ending is None:
            failures.pop(node, None)
        elif run.ending.who is Who.NODE:
            failures.setdefault(node, []).append(f"{run.ending.what}: {run.ending.evidence}")
    return {node: told[-1] for node, told in failures.items() if len(told) >= TWICE}
