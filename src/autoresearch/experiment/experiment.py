"""One attempt and its runs, as far as they have come; see `history` for the whole campaign.

What an arm is made of: the ideas merged on the way from the baseline to it.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from autoresearch.experiment import events as happened
from autoresearch.experiment import outcome
from autoresearch.experiment.board import Trial
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import Verdict
from autoresearch.run.ending import TRIES, Ending, Follows, Who
from autoresearch.run.integrity import Finding
from autoresearch.run.job import JobState
from autoresearch.run.measurement import Completion, Measurement
from autoresearch.run.symptom import Severity


@dataclass(kw_only=True)
class Run:
    """One launched job of an experiment or bundle, as far as it has come; `waits` says why it is not begun."""

    planned: happened.RunPlanned
    order: int
    job_id: str | None = None
    submitted_at: float | None = None
    started_at: float | None = None
    waits: happened.RunWaits | None = None
    cancelled: str = ""
    cancelled_by: str = ""
    ended: happened.RunEnded | None = None
    measurement: Measurement | None = None
    ending: Ending | None = None
    """Whose doing it was that it gave no number; None when it gave one, and in journals of earlier versions."""

    def apply(self, event: happened.Event) -> None:
        """Fold in an event that speaks of it."""
        match event:
            case happened.RunSubmitted():
                self.job_id, self.submitted_at, self.waits = event.job_id, self.submitted_at or event.at, None
            case happened.RunWaits():
                self.waits = event
            case happened.RunStarted():
                self.started_at = event.at
            case happened.RunCancelled() if not (event.by and self.ended):
                self.cancelled, self.cancelled_by = event.reason, event.by or self.cancelled_by
            case happened.RunEnded():
                self.ended = event
            case happened.RunMeasured():
                self.measurement, self.ending = event.measurement, event.ending

    @property
    def run_id(self) -> str:
        """The run's unique name."""
        return self.planned.run_id

    @property
    def settled(self) -> bool:
        """Whether it has ended and been measured."""
        return self.measurement is not None

    @property
    def wall_s(self) -> float | None:
        """Seconds it ran, without queueing; None while unknown."""
        if self.ended is None:
            return None
        status = self.ended.status
        start = status.started_at if status.started_at is not None else self.started_at
        end = status.ended_at if status.ended_at is not None else self.ended.at
        return None if start is None else max(0.0, end - start)

    @property
    def queued_s(self) -> float | None:
        """Seconds it waited in a queue; None while unknown."""
        if self.submitted_at is None:
            return None
        start = self.started_at
        if self.ended is not None and self.ended.status.started_at is not None:
            start = self.ended.status.started_at
        return None if start is None else max(0.0, start - self.submitted_at)

    @property
    def gpu_hours(self) -> float:
        """GPU-hours used; 0 for a CPU run or while unknown."""
        one = self.measurement.evaluation if self.measurement else None
        own = (self.wall_s or 0.0) / 3600 * self.planned.resources.gpus
        return own + (one.gpu_hours if one else 0.0)

    @property
    def valid(self) -> bool:
        """Whether it gave a number one may judge by."""
        return self.value is not None

    @property
    def value(self) -> float | None:
        """Its measurement's value as a policy sees it; None when that does not count.

        A run over its limit is a failure (R98), and so is a diverged one, whatever it printed before. A number that
        something speaks against is none.
        """
        found = self.measurement
        if self.planned.purpose is outcome.Purpose.CANARY:
            return None
        if found is None or found.completion is Completion.DIVERGED or found.integrity.contradicted:
            return None
        if self.ended is not None and self.ended.status.state in {JobState.TIMED_OUT, JobState.CANCELLED}:
            return None
        return found.value


class Idle(NamedTuple):
    """What an allocation cost while no run used it."""

    minutes: float
    gpu_hours: float


def idle_of(allocation: happened.AllocationEnded, runs: Iterable[Run]) -> Idle:
    """An allocation's own time and GPU-hours, less those of the runs that went on meanwhile."""
    left_s = allocation.ended_at - allocation.started_at
    left_gpu_s = left_s * allocation.gpus
    for run in runs:
        shared_s = _overlap_s(run, allocation)
        left_s -= shared_s
        left_gpu_s -= shared_s * run.planned.resources.gpus
    return Idle(max(0.0, left_s) / 60, max(0.0, left_gpu_s) / 3600)


def _overlap_s(run: Run, allocation: happened.AllocationEnded) -> float:
    if run.ended is None or run.wall_s is None:
        return 0.0
    ended = run.ended.status.ended_at if run.ended.status.ended_at is not None else run.ended.at
    return max(0.0, min(ended, allocation.ended_at) - max(ended - run.wall_s, allocation.started_at))


OUTAGES = 2
"""Outages that cost an idea nothing; what falls into a further one counts as one of its tries."""

_LOST = frozenset({JobState.NODE_FAILED, JobState.PREEMPTED, JobState.VANISHED})


def lost(run: Run) -> bool:
    """Whether a run ended without a number in a way that says nothing about what was run."""
    if run.ending is not None:
        return run.ending.excused
    gone = run.ended is not None and run.ended.status.state in _LOST
    return gone and run.settled and not run.cancelled and run.value is None


