"""Verdict policies by name. Each is pure: the same board gives the same advice."""

from importlib import import_module

from autoresearch.errors import CampaignError
from autoresearch.ports.policy import Policy

BUILTIN = {
    "auto": "autoresearch.verdict.policies.auto:auto",
    "greedy": "autoresearch.verdict.policies.greedy:greedy",
    "sequential": "autoresearch.verdict.policies.sequential:sequential",
    "screening": "autoresearch.verdict.policies.screening:screening",
    "strict": "autoresearch.verdict.policies.strict:strict",
}
"""What stands behind a name is called without arguments and gives a policy."""


def policy(name: str) -> Policy:
    """The built-in policy of that name.

    Raises:
        CampaignError: There is none.
    """
    if name not in BUILTIN:
        raise CampaignError(f"there is no verdict policy {name!r}; choose one of: {', '.join(sorted(BUILTIN))}")
    module, _, attribute = BUILTIN[name].partition(":")
    made: Policy = getattr(import_module(module), attribute)()
    return made
