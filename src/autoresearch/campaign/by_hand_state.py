"""Where an experiment stands that a person or an agent drives by hand, and which verb leads on."""

from dataclasses import dataclass

from autoresearch.config.schema import CampaignConfig
from autoresearch.config.stop_rule import StopLimits
from autoresearch.experiment.experiment import Experiment, Run
from autoresearch.experiment.history import History
from autoresearch.records.paths import CampaignPaths
from autoresearch.report.plain_text import number, table
from autoresearch.scheduling.budget import outlook
from autoresearch.scheduling.by_hand import Errand
from autoresearch.scheduling.next_move import Judge, crash_to_mend
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
    return DrivenExperiment(
        index=entry.index,
        name=entry.name,
        title=entry.hypothesis.title,
        area=entry.hypothesis.area,
        by=entry.opened.by,
        state=state,
        next=f"autoresearch experiment {verb} {entry.index}" if verb else "",
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
    view = outlook(history, campaign, StopLimits.load(started.limits), started.objective, now)
    errand = Errand(entry.index, judge=True)
    move = errand(history, campaign, policy(campaign.verdict.policy), started.objective, view)
    return isinstance(move, Judge) and move.experiment == entry.name


def driven_table(found: tuple[DrivenExperiment, ...]) -> str:
    """Experiments that are driven by hand."""
    rows = [(one.index, one.state, one.runs, number(one.value), one.by, one.title, one.next) for one in found]
    return table(("#", "by hand", "runs", "value", "by", "hypothesis", "next"), rows)
