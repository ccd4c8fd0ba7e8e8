"""What a campaign has tried, as places in a search space: the ledger's digest, read anew for every proposal."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoresearch.experiment.hypothesis import Brief, Tried
from autoresearch.researchers.override_forms import assignments, canonical, lookup, text
from autoresearch.researchers.search.space import Point, Space
from autoresearch.researchers.search.surface import Observed
from autoresearch.run.objective import Direction

Array = NDArray[np.float64]
_MOST = 160
"""Configurations that a surface is fitted to at most: time and memory grow with the third and second power of them."""

Settings = frozenset[tuple[str, str]]
"""Keys and values, spelled in one way."""


@dataclass(frozen=True, kw_only=True)
class Past:
    """What is known of a space when a proposal is wanted.

    Places have the axes of the space and, behind them, one for every setting outside of it that some experiment has:
    what ran beside other settings informs the search, but less the more of them differ.

    Attributes:
        values: The parent's values of the space's knobs.
        here: The parent's place.
        observed: What ran; crashed configurations are as poor as the poorest that ran. None while nothing did.
        pending: Places of experiments that have no run yet, shape (n, axes).
        known: Configurations that ran.
        points: Every point tried, with the settings outside of the space.
        outside: The parent's settings outside of the space.
    """

    values: Point
    here: Array
    observed: Observed | None
    pending: Array
    known: int
    points: frozenset[tuple[Settings, Settings]]
    outside: Settings

    def is_new(self, point: Mapping[str, Any]) -> bool:
        """Whether no experiment was this point with the parent's settings outside of the space."""
        return (_spelled(point), self.outside) not in self.points


@dataclass(frozen=True)
class _Placed:
    """One experiment in the space; `level` is better when higher, and None for a crash or while nothing has run."""

    place: Array
    outside: Settings
    level: float | None
    runs: int
    crashed: bool


def read_past(brief: Brief, space: Space, *, ignored: frozenset[str]) -> Past:
    """The campaign so far, seen from the parent of the next experiment.

    Args:
        brief: What the researcher was told.
        space: The space; a number that lies outside of a range counts as its end.
        ignored: Keys that follow others and are no setting of their own.
    """
    origin = brief.origin or brief.facts.values
    said = {item.name: assignments(item.config) for item in brief.tried}
    outside = {name: _outside(each, origin, space, ignored) for name, each in said.items()}
    points = {item.name: _point(said[item.name], origin, space) for item in brief.tried}
    placed = [
        _Placed(place, outside[item.name], _level(item, brief), max(1, item.runs), item.status == "crash")
        for item in brief.tried
        if (item.value is not None or item.status in {"crash", ""})
        and (place := space.place(points[item.name])) is not None
    ]
    values = {key: lookup(brief.facts.values, key) for key in space}
    beside = outside.get(brief.parent, frozenset())
    settings = sorted(frozenset().union(beside, *(one.outside for one in placed)))
    here = space.place(values)
    middle = space.place(space.point(np.full(len(space.owners), 0.5))) if here is None else here
    assert middle is not None  # noqa: S101 - a point that the space itself gave
    return Past(
        values=values,
        here=_beside(middle, beside, settings),
        observed=_observed(placed, settings, space, brief),
        pending=_stacked([one for one in placed if one.level is None and not one.crashed], settings, space),
        known=sum(one.level is not None for one in placed),
        points=frozenset((_spelled(points[name]), outside[name]) for name in points),
        outside=beside,
    )


def _observed(
    placed: Sequence[_Placed], settings: Sequence[tuple[str, str]], space: Space, brief: Brief
) -> Observed | None:
    ran = [one for one in placed if one.level is not None]
    if not ran:
        return None
    taken = {(one.place.tobytes(), one.outside) for one in ran}
    lost = [one for one in placed if one.crashed and one.level is None]
    lost = [one for one in lost if (one.place.tobytes(), one.outside) not in taken]
    ran, lost = _telling(ran), lost[-(_MOST // 4) :]
    levels = _tamed(np.array([one.level for one in ran], dtype=np.float64), brief.noise or 0.0)
    return Observed(
        places=_stacked([*ran, *lost], settings, space),
        levels=np.concatenate([levels, np.full(len(lost), levels.min())]),
        runs=np.array([float(one.runs) for one in (*ran, *lost)]),
        owners=(*space.owners, *[len(space)] * len(settings)),
        noise=brief.noise,
        freedom=brief.repeats,
    )


def _telling(ran: Sequence[_Placed]) -> list[_Placed]:
    """The better half of `_MOST` by level and the rest by time, when there are more: newest last, as they came."""
    if len(ran) <= _MOST:
        return list(ran)
    by_level = sorted(range(len(ran)), key=lambda place: -(ran[place].level or 0.0))
    best = set(by_level[: _MOST // 2])
    newest = [place for place in range(len(ran)) if place not in best][-(_MOST - len(best)) :]
    return [ran[place] for place in sorted(best.union(newest))]


def _tamed(levels: Array, noise: float) -> Array:
    """Levels with the depth of a collapse taken out: how far below it fell says nothing about where the best lies.

    What lies further below the median than twice the best lies above it grows with the logarithm only.
    """
    middle = float(np.median(levels))
    room = max(2 * (float(levels.max()) - middle), 3 * noise)
    if room <= 0:
        return levels
    below = np.maximum(middle - room - levels, 0.0)
    tamed: Array = np.where(below > 0, middle - room - room * np.log1p(below / room), levels)
    return tamed


def _stacked(placed: Sequence[_Placed], settings: Sequence[tuple[str, str]], space: Space) -> Array:
    rows = [_beside(one.place, one.outside, settings) for one in placed]
    return np.array(rows).reshape(len(rows), len(space.owners) + len(settings))


def _beside(place: Array, outside: Settings, settings: Sequence[tuple[str, str]]) -> Array:
    return np.concatenate([place, [float(setting in outside) for setting in settings]])


def _level(item: Tried, brief: Brief) -> float | None:
    if item.value is None or not math.isfinite(item.value):
        return None
    return item.value if brief.objective.direction is Direction.MAXIMIZE else -item.value


def _point(said: Mapping[str, str], origin: Mapping[str, Any], space: Space) -> Point:
    return {key: said.get(key, lookup(origin, key)) for key in space}


def _outside(said: Mapping[str, str], origin: Mapping[str, Any], space: Space, ignored: frozenset[str]) -> Settings:
    """Settings outside of the space that differ from the recipe's own."""
    other = {key: value for key, value in said.items() if key not in space and key not in ignored}
    return _spelled(other) - _spelled({key: lookup(origin, key) for key in other})


def _spelled(values: Mapping[str, Any]) -> Settings:
    said = ((key, value if isinstance(value, str) else text(value)) for key, value in values.items())
    return frozenset((key, canonical(value)) for key, value in said)
