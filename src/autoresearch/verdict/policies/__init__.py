"""Verdict policies by name. Each is pure: the same board gives the same advice."""

from autoresearch.errors import CampaignError
from autoresearch.ports.policy import Policy
from autoresearch.verdict.policies.auto import Auto
from autoresearch.verdict.policies.greedy import Greedy
from autoresearch.verdict.policies.screening import Screening
from autoresearch.verdict.policies.sequential import Sequential
from autoresearch.verdict.policies.strict import Strict

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
