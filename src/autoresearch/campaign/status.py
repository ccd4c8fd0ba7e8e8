"""Where a campaign stands: one value for the terminal, for `--json` and for a notebook, and its words.

Among it each experiment that is driven by hand: how far it has come, and which verb leads on.
"""

from dataclasses import dataclass

from autoresearch.config.schema import CampaignConfig
from autoresearch.config.stop_rule import StopLimits
from autoresearch.experiment.experiment import Experiment, Run
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE
from autoresearch.records.paths import CampaignPaths
from autoresearch.report import plain_text
from autoresearch.report.plain_text import cut, duration, interval, number, table, wrapped
from autoresearch.scheduling.by_hand import Errand, resume_first
from autoresearch.scheduling.next_move import Judge
from autoresearch.scheduling.own_rulings import crash_to_mend
from autoresearch.scheduling.stop_check import outlook
from autoresearch.verdict.policies import policy


@dataclass(frozen=True, kw_only=True)
class DrivenExperiment:
    """An experiment that a person or an agent drives by hand.

    Attributes:
        index: Its number in the ledger.
        name: Its name.
        title: Its hypothesis in one line.
        area: Its area.
        by: Who opened it.
        state: `editing`, `running`, `interrupted` (handed in, and nobody follows its runs), `crashed` (for a trivial
            reason that may be mended), `measured` (the policy would judge it), or its verdict.
        next: The command that leads on, empty when there is nothing left to do.
        parent: The arm it was made from.
        branch: Its branch.
        commit: Its commit, empty while it is edited.
        worktree: Where it is edited.
        brief: What there is to know about it, in Markdown.
        runs: Runs so far.
        value: Mean of the metric over its valid runs, None without one.
        reason: Its verdict, its crash, or why the controller let go of it, in words.
    """

    index: int
    name: str
    title: str
    area: str
    by: str
    state: str
    next: str
    parent: str
    branch: str
    commit: str
    worktree: str
    brief: str
    runs: int
    value: float | None
    reason: str


def driven(
    paths: CampaignPaths, history: History, campaign: CampaignConfig, entry: Experiment, now: float, *, held: bool
) -> DrivenExperiment:
    """An experiment that is driven by hand, as surfaces show it.

    Args:
        paths: Where its campaign lies.
        history: The campaign so far.
        campaign: The campaign file.
        entry: The experiment.
        now: Unix time in seconds.
        held: Whether a controller is at work on the campaign.
    """
    made, crash = history.runs_of(entry.name), crash_to_mend(history, campaign, entry)
    verb, state = _stage(history, campaign, entry, made, crash, now, held=held)
    first = resume_first(history) if verb == "run" else ""
    return DrivenExperiment(
        index=entry.index,
        name=entry.name,
        title=entry.hypothesis.title,
        area=entry.hypothesis.area,
        by=entry.opened.by,
        state=state,
        next=f"{first}autoresearch experiment {verb} {entry.index}" if verb else "",
        parent=entry.parent,
        branch=entry.branch,
        commit=entry.commit,
        worktree=str(paths.by_hand(entry.index)),
        brief=str(paths.brief(entry.name)),
        runs=len(made),
        value=history.value_of(entry.name),
        reason=entry.verdict.reason if entry.verdict else crash or _left(paths, history, entry, held=held),
    )


def _left(paths: CampaignPaths, history: History, entry: Experiment, *, held: bool) -> str:
    """Why nobody works on it any more, empty while somebody does or before it was handed in."""
    if held or not entry.committed:
        return ""
    if history.left:
        return history.left.reason
    log = paths.controller_log
    return f"whoever followed its runs ended without a word; what a detached one printed is in {log}"


def _stage(
    history: History,
    campaign: CampaignConfig,
    entry: Experiment,
    made: list[Run],
    crash: str,
    now: float,
    *,
    held: bool,
) -> tuple[str, str]:
    """The verb that leads on, and how far it has come."""
    if entry.verdict:
        return "", str(entry.verdict.status)
    if not entry.committed:
        return "run", "editing"
    if crash:
        return "run", "crashed"
    if all(run.settled for run in made) and _ready(history, campaign, entry, now):
        return "judge", "measured"
    return "run", "running" if held else "interrupted"


def _ready(history: History, campaign: CampaignConfig, entry: Experiment, now: float) -> bool:
    """Whether the policy would judge it as things stand, and asks for no further run first."""
    started = history.started
    if started is None or started.objective is None:  # a journal from before it was written down
        return True
    view = outlook(history, campaign, StopLimits.load(history.limits), started.objective, now)
    errand = Errand(entry.index, judge=True)
    move = errand(history, campaign, policy(campaign.verdict.policy), started.objective, view)
    return isinstance(move, Judge) and move.experiment == entry.name


def driven_table(found: tuple[DrivenExperiment, ...], width: int | None = None) -> str:
    """Experiments that are driven by hand, in lines of `width` characters; None: as long as they are."""
    title = None if width is None else width // 4
    rows = [
        (one.index, one.state, one.runs, number(one.value), one.by, cut(one.title, title), one.next) for one in found
    ]
    return table(("#", "by hand", "runs", "value", "by", "hypothesis", "next"), rows, width, folds=True)


