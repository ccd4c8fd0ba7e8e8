"""The public names as a user of the library meets them; checked by mypy, never run."""

from pathlib import Path
from typing import assert_type

import autoresearch as ar
from autoresearch.errors import AutoresearchError


def plans() -> ar.Campaign:
    """A plan is a value; opening it leads to the campaign."""
    plan = ar.plan(
        "examples/configs/grpo.yaml",
        repo=Path(),
        stop="20 experiments or 4h total",
        worth=0.01,
        researcher=["playbook", {"type": "search", "knobs": 2}],
        settings={"verdict.confirm": 0},
    )
    assert_type(plan, ar.Plan)
    assert_type(plan.name, str)
    assert_type(plan.file, Path)
    assert_type(plan.warnings, tuple[str, ...])
    assert_type(str(plan), str)
    assert_type(ar.open(".", "first-try", by="Ada"), ar.Campaign)
    return ar.open(plan)


def runs(campaign: ar.Campaign) -> None:
    """A person approves; events are values or lines."""

    def heard(event: ar.Event) -> None:
        assert_type(event.at, float)

    assert_type(campaign.plan(), ar.Plan)
    assert_type(campaign.approve(campaign.plan(), by="Ada"), str)
    assert_type(campaign.run(heard, on_line=print), ar.CampaignStatus)
    assert_type(campaign.detach(), int)


def steers(campaign: ar.Campaign) -> None:
    """What a person says is recorded."""
    campaign.steer("try smaller batches")
    campaign.pause("lunch")
    campaign.resume()
    campaign.overrule(2, "keep", reason="the validation set was broken that hour")
    assert_type(campaign.answer("launch-1", granted=True), str)
    assert_type(campaign.stop(now=True), str)


def reads(campaign: ar.Campaign) -> None:
    """Reading gives frozen values."""
    status = campaign.status()
    assert_type(status, ar.CampaignStatus)
    assert_type(status.best, float | None)
    assert_type(status.running, tuple[ar.RunningRun, ...])
    assert_type(campaign.verdicts(), tuple[ar.Judged, ...])
    assert_type(campaign.rows(), tuple[ar.Row, ...])
    assert_type(campaign.rows()[0].status, ar.Status)
    assert_type(campaign.experiment(2), ar.Experiment)
    assert_type(campaign.experiment(2).verdict, ar.Verdict | None)
    assert_type(campaign.runs(2), list[ar.Run])
    assert_type(campaign.log(2), Path)
    assert_type(campaign.diff(2), str)
    assert_type(campaign.report(), tuple[Path, ...])


def decides() -> None:
    """Figures before anything is spent, and the errors that tell what to do."""
    comparison = ar.simulate(noise=0.02, gain=0.01, policies=["greedy", "auto"])
    assert_type(comparison, ar.PolicyComparison)
    assert_type(comparison.summaries[0].gain.mean, float)
    try:
        ar.open("nowhere")
    except ar.errors.CampaignError as error:
        assert_type(error, ar.errors.CampaignError)
    except AutoresearchError:
        pass


objective = ar.Objective("raise accuracy", "val:accuracy", ar.Direction.MAXIMIZE)
gain: float = objective.gain(0.5, over=0.4)
version: str = ar.__version__
misspelt = ar.plna  # type: ignore[attr-defined]
