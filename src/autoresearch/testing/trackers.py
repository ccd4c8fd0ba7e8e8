"""What every tracker promises, as a suite to subclass."""
# ruff: noqa: S101 (assertions are what a test suite is made of)

import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from autoresearch.experiment import events
from autoresearch.experiment.events import Event
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import BASELINE, Purpose, Status, Verdict
from autoresearch.ports.plugins import gaps, made_with
from autoresearch.ports.tracker import Recalling, Tracker
from autoresearch.run.job import JobState, JobStatus, Resources
from autoresearch.run.measurement import Completion, Measurement, Objective

TrackerMaker = Callable[[], Tracker]
Shown = Callable[[], str]

CAMPAIGN = "night"
IDEA = "raise-the-rate"

_ODD = "two\nlines | <b>&\t\x00 é漢 \ud800 `x` [y](z)"


@dataclass(frozen=True)
class SomethingNew:
    """An event of a version that this tracker has not heard of."""

    at: float
    detail: str = "whatever"
    kind: str = "something_new"


class TrackerContract:
    """What every tracker promises.

    Give it the fixtures `make` (each call a new tracker that tells the same place) and `shown` (all that a reader finds
    at that place now, as text; empty before anything was told).
    """

    def test_it_has_the_shape_of_a_tracker(self, make: TrackerMaker) -> None:
        """Every attribute and method of the port, and it is made with `options=`."""
        assert gaps("trackers", make()) == ()
        assert made_with(type(make()), "options") == ""

    def test_a_campaign_can_be_read(self, make: TrackerMaker, shown: Shown) -> None:
        """A whole campaign is told without an error, and what became of its ideas can be read."""
        tell(make(), a_campaign())
        assert IDEA in shown()

    def test_experiments_are_shown_in_their_order(self, make: TrackerMaker, shown: Shown) -> None:
        """Nothing is told ahead of what happened before it."""
        told = a_campaign()
        for number in range(1, len(told) + 1):
            tell(resumed(make, told[: number - 1]), told[number - 1 : number])
            if IDEA in shown():
                assert any(_names(event, IDEA) for event in told[:number])

    def test_what_is_told_twice_is_shown_once(self, make: TrackerMaker, shown: Shown) -> None:
        """A campaign that is resumed may tell everything again from the start."""
        tell(make(), a_campaign())
        once = shown()
        tell(make(), a_campaign())
        assert shown() == once

    @pytest.mark.parametrize("cut", range(1, 13, 3))
    def test_a_new_tracker_goes_on_where_the_old_one_was(self, make: TrackerMaker, shown: Shown, cut: int) -> None:
        """A controller that was killed loses its tracker: the next one tells the rest, with no line lost or doubled."""
        told = a_campaign()
        tell(make(), told[:cut])
        tell(resumed(make, told[:cut]), told[cut:])
        apart = shown()
        tell(make(), told)
        assert shown() == apart

    def test_an_unknown_kind_is_passed_over(self, make: TrackerMaker, shown: Shown) -> None:
        """Events grow with every version; one that a tracker does not know is none of its business."""
        tracker = make()
        tell(tracker, a_campaign())
        before = shown()
        tracker.tell(cast("Event", SomethingNew(at=99.0)))
        assert shown() == before

    def test_odd_words_and_numbers_are_told(self, make: TrackerMaker) -> None:
        """Line breaks, marks and letters of every kind in texts; no value, and one that is no number."""
        tracker = make()
        tell(tracker, a_campaign(_ODD))
        for value in (None, math.nan, -math.inf):
            tell(tracker, [_measured(value), _judged(Status.CRASH, value, _ODD)])

    def test_telling_changes_no_event(self, make: TrackerMaker) -> None:
        """Others are told the same events."""
        told = a_campaign()
        kept = deepcopy(told)
        tell(make(), told)
        assert told == kept

    def test_nothing_is_printed(self, make: TrackerMaker, capfd: pytest.CaptureFixture[str]) -> None:
        """The terminal belongs to the campaign's own lines."""
        tell(make(), a_campaign())
        said = capfd.readouterr()
        assert said.out + said.err == ""


