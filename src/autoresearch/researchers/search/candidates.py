"""Points worth proposing: spread evenly to begin with, then those that a surface expects most.

What a campaign has tried are places in a search space: the ledger's digest, read anew for every proposal.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoresearch.experiment.hypothesis import Brief, Tried
from autoresearch.researchers.override_forms import assignments, canonical, lookup, text
from autoresearch.researchers.search.space import Point, Space
from autoresearch.researchers.search.surface import Observed, Surface
from autoresearch.run.measurement import Direction

_MOST = 160
"""Configurations that a surface is fitted to at most: time and memory grow with the third and second power of them."""

Settings = frozenset[tuple[str, str]]
"""Keys and values, spelled in one way."""

Array = NDArray[np.float64]

_SMALL = 2048
"""Spaces of at most so many points are gone through whole."""

_WIDE, _NEAR = 512, 80
"""Places drawn from the whole cube, and around each of the best known at each width."""

_WIDTHS = (0.05, 0.15, 0.3)
_CLOSER = (0.08, 0.03)
"""Widths of the neighbourhoods that are looked at, and of those around the best candidates after that."""

_STEP = 0.15
"""Distance in sides of the cube that a proposal keeps from all others where noise hides how levels differ."""


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
    """One experiment in the space; `level` is better when higher, and None for a crash or while nothing has run.

    `partial` as `Tried` has it.
    """

    place: Array
    outside: Settings
    level: float | None
    runs: int
    crashed: bool
    partial: bool


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
    points = {item.name: _point_of(said[item.name], origin, space) for item in brief.tried}
    placed = [
        _Placed(place, outside[item.name], _level(item, brief), max(1, item.runs), item.status == "crash", item.partial)
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
        here=_beside_settings(middle, beside, settings),
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
    levels = _tamed(_ordinary_at_most(ran), brief.noise or 0.0)
    return Observed(
        places=_stacked([*ran, *lost], settings, space),
        levels=np.concatenate([levels, np.full(len(lost), levels.min())]),
        runs=np.array([float(one.runs) for one in (*ran, *lost)]),
        owners=(*space.owners, *[len(space)] * len(settings)),
        noise=brief.noise,
        freedom=brief.repeats,
    )


def _ordinary_at_most(ran: Sequence[_Placed]) -> Array:
    """Levels, those of runs that were ended early no higher than the median of the others.

    Such a run was ended because it would end worse than most; what it had reached by then is no level to climb to.
    """
    levels = np.array([one.level for one in ran], dtype=np.float64)
    partial = np.array([one.partial for one in ran])
    if partial.all() or not partial.any():
        return levels
    kept: Array = np.where(partial, np.minimum(levels, np.median(levels[~partial])), levels)
    return kept


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
    rows = [_beside_settings(one.place, one.outside, settings) for one in placed]
    return np.array(rows).reshape(len(rows), len(space.owners) + len(settings))


def _beside_settings(place: Array, outside: Settings, settings: Sequence[tuple[str, str]]) -> Array:
    return np.concatenate([place, [float(setting in outside) for setting in settings]])


def _level(item: Tried, brief: Brief) -> float | None:
    if item.value is None or not math.isfinite(item.value):
        return None
    return item.value if brief.objective.direction is Direction.MAXIMIZE else -item.value


def _point_of(said: Mapping[str, str], origin: Mapping[str, Any], space: Space) -> Point:
    return {key: said.get(key, lookup(origin, key)) for key in space}


def _outside(said: Mapping[str, str], origin: Mapping[str, Any], space: Space, ignored: frozenset[str]) -> Settings:
    """Settings outside of the space that differ from the recipe's own."""
    other = {key: value for key, value in said.items() if key not in space and key not in ignored}
    return _spelled(other) - _spelled({key: lookup(origin, key) for key in other})


def _spelled(values: Mapping[str, Any]) -> Settings:
    said = ((key, value if isinstance(value, str) else text(value)) for key, value in values.items())
    return frozenset((key, canonical(value)) for key, value in said)


def spread(space: Space, past: Past, count: int, knobs: int | None, seed: int) -> list[Point]:
    """So many points, evenly over the range of every knob (a Latin hypercube)."""
    dice = np.random.default_rng(seed)
    axes = len(space.owners)
    strata = np.array([dice.permutation(count) for _ in range(axes)]).T
    places = (strata + dice.random((count, axes))) / count
    return [_point(space, past, place) for place in _reach(space, past, places, knobs, dice)]


