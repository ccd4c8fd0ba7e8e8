"""What agents print, read by the rules of their entries: the last message, model, tokens, money, and what went wrong.

All of it is foreign input: any line may be missing, torn or forged, and none of it decides anything but whether to try
again.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

from autoresearch.experiment.briefing import plain
from autoresearch.machine import disk
from autoresearch.researchers.agent.troubles import Trouble, in_words, last_words, of_error, refuses


@dataclass(frozen=True, kw_only=True)
class Said:
    """An agent's own account of one call.

    Attributes:
        text: Its last message.
        tokens_in: Tokens it read, None when it does not say.
        tokens_cached: Those among them that came from a cache.
        tokens_out: Tokens it wrote.
        cost_usd: Money it says it cost.
        turns: Times it asked its model.
        error: What it reports as its own failure; empty for none.
        status: HTTP status of that failure, None for none.
        code: Code or type of that failure; empty for none.
        model: The model that it says answered; empty while it does not say.
        priced: Whether `cost_usd` was worked out from its tokens.
        asked: What it asked to be allowed, with the answer it got and why (Agent Client Protocol only).
        cancelled: Whether its turn was cancelled because its time was up (Agent Client Protocol only).
    """

    text: str = ""
    tokens_in: int | None = None
    tokens_cached: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None
    turns: int | None = None
    error: str = ""
    status: int | None = None
    code: str = ""
    model: str = ""
    priced: bool = False
    asked: tuple[Mapping[str, str], ...] = ()
    cancelled: bool = False


Paths = str | int | tuple[str | int, ...]


class OutputRule(BaseModel):
    """What an event of an agent's output says, where it is one of these.

    A path goes through an event by its keys (`usage.input_tokens`, `messages.-1.content`), also into a string that
    holds JSON. Of several, tokens are added up, texts are joined, and of anything else the first that is there counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: Mapping[str, Any] = {}
    """Paths and what must stand there: a value, one of a list, null for nothing, `*` for anything."""
    unless: Mapping[str, Any] = {}
    """The same, for events that it is not for."""
    match: str = ""
    """Of lines: a regular expression, whose named groups are the fields."""
    adds: bool = False
    """Whether numbers and text are added to what was said before."""
    clears: tuple[str, ...] = ()
    """Fields that no longer hold."""
    text: Paths = ()
    """Its last message."""
    error: Paths = ()
    """What it reports as its own failure."""
    code: Paths = ()
    """Code or type of that failure; `=code` is the one it has so far."""
    status: Paths = ()
    """HTTP status of that failure."""
    status_in: str = ""
    """A regular expression whose group is the status, where it stands in a text."""
    model: Paths = ()
    """The model that answered."""
    tokens_in: Paths = ()
    """Tokens it read, those from a cache included."""
    tokens_cached: Paths = ()
    """Those among them that came from a cache."""
    tokens_out: Paths = ()
    """Tokens it wrote."""
    cost_usd: Paths = ()
    """Money it says it cost."""
    turns: Paths = ()
    """Times it asked its model; a number stands for itself."""

    @field_validator("clears")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := sorted(set(value) - set(_FIELDS)):
            raise ValueError(f"there is no field {wrong[0]!r}; there are: {', '.join(_FIELDS)}")
        return value

    @field_validator("match", "status_in")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            groups = re.compile(value).groupindex
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from None
        if wrong := sorted(set(groups) - set(_FIELDS)):
            raise ValueError(f"there is no field {wrong[0]!r}; there are: {', '.join(_FIELDS)}")
        return value

    def says(self, field: str) -> tuple[str | int, ...]:
        """Where a field is found in an event."""
        stated: str | int | tuple[str | int, ...] = getattr(self, field)
        return stated if isinstance(stated, tuple) else (stated,)

    def names(self, field: str) -> bool:
        """Whether it can say a field."""
        return bool(self.says(field)) or f"(?P<{field}>" in self.match

    def event(self, line: str) -> Mapping[str, Any] | None:
        """The event that a line of text is to it; None when it is none."""
        found = re.search(self.match, line) if self.match else None
        return found and {name: _in_units(name, text) for name, text in found.groupdict().items()}

    def holds(self, event: Mapping[str, Any]) -> bool:
        """Whether it is for an event."""
        return all(_stands(event, path, value) for path, value in self.when.items()) and not (
            self.unless and any(_stands(event, path, value) for path, value in self.unless.items())
        )

    def apply(self, said: Said, event: Mapping[str, Any]) -> Said:
        """What was said, with what an event adds."""
        said = replace(said, **{field: getattr(Said(), field) for field in self.clears})
        found: dict[str, Any] = {}
        for field in _FIELDS:
            wanted = (field,) if f"(?P<{field}>" in self.match else self.says(field)
            value = _value(field, [_looked_up(event, said, path) for path in wanted], self.status_in)
            if value is not None:
                before = getattr(said, field)
                found[field] = before + value if self.adds and field in _GROW and before is not None else value
        return replace(said, **found)


