"""Verdict policies by name. Each is pure: the same board gives the same advice."""

from autoresearch.core.policies.auto import Auto
from autoresearch.core.policies.greedy import Greedy
from autoresearch.core.policies.screening import Screening
from autoresearch.core.policies.sequential import Sequential
from autoresearch.core.policies.strict import Strict
from autoresearch.errors import CampaignError
from autoresearch.experiment.board import Policy

POLICIES: dict[str, type[Policy]] = {
    "auto": Auto,
    "greedy": Greedy,
    "sequential": Sequential,
    "screening": Screening,
    "strict": Strict,
}


def policy(name: str) -> Policy:
    """The policy of that name.

    Raises:
        CampaignError: There is none.
    """
    if name not in POLICIES:
        raise CampaignError(f"there is no verdict policy {name!r}; choose one of: {', '.join(sorted(POLICIES))}")
    return POLICIES[name]()
