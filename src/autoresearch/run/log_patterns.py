"""A run's standard output as data: lines cleaned of decoration, and named patterns turned into series.

Where no line fits a pattern, the line that comes near is told, with the pattern that would take it.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from autoresearch.run.measurement import Series
from autoresearch.run.printed_result import (
    END,
    NO_MINUS,
    NUMBER,
    OF_WHAT,
    PROSE,
    Manner,
    ResultLine,
    ResultLines,
    ambiguous,
    no_minus,
    pattern,
    unit_after,
)
from autoresearch.run.symptom import clean


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """Which lines of a log carry numbers.

    Attributes:
        values: Pattern by tag; its first group is the number. `{section}` in a tag becomes `-<section>` or nothing.
        step: Its first group is the step the following numbers belong to. None: the n-th number of a tag is step n.
        anchor: Its first group is a step that is certainly global, whatever the step line counts.
        section: Its first group, which may be absent, names the part of the log that follows.
        restarts: Whether the counter of `step` begins again every epoch.
        closing: Its first group is the step that the numbers *before* it belong to, back to the last such line.
        result: The tag of which a run prints one result, read by `printed_result`; empty for none. Steps are not
            read then.
    """

    values: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    step: re.Pattern[str] | None = None
    anchor: re.Pattern[str] | None = None
    section: re.Pattern[str] | None = None
    restarts: bool = False
    closing: re.Pattern[str] | None = None
    result: str = ""


class Scan:
    """Reads cleaned lines one after the other and remembers which step it is in."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._section = ""
        self._local, self._offset = 0, 0
        self._step: int | None = None
        self._points: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self._waiting: list[tuple[str, float]] = []
        self._printed: list[tuple[Manner, float]] = []
        self._shown: dict[str, dict[str, ResultLine]] = defaultdict(dict)
        self.results = ResultLines(grammar.result) if grammar.result else None

    def feed(self, line: str) -> None:
        """Take one cleaned line."""
        self._enter_section(line)
        self._enter_step(line)
        manner = self.results.feed(line) if self.results else None
        for tag, numbered in self._grammar.values.items():
            found = numbered.search(line)
            value = _number(found) if found else None
            if value is not None and manner is not None and tag == self._grammar.result:
                self._printed.append((manner, value))
            elif value is not None:
                name = tag.replace("{section}", f"-{self._section}" if self._section else "")
                self._note(name, value)
                unit = "%" if unit_after(line[found.end(1) :] if found else "") == "%" else ""
                self._shown[name].pop(unit, None)  # the last one stands last
                self._shown[name][unit] = ResultLine(text=line.strip(), value=value, manner=Manner.PROGRESS, unit=unit)

    @property
    def last_lines(self) -> tuple[ResultLine, ...]:
        """The last line of the one pattern that somebody wrote, so that runs can be held to one unit."""
        shown = [list(one.values()) for one in self._shown.values()]
        return (shown[0][-1],) if len(self._grammar.values) == len(shown) == 1 else ()

    def clashes(self) -> dict[str, str]:
        """By tag, what a run is told that gives percent in one line and none in another."""
        return {
            tag: f"{tag} in two units, percent in {each['%'].text[:120]!r} and no unit in {each[''].text[:120]!r}; "
            "print it in one unit, or write a pattern that takes one of the two"
            for tag, each in self._shown.items()
            if len(each) > 1
        }

    def series(self) -> dict[str, Series]:
        """Everything read so far, by tag."""
        found = {tag: Series.of(tag, points) for tag, points in self._points.items()}
        return found | ({self._grammar.result: self._results()} if self._printed else {})

    def _results(self) -> Series:
        """What was printed of the result; labelled lines where there is no bare one."""
        bare = any(manner is Manner.BARE for manner, _ in self._printed)
        values = (value for manner, value in self._printed if not (bare and manner is Manner.LABELLED))
        return Series.of(self._grammar.result, enumerate(values, 1))

    def _enter_section(self, line: str) -> None:
        found = self._grammar.section.search(line) if self._grammar.section else None
        if found:
            self._section = (found.group(1) if found.re.groups else "") or ""

    def _enter_step(self, line: str) -> None:
        local = _whole(self._grammar.step, line)
        if local is not None:
            if self._grammar.restarts and local <= self._local:
                self._offset += self._local
            self._local = local
            self._step = self._offset + local
        anchor = _whole(self._grammar.anchor, line)
        if anchor is not None:
            if anchor and self._local:
                self._offset = anchor - self._local
            self._step = anchor

        closed = _whole(self._grammar.closing, line)
        if closed is not None:
            for tag, value in self._waiting:
                self._points[tag].append((closed, value))
            self._waiting, self._step = [], None

    def _note(self, tag: str, value: float) -> None:
        if self._step is None and self._grammar.closing is not None:
            self._waiting.append((tag, value))
        elif self._grammar.step is None and self._grammar.anchor is None:
            self._points[tag].append((len(self._points[tag]) + 1, value))
        elif self._step is not None:
            self._points[tag].append((self._step, value))


