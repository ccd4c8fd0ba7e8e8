"""The morning report as a value: what was tried, what it gave, how sure that is, and what it cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from autoresearch.config.schema import CampaignConfig
from autoresearch.experiment.attendance import absences
from autoresearch.experiment.board import Board
from autoresearch.experiment.experiment import Run, integrity_of
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE
from autoresearch.report import costs
from autoresearch.report.attempts import Area, Made, ReportLine, areas, attempts
from autoresearch.report.costs import Spend
from autoresearch.report.curves import DrawnCurves, best_and_baseline
from autoresearch.report.plain_text import (
    baseline_figure,
    branch_words,
    claim_sentence,
    leaner,
    proposals,
    researchers_told,
)
from autoresearch.run.integrity import Finding
from autoresearch.run.measurement import Objective
from autoresearch.scheduling.exploration import held_back
from autoresearch.scheduling.next_move import board as board_of
from autoresearch.scheduling.stop_check import Outlook, StopState
from autoresearch.verdict.arms import counted
from autoresearch.verdict.claims import Claims, claims
from autoresearch.verdict.drift import Drift, drift
from autoresearch.verdict.evidence import Evidence, Reader
from autoresearch.verdict.plausible import told_of_held
from autoresearch.verdict.power import cannot_prove


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything the report shows.

    Attributes:
        campaign, goal: Its name, and what it is for in words.
        objective: What it was judged by.
        recipe: The recipe.
        base_commit: Where it started from, short.
        policy: How it was judged.
        at: When the report was made, Unix seconds.
        state: The stop rule's sentence.
        reason: Why it ended, empty while it goes on.
        entries: Every attempt, by index.
        incumbent: The best kept arm.
        incumbent_branch: Its branch.
        held: Names of the changes that it is made of, oldest first.
        baseline: Mean of the baseline, on fresh seeds where `best` is; None while unknown.
        baseline_from: What it rests on, in words, with the figure of its row where that is another.
        best: The incumbent's mean on fresh seeds; before there are any, its mean with the luck of its choice taken out;
            None while unknown.
        best_from: Which of the two, in words; empty for the baseline.
        claims: What may be claimed.
        drift: Trend of the machine, None when it cannot be told.
        noise: Standard deviation between runs of unchanged code, None when unknown.
        reach: What the budget could not have proven, in words; empty where something is proven and before the end.
        areas: What each area gave, most attempts first.
        spend: What each purpose cost, dearest first.
        usd_per_gpu_hour: What the campaign file says that a GPU-hour costs; None where it has no price.
        researchers: What each researcher cost and gained, in words; only those whose calls cost something.
        queue_minutes: Minutes spent waiting in queues.
        wall_minutes: Minutes from the start to the report or the end.
        integrity: Whether the numbers may be believed at all, said before everything else; empty when all may.
        measured_by: Empty when the incumbent's numbers are sound, else that the run itself measured them.
        attention: What a person should look at or decide.
        steering: What the user asked for.
        curves: Of the baseline and the best; empty where there are none.
        leaner: What fresh seeds say for the best without one of its members; `leaner_arm`: that arm. Empty for none.
    """

    campaign: str
    goal: str
    objective: Objective
    recipe: str
    base_commit: str
    policy: str
    at: float
    state: str
    reason: str
    entries: tuple[ReportLine, ...]
    incumbent: str
    incumbent_branch: str
    held: tuple[str, ...] = ()
    baseline: float | None
    baseline_from: str = ""
    best: float | None
    best_from: str
    claims: Claims
    drift: Drift | None
    noise: float | None
    reach: str = ""
    areas: tuple[Area, ...]
    spend: tuple[Spend, ...]
    usd_per_gpu_hour: float | None = None
    researchers: tuple[str, ...] = ()
    queue_minutes: float
    wall_minutes: float
    integrity: tuple[str, ...] = ()
    measured_by: str = ""
    attention: tuple[str, ...]
    steering: tuple[str, ...]
    curves: tuple[DrawnCurves, ...] = ()
    leaner: str = ""
    leaner_arm: str = ""

    @property
    def headline(self) -> str:
        """The whole night in one sentence, no stronger than the evidence."""
        whole = self.claims.campaign
        if self.baseline is None:
            return "There is no valid baseline yet, so there is nothing to report."
        if whole is None or self.incumbent == BASELINE:
            waiting = told_of_held((one.index, one.reason) for one in self.entries)
            return " ".join((f"Nothing beat the baseline ({self.baseline:.4g}) so far.", *waiting))
        chosen = next((one for one in self.claims.ideas if one.name == self.incumbent), None)
        if len(self.held) > 1:
            gain = None if self.best is None else self.objective.gain(self.best, self.baseline)
            chosen = replace(whole, effect=gain, low=None, high=None)
        return claim_sentence(
            whole,
            branch_words([(one.index, one.title) for one in self.entries if one.name in self.held], self.incumbent),
            chosen,
            measured_by=self.measured_by,
            reach=self.reach,
            over=bool(self.reason),
        )


