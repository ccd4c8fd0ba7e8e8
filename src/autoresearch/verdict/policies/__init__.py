"""Verdict policies by name. Each is pure: the same board gives the same advice."""

from typing import TYPE_CHECKING

from autoresearch.ports import plugins

if TYPE_CHECKING:
    from autoresearch.ports.policy import Policy

BUILTIN = {
    "auto": "autoresearch.verdict.policies.auto:auto",
    "doubles": "autoresearch.verdict.policies.auto:doubles",
    "greedy": "autoresearch.verdict.policies.greedy:greedy",
    "sequential": "autoresearch.verdict.policies.sequential:sequential",
    "screening": "autoresearch.verdict.policies.screening:screening",
    "strict": "autoresearch.verdict.policies.strict:strict",
}
"""What stands behind a name is called without arguments and gives a policy."""


def policy(name: str) -> "Policy":
    """The policy of that name, ours or of an installed package.

    Raises:
        PluginError: There is none, or it cannot be had.
    """
    found: Policy = plugins.load("policies", name)
    return found
