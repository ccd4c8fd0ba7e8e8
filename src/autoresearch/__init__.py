"""Overnight research campaigns for RL post-training: a program that enforces the rules.

`import autoresearch as ar` is for scripts and notebooks. Public are the names of `__all__`, and of these what
docs/reference/python.md lists. Everything is loaded when it is first asked for.
"""

from autoresearch.version import __version__

TYPE_CHECKING = False
"""True for type checkers, which know the name; asking `typing` for it would double the time of the import."""

if TYPE_CHECKING:
    from autoresearch import errors
    from autoresearch.campaign.campaign import Campaign
    from autoresearch.campaign.plan import Plan
    from autoresearch.campaign.status import CampaignStatus, Judged, RunningRun
    from autoresearch.config.schema import CampaignConfig
    from autoresearch.experiment.events import Event
    from autoresearch.experiment.experiment import Experiment, Run
    from autoresearch.experiment.outcome import Status, Verdict
    from autoresearch.library import open, plan, schema, simulate  # noqa: A004 - as in gzip
    from autoresearch.records.row import Row
    from autoresearch.report.policy_comparison import PolicyComparison
    from autoresearch.run.measurement import Direction, Objective

__all__ = [
    "Campaign",
    "CampaignConfig",
    "CampaignStatus",
    "Direction",
    "Event",
    "Experiment",
    "Judged",
    "Objective",
    "Plan",
    "PolicyComparison",
    "Row",
    "Run",
    "RunningRun",
    "Status",
    "Verdict",
    "__version__",
    "errors",
    "open",
    "plan",
    "schema",
    "simulate",
]

_HOMES = {
    "Campaign": "campaign.campaign",
    "CampaignConfig": "config.schema",
    "CampaignStatus": "campaign.status",
    "PolicyComparison": "report.policy_comparison",
    "Direction": "run.measurement",
    "Event": "experiment.events",
    "Experiment": "experiment.experiment",
    "Judged": "campaign.status",
    "Objective": "run.measurement",
    "Plan": "campaign.plan",
    "Row": "records.row",
    "Run": "experiment.experiment",
    "RunningRun": "campaign.status",
    "Status": "experiment.outcome",
    "Verdict": "experiment.outcome",
    "open": "library",
    "plan": "library",
    "schema": "library",
    "simulate": "library",
}


if not TYPE_CHECKING:  # or a type checker would believe in every name

    def __getattr__(name: str) -> object:
        """Load a public name when it is first asked for: importing the package costs nothing."""
        from importlib import import_module  # noqa: PLC0415 - likewise

        if name == "errors":
            return import_module("autoresearch.errors")
        if name not in _HOMES:
            raise AttributeError(f"module 'autoresearch' has no attribute {name!r}")
        value = getattr(import_module(f"autoresearch.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
