"""Rules that are compared: every module of this folder, each with a tuple `RULES` of `(name, policy, confirm)`.

A policy is anything with `name` and `advise(board)` (`autoresearch.ports.policy`); `confirm` is the share of runs that
it keeps for fresh seeds. Adding a rule is adding a file; `two_sigma.py` is the shortest.
"""
