"""Overrides computed from a recipe's present values: a handful of forms, no expressions, nothing is evaluated.

A recipe is seen as its resolved values by dotted key (`Facts.values`). Lists are one value there; `a.0.b` reaches into
them as hydra's overrides do.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

_MISSING = object()

_FORMS = ("to", "times", "plus", "power_of_two", "follows", "product", "same_as", "root_of")


class Written(BaseModel):
    """Something a person writes in a book of plays."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OverrideForm(Written):
    """The new value of one key. A bare value means `to`."""

    to: Any = None
    """This value."""
    times: float | None = None
    """The present value, times this."""
    plus: float | None = None
    """The present value, plus this."""
    power_of_two: Literal["up", "down"] | None = None
    """The next power of two above or below the present value."""
    follows: tuple[str, ...] = ()
    """Keeps its ratio to the product of these keys. Written as an interpolation where the two are equal, so that later
    changes keep them together, too."""
    product: tuple[str, ...] = ()
    """The product of these two keys, written as an interpolation."""
    same_as: str = ""
    """The value that another key has after this play."""
    root_of: str = ""
    """The present value, times the square root of how much this key has grown since the present value was chosen; a key
    that shrank makes it smaller."""
    of: str = ""
    """`times` and `plus` start from this key's value, not from the present one."""
    at_least: float | None = None
    """Lower bound of the result."""
    at_most: float | None = None
    """Upper bound of the result."""
    whole: bool = False
    """The result must be a whole number, or the play does not apply."""
    multiple_of: int | None = None
    """Round up to a multiple of this."""

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, written: Any) -> Any:
        return written if isinstance(written, Mapping) else {"to": written}

    @model_validator(mode="after")
    def _has_one_form(self) -> "OverrideForm":
        forms = set(_FORMS) & self.model_fields_set
        if len(forms) != 1:
            raise ValueError(f"a change is a bare value, or exactly one of {', '.join(_FORMS)}")
        return self


class Condition(Written):
    """What the present value of a key must be. A bare value means `is`."""

    equals: Any = None
    """Exactly this; null for unset."""
    is_not: Any = None
    """Anything but this; a key the recipe does not have passes."""
    below: float | None = None
    """A number below this."""
    above: float | None = None
    """A number above this."""
    has: str = ""
    """Text that contains this, upper and lower case alike."""

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, written: Any) -> Any:
        return written if isinstance(written, Mapping) else {"equals": written}

    def holds(self, value: Any) -> bool:
        """Whether a value passes; `MISSING` stands for a key the recipe does not have."""
        if value is _MISSING:
            return self.model_fields_set == {"is_not"}
        if "equals" in self.model_fields_set and not same(value, self.equals):
            return False
        if "is_not" in self.model_fields_set and same(value, self.is_not):
            return False
        if self.below is not None and not (is_number(value) and value < self.below):
            return False
        if self.above is not None and not (is_number(value) and value > self.above):
            return False
        return self.has.lower() in str(value).lower()


def lookup(values: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key, also inside a list; `MISSING` (see `missing`) when there is none."""
    if key in values:
        return values[key]
    steps = key.split(".")
    for cut in range(len(steps) - 1, 0, -1):
        head = ".".join(steps[:cut])
        if isinstance(values.get(head), list | tuple):
            return _inside(values[head], steps[cut:])
    return _MISSING


def missing(value: Any) -> bool:
    """Whether `lookup` found no such key."""
    return value is _MISSING


def _inside(node: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(node, list | tuple) and step.isdigit() and int(step) < len(node):
            node = node[int(step)]
        elif isinstance(node, Mapping) and step in node:
            node = node[step]
        else:
            return _MISSING
    return node


def same(one: Any, other: Any) -> bool:
    """Equality as a recipe means it: 1 is 1.0, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if is_number(one) and is_number(other):
        return math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other)


