"""Verdict policies by name. Each is pure: the same board gives the same advice."""

from autoresearch.core.board import Policy
from autoresearch.core.policies.greedy import Greedy
from autoresearch.core.policies.sequential import Sequential
from autoresearch.errors import CampaignError

POLICIES: dict[str, type[Policy]] = {
    "greedy": Greedy,
    "sequential": Sequential,
}


def policy(name: str) -> Policy:
    """The policy of that name.

    Raises:
        CampaignError: There is none.
    """
    if name not in POLICIES:
        raise CampaignError(f"there is no verdict policy {name!r}; choose one of: {', '.join(sorted(POLICIES))}")
    return POLICIES[name]()
