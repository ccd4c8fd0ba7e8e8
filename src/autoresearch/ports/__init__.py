"""The six things that vary, one file each: a Protocol and, beside it, what an adapter can do besides.

A class needs only the right shape, no base class. Adapters are named in a table in their room's `__init__`, or by an
entry point `autoresearch.<room>`.
"""

from autoresearch.ports.launcher import Adviser, HeldCapacity, Launcher, Rehearsal, WarmAllocation
from autoresearch.ports.metric_source import MetricSource
from autoresearch.ports.policy import Policy
from autoresearch.ports.researcher import Mender, Researcher, Witness
from autoresearch.ports.target import Inspector, Narrator, RunRequest, SourceSpec, Survey, Target
from autoresearch.ports.tracker import Tracker

__all__ = [
    "Adviser",
    "HeldCapacity",
    "Inspector",
    "Launcher",
    "Mender",
    "MetricSource",
    "Narrator",
    "Policy",
    "Rehearsal",
    "Researcher",
    "RunRequest",
    "SourceSpec",
    "Survey",
    "Target",
    "Tracker",
    "WarmAllocation",
    "Witness",
]
