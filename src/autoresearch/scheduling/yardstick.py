"""Ideas that change what measures, where the campaign says that this is its subject.

A number says nothing beside one that was measured otherwise. So such an idea is never compared with runs that the
campaign has: its parent and the baseline are measured again with the idea's own yardstick put in, on the same seeds,
and the idea is compared with those. It does not become the incumbent, whatever comes out, for everything else in the
campaign was measured the old way; its row says how to build on it. Policies see neither the idea nor these runs.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from autoresearch.config.schema import CampaignConfig
from autoresearch.experiment.board import Board, Idea, Measure, PolicySettings, Settle
from autoresearch.experiment.experiment import Experiment, touched, why_no_value
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE, Purpose, Status, Verdict
from autoresearch.ports.policy import Policy
from autoresearch.run.measurement import Objective
from autoresearch.verdict.arms import Effect
from autoresearch.verdict.evidence import Evidence


@dataclass(frozen=True)
class Remeasure:
    """Make the arm `name`: `parent` with the yardstick of `experiment`."""

    name: str
    experiment: str
    parent: str


def references(entry: Experiment) -> dict[str, str]:
    """Arms an idea with a yardstick of its own is compared with, and what each of them measures again.

    An idea that changes nothing else *is* its parent measured again.
    """
    parent = {f"yardstick-{entry.index}-parent": entry.parent} if beside(entry) else {}
    return parent | ({} if entry.parent == BASELINE else {f"yardstick-{entry.index}-baseline": BASELINE})


def beside(entry: Experiment) -> frozenset[str]:
    """Files and keys an idea changes beside its yardstick."""
    return frozenset() if entry.committed is None else touched(entry.committed) - set(entry.committed.yardstick)


def advise(
    history: History, campaign: CampaignConfig, policy: Policy, objective: Objective, runs_left: int | None
) -> Remeasure | Measure | Settle | None:
    """What the oldest such idea needs next; None when there is none, or its runs are under way.

    Args:
        history: The campaign so far.
        campaign: The campaign file.
        policy: Its verdict policy; as many runs as it wants of the baseline are made of each side, unless the
            hypothesis asks for another number.
        objective: What better means.
        runs_left: Runs that still fit, None when nothing limits them.
    """
    settings = campaign.settings()
    if history.baseline is None or not history.baseline.judged:
        return None
    for entry in history.tally.open.values():
        if history.has_yardstick(entry.name):
            count = min(settings.max_runs, entry.hypothesis.seeds or policy.baseline_runs(settings))
            found = _next(history, entry, objective, _seeds(history, settings, count), spent=runs_left == 0)
            if found is not None:
                return found
    return None


def _seeds(history: History, settings: PolicySettings, count: int) -> list[int]:
    """The baseline's seeds, in its order, then the numbers after them."""
    used = list(dict.fromkeys(run.planned.seed for run in history.runs_of(BASELINE)))
    after = max([settings.first_seed - 1, *used]) + 1
    return [*used, *range(after, after + count)][:count]


def _next(
    history: History, entry: Experiment, objective: Objective, seeds: list[int], *, spent: bool
) -> Remeasure | Measure | Settle | None:
    arms = references(entry)
    for name, parent in arms.items():
        if name not in history.bundles:
            return Remeasure(name, entry.name, parent)
        if conflict := history.bundles[name].conflict:
            why = f"{parent} cannot be measured again with its yardstick: {conflict}"
            return Settle(entry.name, Verdict(status=Status.CRASH, reason=why, by="engine"))
    runs = [run for arm in (entry.name, *arms) for run in history.current_runs(arm)]
    failed = next((run for run in runs if run.settled and not run.valid), None)
    if failed is None and not spent and (missing := _missing(history, entry, arms, seeds)):
        return missing
    if any(not run.settled for run in runs):
        return None
    if failed is not None or not _measured(history, (entry.name, *arms)):
        told = "the run budget ended before it and its references were measured"
        if failed is not None:
            told = f"a run of {failed.planned.experiment} gave no metric: {why_no_value(failed)}"
        return Settle(entry.name, Verdict(status=Status.CRASH, reason=told, runs=len(runs), by="engine"))
    return Settle(entry.name, _verdict(history, entry, objective))


def _missing(history: History, entry: Experiment, arms: Iterable[str], seeds: list[int]) -> Measure | None:
    """The next run that is not made yet; the idea's own first one alone, for it may crash."""
    own = history.current_runs(entry.name)
    if own and not own[0].settled:
        return None
    what = ", ".join(entry.committed.yardstick) if entry.committed else ""
    for seed in seeds:
        for arm in (entry.name, *arms):
            if seed not in {run.planned.seed for run in history.current_runs(arm)}:
                purpose = Purpose.EXPLORE if arm == entry.name else Purpose.ANCHOR
                return Measure(arm, seed, purpose, f"with the yardstick of {entry.name} ({what})")
    return None


def _measured(history: History, arms: Iterable[str]) -> bool:
    return all(history.value_of(arm) is not None for arm in arms)


def _verdict(history: History, entry: Experiment, objective: Objective) -> Verdict:
    what = ", ".join(entry.committed.yardstick) if entry.committed else ""
    value, runs = history.value_of(entry.name), len(history.current_runs(entry.name))
    levels = [f"{parent} measures {history.value_of(name):.4g} with it" for name, parent in references(entry).items()]
    levels += [] if beside(entry) else [f"{entry.parent} measures {value:.4g} with it"]
    after = (
        f"; {', '.join(levels)}, on the same seeds. No incumbent, for the rest of the campaign was measured "
        f"without it: to build on it, start a campaign from {entry.branch}"
    )
    if not beside(entry):
        reason = f"it changes nothing but the evaluation ({what}), so no gain can be claimed"
        return Verdict(status=Status.DISCARD, reason=reason + after, value=value, runs=runs, by="engine")
    effect = _effect(history, entry, objective)
    reason = f"with its own yardstick ({what}) {effect.told()} against {entry.parent} measured again"
    return Verdict(
        status=Status.DISCARD,
        reason=reason + after,
        value=value,
        effect=effect.gain,
        low=effect.low,
        high=effect.high,
        runs=runs,
        by="engine",
    )


def _effect(history: History, entry: Experiment, objective: Objective) -> Effect:
    """The comparison of any policy, on a board that holds nothing but the idea and what was measured again for it."""
    arms = (entry.name, *references(entry))
    trials = tuple(trial for trial in history.every_trial() if trial.arm in arms)
    idea = Idea(name=entry.name, parent=arms[1])
    found = Evidence(Board(objective=objective, ideas=(idea,), trials=trials)).compare(
        entry.name, arms[1], credit=False
    )
    assert found is not None  # noqa: S101 - the caller has seen valid runs of both
    return found
