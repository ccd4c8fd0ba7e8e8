"""The morning report as a value: what was tried, what it gave, how sure that is, and what it cost."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autoresearch.config.schema import CampaignConfig
from autoresearch.experiment.attendance import absences
from autoresearch.experiment.board import Board
from autoresearch.experiment.experiment import Experiment, Idle, Run, integrity_of
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE, Purpose, Status
from autoresearch.report.curves import DrawnCurves, best_and_baseline
from autoresearch.report.plain_text import baseline_figure, branch_words, interval, leaner, proposals, researchers_told
from autoresearch.run.integrity import Finding
from autoresearch.run.measurement import Objective
from autoresearch.scheduling.exploration import held_back
from autoresearch.scheduling.next_move import board as board_of
from autoresearch.scheduling.stop_check import Outlook, StopState
from autoresearch.verdict.arms import counted
from autoresearch.verdict.claims import SHOWN, Claim, Claims, claims
from autoresearch.verdict.drift import Drift, drift
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.power import cannot_prove


@dataclass(frozen=True, kw_only=True)
class ReportLine:
    """One experiment in the report.

    Attributes:
        index: Number of the attempt.
        name: Its name.
        title: Its hypothesis.
        area: Its area.
        source: Who proposed it.
        status: `keep`, `discard`, `crash`, or `open`.
        value: The metric as it was judged, as in the ledger; while it is open, the mean over its valid runs.
        values: The metric of each valid run, in order.
        effect: Measured gain against its parent when it was judged, in the better direction.
        low, high: Ends of its 90 % interval.
        runs: Runs the verdict rests on.
        fresh: Runs of its own on fresh seeds, which had no part in it.
        reason: The verdict in words.
        claim: What may be claimed of it in the end, None for the baseline and for open ones.
        overrides: Its overrides.
        branch, commit: Its branch, and its commit in short.
        parent: What it was made from.
        built_on: The newest experiment in that, `baseline` where there is none; empty for the baseline.
        minutes: Wall-clock minutes of all its runs.
        symptoms: Health findings, `name: evidence`.
        watched: What the hypothesis said to watch, beside its parent's value.
        log: Its newest run log.
        integrity: Whether its numbers may be believed: `sound`, `unverified` or `contradicted`; empty without any.
    """

    index: int
    name: str
    title: str
    area: str
    source: str
    status: str
    value: float | None
    values: tuple[float, ...]
    effect: float | None
    low: float | None
    high: float | None
    runs: int
    reason: str
    claim: Claim | None
    overrides: tuple[str, ...]
    branch: str
    commit: str
    parent: str
    minutes: float
    symptoms: tuple[str, ...]
    watched: tuple[str, ...]
    log: str
    integrity: str = ""
    fresh: int = 0
    built_on: str = ""


@dataclass(frozen=True, kw_only=True)
class Area:
    """What an area of ideas gave."""

    name: str
    attempts: int
    keep: int
    discard: int
    crash: int
    best: float | None
    minutes: float


@dataclass(frozen=True)
class Spend:
    """What one purpose cost."""

    purpose: str
    runs: int
    minutes: float
    gpu_hours: float


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
        researchers: What each researcher cost and gained, in words; only those whose calls cost something.
        queue_minutes: Minutes spent waiting in queues.
        wall_minutes: Minutes from the start to the report or the end.
        integrity: Whether the numbers may be believed at all, said before everything else; empty when all may.
        measured_by: Empty when the incumbent's numbers are sound, else that the run itself measured them.
        attention: What a person should look at or decide.
        steering: What the user asked for.
        curves: Of the baseline and the best; empty where there are none.
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
    researchers: tuple[str, ...] = ()
    queue_minutes: float
    wall_minutes: float
    integrity: tuple[str, ...] = ()
    measured_by: str = ""
    attention: tuple[str, ...]
    steering: tuple[str, ...]
    curves: tuple[DrawnCurves, ...] = ()
    leaner: str = ""

    @property
    def headline(self) -> str:
        """The whole night in one sentence, no stronger than the evidence."""
        whole = self.claims.campaign
        if self.baseline is None:
            return "There is no valid baseline yet, so there is nothing to report."
        if whole is None or self.incumbent == BASELINE:
            return f"Nothing beat the baseline ({self.baseline:.4g}) so far."
        gain = interval(whole.effect, whole.low, whole.high)
        on = f"on {counted(whole.runs, 'fresh seed')}" if whole.fresh else "not yet confirmed on fresh seeds"
        on = "the same on each seed" if whole.unmoved else on
        best = branch_words([(one.index, one.title) for one in self.entries if one.name in self.held], self.incumbent)
        verb = _VERBS.get(whole.standing, "may or may not be")
        if whole.why:
            return f"{best}: {whole.why}. It measures {gain or 'no gain'}, {on}."
        if whole.standing == "unverified":
            return f"{best} is unverified: by the runs' own word alone it is better than the baseline: {gain}, {on}."
        verb += f", {self.measured_by}," if self.measured_by and whole.standing in {*SHOWN, "likely"} else ""
        found = f"{best} {verb} better than the baseline: {gain or 'gain not measured'}, {on}."
        unsure = _ADVICE if whole.fresh else _UNSEEN if self.reason and not whole.unmoved else ""
        return found + unsure + self.reach if whole.standing in {"unresolved", "refuted"} else found + self.reach


_VERBS = {"proven": "is proven", "measured": "is measured to be", "likely": "is likely", "refuted": "is not",
          "implausible": "may look"}  # fmt: skip
_ADVICE = " Stay with the baseline: the chance that this is better is below 80 %."
_UNSEEN = " Stay with the baseline until fresh seeds confirm it."


def build(history: History, campaign: CampaignConfig, objective: Objective, view: Outlook, now: float) -> Report:
    """Put the report together from the campaign so far.

    Args:
        history: The campaign.
        campaign: Its file.
        objective: What it is judged by.
        view: What is left of the budget.
        now: Unix seconds.
    """
    board = board_of(history, campaign, objective, view)
    found, evidence = claims(board), Evidence(board)
    by_name = {claim.name: claim for claim in found.ideas}
    started, runs = history.started, list(history.runs.values())
    end = history.ended.at if history.ended else now
    best, best_from = _best(history, board)
    baseline, baseline_from = baseline_figure(history)
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
        entries=tuple(_entry(history, entry, by_name) for _, entry in sorted(history.experiments.items())),
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
        areas=_areas(history),
        spend=_spend(runs, history.idle()),
        researchers=researchers_told(history),
        queue_minutes=sum(run.queued_s or 0.0 for run in runs) / 60,
        wall_minutes=(end - started.at) / 60 if started else 0.0,
        integrity=(*_unprotected(history), *evidence.seedless, *_integrity(runs), *_containment(runs)),
        measured_by="as measured by the run itself" if _alone(history) else "",
        attention=_attention(history, found, view.stop, now),
        steering=tuple(said.text for said in history.steering),
        curves=best_and_baseline(history),
        leaner=leaner(history, objective),
    )


def _best(history: History, board: Board) -> tuple[float | None, str]:
    """The incumbent's value with nothing of the luck it was chosen for, and how that was come by."""
    measured = history.value_of(board.incumbent) if history.baseline else None
    if measured is None or board.incumbent == BASELINE:
        return measured, ""
    if fresh := history.fresh_values(board.incumbent):
        return sum(fresh) / len(fresh), f"mean of {len(fresh)} fresh seed{'s' * (len(fresh) != 1)}"
    evidence = Evidence(board)
    level = evidence.credited(board.incumbent)
    if level is None or not evidence.sigma:
        return measured, "mean of the runs it was selected by"
    return evidence.sign * level, f"corrected for selection; {measured:.4g} as measured, no fresh seed yet"