def well(run: Run) -> bool:
    """Whether a run shows that the machine works: it gave its number, or it is a canary that came far enough."""
    canary = run.planned.purpose is outcome.Purpose.CANARY
    return run.settled and (run.ending is None if canary else run.valid)


def _signs(runs: Iterable[Run]) -> list[Run]:
    """The canaries, and the runs with a number: by them an outage is known."""
    return [run for run in runs if run.valid or run.planned.purpose is outcome.Purpose.CANARY]


def outage_of(run: Run, known: Iterable[Run]) -> float | None:
    """The end of the outage that a run without a number fell into; None when it fell into none.

    An outage is known by its canaries: the incumbent failed as well, on a seed that it has run with, and nothing that
    was begun after the run had given a number by then. It ends with the last of those canaries.
    """
    if run.ended is None or not run.settled or run.value is not None:
        return None
    at = run.ended.at
    later = [one for one in known if one.settled and one.ended and one.planned.at >= at]
    good = min((one.ended.at for one in later if one.ended and well(one)), default=math.inf)
    canaries = (one for one in later if one.planned.purpose is outcome.Purpose.CANARY and not well(one))
    return max((one.ended.at for one in canaries if one.ended and one.ended.at <= good), default=None)


def made_again(runs: Iterable[Run], known: Iterable[Run] = ()) -> list[Run]:
    """The runs of an arm that were lost and are made again: each while fewer were than its own kind of end allows.

    What fell into an outage does not count, up to `OUTAGES` of them: an idea may be what makes the machine ill.

    Args:
        runs: The arm's runs, oldest first.
        known: Runs of the campaign; by its canaries and its numbers an outage is known.
    """
    found: list[Run] = []
    signs, counted, outages = _signs(known), 0, set[float]()
    for run in runs:
        if run.planned.purpose is outcome.Purpose.CANARY:
            continue
        fell = outage_of(run, signs)
        if fell is not None and len(outages | {fell}) <= OUTAGES:
            outages.add(fell)
            found.append(run)
        elif lost(run) and counted < (run.ending.tries if run.ending else TRIES):
            counted += 1
            found.append(run)
    return found


def taken_back(runs: Iterable[Run], known: Iterable[Run]) -> list[Run]:
    """The runs without a number that nothing but what they said or did themselves excuses, outages left out.

    Args:
        runs: Runs of one arm, made of the same code.
        known: Runs of the campaign; by its canaries and its numbers an outage is known.
    """
    signs = _signs(known)
    ended = (run for run in runs if run.ending and run.planned.purpose is not outcome.Purpose.CANARY)
    own = (run for run in ended if run.ending and run.ending.by_itself and (lost(run) or run.ending.own_word))
    return [run for run in own if outage_of(run, signs) is None]


def told_of_draws(runs: Iterable[Run]) -> str:
    """In words, how many runs of an arm are excused in their own words beside those that count; empty for none."""
    made = [run for run in runs if run.settled and run.planned.purpose is not outcome.Purpose.CANARY]
    early = [run for run in made if run.ending and run.ending.own_word]
    if not early or not any(run.valid for run in made):
        return ""
    return f"{len(early)} of {len(made)} runs ended early, excused in their own words"


def pauses(notes: Iterable[happened.Noted]) -> dict[str, float]:
    """Since when which runs are stopped by somebody else, in Unix seconds, as the controller has noted it."""
    told = {note.details["run"]: note.details["paused_since"] for note in notes if "paused_since" in note.details}
    return {run_id: float(since) for run_id, since in told.items() if since}


@dataclass(kw_only=True)
class Experiment:
    """One attempt: its hypothesis, branch, runs and verdict, as far as it has come."""

    opened: happened.ExperimentOpened
    committed: happened.ExperimentCommitted | None = None
    commit: str = ""
    repairs: list[happened.ExperimentRepaired] = field(default_factory=list)
    superseded: int = 0
    """Runs made before the last repair; they no longer count as evidence."""
    judged: happened.ExperimentJudged | None = None
    overruled: happened.VerdictOverruled | None = None

    @property
    def index(self) -> int:
        """Its number in the ledger, counted from 1 (the baseline)."""
        return self.opened.index

    @property
    def name(self) -> str:
        """Its name, or a placeholder while it has none."""
        return self.committed.name if self.committed else self.opened.name or f"#{self.index}"

    @property
    def by_hand(self) -> bool:
        """Whether a person or an agent opened it, who edits its worktree and hands it in."""
        return bool(self.opened.by)

    @property
    def parent(self) -> str:
        """Arm it was made from; a hypothesis may have asked for another one than the attempt was opened with."""
        return (self.committed and self.committed.parent) or self.opened.parent

    @property
    def parent_commit(self) -> str:
        """Commit it was made from."""
        return (self.committed and self.committed.parent_commit) or self.opened.parent_commit

    @property
    def branch(self) -> str:
        """Its branch, empty while it has none."""
        return self.committed.branch if self.committed else self.opened.branch

    @property
    def hypothesis(self) -> Hypothesis:
        """Its hypothesis; an empty one while it has none."""
        if self.committed:
            return self.committed.hypothesis
        return self.opened.hypothesis or Hypothesis(title="")

    @property
    def verdict(self) -> Verdict | None:
        """The verdict in force: a person's, else the policy's, else None."""
        if self.overruled:
            return self.overruled.verdict
        return self.judged.verdict if self.judged else None

    @property
    def row_runs(self) -> int:
        """Runs as its row of the ledger has them: those of its verdict, or of a crash those that were made."""
        told = self.judged.row.get("runs", "") if self.judged else ""
        return int(told) if told.isdecimal() else self.verdict.runs if self.verdict else 0