@dataclass(frozen=True, kw_only=True)
class RunningRun:
    """A run in flight.

    Attributes:
        run_id: Its name.
        experiment: What it runs.
        seed: Its training seed.
        purpose: Why it is made.
        state: `planned`, `queued`, `running` or `paused`: somebody else has stopped it.
        elapsed_s: Seconds since it left the queue, or since it was submitted.
        predicted_s: Seconds it is expected to take at most, None when unknown.
        log: Its log file.
        folder: Its folder.
        waits: Why it is not begun, as far as its launcher has said so.
        paused_since: Unix seconds since when it is paused, None while it is not.
    """

    run_id: str
    experiment: str
    seed: int
    purpose: str
    state: str
    elapsed_s: float
    predicted_s: float | None
    log: str
    folder: str
    waits: str = ""
    paused_since: float | None = None

    @property
    def told(self) -> str:
        """Its state, with what it waits for, or since when it is paused."""
        if self.paused_since is not None:
            return f"paused since {plain_text.clock(self.paused_since)}"
        return f"{self.state} ({self.waits})" if self.waits else self.state


@dataclass(frozen=True, kw_only=True)
class Judged:
    """An experiment with its verdict.

    Attributes:
        index: Its number in the ledger.
        name: Its name.
        title: Its hypothesis in one line.
        area: Its area.
        status: `keep`, `discard` or `crash`.
        value: Mean of the metric over its valid runs, None without one.
        effect: Estimated gain against its parent in the better direction, None without a comparison.
        low: Lower end of the 90 % interval of `effect`.
        high: Upper end of the 90 % interval of `effect`.
        runs: Runs the verdict rests on.
        reason: Why, in words.
        by: Who judged: the policy's name, or a person.
        branch: Its branch.
        integrity: Whether the numbers may be believed: `sound`, `unverified` or `contradicted`; empty without any.
    """

    index: int
    name: str
    title: str
    area: str
    status: str
    value: float | None
    effect: float | None
    low: float | None
    high: float | None
    runs: int
    reason: str
    by: str
    branch: str
    integrity: str = ""

    @property
    def gain(self) -> str:
        """The effect with its interval, as `+0.004 [-0.011, +0.019]`; empty without one."""
        return interval(self.effect, self.low, self.high)

    def __str__(self) -> str:
        """The verdict in one line."""
        return f"#{self.index} {self.name}: {self.status}: {self.reason} (by {self.by})"


@dataclass(frozen=True, kw_only=True)
class CampaignStatus:
    """Where a campaign stands.

    Attributes:
        campaign: Its name.
        state: `planned`, `running`, `paused`, `stopping`, `interrupted`, `idle` or `ended`.
        goal: What it is for; `metric`: what it is judged by.
        direction: `maximize` or `minimize`.
        stop: The stop rule's sentence with numbers, empty before the start.
        attempted: Attempts so far, the baseline and crashes included.
        target_count: Attempts the stop rule asks for, None without a count.
        remaining_s: Seconds until the deadline, None without one.
        gpu_hours: GPU-hours used.
        gpu_usd: What they cost in USD, None where the campaign file has no price.
        keep: Kept experiments, the baseline not counted; `discard` and `crash`: discarded and crashed ones.
        baseline: Mean of the metric of the baseline, on fresh seeds where `best` is; None while unknown.
        baseline_from: What it rests on, in words, with the figure of its row where that is another.
        incumbent: Name of the best kept arm.
        best: Mean of the metric of the incumbent on fresh seeds, else on all its runs; None while unknown.
        best_fresh: Fresh seeds behind `best`; 0 while it rests on the runs that the incumbent was selected by.
        best_integrity: Whether the numbers behind `best` may be believed: `sound` or `unverified`; empty without any.
        current: Experiment being worked on, empty for none.
        branch: Its branch.
        controller: `host:pid` of the controller at work, empty for none.
        reason: Why it ended or waits, in words.
        running: Runs in flight, oldest first.
        verdicts: Experiments with a verdict, by index; `steering`: what the user asked for, oldest first.
        by_hand: Experiments open by hand, by index.
        waiting: A journal in doubt, launches that wait for a person's word, researchers that have fallen out, and why.
        spent: What researchers cost and gained, a sentence for each program and model.
        latest: Index of the experiment judged last, None before the first.
        claimed: What fresh seeds say, as the report does; effects of verdicts are those of the runs that chose.
        cautions: What cannot be guarded against in this campaign, in words.
        question: What the person is asked at the end of a budget that was to end with a question, else empty.
        held_back: Why ideas are not run, a sentence each: a suspected machine, runs that rest, ideas left unspent.
    """

    campaign: str
    state: str
    goal: str
    metric: str
    direction: str
    stop: str
    attempted: int
    target_count: int | None
    remaining_s: float | None
    gpu_hours: float
    keep: int
    discard: int
    crash: int
    baseline: float | None
    incumbent: str
    best: float | None
    current: str
    branch: str
    controller: str
    reason: str
    running: tuple[RunningRun, ...]
    verdicts: tuple[Judged, ...]
    steering: tuple[str, ...]
    by_hand: tuple[DrivenExperiment, ...] = ()
    waiting: tuple[str, ...] = ()
    spent: tuple[str, ...] = ()
    latest: int | None = None
    baseline_from: str = ""
    best_fresh: int = 0
    best_integrity: str = ""
    question: str = ""
    held_back: tuple[str, ...] = ()
    claimed: str = ""
    cautions: tuple[str, ...] = ()
    gpu_usd: float | None = None

    @property
    def gpus(self) -> str:
        """GPU-hours used and what they cost, in words; empty without any."""
        paid = "" if self.gpu_usd is None else f", {self.gpu_usd:.2f} USD"
        return f"{self.gpu_hours:.1f} GPU-hours{paid}" if self.gpu_hours else ""

    @property
    def aim(self) -> str:
        """Goal and objective, as `raise the score: maximize score`; before the start the recipe may still decide."""
        if self.metric == "auto":
            return self.goal
        return f"{self.goal}: {self.metric if self.direction == 'auto' else f'{self.direction} {self.metric}'}"

    @property
    def best_from(self) -> str:
        """Whose value `best` is, and on what it rests: `idea, 3 fresh seeds`, `idea, selection runs`, `baseline`."""
        if self.incumbent == BASELINE:
            return self.incumbent
        fresh = f"{self.best_fresh} fresh seed{'s' * (self.best_fresh != 1)}"
        alone = ", unverified" if self.best_integrity == "unverified" else ""
        return f"{self.incumbent}, {fresh if self.best_fresh else 'selection runs'}{alone}"

    def progress(self) -> str:
        """How far the campaign has come, in one line: stop rule with numbers, latest and best, branch, runs."""
        return _progress(self)

    def text(self, last: int = 8, width: int | None = None) -> str:
        """Where the campaign stands, for people; `last` verdicts, newest last.

        Verdicts are cut to `width` characters, other lines are broken there; None: neither.
        """
        return _text(self, last, width)

    def __str__(self) -> str:
        """Where the campaign stands, for people."""
        return self.text()

    def _repr_html_(self) -> str:
        return plain_text.as_html(self.text())