def _entry(history: History, entry: Experiment, found: dict[str, Claim]) -> ReportLine:
    verdict, runs, arm = entry.verdict, history.runs_of(entry.name), _judged_arm(history, entry)
    values = tuple(run.value for run in history.runs_of(arm) if run.value is not None)
    symptoms = {s.name: s.evidence for run in runs if run.measurement for s in run.measurement.symptoms}
    return ReportLine(
        index=entry.index, name=entry.name,
        title=entry.hypothesis.title, area=entry.hypothesis.area, source=entry.hypothesis.source,
        status=str(verdict.status) if verdict else "open",
        value=verdict.value if verdict and verdict.value is not None else history.value_of(arm),
        values=values,
        effect=verdict.effect if verdict else None,
        low=verdict.low if verdict else None, high=verdict.high if verdict else None,
        runs=entry.row_runs if verdict else len(runs),
        reason=verdict.reason if verdict else "",
        claim=found.get(entry.name),
        overrides=entry.hypothesis.overrides,
        branch=entry.branch, commit=entry.commit[:7], parent=entry.parent,
        minutes=_minutes(runs),
        symptoms=tuple(f"{name}: {evidence}" for name, evidence in symptoms.items()),
        watched=entry.judged.watched if entry.judged else (),
        log=runs[-1].planned.log if runs else "",
        integrity=integrity_of(history.runs_of(arm) or runs),
        fresh=len(history.fresh_values(entry.name)),
        built_on=next(iter(history.lineage(entry.parent)[-1:]), BASELINE) if entry.name != BASELINE else "",
    )  # fmt: skip


