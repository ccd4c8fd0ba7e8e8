"""Points worth proposing: spread evenly to begin with, then those that a surface expects most of."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from autoresearch.researchers.search.past import Past
from autoresearch.researchers.search.space import Point, Space
from autoresearch.researchers.search.surface import Observed, Surface

Array = NDArray[np.float64]

_SMALL = 2048
"""Spaces of at most so many points are gone through whole."""

_WIDE, _NEAR = 512, 80
"""Places drawn from the whole cube, and around each of the best known at each width."""

_WIDTHS = (0.05, 0.15, 0.3)
_CLOSER = (0.08, 0.03)
"""Widths of the neighbourhoods that are looked at, and of those around the best candidates after that."""


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
    brought what is expected of them, so that parallel proposals do not crowd.
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
    for place in best:
        point = _point(space, past, places[place])
        if past.is_new(point):
            levels = surface.level(np.stack([*_beside(past, places[[place]]), past.here]))
            yield point, float(levels[0] - levels[1])


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
