"""What a campaign's records alone say: for whoever only reads, and looks at neither code nor worktree.

Reading verbs work from the journal. What they need of the base commit is frozen in its first event; in a journal of an
earlier version it is what the first run was planned with.
"""

from dataclasses import dataclass, replace

from autoresearch.campaign.opening import Opened, seen
from autoresearch.engine.context import Context
from autoresearch.errors import CampaignError
from autoresearch.experiment.events import BaseSurvey
from autoresearch.run.objective import Direction, Objective
from autoresearch.scheduling.budget import Outlook, outlook


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A campaign that has begun, as its records have it.

    Attributes:
        opened: Its files.
        objective: What it is judged by.
        base: What was found out about the base commit.
    """

    opened: Opened
    objective: Objective
    base: BaseSurvey

    def outlook(self, now: float) -> Outlook:
        """What the rest of the budget can hold."""
        opened = self.opened
        assert opened.limits is not None  # noqa: S101 - it has begun
        expected_s = None if self.base.minutes is None else self.base.minutes * 60
        return outlook(opened.history, opened.campaign, opened.limits, self.objective, now, expected_s, self.base.gpus)


def read(opened: Opened) -> Reading:
    """A campaign from its journal; nothing is made, asked of git or written.

    Raises:
        CampaignError: It has not begun.
    """
    started = opened.history.started
    if started is None:
        raise CampaignError(f"campaign {opened.paths.name} has not started; start it with: autoresearch run")
    return Reading(
        opened=opened,
        objective=started.objective or _objective(opened),
        base=started.survey or _as_first_planned(opened),
    )


def reading_of(ctx: Context) -> Reading:
    """A campaign at work, for what it writes of itself; its survey is at hand."""
    opened = Opened(ctx.paths, ctx.campaign, ctx.journal, ctx.history, ctx.heard)
    return Reading(opened=opened, objective=ctx.survey.objective, base=seen(ctx.survey))


def _as_first_planned(opened: Opened) -> BaseSurvey:
    """Before any run was measured, a run's expected length is what the target had said."""
    campaign = opened.campaign
    config = campaign.recipe or str(campaign.target.options().get("config", ""))
    base = BaseSurvey(lineage=(config,) if config else ())
    first = next((run.planned for run in opened.history.runs.values()), None)
    if first is None:
        return base
    minutes = first.predicted_s / 60 if first.predicted_s else None
    return replace(base, minutes=minutes, gpus=first.resources.gpus)


def _objective(opened: Opened) -> Objective:
    """As the campaign file has it, the metric as it was measured first where the file leaves it open."""
    asked = opened.campaign.objective
    measured = (run.measurement.metric for run in opened.history.runs.values() if run.measurement)
    metric = next(measured, asked.metric) if asked.metric == "auto" else asked.metric
    direction = Direction.MINIMIZE if asked.direction == "minimize" else Direction.MAXIMIZE
    return Objective(asked.goal, metric, direction, metric)