def _judged_arm(history: History, entry: Experiment) -> str:
    """Whose runs stand for an attempt: its own, or those of its merge with what was kept meanwhile."""
    alone = (bundle for bundle in history.bundles.values() if bundle.ideas == (entry.name,))
    merges = [bundle.name for bundle in alone if bundle.parent not in {BASELINE, entry.parent}]
    won = entry.judged.incumbent if entry.judged else None
    merged = won if won in history.bundles else next(reversed(merges), entry.name)
    return merged if history.runs_of(entry.name) and history.value_of(merged) is not None else entry.name


def _minutes(runs: Iterable[Run]) -> float:
    return sum(run.wall_s or 0.0 for run in runs) / 60


def _areas(history: History) -> tuple[Area, ...]:
    groups: dict[str, list[Experiment]] = {}
    for entry in history.experiments.values():
        if entry.committed and entry.name != BASELINE:
            groups.setdefault(entry.hypothesis.area, []).append(entry)
    areas = [_area(history, name, entries) for name, entries in groups.items()]
    return tuple(sorted(areas, key=lambda area: (-area.attempts, area.name)))


def _area(history: History, name: str, entries: list[Experiment]) -> Area:
    said = [entry.verdict for entry in entries if entry.verdict]
    counts = {status: sum(1 for verdict in said if verdict.status is status) for status in Status}
    effects = [verdict.effect for verdict in said if verdict.effect is not None]
    return Area(
        name=name, attempts=len(entries), keep=counts[Status.KEEP], discard=counts[Status.DISCARD],
        crash=counts[Status.CRASH], best=max(effects, default=None),
        minutes=sum(_minutes(history.runs_of(entry.name)) for entry in entries),
    )  # fmt: skip


def _spend(runs: list[Run], idle: list[Idle]) -> tuple[Spend, ...]:
    by = {purpose: [run for run in runs if run.planned.purpose is purpose] for purpose in Purpose}
    found = [Spend(str(p), len(own), _minutes(own), sum(run.gpu_hours for run in own)) for p, own in by.items() if own]
    if done := [one for run in runs if run.measurement and (one := run.measurement.evaluation)]:
        minutes, gpu_hours = sum(one.seconds or 0.0 for one in done) / 60, sum(one.gpu_hours for one in done)
        found.append(Spend("evaluations", len(done), minutes, gpu_hours))
    if idle:
        minutes, gpu_hours = sum(one.minutes for one in idle), sum(one.gpu_hours for one in idle)
        found.append(Spend("idle in warm allocations", 0, minutes, gpu_hours))
    return tuple(sorted(found, key=lambda spend: -spend.minutes))


def _unprotected(history: History) -> tuple[str, ...]:
    if history.started is None or history.started.survey is None or history.started.survey.protected:
        return ()
    return ("nothing was protected: an idea could edit the script and the data that measured it",)


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
