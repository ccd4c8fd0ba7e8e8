"""Our own policies, with the share of runs that they keep for fresh seeds by default."""

from autoresearch.verdict.policies import BUILTIN, policy

RULES = tuple((f"ours: {name}", policy(name), 0.15) for name in sorted(BUILTIN))