@dataclass
class Known:
    """What was read and made for the last report of a campaign: the next one costs what has changed since.

    No report depends on it, only how fast it comes.
    """

    reader: Reader = field(default_factory=Reader)
    made: Made = field(default_factory=dict)


def build(
    history: History,
    campaign: CampaignConfig,
    objective: Objective,
    view: Outlook,
    now: float,
    known: Known | None = None,
) -> Report:
    """Put the report together from the campaign so far.

    Args:
        history: The campaign.
        campaign: Its file.
        objective: What it is judged by.
        view: What is left of the budget.
        now: Unix seconds.
        known: What is kept from one report of this very history to the next; None for a report by itself.
    """
    known = known or Known()
    board = board_of(history, campaign, objective, view)
    evidence = Evidence(board, known.reader)
    found = known.reader.answers.of(_claims, board, known.reader)
    entries = attempts(history, found, known.made)
    started, runs = history.started, list(history.runs.values())
    end = history.ended.at if history.ended else now
    best, best_from = _best(history, evidence)
    baseline, baseline_from = baseline_figure(history)
    less_arm, less = leaner(history, objective)
    return Report(
        campaign=campaign.campaign,
        goal=objective.goal,
        objective=objective,
        recipe=campaign.recipe,
        base_commit=started.base_commit[:7] if started else "",
        policy=campaign.verdict.policy,
        at=now,
        state=view.stop.sentence,
        reason=history.ended.reason if history.ended else "",
        entries=entries,
        incumbent=history.incumbent,
        incumbent_branch=history.incumbent_branch,
        held=history.lineage(history.incumbent),
        baseline=baseline,
        baseline_from=baseline_from,
        best=best,
        best_from=best_from,
        claims=found,
        drift=drift(board),
        noise=evidence.sigma,
        reach=cannot_prove(evidence, found.campaign) if history.ended else "",
        areas=areas(entries),
        spend=costs.by_purpose(runs, history.idle()),
        usd_per_gpu_hour=campaign.usd_per_gpu_hour,
        researchers=researchers_told(history),
        queue_minutes=sum(run.queued_s or 0.0 for run in runs) / 60,
        wall_minutes=(end - started.at) / 60 if started else 0.0,
        integrity=(*_unprotected(history), *evidence.seedless, *_integrity(runs), *_containment(runs)),
        measured_by="as measured by the run itself" if _alone(history) else "",
        attention=_attention(history, found, view.stop, now),
        steering=tuple(said.text for said in history.steering),
        curves=best_and_baseline(history),
        leaner=less,
        leaner_arm=less_arm,
    )


def _claims(board: Board, reader: Reader) -> Claims:
    return claims(board, reader)