def best_first(space: Space, past: Past, knobs: int | None, dice: np.random.Generator) -> Iterator[tuple[Point, float]]:
    """Points that were not tried, with the gain over the parent that is expected of each.

    Ordered by expected improvement over the best place known. Experiments that have not run yet count as having
    brought what is expected of them, so that parallel proposals do not crowd. Points too near to one that was tried
    come last: their run would only measure that one again, under another name.
    """
    seen = past.observed
    if seen is None:
        return
    surface = Surface(seen, dice)
    if len(past.pending):
        levels = np.concatenate([seen.levels, surface.level(past.pending)])
        places = np.concatenate([seen.places, past.pending])
        runs = np.concatenate([seen.runs, np.ones(len(past.pending))])
        seen = Observed(
            places=places, levels=levels, runs=runs, owners=seen.owners, noise=seen.noise, freedom=seen.freedom
        )
        surface = Surface(seen, dice)
    places, hopes = _candidates(space, past, surface, seen, knobs, dice)
    best = np.argsort(-hopes, kind="stable")
    near = _near_copies(_beside(past, places[best]), seen)
    for place in (*best[~near], *best[near]):
        point = _point(space, past, places[place])
        if past.is_new(point):
            levels = surface.level(np.stack([*_beside(past, places[[place]]), past.here]))
            yield point, float(levels[0] - levels[1])


def _near_copies(places: Array, seen: Observed) -> NDArray[np.bool_]:
    """Which of the places lie nearer to one that was tried than noise lets levels be told apart.

    Without noise every step is worth a look; where levels differ by no more than noise does, `_STEP` is the least.
    """
    spread = float(np.std(seen.levels))
    share = min(1.0, (seen.noise or 0.0) / spread) if spread else 1.0
    gaps = ((places[:, None, :] - seen.places[None, :, :]) ** 2).sum(-1).min(1)
    near: NDArray[np.bool_] = gaps < (_STEP * share) ** 2
    return near


def _candidates(
    space: Space, past: Past, surface: Surface, seen: Observed, knobs: int | None, dice: np.random.Generator
) -> tuple[Array, Array]:
    """Places and the improvement expected of each."""

    def hope(places: Array) -> Array:
        return surface.improvement(_beside(past, places), seen.places)

    if small := space.every(_SMALL):
        grid = np.array([place for point in small if (place := space.place(point)) is not None])
        places = np.concatenate([_within(space, past, grid, knobs), _reach(space, past, grid, knobs, dice)])
        return places, hope(places)
    axes = len(space.owners)
    best = seen.places[np.argsort(-surface.level(seen.places))[:3], :axes]
    near = [_nudged(best, width, dice) for width in _WIDTHS]
    drawn = np.concatenate([dice.random((_WIDE, axes)), *near])
    places = _reach(space, past, drawn, knobs, dice)
    hopes = hope(places)
    for width in _CLOSER:
        best = places[np.argsort(-hopes)[:4]]
        closer = _reach(space, past, _nudged(best, width, dice), knobs, dice)
        places, hopes = np.concatenate([places, closer]), np.concatenate([hopes, hope(closer)])
    return places, hopes


def _nudged(places: Array, width: float, dice: np.random.Generator) -> Array:
    """Neighbours, each otherwise on about half of its axes."""
    many = np.repeat(places, _NEAR, axis=0)
    moves = width * dice.standard_normal(many.shape) * (dice.random(many.shape) < 0.5)
    return np.clip(many + moves, 0.0, 1.0)


def _reach(space: Space, past: Past, places: Array, knobs: int | None, dice: np.random.Generator) -> Array:
    """The same places with values that knobs can have, and at most so many knobs turned from where the parent is."""
    snapped = space.snapped(places)
    if knobs is None or knobs >= len(space):
        return snapped
    owners, here = np.array(space.owners), past.here[: len(space.owners)]
    turned = _turned(snapped, here, owners, len(space))
    order = np.argsort(np.where(turned, dice.random(turned.shape), 2.0), axis=1)
    chosen = np.zeros(turned.shape, dtype=bool)
    np.put_along_axis(chosen, order[:, :knobs], values=True, axis=1)
    return np.where((chosen & turned)[:, owners], snapped, here)


def _within(space: Space, past: Past, places: Array, knobs: int | None) -> Array:
    """Those of the places that turn at most so many knobs."""
    owners, here = np.array(space.owners), past.here[: len(space.owners)]
    turned = _turned(places, here, owners, len(space)).sum(1)
    kept: Array = places[turned <= (knobs or len(space))]
    return kept


def _turned(places: Array, here: Array, owners: NDArray[np.int_], knobs: int) -> NDArray[np.bool_]:
    """Which knobs lie elsewhere than with the parent, shape (places, knobs)."""
    moved = ~np.isclose(places, here, atol=1e-9)
    return np.array([moved[:, owners == knob].any(1) for knob in range(knobs)]).T


def _beside(past: Past, places: Array) -> Array:
    """Places of the space with the parent's settings outside of it."""
    rest = past.here[places.shape[1] :]
    return np.concatenate([places, np.broadcast_to(rest, (len(places), len(rest)))], axis=1)


def _point(space: Space, past: Past, place: Array) -> Point:
    """The point at a place; a knob that was not turned keeps the parent's value to the last digit."""
    here = past.here[: len(space.owners)]
    turned = _turned(place[None], here, np.array(space.owners), len(space))[0]
    point = space.point(place)
    return {key: value if turned[at] else past.values[key] for at, (key, value) in enumerate(point.items())}