def _text(status: CampaignStatus, last: int, width: int | None) -> str:
    head = f"{status.campaign}: {status.state}{f' ({status.reason})' if status.reason else ''}"
    baseline = f"baseline {number(status.baseline)} ({status.baseline_from})"
    best = f"best {number(status.best) or '-'} ({status.best_from})"
    known = ("no baseline yet",) if status.baseline is None else (baseline, best)
    lines = [
        wrapped(head, width),
        wrapped(status.aim, width, "  "),
        wrapped(status.stop, width, "  ") if status.stop else None,
        f"  {status.keep} kept, {status.discard} discarded, {status.crash} crashed{status.gpus and f'; {status.gpus}'}",
        *(wrapped(text, width, "  ") for text in known),
    ]
    told = (*status.waiting, *status.held_back, status.question, *status.cautions, *status.spent)
    lines += [wrapped(text, width, "  ") for text in told if text]
    if status.running:
        lines += ["", _running(status.running, width)]
    if status.by_hand:
        lines += ["", driven_table(status.by_hand, width)]
    if status.verdicts:
        lines += ["", _verdicts(status.verdicts[-last:], width)]
        lines += [plain_text.told_unverified((one.index, one.integrity) for one in status.verdicts) or None]
    lines += [wrapped(status.claimed, width)] if status.claimed else []
    return "\n".join(line for line in lines if line is not None)


def _progress(status: CampaignStatus) -> str:
    last = next((one for one in status.verdicts if one.index == status.latest), None)
    parts = [
        f"{status.reason}; go on with: autoresearch resume" if status.state == "paused" else "",
        status.stop,
        f"latest: #{last.index} {last.name} {last.status}" if last else "no verdict yet",
        f"best: {number(status.best)} ({status.best_from})" if status.best is not None else "",
        f"current branch {status.branch}" if status.branch else "",
        *(f"{run.experiment} seed {run.seed} {run.told} for {duration(run.elapsed_s)}" for run in status.running[:3]),
        f"{len(status.running) - 3} more runs" if len(status.running) > 3 else "",
    ]
    return "; ".join(part for part in parts if part)


def _running(running: tuple[RunningRun, ...], width: int | None) -> str:
    """Runs in flight; what one waits for may be long, so it is told last."""
    rows = [(run.experiment, run.purpose, run.seed, duration(run.elapsed_s), run.told) for run in running]
    return table(("running", "purpose", "seed", "for", "state"), rows, width, folds=True)


def _verdicts(verdicts: tuple[Judged, ...], width: int | None = None) -> str:
    """The effect is a column, so the reason goes without it."""
    title = None if width is None else width // 4
    told = [(one, cut(one.title, title), one.reason.removeprefix(one.gain).strip()) for one in verdicts]
    rows = [(v.index, v.status, number(v.value), v.gain, v.runs, v.area, short, why) for v, short, why in told]
    return table(("#", "verdict", "value", "effect", "runs", "area", "hypothesis", "why"), rows, width)