def _best(history: History, evidence: Evidence) -> tuple[float | None, str]:
    """The incumbent's value with nothing of the luck it was chosen for, and how that was come by."""
    board = evidence.board
    measured = history.value_of(board.incumbent) if history.baseline else None
    if measured is None or board.incumbent == BASELINE:
        return measured, ""
    if fresh := history.fresh_values(board.incumbent):
        mean, verdict = (
            sum(fresh) / len(fresh),
            next((e.verdict for e in history.kept if e.name == board.incumbent), None),
        )
        row = verdict.value if verdict else None
        other = row is not None and not math.isclose(row, mean, rel_tol=1e-9)
        told = f"; {row:.4g} in its row, by the runs that chose it" if other else ""
        return mean, f"mean of {len(fresh)} fresh seed{'s' * (len(fresh) != 1)}{told}"
    level = evidence.credited(board.incumbent)
    if level is None or not evidence.sigma:
        return measured, "mean of the runs it was selected by"
    return evidence.sign * level, f"corrected for selection; {measured:.4g} as measured, no fresh seed yet"


def _unprotected(history: History) -> tuple[str, ...]:
    survey, told = history.started and history.started.survey, "nothing was protected: an idea could edit the script"
    return (f"{told} and the data that measured it",) if survey and not survey.protected else ()


def _integrity(runs: Sequence[Run]) -> tuple[str, ...]:
    """Numbers that something contradicts, one sentence each, and how many nothing but the run itself vouches for."""
    found = [(run, run.measurement.integrity) for run in runs if run.measurement]
    told = [f"{run.run_id}: {integrity.sentence}" for run, integrity in found if integrity.contradicted]
    more = [f"{len(told) - 5} more runs are contradicted"] if len(told) > 5 else []
    numbers = [integrity for run, integrity in found if run.valid]
    single = sum(1 for integrity in numbers if integrity.finding is Finding.UNVERIFIED)
    alone = (
        f"unverified: {single} of {counted(len(numbers), 'number')} stand on one source, "
        "which the code under test could have written"
    )
    return (*told[:5], *more, *([alone] if single else []))


def _alone(history: History) -> bool:
    arms = (history.incumbent, BASELINE) if history.baseline else ()
    return any(integrity_of(history.current_runs(arm)) == Finding.UNVERIFIED for arm in arms)


def _containment(runs: Sequence[Run]) -> tuple[str, ...]:
    """How many runs could reach whatever the account can, and why; one sentence, none when all were contained."""
    reasons = [run.ended.status.uncontained for run in runs if run.ended and run.ended.status.uncontained]
    if not reasons:
        return ()
    why, ended = "; ".join(sorted(set(reasons))[:3]), sum(1 for run in runs if run.ended)
    told = f"{len(reasons)} of {counted(ended, 'run')} had no sandbox ({why})"
    return (f"not contained: {told}; they could write and reach whatever this account can",)


def _attention(history: History, found: Claims, state: StopState, now: float) -> tuple[str, ...]:
    """What a person should look at: open questions, warnings of ours, and claims that would need more runs."""
    question = state.question(history.incumbent, history.incumbent_branch) if history.ended else ""
    told = [*held_back(history, now), *absences(history.attendance, proposals(history)), *filter(None, [question])]
    told += [f"waiting for your approval: {ask.question}" for key, ask in history.approvals.items()
            if key not in history.answers]  # fmt: skip
    told += [
        f"{run.run_id}: still alive after its end: {'; '.join(run.ended.leftovers)}"
        for run in history.runs.values()
        if run.ended and run.ended.leftovers
    ]
    told += [
        f"{lost.name} was demoted, later ideas build on {lost.incumbent}: {lost.reason}" for lost in history.demotions
    ]
    told += [
        f"{claim.name}: {claim.standing} after {counted(claim.runs)}; more seeds would settle it"
        for claim in found.ideas
        if claim.standing in {"likely", "unresolved"} and claim.effect is not None and claim.effect > 0
    ]
    return (*told, *(note.text for note in history.notes[-10:]))
