"""Ideas from a search over a declared or derived space; no model of language needed.

The first points are spread over the space. After them a `Surface` is fitted to everything that ran inside of it,
whoever proposed it, and the point with the largest expected improvement is next. All of it is made anew from the
ledger's digest for every proposal, so nothing is kept that a crash could lose.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from autoresearch.errors import CampaignError, UnfitError
from autoresearch.experiment.hypothesis import Brief, Hypothesis
from autoresearch.experiment.recipe_rules import ROLLOUT, broken
from autoresearch.guards.scope import Globs
from autoresearch.ports.researcher import Supply
from autoresearch.researchers.override_forms import Draft, OverrideForm, apply, is_number, lookup, missing, same, text
from autoresearch.researchers.search.candidates import Past, best_first, read_past, spread
from autoresearch.researchers.search.space import Point, Space, read_space
from autoresearch.researchers.search.surface import Array, Observed, Surface
from autoresearch.run.measurement import Direction

_BATCH = "policy.train_global_batch_size"

_COUNTED = 1000
"""Points of a space that are counted; of more, nobody could try all."""

_NAMED = 3
"""Knobs that a title names; the others are counted."""


@dataclass(frozen=True)
class _Options:
    """What a person may set.

    Attributes:
        space: Dotted key to a range or choices; default: derived from the recipe.
        seed: Of everything that is drawn.
        spread: Points spread over the space before the surface is believed.
        knobs: Most knobs one proposal turns, so that a verdict says something about a cause; None: all of them.
    """

    space: Space
    seed: int = 0
    spread: int = 3
    knobs: int | None = None


class SearchResearcher:
    """Proposes points of a search space: a Gaussian process with the campaign's own noise, and expected improvement.

    Args:
        options: `space` (dotted key to specification; default: derived from the recipe), `seed` (default: the
            campaign's first seed), `spread` (points spread over the space before the surface is believed, default 3),
            `knobs` (most knobs one proposal may turn, default all; a few, and a verdict says something about a cause).
        folder: Not used; the ledger is the memory.

    Raises:
        CampaignError: An option or the declared space is not understood.
    """

    name = "search"
    edits = False
    finite = False

    def __init__(self, *, options: Mapping[str, Any], folder: Path) -> None:  # noqa: ARG002 - see above
        self._options = _read(options)

    def supply(self, brief: Brief) -> Supply:
        """The space, or why there is none."""
        try:
            space = self._space(brief)
        except UnfitError as error:
            return Supply(str(error), 0)
        points = len(space.every(_COUNTED))
        return Supply(f"{f'{points} points of ' if points else ''}{', '.join(space)}", points - 1 if points else None)

    def belief(self, brief: Brief) -> str:
        """The surface's best points, what each knob does to it, what would be next, and where memory ran out."""
        try:
            space = self._space(brief)
        except UnfitError:
            return ""
        past = read_past(brief, space, ignored=frozenset({_BATCH}))
        following = next((point for point, expected in self._ranked(brief, space, past) if expected is not None), None)
        return _told(brief, space, past, following)

    def propose(self, brief: Brief, tree: Path) -> Hypothesis | None:  # noqa: ARG002 - the brief says it all
        """The next point that has not been tried, as overrides of what the parent has; None when there is none left.

        A point is absolute: the overrides set every knob of the space that the parent has otherwise, so that it is
        reached from any parent.

        Raises:
            UnfitError: There is no space, or the declared one holds a key that is unknown or protected.
        """
        space = self._space(brief)
        past = read_past(brief, space, ignored=frozenset({_BATCH}))
        for point, expected in self._ranked(brief, space, past):
            draft = _draft(brief, space, point)
            told = brief.repeats_earlier(draft.overrides)
            if draft.overrides and not told and not broken(brief.facts.values, draft.after(), brief.facts):
                return self._hypothesis(draft, space, brief, past, expected)
        return None

    def _ranked(self, brief: Brief, space: Space, past: Past) -> Iterator[tuple[Point, float | None]]:
        """Points that have not been tried, best first, each with the gain that is expected of it if any is known."""
        options, made = self._options, sum(item.source == self.name for item in brief.tried)
        if made < options.spread or past.observed is None:
            first = spread(space, past, max(options.spread, made + 1), options.knobs, options.seed)
            untried = [point for point in first[made:] if past.is_new(point)]
            yield from ((point, None) for point in untried)
        dice = np.random.default_rng([options.seed, brief.index])
        yield from best_first(space, past, options.knobs, dice)

    def _space(self, brief: Brief) -> Space:
        """The declared space checked against the recipe, or the derived one."""
        declared, values = self._options.space, brief.facts.values
        measuring = Globs(glob.replace(".", "/") for glob in brief.protect_keys)
        unknown = [key for key in declared if missing(lookup(values, key))]
        if unknown:
            raise UnfitError(f"search space: the recipe has no key {', '.join(unknown)}; correct its spelling")
        barred = [key for key in declared if measuring.match(key.replace(".", "/"))]
        if barred:
            raise UnfitError(f"search space: {', '.join(barred)} is protected; take it out of the space")
        space = declared or read_space({key: one for key, one in brief.facts.space.items() if key in values})
        if not space:
            raise UnfitError("there is nothing to search: give the researcher a `space` of keys the recipe has")
        return space

    def _hypothesis(self, draft: Draft, space: Space, brief: Brief, past: Past, expected: float | None) -> Hypothesis:
        moved = [key for key in draft.changed if key in space]
        named = ", ".join(f"{key.rsplit('.', 1)[-1]}={text(draft.changed[key])}" for key in moved[:_NAMED])
        more = f" and {len(moved) - _NAMED} more" if len(moved) > _NAMED else ""
        why = "One of the points spread over the space, before anything is concluded."
        if expected is not None:
            why = f"Largest expected improvement on a surface fitted to {past.known} configurations that ran."
        return Hypothesis(
            title=f"{named}{more}",
            area="search",
            overrides=tuple(draft.overrides),
            parent="incumbent",
            rationale=why,
            expected=expected,
            watch=(brief.objective.metric,),
            seeds=None if self._options.knobs else 1,
            source=self.name,
        )


def _read(given: Mapping[str, Any]) -> _Options:
    """Options of ours; `root` is the repository, which every researcher is told and this one does not need."""
    options = {name: value for name, value in given.items() if name != "root"}
    known = tuple(_Options.__dataclass_fields__)
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"it knows: {', '.join(known)}"
            raise CampaignError(f"researcher search has no option {name!r}; {hint}")
    for name, least in (("seed", 0), ("spread", 0), ("knobs", 1)):
        value = options.get(name, least)
        if not (isinstance(value, int) and is_number(value) and value >= least):
            raise CampaignError(f"researcher search: {name} must be a whole number from {least} on, not {value!r}")
    return _Options(**{**options, "space": read_space(options.get("space") or {})})


def _draft(brief: Brief, space: Space, point: Point) -> Draft:
    """The point as changes of what the parent has, those that move most first; the batch follows its factors."""
    values, draft = brief.facts.values, Draft(brief.facts.values)
    moved = [key for key, value in point.items() if not same(value, lookup(values, key))]
    for key in sorted(moved, key=lambda key: -space.distance(key, lookup(values, key), point[key])):
        draft.put(key, point[key])
    for algorithm in sorted(brief.facts.traits.intersection(ROLLOUT)):
        factors = (f"{algorithm}.num_prompts_per_step", f"{algorithm}.num_generations_per_prompt")
        if draft.changed.keys() & set(factors) and _BATCH not in draft.changed and _BATCH in values:
            apply(draft, _BATCH, OverrideForm(follows=factors), str)
    return draft


_LEAST = 3
"""Configurations without which nothing is said: a surface over fewer is its prior."""

_BEST, _KNOBS, _LACKED = 3, 5, 3
_SWEEP = 9
"""Places along a knob at which it is looked at."""

_MEMORY = "memory"


def _told(brief: Brief, space: Space, past: Past, following: Point | None) -> str:
    """The belief as Markdown, a line each; empty where too little ran.

    Args:
        brief: What the researcher was told.
        space: What is searched.
        past: What ran, seen from the parent.
        following: The point that would be proposed next, None for none.
    """
    seen = past.observed
    if seen is None or past.known < _LEAST:
        return ""
    surface = Surface(seen, np.random.default_rng(0))
    sign = 1 if brief.objective.direction is Direction.MAXIMIZE else -1
    axes = len(space.owners)
    ranked = seen.places[np.argsort(-surface.level(seen.places))]
    lines = [
        f"- fitted to {past.known} configurations over {len(space)} knobs; errors are one standard deviation of the fit"
    ]
    lines += [f"- {line}" for line in _best_points(space, ranked, surface, seen, sign)]
    lines += [f"- {line}" for line in _knobs(space, ranked[0], surface, sign)]
    place = None if following is None else space.place(following)
    if following is not None and place is not None:
        next_place = np.concatenate([place, past.here[axes:]])
        gain, error = surface.gain(next_place, past.here)
        lines.append(f"- it would try next {_words(following)}: predicted gain {gain:+.3g} +- {error:.2g}")
    lines += [f"- {line}" for line in _memory(brief, space)]
    return "\n".join(lines)


def _best_points(space: Space, ranked: Array, surface: Surface, seen: Observed, sign: int) -> list[str]:
    shown: dict[str, str] = {}
    for place in ranked:
        words = _words(space.point(place[: len(space.owners)]))
        if words in shown or len(shown) == _BEST:
            continue
        level, error = surface.level_and_error(place)
        behind = float(seen.runs[(seen.places == place).all(1)].sum())
        runs = f"{behind:g} run{'s' * (behind != 1)}"
        shown[words] = f"best by the surface: {words}: {sign * level:.4g} +- {error:.2g} ({runs})"
    return list(shown.values())


def _knobs(space: Space, best: Array, surface: Surface, sign: int) -> list[str]:
    """Per knob what its whole range makes of the best point, the strongest first."""
    found = []
    for number, key in enumerate(space):
        own = [at for at, owner in enumerate(space.owners) if owner == number]
        sweep = _sweep(space, best, own)
        levels = surface.level(sweep)
        top, bottom = int(levels.argmax()), int(levels.argmin())
        values = [text(space.point(place[: len(space.owners)])[key]) for place in sweep[[top, bottom]]]
        found.append((float(levels[top] - levels[bottom]), key, values, sign * levels[top], sign * levels[bottom]))
    return [
        f"`{key}` moves it by {size:.3g}: {high:.4g} at {values[0]}, {low:.4g} at {values[1]}"
        for size, key, values, high, low in sorted(found, key=lambda one: -one[0])[:_KNOBS]
    ]


def _sweep(space: Space, best: Array, own: list[int]) -> Array:
    """The best point with one knob elsewhere: over its range, or at each of its choices."""
    shares = np.linspace(0, 1, _SWEEP)[:, None] if len(own) == 1 else np.eye(len(own))
    places = np.repeat(best[None], len(shares), axis=0)
    places[:, own] = shares
    places[:, : len(space.owners)] = space.snapped(places[:, : len(space.owners)])
    return places


def _memory(brief: Brief, space: Space) -> list[str]:
    """The knobs of what ran out of memory, newest first."""
    lost = [one for one in brief.tried if one.status == "crash" and _MEMORY in one.reason.lower()]
    named = [[word for word in one.config if word.lstrip("+").partition("=")[0] in space] for one in lost]
    shown = [f"#{one.index} {' '.join(words)}" for one, words in zip(lost, named, strict=True) if words]
    few = f"; {'; '.join(shown[: -_LACKED - 1 : -1])}" if shown else ""
    return [f"{len(lost)} of {len(brief.tried)} ideas ran out of memory{few}"] if lost else []


def _words(point: Point) -> str:
    shown = [f"{key}={text(value)}" for key, value in point.items()]
    more = f" and {len(shown) - _KNOBS} more" if len(shown) > _KNOBS else ""
    return f"`{' '.join(shown[:_KNOBS])}`{more}"
