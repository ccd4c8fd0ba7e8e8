"""A stop rule as a value, and the absolute limits it becomes when a campaign begins. Words live in `stop_phrase`."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import TypeAdapter, ValidationError

from autoresearch.config.duration import exact, span
from autoresearch.errors import CampaignError
from autoresearch.run.measurement import Direction, Objective


class Comparison(StrEnum):
    """How a metric is held against a target value."""

    AT_LEAST = ">="
    AT_MOST = "<="
    ABOVE = ">"
    BELOW = "<"
    REACHES = "reaches"
    """As good as the value, whichever way is up; becomes `>=` or `<=` when the campaign begins."""

    @property
    def upwards(self) -> bool | None:
        """Whether larger values satisfy it; None while that depends on the objective."""
        if self is Comparison.REACHES:
            return None
        return self in {Comparison.AT_LEAST, Comparison.ABOVE}


@dataclass(frozen=True)
class TargetValue:
    """A metric value at which the campaign has what it wanted.

    Attributes:
        metric: The metric as the user spelt it; None means the objective's.
        comparison: How a measured value is held against `value`.
        value: The threshold, in the metric's own unit.
    """

    metric: str | None
    comparison: Comparison
    value: float

    def met_by(self, measured: float | None) -> bool:
        """Whether a measured value satisfies it; None, NaN and infinities never do."""
        if measured is None or not math.isfinite(measured):
            return False
        match self.comparison:
            case Comparison.AT_LEAST:
                return measured >= self.value
            case Comparison.AT_MOST:
                return measured <= self.value
            case Comparison.ABOVE:
                return measured > self.value
            case Comparison.BELOW:
                return measured < self.value
            case Comparison.REACHES:
                return False

    def resolved(self, objective: Objective) -> "TargetValue":
        """The same target with the objective's metric and direction filled in.

        Raises:
            CampaignError: It points the wrong way for the objective, or "reaches" names a metric of unknown direction.
        """
        ours = self.metric is None or same_metric(self.metric, objective.metric)
        if not ours and self.comparison is Comparison.REACHES:
            raise CampaignError(
                f"which way is better is unknown for {self.metric}, only for the objective {objective.metric}: "
                f"write {self.metric} >= {self.value:g} or {self.metric} <= {self.value:g}"
            )
        if not ours:
            return self
        up = objective.direction is Direction.MAXIMIZE
        if self.comparison.upwards is (not up):
            raise CampaignError(
                f"the objective is to {objective.direction} {objective.metric}, "
                f"but the stop rule waits for {self.comparison} {self.value:g}: reverse one of them"
            )
        towards = Comparison.AT_LEAST if up else Comparison.AT_MOST
        chosen = towards if self.comparison is Comparison.REACHES else self.comparison
        return TargetValue(objective.metric, chosen, self.value)


_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def named_day(word: str) -> str:
    """A day as `WallTime` has it: `today`, `tomorrow`, or a day of the week that may be cut short, such as `thurs`."""
    said = word.lower()
    return next((day for day in _WEEKDAYS if said and day.lower().startswith(said)), said)


def zone_named(said: str) -> str:
    """A time zone as `WallTime` has it: `UTC`, an offset such as `+02:00`, or a place; empty where there is none."""
    if said.lower() in {"utc", "gmt", "z"}:
        return "UTC"
    if found := re.fullmatch(r"(?:utc|gmt)?([+-])([0-9]{1,2}):?([0-9]{2})?", said, re.IGNORECASE):
        hours, minutes = int(found[2]), int(found[3] or 0)
        return f"{found[1]}{hours:02d}:{minutes:02d}" if hours <= 14 and minutes <= 59 else ""
    return next((name for name in available_timezones() if name.lower() == said.lower()), "") if said else ""


@dataclass(frozen=True)
class WallTime:
    """A point in time as a person says it: a time of day, perhaps with its date.

    Attributes:
        hour: 0 to 23.
        minute: 0 to 59.
        day: The date, None for the next time the clock shows it.
        utc: Whether it was said to be UTC; otherwise it is local time of the machine.
        when: `today`, `tomorrow` or a day of the week, counted from the start of the campaign; empty for none of them.
        zone: An offset (`+02:00`) or a place (`Europe/Berlin`) whose time it is; empty for none.
    """

    hour: int
    minute: int
    day: date | None = None
    utc: bool = False
    when: str = ""
    zone: str = ""

    def after(self, now: float, zone: tzinfo | None) -> float:
        """The moment meant, in Unix seconds.

        Args:
            now: Unix seconds; without a date or day the first such moment after it is meant.
            zone: The user's time zone, None for the machine's own.

        Raises:
            CampaignError: A date, or today, was given and has passed.
        """
        zone = UTC if self.utc else _zone(self.zone) if self.zone else zone
        today = datetime.fromtimestamp(now, zone)
        first, every = self._first(today.date())
        moment = self._on(first, zone)
        if moment <= now and every:
            moment = self._on(first + timedelta(days=every), zone)
        if moment <= now:
            raise CampaignError(f"the stop rule says until {self}, which has passed already: give a later time")
        return moment

    def _first(self, today: date) -> tuple[date, int]:
        """The first day that may be meant, and after how many days it comes again; 0 for a day of its own."""
        if self.day or self.when == "today":
            return self.day or today, 0
        if self.when == "tomorrow":
            return today + timedelta(days=1), 0
        if self.when:
            return today + timedelta(days=(_WEEKDAYS.index(self.when) - today.weekday()) % 7), 7
        return today, 1

    def _on(self, day: date, zone: tzinfo | None) -> float:
        return datetime(day.year, day.month, day.day, self.hour, self.minute, tzinfo=zone).timestamp()

    def __str__(self) -> str:
        """As it is written in a stop rule, e.g. `2026-11-24 07:30`, `tomorrow 08:00` or `07:00 UTC`."""
        day = f"{self.day.isoformat()} " if self.day else f"{self.when} " if self.when else ""
        return (
            f"{day}{self.hour:02d}:{self.minute:02d}{' UTC' if self.utc else ''}{f' {self.zone}' if self.zone else ''}"
        )


def _zone(name: str) -> tzinfo:
    if name[0] not in "+-":
        return ZoneInfo(name)
    hours, _, minutes = name[1:].partition(":")
    offset = timedelta(hours=int(hours), minutes=int(minutes))
    return timezone(-offset if name[0] == "-" else offset)


@dataclass(frozen=True, kw_only=True)
class StopLimits:
    """A stop rule in absolute values, fixed when the campaign begins. Any one that is reached ends the campaign.

    Attributes:
        started_at: When the campaign began, in Unix seconds.
        target_experiment_count: Attempts after which it ends, the baseline and crashes included; None for no limit.
        campaign_deadline: Unix seconds at which it ends, None for no limit.
        per_experiment_timeout: Wall-clock seconds any one run may take, None for no cap.
        target_metric: The metric value that ends it, None for no target.
        gpu_hours: GPU-hours after which it ends, None for no limit.
        asks: Whether to summarise and ask for more at the end (no rule was given).
        target_run_count: Runs after which it ends, whatever they are for; None for no limit.
        stalled_experiment_count: Experiments in a row without a keep after which it ends, None for no such limit.
    """

    started_at: float
    target_experiment_count: int | None = None
    campaign_deadline: float | None = None
    per_experiment_timeout: float | None = None
    target_metric: TargetValue | None = None
    gpu_hours: float | None = None
    asks: bool = False
    target_run_count: int | None = None
    stalled_experiment_count: int | None = None

    def run_limit_s(self, now: float) -> float | None:
        """Seconds a run that starts now may take: the cap per run, or less where the deadline is nearer (R70)."""
        left = None if self.campaign_deadline is None else max(1.0, self.campaign_deadline - now)
        return min((limit for limit in (self.per_experiment_timeout, left) if limit is not None), default=None)

    def plain(self) -> dict[str, Any]:
        """The limits as strings, numbers and None only, for JSON and YAML."""
        body = asdict(self)
        if self.target_metric:
            body["target_metric"]["comparison"] = str(self.target_metric.comparison)
        return body

    @classmethod
    def load(cls, body: Mapping[str, Any]) -> "StopLimits":
        """The limits again, from what `plain` gave.

        Raises:
            CampaignError: A value is missing or of the wrong type.
        """
        try:
            return _LIMITS.validate_python(dict(body))
        except ValidationError as error:
            raise CampaignError(f"stored stop limits cannot be read: {error.errors()[0]['msg']}: {body!r}") from None


_LIMITS = TypeAdapter(StopLimits)


@dataclass(frozen=True, kw_only=True)
class StopRule:
    """When a campaign ends, as its owner put it; durations in seconds. Any one trigger that is reached ends it.

    Attributes:
        words: What the owner wrote; not part of equality.
        target_experiment_count: Attempted experiments, the baseline and crashes included (R78, R96).
        total_s: Length of the whole campaign from its beginning.
        deadline_at: A wall time at which it ends.
        per_experiment_timeout_s: Cap on every single run; ends a run, never the campaign.
        target: A metric value to be reached.
        gpu_hours: GPU-hours that may be spent.
        asks: Whether to summarise and ask at the end.
        target_run_count: Runs it may launch, of the baseline, repeats and fresh seeds included.
        stalled_experiment_count: Experiments in a row that may be judged without a keep.
    """

    words: str = field(default="", compare=False)
    target_experiment_count: int | None = None
    total_s: float | None = None
    deadline_at: WallTime | None = None
    per_experiment_timeout_s: float | None = None
    target: TargetValue | None = None
    gpu_hours: float | None = None
    asks: bool = False
    target_run_count: int | None = None
    stalled_experiment_count: int | None = None

    def begin(self, now: float, zone: tzinfo | None = None, objective: Objective | None = None) -> StopLimits:
        """The rule in absolute values for a campaign that begins now.

        Args:
            now: Unix seconds.
            zone: The user's time zone for "until 07:00", None for the machine's own.
            objective: What is improved; fills in a target that does not name its metric or direction.

        Raises:
            CampaignError: A date has passed, or the target contradicts the objective or needs one.
        """
        ends = [now + self.total_s] if self.total_s is not None else []
        ends += [self.deadline_at.after(now, zone)] if self.deadline_at else []
        return StopLimits(
            started_at=now,
            target_experiment_count=self.target_experiment_count,
            campaign_deadline=min(ends, default=None),
            per_experiment_timeout=self.per_experiment_timeout_s,
            target_metric=_resolved(self.target, objective),
            gpu_hours=self.gpu_hours,
            asks=self.asks,
            target_run_count=self.target_run_count,
            stalled_experiment_count=self.stalled_experiment_count,
        )

    def told(self, metric: str, at: float | None = None) -> str:
        """The rule's limits in words for who approves it; empty without any.

        Args:
            metric: What a target without a name is about.
            at: Unix seconds of a start now, from which a day is counted; None: it is not said when that is.
        """
        return "; ".join(_limits(self, metric, at))

    def with_words(self, words: str) -> "StopRule":
        """The same rule, said differently."""
        return replace(self, words=words)


DEFAULT = StopRule(target_experiment_count=4, asks=True)
"""No rule given: the baseline and three low-risk experiments, then summarise and ask (R93)."""

DEFAULT_WORDS = "default: the baseline and three experiments, then ask"
"""The same for people."""


def _limits(rule: StopRule, metric: str, at: float | None) -> Iterator[str]:
    if count := rule.target_experiment_count:
        ideas = f"{count - 1} idea{'s' * (count > 2)}" if count > 1 else "no idea"
        yield f"{count} attempt{'s' * (count > 1)}: the baseline and {ideas}"
    if runs := rule.target_run_count:
        yield f"{runs} run{'s' * (runs > 1)}, repeats and fresh seeds included"
    if stalled := rule.stalled_experiment_count:
        yield f"{stalled} experiment{'s' * (stalled > 1)} in a row without a keep"
    if rule.total_s:
        yield f"{exact(rule.total_s)} in total"
    if rule.deadline_at:
        yield f"until {rule.deadline_at}{_moment(rule.deadline_at, at)}"
    if rule.per_experiment_timeout_s:
        yield f"each run limited to {exact(rule.per_experiment_timeout_s)}"
    if rule.gpu_hours:
        yield f"{rule.gpu_hours:g} GPU-hours"
    if rule.target:
        yield f"until {rule.target.metric or metric} {rule.target.comparison} {rule.target.value:g}"


def _moment(when: WallTime, at: float | None) -> str:
    """Date, time and zone that are meant from a start at `at`, and how far off they are."""
    if at is None:
        return ""
    moment = when.after(at, None)
    shown = datetime.fromtimestamp(moment, UTC).astimezone()
    return f" ({shown:%a %Y-%m-%d %H:%M %Z}, in {span(moment - at)} if it starts now)"


def _resolved(target: TargetValue | None, objective: Objective | None) -> TargetValue | None:
    if target is None:
        return None
    if objective is not None:
        return target.resolved(objective)
    if target.comparison is Comparison.REACHES:
        raise CampaignError(
            f"the stop rule waits until {target.metric or 'the objective'} reaches {target.value:g}, "
            "and without an objective nobody knows which way is better: write >= or <="
        )
    return target


def never_met(rule: StopRule, objective: Objective, gpus: int) -> str:
    """What of a rule no campaign could ever come to, in words; empty where there is nothing of the kind.

    Args:
        rule: The rule.
        objective: The one metric that is measured.
        gpus: How many GPUs a run takes.
    """
    asked = rule.target.metric if rule.target else None
    if asked is not None and not same_metric(asked, objective.metric):
        return f"it waits for {asked}, and {objective.metric} alone is measured: name that, or leave the name out"
    others = (rule.target_experiment_count, rule.target_run_count, rule.stalled_experiment_count, rule.total_s,
              rule.deadline_at, rule.target)  # fmt: skip
    if rule.gpu_hours is not None and not gpus and all(other is None for other in others):
        return "it counts GPU-hours alone, and a run takes no GPU: say a number of experiments, or a time"
    return ""


def same_metric(asked: str, name: str) -> bool:
    """Whether `asked` is a spelling of the metric `name`.

    `val:accuracy`, `val_accuracy` and `validation/accuracy` are one metric (R281), and its last words alone
    (`accuracy`) will do.
    """
    want, have = _parts(asked), _parts(name)
    return bool(want) and have[-len(want) :] == want


def _parts(name: str) -> list[str]:
    words = [part for part in re.split(r"[^a-z0-9]+", name.lower()) if part]
    return ["validation" if part == "val" else part for part in words]
