"""How many runs a policy spends on so many ideas, for a plan to say before anything is launched."""

from dataclasses import dataclass

from autoresearch.experiment.board import PolicySettings
from autoresearch.ports.policy import Estimating, Policy
from autoresearch.verdict.policies.composed import as_allowed
from autoresearch.verdict.policies.reserve import PAIRS


@dataclass(frozen=True)
class Cost:
    """Runs of a campaign without crashes, repairs or seeds that a hypothesis asks for.

    Attributes:
        least: When every idea fails at once and nothing is kept.
        most: When every idea is doubtful and something is kept.
        why: What they are made of.
    """

    least: int
    most: int
    why: str


def cost(
    judge: Policy,
    experiments: int,
    settings: PolicySettings | None = None,
    *,
    budgeted: bool = False,
    most: int | None = None,
) -> Cost:
    """Runs that a policy needs for so many ideas, one at a time; a run budget cuts it short.

    Args:
        judge: The policy. One that makes no estimate may give every idea all the runs that the campaign file allows.
        experiments: Ideas.
        settings: What the campaign file says about judging.
        budgeted: Whether time or GPU-hours limit the runs: what ideas leave of them goes into leaving each kept change
            out.
        most: Runs that the stop rule allows, None where it counts none.
    """
    wanted = _wanted(judge, experiments, settings, budgeted=budgeted)
    if most is None or wanted.most <= most:
        return wanted
    if wanted.least < most:
        return Cost(wanted.least, most, f"{wanted.why}; the stop rule allows {most}")
    base = min(most, judge.baseline_runs(settings or PolicySettings()))
    return Cost(most, most, f"as many as the stop rule allows: baseline {base}, ideas and fresh seeds {most - base}")


def _wanted(judge: Policy, experiments: int, settings: PolicySettings | None, *, budgeted: bool) -> Cost:
    given = settings or PolicySettings()
    base = judge.baseline_runs(given)
    least, most = _exploring(judge, experiments, given)
    explored = base + most
    share = min(0.9, max(0.0, given.confirm))
    fresh = max(2 * PAIRS, round(explored * share / (1 - share))) if share and experiments else 0
    if budgeted and fresh:
        fresh = max(fresh, 2 * PAIRS + PAIRS * experiments)
    every = " (everything kept)" if budgeted else ""
    why = f"baseline {base}, ideas {least} to {most}, fresh seeds 0 (nothing kept) to {fresh}{every}"
    return Cost(base + least, explored + fresh, why)


def _exploring(judge: Policy, experiments: int, settings: PolicySettings) -> tuple[int, int]:
    if isinstance(judge, Estimating):
        return judge.exploring(experiments, settings)
    return as_allowed(experiments, settings)