def text(value: Any) -> str:
    """A value as an override spells it; floats always read back as floats, also by strict YAML 1.1 readers.

    Fifteen digits: every number that a person writes comes back as written, and 0.1 + 0.2 is 0.3.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        mantissa, exponent, power = f"{value:.15g}".partition("e")
        return (mantissa if "." in mantissa else f"{mantissa}.0") + exponent + power
    if isinstance(value, list | tuple):
        return f"[{','.join(map(text, value))}]"
    return str(value)


def effective(config: Iterable[str]) -> frozenset[tuple[str, str]]:
    """Accumulated overrides as one value per key, spelled in one way, so that equal settings compare equal."""
    return frozenset((key, canonical(value)) for key, value in assignments(config).items())


def assignments(config: Iterable[str]) -> dict[str, str]:
    """The last value of each key, as written."""
    return dict(override.lstrip("+").partition("=")[::2] for override in config)


def canonical(value: str) -> str:
    """One spelling for all spellings of a value: `3`, `3.0` and `+3` are equal, and so are `'a'` and `a`."""
    bare = "".join(value.split()).strip("'\"")
    try:
        return f"{float(bare):.15g}"
    except ValueError:
        return bare.lower() if bare.lower() in {"true", "false", "null"} else bare


@dataclass
class Draft:
    """New values of a recipe, in the making.

    Attributes:
        values: The recipe as it is, with what holds where it says nothing.
        earlier: What a key (the second) was when another's value (the first) was chosen; None when that is not known.
        silent: Keys that the recipe itself says nothing about.
        changed: New values by key.
        overrides: The same as overrides, in the order of the changes.
    """

    values: Mapping[str, Any]
    earlier: Callable[[str, str], Any] = lambda _key, _other: None
    silent: Collection[str] = ()
    changed: dict[str, Any] = field(default_factory=dict)
    overrides: list[str] = field(default_factory=list)

    def now(self, key: str) -> Any:
        """The value of a key after the changes so far."""
        return self.changed[key] if key in self.changed else lookup(self.values, key)

    def put(self, key: str, value: Any, spelled: str = "") -> None:
        """Set a key; `spelled` is how the override says it, if not by its plain value."""
        self.changed[key] = value
        self.overrides.append(f"{'++' if key in self.silent else ''}{key}={spelled or text(value)}")

    def after(self) -> dict[str, Any]:
        """All values with the changes on top."""
        return {**self.values, **self.changed}


def apply(draft: Draft, key: str, change: OverrideForm, resolve: Callable[[str], str | None]) -> bool:
    """Add one change to a draft; False when it cannot be made of what the recipe has.

    Args:
        draft: Changed in place.
        key: The key, which the recipe has.
        change: Its new value.
        resolve: Turns a name (`$lr`) into this recipe's key, None when it has none.
    """
    names = [resolve(name) for name in (change.follows or change.product or _source(change, key))]
    sources = [name for name in names if name is not None and lookup(draft.values, name) is not _MISSING]
    if len(sources) < len(names):
        return False
    if change.follows:
        return _follow(draft, key, sources)
    if change.product:
        return _multiply(draft, key, sources)
    if "to" in change.model_fields_set or change.same_as:
        draft.put(key, draft.now(sources[0]) if change.same_as else change.to)
        return True
    if change.root_of:
        return _grow(draft, key, sources[0])
    return _scale(draft, key, change, draft.now(sources[0]))


def _source(change: OverrideForm, key: str) -> tuple[str, ...]:
    return (change.same_as or change.root_of or change.of or key,)


def _grow(draft: Draft, key: str, leader: str) -> bool:
    """Follow a leader that changed since the key's value was chosen, by the square root of its growth."""
    value, old, new = draft.now(key), draft.earlier(key, leader), draft.now(leader)
    if not all(map(is_number, (value, old, new))) or old <= 0 or new <= 0 or same(old, new):
        return False
    draft.put(key, float(f"{value * math.sqrt(new / old):.6g}"))
    return True


def _scale(draft: Draft, key: str, change: OverrideForm, value: Any) -> bool:
    number = _scaled(change, value) if is_number(value) else None
    if number is None:
        return False
    whole = isinstance(value, int) and number == int(number)
    draft.put(key, int(number) if whole or change.whole or change.multiple_of else float(f"{number:.6g}"))
    return True


def _scaled(change: OverrideForm, value: float) -> float | None:
    """The new number, None where there is none that the form allows."""
    if change.power_of_two and value <= 0:
        return None
    number = value * (change.times if change.times is not None else 1) + (change.plus or 0)
    if change.power_of_two == "up":
        number = 2 ** (math.floor(math.log2(value)) + 1)
    elif change.power_of_two == "down":
        number = 2 ** (math.ceil(math.log2(value)) - 1)
    number = max(number, change.at_least) if change.at_least is not None else number
    number = min(number, change.at_most) if change.at_most is not None else number
    if change.multiple_of:
        return math.ceil(number / change.multiple_of) * change.multiple_of
    impossible = number != int(number) if change.whole or change.power_of_two else False
    return None if impossible or (change.whole and number < 1) else number


def _follow(draft: Draft, key: str, leaders: list[str]) -> bool:
    """Keep the ratio of `key` to the product of `leaders`."""
    present = lookup(draft.values, key)
    old, new = [lookup(draft.values, name) for name in leaders], [draft.now(name) for name in leaders]
    if len(leaders) == 1 and same(present, old[0]):
        draft.put(key, new[0], f"${{{leaders[0]}}}")
        return True
    if not all(map(is_number, (present, *old, *new))) or not math.prod(old):
        return False
    if same(present, math.prod(old)):
        return _multiply(draft, key, leaders)
    number = present * math.prod(new) / math.prod(old)
    if isinstance(present, int) and number != int(number):
        return False
    draft.put(key, int(number) if isinstance(present, int) else float(f"{number:.6g}"))
    return True


def _multiply(draft: Draft, key: str, factors: list[str]) -> bool:
    """Tie `key` to the product of two others."""
    values = [draft.now(name) for name in factors]
    if len(factors) != 2 or not all(map(is_number, values)):
        return False
    inner = ",".join(f"${{{name}}}" for name in factors)
    draft.put(key, math.prod(values), f"'${{mul:{inner}}}'")
    return True


def is_number(value: Any) -> bool:
    """Whether a value is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
