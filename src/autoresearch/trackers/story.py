"""What happened in a campaign as pages that a tracker can show: one for each experiment, one for the campaign.

Pure: events in, pages out. What a page is called at the tracker, and how it is written there, is the tracker's affair.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from autoresearch.experiment.events import (
    CampaignEnded,
    CampaignStarted,
    Event,
    ExperimentCommitted,
    ExperimentJudged,
    RunMeasured,
    RunPlanned,
)
from autoresearch.experiment.outcome import Status

Curve = tuple[tuple[int, float], ...]


@dataclass(frozen=True, kw_only=True)
class StoryPage:
    """One experiment, or the campaign, as far as it has come.

    Attributes:
        key: Unique for ever: the campaign's name, and the experiment's behind a slash.
        campaign: The campaign's name.
        name: What a reader sees first.
        at: When it last changed, Unix seconds.
        settings: What was decided beforehand, such as the overrides and the commit.
        words: What can be said of it now, such as the verdict and its reason.
        numbers: Final figures by name; all finite.
        curves: Figures over steps by name; all finite.
        outcome: `keep`, `discard`, `crash` or `ended`; empty while it is open.
    """

    key: str
    campaign: str
    name: str
    at: float = 0.0
    settings: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    outcome: str = ""


class Story:
    """The pages so far. Only what a tracker is told changes them."""

    def __init__(self) -> None:
        self._campaign = StoryPage(key="", campaign="", name="")
        self._pages: dict[str, StoryPage] = {}
        self._runs: dict[str, RunPlanned] = {}
        self._index: dict[str, int] = {}

    def take(self, event: Event) -> tuple[StoryPage, ...]:
        """The pages that an event has changed so that a reader should see it: a start, a number, a verdict, the end."""
        return tuple(_readable(page) for page in self._changed(event))

    def _changed(self, event: Event) -> tuple[StoryPage, ...]:
        match event:
            case CampaignStarted():
                return (self._begin(event),)
            case ExperimentCommitted():
                self._index[event.name] = event.index
                self._put(event.name, _committed(self._page(event.name), event))
            case RunPlanned():
                self._runs[event.run_id] = event
            case RunMeasured():
                return self._measure(event)
            case ExperimentJudged():
                return self._judge(event)
            case CampaignEnded():
                words = {**self._campaign.words, "reason": event.reason}
                self._campaign = replace(self._campaign, at=event.at, words=words, outcome="ended")
                return (self._campaign,)
            case _:
                pass
        return ()

    def _begin(self, event: CampaignStarted) -> StoryPage:
        goal = event.objective.goal if event.objective else ""
        settings = {"base_commit": event.base_commit, "goal": goal, "approved_by": event.approved_by}
        if event.objective:
            settings["metric"] = event.objective.metric
        self._campaign = StoryPage(
            key=event.campaign, campaign=event.campaign, name=event.campaign, at=event.at, settings=settings
        )
        return self._campaign

    def _page(self, name: str) -> StoryPage:
        campaign = self._campaign.campaign
        return self._pages.get(name) or StoryPage(key=f"{campaign}/{name}", campaign=campaign, name=name)

    def _put(self, name: str, page: StoryPage) -> StoryPage:
        self._pages[name] = page
        return page

    def _measure(self, event: RunMeasured) -> tuple[StoryPage, ...]:
        """The run's curve, beside those of the experiment's other seeds."""
        run, found = self._runs.get(event.run_id), event.measurement
        if run is None:
            return ()
        page = self._page(run.experiment)
        curve = _finite(found.curve)
        curves = {**page.curves, **({f"{found.metric}.seed-{run.seed}": curve} if curve else {})}
        value = {found.metric: found.value} if found.value is not None else {}
        numbers = {**page.numbers, **_finite_only(value)}
        return (self._put(run.experiment, replace(page, at=event.at, curves=curves, numbers=numbers)),)

    def _judge(self, event: ExperimentJudged) -> tuple[StoryPage, ...]:
        verdict, page = event.verdict, self._page(event.name)
        figures = {"value": verdict.value, "effect": verdict.effect, "low": verdict.low, "high": verdict.high}
        known = {name: value for name, value in figures.items() if value is not None}
        words = {**page.words, "status": verdict.status.value, "reason": verdict.reason, "judged_by": verdict.by}
        numbers = {**page.numbers, **_finite_only({**known, "runs": float(verdict.runs)})}
        judged = replace(page, at=event.at, words=words, numbers=numbers, outcome=verdict.status.value)
        return (self._put(event.name, judged), self._count(event))

    def _count(self, event: ExperimentJudged) -> StoryPage:
        """The campaign's own page: values over experiments, and how many were kept."""
        page, status = self._campaign, event.verdict.status
        step, value = self._index.get(event.name, len(self._pages)), event.verdict.value
        curves = dict(page.curves)
        if value is not None and math.isfinite(value):
            curves["value"] = _with(curves.get("value", ()), step, value)
            if status is Status.KEEP:
                curves["kept"] = _with(curves.get("kept", ()), step, value)
        outcomes = [one.outcome for one in self._pages.values()]
        numbers = {word.value: float(outcomes.count(word.value)) for word in Status}
        self._campaign = replace(page, at=event.at, curves=curves, numbers=numbers)
        return self._campaign


def _readable(page: StoryPage) -> StoryPage:
    """Texts that every tracker can hold: what UTF-8 cannot, half an emoji, is an escape."""
    settings, words = (
        {name: text.encode("utf-8", "backslashreplace").decode() for name, text in texts.items()}
        for texts in (page.settings, page.words)
    )
    return replace(page, settings=settings, words=words)


def _committed(page: StoryPage, event: ExperimentCommitted) -> StoryPage:
    idea = event.hypothesis
    overrides = dict(override.lstrip("+~").partition("=")[::2] for override in idea.overrides)
    settings = {
        "title": idea.title,
        "area": idea.area,
        "researcher": idea.source,
        "branch": event.branch,
        "commit": event.commit,
        "parent": event.parent,
        **{f"override.{key}": value for key, value in overrides.items()},
    }
    told = {name: value for name, value in settings.items() if value}
    return replace(page, at=event.at, settings=told)


def _with(curve: Curve, step: int, value: float) -> Curve:
    return tuple(sorted({**dict(curve), step: value}.items()))


def _finite(curve: Iterable[tuple[int, float]]) -> Curve:
    return tuple((step, value) for step, value in curve if math.isfinite(value))


def _finite_only(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
