"""What an agent says about its edit: read leniently, bounded, and never trusted with more than words."""

import json
import math
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from autoresearch.experiment.attendance import Lesson
from autoresearch.experiment.briefing import plain
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.machine import disk

NAME = ".autoresearch-answer.json"
"""What the answer's file is called, wherever it lies."""

_MOST_BYTES = 64 * 1024
_MOST_BLOCKS = 50
_MOST_LINES = 8
_SAID = ("title", "rationale", "no_idea", "watch", "parent", "learned")
_KINDS = ("helped", "never", "unresolved")
_FENCED = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n`]*\n(.*?)^[ \t]*\1[ \t]*$", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", re.IGNORECASE)


class Usage(BaseModel):
    """What a call cost; what is not understood counts as not said."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    model: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None

    @field_validator("model", mode="before")
    @classmethod
    def _name(cls, value: Any) -> str:
        return plain(str(value or ""), 80)

    @field_validator("tokens_in", "tokens_out", mode="before")
    @classmethod
    def _whole(cls, value: Any) -> int | None:
        return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53 else None

    @field_validator("cost_usd", mode="before")
    @classmethod
    def _sum(cls, value: Any) -> float | None:
        known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6
        return float(value) if known else None


class Answer(BaseModel):
    """An agent's words about its edit; unknown keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    title: str = ""
    """The change and its hoped-for effect in one line."""
    area: str = "code"
    """First word of the commit subject."""
    rationale: str = ""
    """Why it should help."""
    expected: float | None = None
    """Expected gain in the metric's unit."""
    watch: tuple[str, ...] = ()
    """What to look at afterwards."""
    overrides: tuple[str, ...] = ()
    """Recipe overrides that are part of the change."""
    simplifies: bool = False
    """It removes more than it adds."""
    no_idea: str = ""
    """Why there is no proposal."""
    parent: str = ""
    """Experiment to start from, for a change that is made of overrides alone; empty: the one of the brief."""
    seeds: int | None = None
    """Seeds to run before it is judged."""
    unlocks: bool = False
    """Later ideas need it."""
    learned: tuple[Lesson, ...] = ()
    """What the campaign has learned, where that was asked for."""
    usage: Usage = Usage()
    """What the call cost, from a program that has no other way to say so."""

    @field_validator("title", "no_idea", mode="before")
    @classmethod
    def _one_line(cls, value: Any) -> str:
        return plain(str(value or ""), 120)

    @field_validator("area", mode="before")
    @classmethod
    def _one_word(cls, value: Any) -> str:
        return re.sub(r"[^a-z0-9-]+", "-", str(value or "").lower()).strip("-")[:24] or "code"

    @field_validator("rationale", mode="before")
    @classmethod
    def _prose(cls, value: Any) -> str:
        lines = (plain(line, 1000) for line in str(value or "").splitlines()[:40])
        return "\n".join(line for line in lines if line)[:4000]

    @field_validator("expected", mode="before")
    @classmethod
    def _number(cls, value: Any) -> float | None:
        found = _NUMBER.search(str(value)[:100]) if value is not None and not isinstance(value, bool) else None
        number = float(found[0]) if found else None
        return number if number is not None and math.isfinite(number) else None

    @field_validator("watch", "overrides", mode="before")
    @classmethod
    def _words(cls, value: Any) -> tuple[str, ...]:
        items = value if isinstance(value, list | tuple) else [value] if value else []
        return tuple(" ".join(str(item).split())[:500] for item in items[:20] if str(item).strip())

    @field_validator("simplifies", "unlocks", mode="before")
    @classmethod
    def _yes(cls, value: Any) -> bool:
        return value is True

    @field_validator("seeds", mode="before")
    @classmethod
    def _few(cls, value: Any) -> int | None:
        return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 16 else None

    @field_validator("parent", mode="before")
    @classmethod
    def _another(cls, value: Any) -> str:
        return plain(str(value or ""), 120)

    @field_validator("learned", mode="before")
    @classmethod
    def _lines(cls, value: Any) -> tuple[Lesson, ...]:
        items = value if isinstance(value, list | tuple) else []
        said = [one for one in items[:_MOST_LINES] if isinstance(one, dict) and one.get("kind") in _KINDS]
        found = (Lesson(kind=one["kind"], text=plain(str(one.get("text", "")), 200), ideas=_named(one)) for one in said)
        return tuple(one for one in found if one.text)

    @field_validator("usage", mode="before")
    @classmethod
    def _table(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {}

    def hypothesis(self, source: str, fallback: str) -> Hypothesis:
        """The proposal in the program's words; `fallback` is the title when the agent gave none."""
        return Hypothesis(
            title=self.title or plain(fallback, 120),
            area=self.area,
            overrides=self.overrides,
            rationale=self.rationale,
            expected=self.expected,
            watch=self.watch,
            simplifies=self.simplifies,
            unlocks=self.unlocks,
            seeds=self.seeds,
            source=source,
        )


def _named(line: dict[str, Any]) -> tuple[int, ...]:
    """Numbers of experiments, as numbers or as `#3`; what is neither is left out."""
    given = line.get("ideas")
    found = (
        re.fullmatch(r"#?(\d{1,6})", str(one)) for one in (given if isinstance(given, list) else [given])[:_MOST_LINES]
    )
    return tuple(dict.fromkeys(int(one[1]) for one in found if one))


def take(file: Path, clean: Callable[[str], str] = str) -> Answer | None:
    """Read an answer's file and take it away; None when it is missing, no regular file, or not understood.

    Args:
        file: Where it would be.
        clean: Takes secrets out of what is said, before it is cut: half a secret is nothing that anybody knows again.
    """
    text = b""
    with suppress(OSError), disk.opened(file) as source:
        text = source.read(_MOST_BYTES)
    with suppress(OSError):
        disk.delete(file) if file.is_dir() and not file.is_symlink() else file.unlink()
    return parse(text.decode("utf-8", "replace"), clean)


def last_in(text: str, clean: Callable[[str], str] = str) -> Answer | None:
    """The last fenced block of a message that is an answer, or the whole message when it is one."""
    text = text[-_MOST_BYTES:]
    blocks = [found[2] for found in _FENCED.finditer(text)][-_MOST_BLOCKS:]
    return next((answer for block in (*reversed(blocks), text) if (answer := parse(block, clean))), None)


def parse(text: str, clean: Callable[[str], str] = str) -> Answer | None:
    """An answer from JSON or YAML; None when the text is neither, or says neither a title nor that there is none."""
    try:
        document = _load(text)
        if isinstance(document, dict):
            document |= {name: _cleaned(document[name], clean) for name in _SAID if name in document}
        answer = Answer.model_validate(document) if isinstance(document, dict) else None
    except (ValueError, ValidationError, RecursionError, yaml.YAMLError):
        return None
    return answer if answer and (answer.title or answer.no_idea) else None


def _cleaned(said: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(said, dict):
        return {key: _cleaned(value, clean) for key, value in said.items()}
    if isinstance(said, list):
        return [_cleaned(one, clean) for one in said]
    return clean(said) if isinstance(said, str) else said


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return yaml.load(text, _PlainLoader)  # noqa: S506 - a safe loader, stricter still


class _PlainLoader(yaml.SafeLoader):
    """YAML without aliases: ten lines of them can stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.YAMLError("aliases are not taken")
        return super().compose_node(parent, index)