def tell(tracker: Tracker, told: Sequence[Event]) -> None:
    """Tell a tracker events, one after the other."""
    for event in told:
        tracker.tell(event)


def resumed(make: TrackerMaker, before: Sequence[Event]) -> Tracker:
    """A new tracker after a controller has ended; one that recalls is given what the old one was told."""
    tracker = make()
    if isinstance(tracker, Recalling):
        for event in before:
            tracker.recall(event)
    return tracker


def a_campaign(text: str = "plain words") -> list[Event]:
    """The events of a small campaign: a baseline, an idea that is kept, a person who speaks, and the end."""
    hypothesis = Hypothesis(title="Raise the learning rate", overrides=("lr=0.1",), rationale=text, source="file")
    commit = {"commit": "c" * 40, "hypothesis": hypothesis}
    objective = Objective("raise it", "accuracy")
    return [
        events.CampaignStarted(at=1.0, campaign=CAMPAIGN, base_commit="b" * 40, approved_by="Ada", objective=objective),
        events.ControllerStarted(at=2.0, host="node", pid=7, version="0"),
        events.ExperimentOpened(at=3.0, index=1, parent="", parent_commit="b" * 40),
        _committed(4.0, 1, BASELINE, **commit),
        replace(_judged(Status.KEEP, 0.5, text), at=5.0, name=BASELINE),
        events.ExperimentOpened(at=6.0, index=2, parent=BASELINE, parent_commit="c" * 40),
        _committed(7.0, 2, IDEA, **commit),
        _planned(8.0, text),
        events.RunSubmitted(at=9.0, run_id=f"{CAMPAIGN}-{IDEA}-1", job_id="17"),
        events.RunStarted(at=10.0, run_id=f"{CAMPAIGN}-{IDEA}-1", node="node"),
        events.RunEnded(
            at=11.0, run_id=f"{CAMPAIGN}-{IDEA}-1", status=JobStatus(state=JobState.SUCCEEDED, exit_code=0)
        ),
        _measured(0.75),
        _judged(Status.KEEP, 0.75, text),
        events.Steered(at=14.0, text=text, by="Ada"),
        events.Noted(at=15.0, text=text, details={"where": text}),
        events.CampaignEnded(at=16.0, reason=text),
        events.ControllerStopped(at=17.0, host="node", pid=7, reason=text),
    ]


def _committed(at: float, index: int, name: str, **more: Any) -> Event:
    return events.ExperimentCommitted(at=at, index=index, name=name, branch=f"autoresearch/{CAMPAIGN}/{name}", **more)


def _planned(at: float, why: str) -> Event:
    return events.RunPlanned(
        at=at,
        run_id=f"{CAMPAIGN}-{IDEA}-1",
        experiment=IDEA,
        number=1,
        seed=42,
        purpose=Purpose.EXPLORE,
        launcher="local",
        command="python train.py",
        folder="/runs/1",
        log="/runs/1/run.log",
        resources=Resources(),
        why=why,
    )


def _measured(value: float | None) -> Event:
    curve = () if value is None else ((1, 0.6), (2, value))
    found = Measurement(
        metric="accuracy", value=value, source="files", step=2, completion=Completion.DONE, last_step=2, curve=curve
    )
    return events.RunMeasured(at=12.0, run_id=f"{CAMPAIGN}-{IDEA}-1", measurement=found)


def _judged(status: Status, value: float | None, reason: str) -> events.ExperimentJudged:
    verdict = Verdict(status=status, reason=reason, value=value, effect=value, runs=1, by="greedy")
    return events.ExperimentJudged(
        at=13.0, name=IDEA, verdict=verdict, row={"status": status, "reason": reason}, incumbent=IDEA
    )


def _names(event: Event, name: str) -> bool:
    return name in repr(event)