class Output(BaseModel):
    """How what an agent prints is read; all of it is foreign, and no line of it can raise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal["jsonl", "json", "lines", "text"] = "jsonl"
    """A JSON object a line, one JSON document, lines for `match`, or words alone, which are its message."""
    file: str = ""
    """A file in `{folder}` that is read instead of what it prints."""
    rules: tuple[OutputRule, ...] = ()
    """What events say, in order; every rule that is for an event is applied."""

    @property
    def for_people(self) -> bool:
        """Whether what it prints is prose."""
        return self.form in {"lines", "text"} or bool(self.file)

    @property
    def tells_cost(self) -> bool:
        """Whether tokens or money can be read from it."""
        return any(rule.names(field) for rule in self.rules for field in ("tokens_in", "tokens_out", "cost_usd"))


def read(output: Output, stdout: str, folder: Path | None = None) -> Said:
    """What an agent's output says.

    Args:
        output: How to read it.
        stdout: What it printed.
        folder: Where a file of its own lies, None for nowhere.
    """
    prose = output.form in {"lines", "text"}
    said = Said(text=stdout) if prose else Said()
    text = stdout
    if output.file:
        try:
            with disk.opened((folder or Path(os.devnull)) / output.file) as source:
                text = source.read(_MOST_FILE).decode("utf-8", "replace")
        except OSError:
            text = ""
    events = list(_documents(text)) if output.form == "json" else [] if prose else list(_events(text))
    if output.file and not events:
        return Said(text=stdout)
    for event in events:
        for rule in output.rules:
            if rule.holds(event):
                said = rule.apply(said, event)
    for line in stdout.splitlines() if output.form == "lines" else ():
        for rule in output.rules:
            if (found := rule.event(line)) is not None:
                said = rule.apply(said, found)
    return said if said.error else replace(said, status=None, code="")


def _looked_up(event: Mapping[str, Any], said: Said, path: str | int) -> Any:
    if isinstance(path, int):
        return path
    return getattr(said, path[1:]) if path.startswith("=") else _at(event, path)


def _at(value: Any, path: str) -> Any:
    """What stands at a path; None for nothing."""
    for key in path.split("."):
        if isinstance(value, str):
            value = _held(value)
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and re.fullmatch(r"-?\d{1,4}", key):
            value = value[int(key)] if -len(value) <= int(key) < len(value) else None
        else:
            return None
    return value


def _held(text: str) -> Any:
    """The JSON object in a text, None for none."""
    first, last = text.find("{"), text.rfind("}")
    try:
        return json.loads(text[first : last + 1]) if 0 <= first < last else None
    except (ValueError, RecursionError):
        return None


def _stands(event: Mapping[str, Any], path: str, wanted: Any) -> bool:
    found = _at(event, path)
    if wanted == "*":
        return found not in (None, "", False)
    return found in wanted if isinstance(wanted, list | tuple) else type(found) is type(wanted) and found == wanted


def _value(field: str, found: list[Any], pattern: str) -> Any:
    """What values that stand for a field make of it; None for nothing."""
    if field == "status" and pattern:
        texts = (re.search(pattern, value) for value in found if isinstance(value, str))
        return next((int(one[1]) for one in texts if one and one[1].isdecimal()), None)
    if field in _COUNTED:
        return _sum(found)
    if field == "cost_usd":
        return next((money for value in found if (money := _money(value)) is not None), None)
    if field in {"status", "turns"}:
        return next((count for value in found if (count := _count(value)) is not None), None)
    if field == "code":
        return next((value for value in found if isinstance(value, str) and value), None)
    words = [text for value in found if (text := _text(value))]
    return "\n".join(words) if field == "text" and words else next(iter(words), None)


def _in_units(field: str, text: str | None) -> Any:
    """What a group of a line holds: of a number its value, `2.3k` for 2300."""
    if text is None or field not in {*_COUNTED, "turns", "status"}:
        return text
    try:
        return int(float(text.rstrip("kK").replace(",", "")) * (1000 if text[-1:] in "kK" else 1))
    except (ValueError, OverflowError):
        return None


_COUNTED = ("tokens_in", "tokens_cached", "tokens_out")
_GROW = (*_COUNTED, "cost_usd", "turns", "text")
_FIELDS = (*_COUNTED, "cost_usd", "turns", "text", "error", "status", "code", "model")
_MOST_FILE = 32 << 20
_MOST_ASKED = 200
_BEYOND = 1 << 14
_MOST_KEPT = 256 * 1024
_STOPS = {"refusal": "refusal", "max_tokens": "its answer grew too long", "cost": "budget exceeded"}


def acp(stdout: str) -> Said:
    """The lines that `acp` prints, one per event."""
    said, asked = Said(), list[Mapping[str, str]]()
    for event in _events(stdout):
        match event.get("event"):
            case "text":
                said = replace(said, text=_text(event.get("text")))
            case "asked":
                asked.append({key: _text(event.get(key)) for key in ("what", "answer", "why")})
            case "ended":
                usage, stop = _table(event.get("usage")), _text(event.get("stop"))
                read = ("input_tokens", "cached_read_tokens", "cached_write_tokens")
                said = replace(
                    said,
                    tokens_in=_sum(usage.get(key) for key in read),
                    tokens_out=_count(usage.get("output_tokens")),
                    cost_usd=_money(event.get("cost_usd")),
                    error=_text(event.get("error")) or _STOPS.get(stop, ""),
                    cancelled=stop == "time",
                )
    return replace(said, asked=tuple(asked[-_MOST_ASKED:]))


def trouble(said: Said, stderr: str) -> Trouble:
    """Which kind of trouble an agent that did nothing was in, by what its program states, else by its program's words.

    What its model wrote is not looked at: a rate limit that an idea speaks of is no rate limit.
    """
    stated = of_error(said.status, said.code, said.error) or in_words(said.error) or in_words(stderr)
    return stated or (Trouble.REFUSAL if refuses(said.error) else Trouble.UNKNOWN)


def reason(said: Said, stderr: str) -> str:
    """The best words there are for a failure, one line: the error itself, not what was logged before it."""
    if said.error:
        return plain(said.error)
    lines = [line for line in map(plain, stderr[-8000:].splitlines()) if line]
    telling = [line for line in lines if in_words(line) or _ERROR.search(line)]
    return next(reversed(telling or lines), "") or last_words(said.text) or "it said nothing"


_ERROR = re.compile(r"\berror\b|exception|fatal|failed|cannot|traceback", re.IGNORECASE)


def _events(stdout: str) -> Iterator[Mapping[str, Any]]:
    """Lines that are JSON objects; everything else is skipped."""
    for line in stdout.splitlines():
        if line.lstrip().startswith("{"):
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict):
                yield found


def _documents(text: str) -> Iterator[Mapping[str, Any]]:
    """The JSON object that a text is, or those of the list that it is."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = _held(text)
    for one in document if isinstance(document, list) else (document,):
        if isinstance(one, dict):
            yield one


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)[:4000]


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else None


def _sum(values: Iterable[Any]) -> int | None:
    known = [number for value in values if (number := _count(value)) is not None]
    return sum(known) if known else None


def _money(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number < 1e6 else None


def shortened(text: str, clean: Callable[[str], str]) -> str:
    """What a program printed, without secrets and without the middle of what is longer than anybody reads.

    Cleaned beyond the cuts, so that no half of a secret ends there.
    """
    if len(text) <= _MOST_KEPT:
        return clean(text)
    half = _MOST_KEPT // 2
    begin, end = clean(text[: half + _BEYOND])[:half], clean(text[-half - _BEYOND :])[-half:]
    return f"{begin}\n[{len(text) - 2 * half} characters left out]\n{end}"
