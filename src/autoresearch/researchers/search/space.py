"""A search space: knobs a person declares or a target derives, and their places on a cube of unit sides.

A number has one axis, from 0 at `low` to 1 at `high`. Choices that are numbers are steps of one axis, in order; other
choices have an axis each, so that any two of them are equally far apart.
"""

import math
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from autoresearch.errors import CampaignError, mistakes
from autoresearch.researchers.override_forms import canonical, is_number, text

Array = NDArray[np.float64]
Point = dict[str, Any]
"""A value for every knob of a space, by dotted key."""

_APART = 1 / math.sqrt(2)
"""A choice on its own axis lies here, so that two different ones are 1 apart."""

_PLACES = 1000
"""Values that a float has at least, evenly over its range, however narrow the range is beside its ends."""
_FINEST = 1e-13
"""Part of a float below which a digit is an accident of arithmetic."""


class Dimension(BaseModel):
    """One dimension of the space."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = "float"
    """`float`, `int` or `categorical`."""
    low: float | None = None
    """Smallest value of a number."""
    high: float | None = None
    """Largest value of a number."""
    log: bool = False
    """Whether to search on a logarithmic scale."""
    choices: tuple[Any, ...] = ()
    """Values of a categorical."""

    @model_validator(mode="after")
    def _is_a_range(self) -> "Dimension":
        if self.type == "categorical":
            if len({text(choice) for choice in self.choices}) < 2:
                raise ValueError("a categorical needs at least two choices")
        elif self.type not in {"float", "int"}:
            raise ValueError(f"type {self.type!r} is none of float, int, categorical")
        elif self.low is None or self.high is None or not -math.inf < self.low < self.high < math.inf:
            raise ValueError("a number needs low < high")
        elif self.log and self.low <= 0:
            raise ValueError("a logarithmic scale needs low > 0")
        elif not math.isfinite(self.high / self.low if self.log else self.high - self.low):
            raise ValueError("low and high are too far apart for the arithmetic of floats")
        elif (
            self.type == "float" and not _FINEST * max(abs(self.low), abs(self.high)) < (self.high - self.low) / _PLACES
        ):
            raise ValueError("low and high are too close for the arithmetic of floats")
        elif self.type == "int" and math.ceil(self.low) >= math.floor(self.high):
            raise ValueError("an int needs at least two whole numbers between low and high")
        return self

    @cached_property
    def steps(self) -> tuple[Any, ...]:
        """Every value it can have, in order; empty for what cannot be counted."""
        if self.type == "categorical":
            ordered = all(map(is_number, self.choices))
            return tuple(sorted(self.choices)) if ordered else self.choices
        if self.type == "int" and self._ends[1] - self._ends[0] < 1000:
            return tuple(range(int(self._ends[0]), int(self._ends[1]) + 1))
        return ()

    @property
    def axes(self) -> int:
        """Axes it takes of the cube."""
        return len(self.choices) if self._nominal else 1

    def place(self, value: Any) -> Array | None:
        """Where a value lies; None for what is no number where the knob has numbers.

        A number outside of the range lies at its end, one between two steps lies between them, and what is none of the
        choices lies as far from each of them.
        """
        if self._nominal:
            said = canonical(value if isinstance(value, str) else text(value))
            return np.array([_APART * (canonical(text(choice)) == said) for choice in self.steps])
        try:
            number = float(value)
        except (TypeError, ValueError):
            return None
        if not math.isfinite(number):
            return None
        if self.type == "categorical":
            return np.interp([number], self.steps, np.linspace(0, 1, len(self.steps)))
        low, high = self._ends
        number = min(max(number, low), high)
        return np.array([math.log(number / low) / math.log(high / low) if self.log else (number - low) / (high - low)])

    def value(self, place: Array) -> Any:
        """The value nearest to a place; floats have as few digits as keep `_PLACES` of them apart."""
        if self._nominal:
            return self.steps[int(place.argmax())]
        share = min(max(float(place[0]), 0.0), 1.0)
        if self.type == "categorical":
            return self.steps[round(share * (len(self.steps) - 1))]
        low, high = self._ends
        number = low ** (1 - share) * high**share if self.log else low * (1 - share) + high * share
        return round(number) if self.type == "int" else min(max(self._short(number), low), high)

    def snapped(self, places: Array) -> Array:
        """The nearest places of values it can have, shape (n, axes)."""
        if not self.steps:
            return places
        if self._nominal:
            chosen: Array = _APART * np.eye(self.axes)[places.argmax(1)]
            return chosen
        marks = np.concatenate([place for step in self.steps if (place := self.place(step)) is not None])
        nearest: Array = marks[np.abs(places - marks).argmin(1)][:, None]
        return nearest

    def _short(self, number: float) -> float:
        """The nearest number with no digit that the range has no use for; short numbers stay as they are.

        Every number of a linear range ends at one decimal. On a logarithmic one the decimal follows the number, coarser
        from 1, 2 and 5 of each decade on: those are themselves short, so that what was rounded once stays the same.
        """
        low, high = self._ends
        exact = Decimal(number)
        if self.log:
            part = min(math.log(high / low) / _PLACES, 0.1)
            lead = max(first for first in (1, 2, 5) if first <= max(1, exact.as_tuple().digits[0]))
            power = exact.adjusted() + math.floor(math.log10(part * lead))
        else:
            power = math.floor(math.log10((high - low) / _PLACES))
        return float(exact.quantize(Decimal(1).scaleb(power)))

    @property
    def _nominal(self) -> bool:
        return self.type == "categorical" and not all(map(is_number, self.choices))

    @property
    def _ends(self) -> tuple[float, float]:
        assert self.low is not None and self.high is not None  # noqa: PT018, S101 - validated
        return (math.ceil(self.low), math.floor(self.high)) if self.type == "int" else (self.low, self.high)


class Space(dict[str, Dimension]):
    """Knobs by dotted key, and the cube they span."""

    @cached_property
    def owners(self) -> tuple[int, ...]:
        """For every axis of the cube, which knob it belongs to, counted from 0."""
        return tuple(number for number, knob in enumerate(self.values()) for _ in range(knob.axes))

    def place(self, point: Mapping[str, Any]) -> Array | None:
        """A point on the cube, shape (axes,); None when a knob has no value, or one that it cannot have."""
        parts = [knob.place(point[key]) if key in point else None for key, knob in self.items()]
        known = [part for part in parts if part is not None]
        return np.concatenate(known) if len(known) == len(parts) else None

    def point(self, place: Array) -> Point:
        """The point nearest to a place on the cube."""
        found, at = {}, 0
        for key, knob in self.items():
            found[key] = knob.value(place[at : at + knob.axes])
            at += knob.axes
        return found

    def snapped(self, places: Array) -> Array:
        """The nearest places where every knob has a value it can have, shape (n, axes)."""
        parts, at = [], 0
        for knob in self.values():
            parts.append(knob.snapped(places[:, at : at + knob.axes]))
            at += knob.axes
        return np.concatenate(parts, axis=1)

    def distance(self, key: str, one: Any, other: Any) -> float:
        """How far a knob moves between two values, in sides of the cube; 0 where one of them has no place."""
        places = self[key].place(one), self[key].place(other)
        return 0.0 if places[0] is None or places[1] is None else float(np.linalg.norm(places[0] - places[1]))

    def every(self, most: int) -> list[Point]:
        """All points, if there are at most so many; none otherwise."""
        steps = [knob.steps for knob in self.values()]
        if not all(steps) or math.prod(map(len, steps)) > most:
            return []
        return [dict(zip(self, values, strict=True)) for values in islice(product(*steps), most)]


def read_space(document: Mapping[str, Any]) -> Space:
    """Validate a declared space: dotted recipe key to a specification, or `[low, high]`, or a list of choices.

    Raises:
        CampaignError: A knob is not understood; the text names it.
    """
    return Space({str(key): _knob(str(key), spec) for key, spec in document.items()})


def _knob(key: str, spec: Any) -> Dimension:
    try:
        return Dimension.model_validate(_spelled_out(spec))
    except ValidationError as error:
        raise CampaignError(
            f"search space, {key}: {mistakes(Dimension, error)[0].removeprefix('file: ')}; "
            "write for example {type: float, low: 1e-6, high: 1e-4, log: true}"
        ) from None


def _spelled_out(spec: Any) -> Any:
    """`[low, high]` and a list of choices as the mapping they stand for."""
    if not isinstance(spec, list | tuple):
        return spec
    if len(spec) == 2 and all(map(is_number, spec)):
        whole = all(isinstance(end, int) for end in spec)
        return {"type": "int" if whole else "float", "low": spec[0], "high": spec[1]}
    return {"type": "categorical", "choices": spec}