def touched(committed: happened.ExperimentCommitted) -> frozenset[str]:
    """Recipe keys and files; of an idea made of overrides alone the keys, for nearly all of those share one file."""
    keys, files = frozenset(committed.keys), frozenset(committed.files)
    only_overrides = committed.hypothesis.overrides and not committed.hypothesis.patch
    return keys - files if only_overrides and keys > files else keys


def shows_poor_idea(run: Run) -> bool:
    """Whether a failed or hopeless run hit a limit that the idea is to blame for (R111); a slip in its code is none."""
    found = run.measurement
    if run.ending is not None:
        return run.ending.follows is Follows.DISCARD
    if run.cancelled.startswith(outcome.WORD):
        return True
    if found is None or found.value is not None or not found.symptoms:
        return False
    return found.symptoms[0].fault == "idea" and found.symptoms[0].severity is Severity.FATAL


def slip_of(run: Run) -> str:
    """What shows that a small edit may mend what a run without a number died of; empty where nothing does."""
    found = run.measurement
    if run.ending is not None:
        return run.ending.evidence if run.ending.follows is Follows.MEND else ""
    if found is None or found.value is not None:
        return ""
    return next((one.evidence for one in found.symptoms[:1] if one.name.startswith("trivial")), "")


def integrity_of(runs: Iterable[Run]) -> str:
    """Whether the numbers of some runs may be believed, in the word for the weakest of them; empty without any.

    Where no run has a number, `contradicted` when that is why.
    """
    runs = list(runs)
    measured = [(run.valid, run.measurement.integrity) for run in runs if run.measurement]
    counted = {found.finding for valid, found in measured if valid}
    if counted and told_of_draws(runs):
        return str(Finding.UNVERIFIED)
    if counted:
        return str(Finding.UNVERIFIED if Finding.UNVERIFIED in counted else Finding.SOUND)
    return str(Finding.CONTRADICTED) if any(found.contradicted for _, found in measured) else ""


def trial_of(run: Run) -> Trial:
    """The run as a verdict policy sees it."""
    found = run.measurement
    return Trial(
        arm=run.planned.experiment,
        seed=run.planned.seed,
        purpose=run.planned.purpose,
        pending=found is None,
        value=run.value,
        standard_error=found.standard_error if found else None,
        plumbing=run.planned.plumbing or bool(found and found.plumbing),
        partial=bool(found and found.completion in {Completion.TIMED_OUT, Completion.STALLED, Completion.CANCELLED}),
        order=run.order,
        note=why_no_value(run),
        excused=lost(run),
        samples=found.samples if found else (),
        prompts=found.prompts if found else "",
        evaluated=bool(found and found.integrity.evaluated),
        doubt=found.doubt if found else "",
        unverified=run.valid and bool(found and found.integrity.finding is Finding.UNVERIFIED),
    )


def why_no_value(run: Run) -> str:
    """In words, why a measured run has no number; empty when it has one or is still going."""
    found = run.measurement
    if found is None or run.value is not None:
        return ""
    if run.planned.purpose is outcome.Purpose.CANARY and run.ending is None:
        return ""
    if run.cancelled:
        return run.cancelled
    if found.integrity.contradicted:
        return found.integrity.sentence
    if run.ending is not None and (run.ending.excused or run.ending.own_word or run.ending.who is Who.ENVIRONMENT):
        return run.ending.sentence
    status = run.ended.status if run.ended else None
    if status and status.state is JobState.TIMED_OUT:
        return status.reason or "ran past its time limit"
    if run.ending is not None and run.ending.source == "log" and run.ending.what != "no-metric":
        return " ".join(f"{run.ending.what}: {run.ending.evidence}".split())
    worst = found.symptoms[0] if found.symptoms else None
    told = f"{worst.name}: {worst.evidence}" if worst else found.note or (status.reason if status else "")
    return " ".join(told.split()) or "no valid metric was found"


def lineage(arm: str, parent: Callable[[str], str], own: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    """The ideas inside `arm`, oldest first.

    Args:
        arm: An experiment, a bundle or the baseline.
        parent: The arm that an arm was made from, empty for the baseline and for strangers.
        own: The ideas that an arm adds to its parent.
    """
    found: list[str] = []
    seen: set[str] = set()
    while arm and arm not in seen:
        seen.add(arm)
        found = [idea for idea in own(arm) if idea not in found] + found
        arm = parent(arm)
    return tuple(found)