def scan(lines: Iterable[str], grammar: Grammar) -> dict[str, Series]:
    """Series by tag from raw lines. Numbers before the first step line are left out where steps are printed."""
    reader = Scan(grammar)
    for line in lines:
        reader.feed(clean(line))
    return reader.series()


_CUT = re.compile(r"\d|[,_'\u00a0\u2009\u202f]\d")
"""What follows a number that a pattern has taken only the beginning of: `1` of `1,234` or `0` of `0,83`."""


def _number(found: re.Match[str]) -> float | None:
    if found.re.groups and found.end() == found.end(1) and _CUT.match(found.string, found.end(1)):
        return None  # a pattern that goes on behind its number says what it means
    try:
        return float(found.group(1))
    except (ValueError, TypeError, IndexError):
        return None


def _whole(pattern: re.Pattern[str] | None, line: str) -> int | None:
    found = pattern.search(line) if pattern else None
    value = _number(found) if found else None
    return int(value) if value is not None and abs(value) < 2**53 else None


def unclear(tag: str, log: str) -> str:
    """Why the last line that gives a metric gives no number, in words: an odd one, or two; empty where it gives one.

    `{"train": {"loss": 0.5}, "eval": {"loss": 0.9}}` gives two; in `acc: 0.9 (best acc: 0.95)` the second is another's.
    """
    if odd := ambiguous(tag, log):
        return odd
    lines = (clean(line.rstrip("\r").rpartition("\r")[2]) for line in reversed(log.split("\n")))
    line = next((one for one in lines if re.search(pattern(tag), one)), "")
    own = rf"(?<![\w/.:-])(?:((?i:{OF_WHAT})) )?{re.escape(tag)}[\"']?\s*[:=]\s*({NUMBER}){END}"
    found = [(match[1], match[2]) for match in re.finditer(own, line)]
    values = list(dict.fromkeys(value for what, value in found if not what) or (value for _, value in found))
    if len({float(value) for value in values}) < 2:
        return ""
    return (
        f"{line.strip()[:200]!r} gives {tag} more than once, {' and '.join(values[:3])}: print each under its own "
        "name, or say by target.source.patterns which is meant"
    )


def nearest(tag: str, log: str) -> str:
    """The last line that seems to mean a metric and gives it in a form of its own, with a pattern that would take it.

    Empty where no line comes near.

    Args:
        tag: The metric as it should be printed.
        log: The end of the run's output.
    """
    found = near_line(tag, log)
    if not found:
        signed = re.compile(rf"(?i)(?<![a-z]){_name(tag)}(?![a-z])[^\w+.-]{{1,12}}\.?\d")
        lines = (line.strip()[:200] for line in map(clean, reversed(log.split("\n"))) if signed.search(line))
        return next((f"the nearest line is {line!r}; {odd}" for line in lines if (odd := no_minus(line))), "")
    line, head = found
    source = f"{{type: stdout, patterns: {{{tag}: '{head}'}}}}"
    return f"the nearest line is {line.strip()[:200]!r}; target.source={source} would take it"


def _name(tag: str) -> str:
    return re.escape(re.split(r"[/:]", tag)[-1])


def near_line(tag: str, log: str, *, sentences: bool = False) -> tuple[str, str] | None:
    """The same line, and the pattern alone; of a sentence (`The RMSE of it is: 0.4`) only where one is asked for."""
    name = _name(tag)
    near = re.compile(rf"(?i)((?<![a-z]){name}(?![a-z])[^\w+.{NO_MINUS}-]{{1,12}})({NUMBER}){END}")
    for line in map(clean, reversed(log.split("\n"))):
        found = near.search(line)
        if found and re.match(PROSE, line):
            return line, _pattern_behind(found.group(1))
    if not sentences:
        return None
    told = re.compile(
        rf"(?i)(.*(?<![a-z]){name}(?![a-z])[^0-9]*(?:(?<![a-z])(?:is|was)(?![a-z])|[:=])\s*)({NUMBER})\s*"
    )
    for line in map(clean, reversed(log.split("\n"))):
        if found := told.fullmatch(line):
            return line, "^" + _pattern_behind(found.group(1))
    return None


def _pattern_behind(lead: str) -> str:
    return re.sub(r"(?:\\?\s)+", r"\\s+", re.escape(lead)) + "([-+.eE0-9]+)"
