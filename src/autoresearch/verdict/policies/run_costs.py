"""How many runs a policy spends on so many ideas, for a plan to say before anything is launched."""

from dataclasses import dataclass

from autoresearch.experiment.board import PolicySettings
from autoresearch.verdict.policies import policy
from autoresearch.verdict.policies.closing import PAIRS
from autoresearch.verdict.policies.screening_array import rows_for
from autoresearch.verdict.policies.sequential import ANCHOR_EVERY, MOST
from autoresearch.verdict.policies.strict import LOOKS

_ARRAY = 11


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


def cost(name: str, experiments: int, settings: PolicySettings | None = None, *, budgeted: bool = False) -> Cost:
    """Runs that a policy needs for so many ideas, one at a time; a run budget cuts it short.

    Args:
        name: The policy.
        experiments: Ideas.
        settings: What the campaign file says about judging.
        budgeted: Whether time or GPU-hours limit the runs: what ideas leave of them goes into leaving each kept change
            out.

    Raises:
        CampaignError: There is no policy of that name.
    """
    given = settings or PolicySettings()
    base = policy(name).baseline_runs(given)
    least, most = _exploring(name, experiments, given)
    explored = base + most
    share = min(0.9, max(0.0, given.confirm))
    fresh = max(2 * PAIRS, round(explored * share / (1 - share))) if share and experiments else 0
    if budgeted and fresh:
        fresh = max(fresh, 2 * PAIRS + PAIRS * experiments)
    every = " (everything kept)" if budgeted else ""
    why = f"baseline {base}, ideas {least} to {most}, fresh seeds 0 (nothing kept) to {fresh}{every}"
    return Cost(base + least, explored + fresh, why)


def _exploring(name: str, experiments: int, settings: PolicySettings) -> tuple[int, int]:
    doubtful = max(1, min(MOST, settings.max_runs))
    single = experiments * doubtful
    anchored = single + single // ANCHOR_EVERY
    if name == "greedy":
        return experiments, experiments
    if name == "strict":
        return experiments, experiments * max(1, min(LOOKS[-1], settings.max_runs))
    if name == "sequential":
        return experiments, anchored
    bundled = _bundled(experiments)
    return min(bundled, experiments), max(2 * bundled + anchored, anchored)


def _bundled(experiments: int) -> int:
    """Full arrays of eleven with one run of their winners each, and a smaller array or single runs for the rest."""
    whole, rest = divmod(experiments, _ARRAY)
    size = rows_for(rest) if rest >= 3 else None
    return whole * (_ARRAY + 2) + (size + 1 if size else rest)
