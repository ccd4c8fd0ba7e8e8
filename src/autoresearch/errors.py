"""Failures of the program itself, one class per boundary a failure can cross.

An experiment that fails (out of memory, NaN, time-out, no metric) is a row in the ledger and never an exception.
These classes are for everything else: the campaign file is wrong, the disk is full, the scheduler is gone.

```text
AutoresearchError            exit code 1, one clear line
├── UsageError               exit code 2: wrong usage of the command line
├── CampaignError            what a person wrote: campaign file, stop words, hypothesis list
├── RecipeError              a recipe, its parents or its overrides
├── RepositoryError          git, or the state of the user's repository
├── LedgerError              ledger, journal or notes cannot be read or do not agree
├── StorageError             the disk: full, read-only, gone
├── HeldError                another controller holds the campaign
├── LauncherError            a launcher or its scheduler: no answer, or none that can be understood
│   ├── RefusedError         it answered: never, as the request stands
│   └── NotNowError          it answered: not now, ask again
├── ResearcherError          a researcher (agent, list, search) could not do its part
│   ├── FruitlessError       it works, and this time no idea came of it: the next one is asked
│   └── UnfitError           it never can in this campaign: nobody waits for it
└── PluginError              an adapter: unknown, claimed twice, or broken in another package
```

Messages say what happened, to what, and what to do now.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from enum import Enum
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Union, cast, get_args, get_origin

if TYPE_CHECKING:
    from pydantic import ValidationError

_LONGEST_SHOWN = 60


class AutoresearchError(Exception):
    """Base of all expected failures; the text is one clear line that says what to do."""

    exit_code = 1


class UsageError(AutoresearchError):
    """The command line cannot be executed as typed."""

    exit_code = 2


class CampaignError(AutoresearchError):
    """Something written for a campaign (file, stop rule, option) is wrong."""


class RecipeError(AutoresearchError):
    """A recipe, one of its parents, or an override is wrong."""


class RepositoryError(AutoresearchError):
    """Git refused, or the repository is not in a state to work from."""


class LedgerError(AutoresearchError):
    """The ledger, the journal or the notes are damaged and cannot be repaired automatically."""


class StorageError(AutoresearchError):
    """The disk is full, read-only or gone; nothing already recorded is lost."""


class HeldError(AutoresearchError):
    """Another controller is working on this campaign."""


class LauncherError(AutoresearchError):
    """A launcher or its scheduler could not do what was asked: it did not answer, or nobody knows what it meant.

    Waited out: nothing is concluded from it.
    """


class RefusedError(LauncherError):
    """A launcher's scheduler answered, and refuses for good: a wrong account, more than any node has, no permission.

    Asking again changes nothing. The campaign begins nothing more and stops; the run is submitted when it is continued.
    """


class NotNowError(LauncherError):
    """A launcher's scheduler answered, and takes nothing more at the moment: a limit of jobs per user, a quota, 429.

    Only this submission is held back; the runs in flight are followed as ever.
    """


class ResearcherError(AutoresearchError):
    """A researcher could not do its part; the campaign itself is fine.

    Attributes:
        trouble: In one word, why: `login`, `quota`, `rate-limit`, `model`, `context`, `failure`; empty for no word.
    """

    def __init__(self, text: str = "", *, trouble: str = "") -> None:
        """What happened, and what kind of trouble that is."""
        super().__init__(text)
        self.trouble = trouble


class FruitlessError(ResearcherError):
    """A researcher was asked and gave no idea: nothing, garbage, no answer in time. No attempt is spent on it."""


class UnfitError(ResearcherError):
    """A researcher that never can do its part in this campaign: with nobody else left, that ends it and says why."""


class PluginError(AutoresearchError):
    """No adapter of that name, or two of them, or one of another package that breaks its port."""


@contextmanager
def crossing(boundary: type[AutoresearchError], doing: str) -> Iterator[None]:
    """Name the boundary that any foreign exception inside the block has crossed; an exit is one too.

    Args:
        boundary: The class a foreign exception becomes.
        doing: What was being done, in words, for the message.

    Raises:
        AutoresearchError: An exception of ours passes unchanged; any other is wrapped in `boundary`.
    """
    try:
        yield
    except AutoresearchError:
        raise
    except (Exception, SystemExit) as error:
        raise boundary(f"{doing}: {type(error).__name__}: {error}") from error


def mistakes(model: object, error: "ValidationError") -> list[str]:
    """What is wrong in what a person wrote, one sentence a field: its path, what stands there, what may stand there.

    Args:
        model: What was expected: a model of pydantic, or a list of them.
        error: Its refusal. A union is refused once for each of its members, and told once.
    """
    found: dict[tuple[str, ...], str] = {}
    for problem in error.errors():
        place = _place(model, problem["loc"])
        found.setdefault(place.path, _mistake(place, problem))
    return list(found.values())


def wrong_option(whose: str, model: object, error: "ValidationError") -> str:
    """The first mistake among the options of an adapter, in one sentence."""
    told = mistakes(model, error)[0].removeprefix("file: ")
    return f"{whose}'s options have an {told}" if told.startswith("unknown key") else f"{whose}'s option {told}"


class _Place(NamedTuple):
    """Where a mistake is: its path, what is expected there (a type and pydantic's bounds), and the keys beside it."""

    path: tuple[str, ...]
    expected: Any
    bounds: Sequence[Any]
    keys: tuple[str, ...]
    unknown: bool


def _place(model: object, parts: Iterable[int | str]) -> _Place:
    """Follow a path of pydantic's until it names a member of a union, which no person wrote."""
    path, expected, bounds = [], cast("Any", model), ()
    for part in parts:
        fields = getattr(_inner(expected), "model_fields", None)
        if fields is not None:
            path.append(str(part))
            if part not in fields:
                return _Place(tuple(path), None, (), tuple(fields), unknown=True)
            expected, bounds = fields[part].annotation, fields[part].metadata
            continue
        items = [one for one in _members(expected) if get_origin(one) in {list, tuple, dict, Mapping, Sequence}]
        if not items:
            break
        path.append(str(part + 1) if isinstance(part, int) else part)
        inside = get_args(items[0])
        expected, bounds = inside[-1] if inside[-1] is not Ellipsis else inside[0], ()
    return _Place(tuple(path), expected, bounds, (), unknown=False)


def _members(expected: Any) -> tuple[Any, ...]:
    """A type, or those that a union is made of; None among them is no value to write."""
    several = get_args(expected) if get_origin(expected) in {Union, UnionType} else (expected,)
    return tuple(one for one in several if one is not type(None))


def _inner(expected: Any) -> Any:
    """The model among what is expected, if there is one."""
    return next((one for one in _members(expected) if hasattr(one, "model_fields")), None)


def _mistake(place: _Place, problem: Any) -> str:
    path, given = ".".join(place.path), problem["input"]
    if place.unknown:
        near = get_close_matches(place.path[-1], place.keys, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"valid keys: {', '.join(sorted(place.keys))}"
        return f"unknown key {path!r}: {hint}"
    allowed = _join([words for one in _members(place.expected) for words in _allowed(one, place.bounds)])
    if problem["type"] in {"value_error", "assertion_error"} or not allowed:
        message = problem["msg"].removeprefix("Value error, ")
        return f"{path or 'file'}: {message[:1].lower()}{message[1:]}"
    if problem["type"] == "missing":
        return f"{path}: it is missing; write {allowed}"
    words = [word for one in _members(place.expected) for word in _words(one)]
    near = get_close_matches(str(given).lower(), words, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{path or 'file'}: {_shown(given)} is not understood; write {allowed}{hint}"


def _words(expected: Any) -> tuple[str, ...]:
    if get_origin(expected) is Literal:
        return tuple(map(str, get_args(expected)))
    if isinstance(expected, type) and issubclass(expected, Enum):
        return tuple(str(one.value) for one in expected)
    return ("true", "false") if expected is bool else ()


def _allowed(expected: Any, bounds: Sequence[Any]) -> Iterator[str]:
    """What may be written for a type, a phrase each; nothing for a type that no phrase is known for."""
    kind = get_origin(expected) or expected
    if words := _words(expected):
        yield from words
    elif kind in {int, float}:
        finite = "finite " if any(getattr(bound, "allow_inf_nan", True) is False for bound in bounds) else ""
        yield f"a {'whole ' if kind is int else finite}number{_within(bounds)}"
    elif kind is str:
        yield f"text{_within(bounds, ' characters')}, in quotes where it could be read as something else"
    elif kind in {list, tuple, Sequence}:
        inner = next(iter(_allowed(get_args(expected)[0], ())), "") if get_args(expected) else ""
        yield ("a list such as [a, b]" if inner.startswith("text") else "a list") + _within(bounds)
    elif kind in {dict, Mapping}:
        yield "a mapping such as {key: value}"
    elif hasattr(kind, "model_fields"):
        yield f"a mapping with the keys {', '.join(kind.model_fields)}"


_ENDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than", "min_length": "at least",
         "max_length": "at most"}  # fmt: skip


def _within(bounds: Sequence[Any], unit: str = "") -> str:
    found = [(said, getattr(bound, end, None)) for bound in bounds for end, said in _ENDS.items()]
    ends = [f"{said} {value:g}" for said, value in found if value is not None]
    return f" of {' and '.join(ends)}{unit}" if ends else ""


def _join(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _shown(given: object) -> str:
    """A value as YAML has it, and no longer than a line takes."""
    word = (
        {None: "nothing", True: "true", False: "false"}.get(given) if given is None or isinstance(given, bool) else None
    )
    text = word or repr(given)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
