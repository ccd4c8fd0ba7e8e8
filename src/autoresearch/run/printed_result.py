"""The lines in which a script prints its result: which lines are one, and whether they are at one.

A *bare* line is the result and nothing else, as `score: 0.83`. A *progress* line carries a step or further numbers. A
*labelled* line has words around the result (`best score: 0.84`) and counts only where no bare line is. Sentences are
none of these. A run has one result: a second one that differs is believed no more than the first.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from autoresearch.run.symptom import clean

NUMBER = r"[-+]?(?:(?:[nN]a[nN]|[iI]nf(?:inity)?)|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"
_THOUSANDS = r" \d{3}(?: \d{3})*(?:[.,]\d+)?(?=$|\s)"
_SCALED = r" (?:(?:/ ?|(?:out )?of )\d+|[x*\u00b7\u00d7] ?10\b|[kKMG](?!\w))"
_SHORT = "|".join(rf"(?<=[\s:=]{sign}\d{{{digits}}})" for sign in ("", "[+-]") for digits in (1, 2, 3))
END = (
    r"(?=$|\s|[\"'](?!\d)|,(?!\d)|\.(?!\w|\.\w)|[;)\]}|\x1b]|%(?!\w)|\u00b1|\+/-|(?:s|ms|us|ns|min|h)(?!\w))"
    rf"(?![\u00a0\u2009\u202f]\d|{_SCALED}|(?:{_SHORT}){_THOUSANDS})"
)
"""What may follow a number. Anything else could belong to it: `1,234`, `1_234`, `1 234`, `3/4`, `3 of 4`, `12k`."""
_SPREAD = rf"(?:\s*(?:\u00b1|\+/-)\s*{NUMBER})?"
_SIZES = r"(?:[kKMGTP]i?)?(?:B|[Bb]ytes?|[Bb]its?|FLOPS?|FLOPs?|Hz|W|J)|[mun\u00b5\u03bc]?[sWJ]|[kM]?nats?"
_WORDS = "sec(?:ond)?s?|min(?:ute)?s?|h(?:ou)?rs?|h|m|(?:milli|micro|nano)seconds?|days?|percent|pct|pp|dB|bpm|fps"
_UNIT = re.compile(
    rf"{_SPREAD}\s*[\[(]?(%|\u2030|(?:{_SIZES}|{_WORDS})(?:/\w+)?(?![\w&'-]|\s*[:=])"
    r"|[A-Za-z]+/(?:s|sec|second|min|h)(?!\w))?"
)
"""What may stand behind a number as its unit; a word that an own number follows (`s: 2`) is none."""
_SAME_UNIT = {
    word: unit
    for unit, words in {
        "s": "sec secs second seconds",
        "ms": "millisecond milliseconds",
        "us": "\u00b5s \u03bcs microsecond microseconds",
        "min": "mins minute minutes",
        "h": "hr hrs hour hours",
        "%": "percent pct",
    }.items()
    for word in words.split()
}
PROSE = r"^(?!.*(?<![A-Za-z])[A-Za-z]+ [A-Za-z]+ [A-Za-z]+ [A-Za-z]+)"
"""Four words in a row, the metric's own name included, are a sentence about numbers, not a result."""
_DIGITS = "0123456789.+-"
NO_MINUS = "\u2010-\u2015\u2212\ufe58\ufe63\uff0d\u207b"
"""Characters that look like a minus sign before a number, as a class of a pattern."""
_STEP = re.compile(
    r"(?i)\b(?:steps?|epochs?|iter(?:ation)?s?|it|batch(?:es)?|updates?|rounds?|episodes?|generations?|trial|fold)"
    r"[\"']?\W{0,4}\d|\b\d+\s*/\s*\d+\b|\d%\|"
)
"""What tells that a run goes on: a counter by its name, `3/20`, a progress bar."""
_OTHER = re.compile(rf"[\w)\]\"'][\"']?\s*[:=]\s*{NUMBER}")
_LEAD = re.compile(
    r"^\s*(?:\[[^\]]*\]\s*|\d{4}-\d\d-\d\d[T ]?|\d\d:\d\d:\d\d(?:[.,]\d+)?Z?\s+"
    r"|(?:DEBUG|INFO|WARNING|ERROR)\b[:\s]*|[\w.]+:\d+\s*[-:]\s*)*"
)
"""Times, levels and places that a logger puts before a line."""
_FORMS = 8
"""Forms of result lines that are remembered of one run."""


class Manner(StrEnum):
    """How a line gives the result."""

    BARE = "bare"
    LABELLED = "labelled"
    PROGRESS = "progress"


@dataclass(frozen=True, kw_only=True)
class ResultLine:
    """The lines of one form in which a run printed its result.

    Attributes:
        text: The last of them.
        value: Its number.
        manner: `bare`, `labelled` or `progress`.
        first: The first of them that says another value than the last; the last where all say the same.
        values: How many values they say, one after the other; the same again counts once.
        count: How many lines they are.
        unit: What stands behind the number as its unit, empty for none; None in records that did not keep it.
    """

    text: str
    value: float
    manner: Manner
    first: str = ""
    values: int = 1
    count: int = 1
    unit: str | None = None

    @property
    def form(self) -> str:
        """The line without its numbers, the same for every line that one statement prints."""
        return form_of(self.text)


def named(tag: str) -> str:
    """The pattern of a metric's name and what stands between it and its number."""
    return rf"{PROSE}(?:.*?[^\w/.:-])?{re.escape(tag)}[\"']?\s*[:=]\s*"


def pattern(tag: str) -> str:
    """The pattern of a line that gives a metric, the number whole in its first group."""
    return rf"{named(tag)}({NUMBER}){END}"


def unit_after(text: str) -> str:
    """The unit with which a text goes on behind a number, in one spelling; empty for none."""
    found = _UNIT.match(text)
    unit = (found.group(1) or "") if found else ""
    return _SAME_UNIT.get(unit, unit)


def form_of(text: str) -> str:
    """A line without its numbers and without the length of its bars."""
    bare = _LEAD.sub("", text, count=1).strip()
    return re.sub(r"[^\w\s:=/(){}\[\],'\"]{3,}", "~", re.sub(NUMBER, "#", bare))[:120]


def manner_of(tag: str, line: str) -> Manner:
    """How a line that names the metric gives it."""
    text = _LEAD.sub("", line, count=1).strip()
    alone = rf"[\s{{\[(\"']*{re.escape(tag)}[\"']?\s*[:=]\s*{NUMBER}\s*(?:%|s|ms|us|ns|min|h)?[\s}})\]\"',.;]*"
    if re.fullmatch(alone, text):
        return Manner.BARE
    rest = re.sub(rf"(?<![\w/.-]){re.escape(tag)}[\"']?\s*[:=]\s*{NUMBER}", "", text, count=1)
    return Manner.PROGRESS if _STEP.search(rest) or _OTHER.search(rest) or re.match(r"\d", rest) else Manner.LABELLED


class ResultLines:
    """Follows a log line by line and remembers, of each form, what it said last and whether it was a curve.

    Args:
        tag: The metric as it is printed.
    """

    def __init__(self, tag: str) -> None:
        self._tag, self._pattern = tag, re.compile(pattern(tag))
        self._lines: dict[str, ResultLine] = {}
        self._finals: dict[Manner, _Finals] = {Manner.BARE: _Finals(), Manner.LABELLED: _Finals()}
        self._stepped, self._progressed, self._led = False, False, False
        self._after: ResultLine | None = None
        self._units: dict[Manner, tuple[ResultLine, ...]] = {}

    def feed(self, line: str) -> Manner | None:
        """Take one cleaned line; how it gives the result, None when it gives none."""
        found = self._pattern.search(line)
        if found is None:
            self._stepped = self._stepped or bool(_STEP.search(line[:400]))
            return None
        text = line.strip()[:200]
        unit = unit_after(line[found.end(1) :])
        one = ResultLine(text=text, value=float(found.group(1)), manner=manner_of(self._tag, line), unit=unit)
        self._note_unit(one)
        self._remember(one)
        if one.manner is Manner.PROGRESS:
            self._stepped, self._after = True, one if self._led else None
        else:
            self._finals[one.manner].add(one, stepped=self._stepped)
            self._stepped, self._after, self._led = False, None, self._progressed
        self._progressed = self._progressed or one.manner is Manner.PROGRESS
        return one.manner

    @property
    def lines(self) -> tuple[ResultLine, ...]:
        """One per form, in the order in which they came last; the labelled ones where there is no bare one."""
        labelled = not self._finals[Manner.BARE].last
        return tuple(one for one in self._lines.values() if labelled or one.manner is not Manner.LABELLED)

    @property
    def conflict(self) -> tuple[str, str] | None:
        """Two lines of one run that give different results; None where it has one, or a curve of them."""
        bare, labelled = self._finals[Manner.BARE], self._finals[Manner.LABELLED]
        if units := self._two_units(Manner.BARE if bare.last else Manner.LABELLED):
            return units
        finals = bare if bare.last else labelled
        if pair := finals.pair:
            return pair[0].text, pair[1].text
        alone = finals.last if finals.count == 1 else None
        if alone and self._after and not same(alone, self._after):
            return alone.text, self._after.text
        return None

    def _two_units(self, manner: Manner) -> tuple[str, str] | None:
        """Two lines in different units: of one manner, or a step and the end where both say one."""
        steps, ends = self._units.get(Manner.PROGRESS, ()), self._units.get(manner, ())
        across = [(one, other) for one in steps for other in ends if one.unit and other.unit != one.unit and other.unit]
        pairs = [pair for pair in (ends, steps, *across) if len(pair) > 1]
        return (pairs[0][0].text, pairs[0][1].text) if pairs else None

    def _note_unit(self, one: ResultLine) -> None:
        known = self._units.get(one.manner, ())
        if len(known) < 2 and all(one.unit != other.unit for other in known):
            self._units[one.manner] = (*known, one)

    def _remember(self, one: ResultLine) -> None:
        form = one.form
        known = self._lines.pop(form, None)
        if known is None and len(self._lines) >= _FORMS:
            # Never a bare line while there is another: what comes after it is held against it.
            others = (form for form, line in self._lines.items() if line.manner is not Manner.BARE)
            del self._lines[next(others, next(iter(self._lines)))]
        if known is not None:
            again = same(known, one)
            first = known.first or ("" if again else known.text)
            one = replace(one, first=first, values=known.values + (not again), count=known.count + 1)
        self._lines[form] = one


class _Finals:
    """Lines of one manner that give a result without a step."""

    def __init__(self) -> None:
        self.last: ResultLine | None = None
        self.count = 0
        self._forms: set[str] = set()
        self._plain, self._stepped = 0, 0
        self._apart: tuple[ResultLine, ResultLine] | None = None

    def add(self, one: ResultLine, *, stepped: bool) -> None:
        self._forms.add(one.form) if len(self._forms) < _FORMS else None
        if self.last is not None and stepped:
            self._stepped += 1
        elif self.last is not None:
            self._plain += 1
            self._apart = self._apart if same(self.last, one) else (self.last, one)
        self.last, self.count = one, self.count + 1

    @property
    def pair(self) -> tuple[ResultLine, ResultLine] | None:
        """Two lines that differ with nothing between them that tells of a curve."""
        curve = self._plain > 1 and not self._stepped and len(self._forms) == 1
        return None if curve else self._apart


def same(one: ResultLine, other: ResultLine) -> bool:
    """Whether two lines give one number, as far as the coarser of them prints it."""
    if math.isnan(one.value) or math.isnan(other.value):
        return math.isnan(one.value) and math.isnan(other.value)
    slack = max(_half_unit(one), _half_unit(other))
    return one.value == other.value or abs(one.value - other.value) <= slack * 1.001


def _half_unit(line: ResultLine) -> float:
    found = [text for text in re.findall(NUMBER, line.text) if _is(text, line.value)]
    shown = re.match(r"[-+]?\d*(?:\.(\d*))?(?:[eE]([-+]?\d+))?$", found[-1]) if found else None
    if shown is None or shown.group(1) is None:
        return 0.0
    return 0.5 * 10.0 ** (int(shown.group(2) or 0) - len(shown.group(1)))


def _is(text: str, value: float) -> bool:
    return float(text) == value


def conflict_words(tag: str, pair: tuple[str, str]) -> str:
    """What a run is told that printed two results, or one in two units."""
    units = [_unit_in(tag, line) for line in pair]
    if None not in units and units[0] != units[1]:
        return (
            f"one result in two units, {_called(units[0])} in {pair[0]!r} and {_called(units[1])} in {pair[1]!r}; "
            f"print {tag} in one unit"
        )
    return (
        f"two results in one run: {pair[0]!r}, and later {pair[1]!r}; print {tag} once at the end, "
        "or set target.validations if it is a curve"
    )


def _unit_in(tag: str, line: str) -> str | None:
    found = re.search(pattern(tag), line)
    return unit_after(line[found.end(1) :]) if found else None


def _called(unit: str | None) -> str:
    return {"": "no unit", "%": "percent (%)"}.get(unit or "", repr(unit))


def result_of(log: str, tags: Sequence[str], key: str = "") -> tuple[float | None, str]:
    """The one result that a program printed, or why there is none.

    Args:
        log: What it printed.
        tags: Names of the metric, the likeliest first.
        key: Lines that begin with it, if there are any, count alone: only the program and its starter know it.
    """
    lines = [clean(line) for line in log.split("\n")]
    if key:
        marked = [line.strip().removeprefix(key).strip() for line in lines if line.strip().startswith(key)]
        lines = marked or [" ".join(line.replace(key, "").split()) if key in line else line for line in lines]
    for tag in dict.fromkeys(tags):
        found = ResultLines(tag)
        for line in lines:
            found.feed(line)
        if found.conflict:
            return None, f"two results: {found.conflict[0]!r}, and later {found.conflict[1]!r}"
        if found.lines and math.isfinite(value := found.lines[-1].value):
            return value, ""
    return None, f"it printed no line such as '{tags[0]}: 0.5'"


def unlike_baseline(own: Iterable[ResultLine], baseline: Sequence[ResultLine]) -> str:
    """What a run printed that the baseline's program does not, in words; empty when there is nothing against it.

    Where the baseline prints one result, several are none; a curve is not meant, and may be longer than its. A result
    in a form that the baseline lacks is none beside one in the baseline's form that says something else; an idea that
    prints its result in a new form alone may do so, but in the baseline's unit.
    """
    lines = list(own)
    if wrong := _other_unit(lines, baseline):
        return wrong
    forms = {one.form: one for one in sorted(baseline, key=lambda one: (one.values, one.count))}
    concluded = any(one.manner is not Manner.PROGRESS for one in baseline)
    for one in lines:
        known = forms.get(one.form)
        if known is None or (one.manner is Manner.PROGRESS and (concluded or known.count > 1)):
            continue
        if known.values == 1 and one.values > 1 and one.first:
            return f"the baseline prints one result, this run {one.values}: {one.first!r}, and later {one.text!r}"
    ours = [one for one in lines if one.form in forms]
    last = lines[-1] if lines else None
    final = next((one for one in reversed(lines) if one.manner is not Manner.PROGRESS), None)
    ends = bool(baseline) and baseline[-1].manner is not Manner.PROGRESS
    if ends and final and last and last.manner is Manner.PROGRESS and not same(final, last):
        return f"two results in one run: {final.text!r}, and later {last.text!r}; the baseline's is the last it prints"
    if last is not None and ours and last.form not in forms and not same(last, ours[-1]):
        return f"two results in one run: {ours[-1].text!r}, and later {last.text!r}, which the baseline does not print"
    return ""


def _other_unit(own: Sequence[ResultLine], baseline: Sequence[ResultLine]) -> str:
    known = [one for one in baseline if one.unit is not None]
    for one in own:
        alike = [line for line in known if line.manner is one.manner]
        if one.manner is Manner.PROGRESS and not alike and one is not own[-1]:
            continue
        if known and all(one.unit != line.unit for line in (alike or known)):
            other = (alike or known)[-1]
            return (
                f"another unit than the baseline's: {_called(one.unit)} in {one.text!r}, {_called(other.unit)} in "
                f"{other.text!r}; print the result in the baseline's unit"
            )
    return ""


def ambiguous(tag: str, log: str) -> str:
    """What the last line that names the metric says in place of a number, in words; empty when it says a number.

    Args:
        tag: The metric as it is printed.
        log: The end of the run's output, cleaned.
    """
    word = last_word(tag, log)
    if odd := no_minus(word) if re.match(f"[{NO_MINUS}]", word) else "":
        return f"{word!r} after {tag}: {odd}"
    if not word or re.match(f" {NUMBER}{END}", f" {word}"):
        return ""
    return (
        f"ambiguous number {word!r} after {tag}: print it without separators, as 1234.5" if word[:1] in _DIGITS else ""
    )


def no_minus(text: str) -> str:
    """What is wrong with the sign of a number in a text, in words; empty where nothing is."""
    found = re.search(rf"([{NO_MINUS}])\s*\.?\d", text)
    return (
        f"{found.group(1)!r} (U+{ord(found.group(1)):04X}) is no minus sign; print '-' where one is meant"
        if found
        else ""
    )


def last_word(tag: str, log: str) -> str:
    """The word in the place of the number in the last line that names the metric; empty without one."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in reversed(log.split("\n")))
    found = (re.search(named(tag) + rf"([^\s}}\])]+(?:{_SCALED}|{_THOUSANDS})?)", clean(line)) for line in lines)
    return next((match.group(1).rstrip(",;") for match in found if match), "")


def names_in(log: str) -> tuple[str, ...]:
    """Names that a log gives numbers to, as `pattern` reads them, in the order in which they came first.

    A word that says of what a number is (`Test accuracy: 0.8`) belongs to the name.
    """
    found: dict[str, None] = {}
    for line in map(clean, log.split("\n")):
        if re.match(PROSE, line):
            found.update(dict.fromkeys(" ".join(filter(None, match.groups())) for match in _NAMED.finditer(line)))
    return tuple(found)


OF_WHAT = "train|training|test|eval|evaluation|val|valid|validation|dev|final|best|mean|average|avg|total"
_NAMED = re.compile(
    rf"(?<![\w/.:-])(?:((?i:{OF_WHAT})) )?([A-Za-z_][\w/.@-]*)[\"']?\s*[:=]\s*(?={NUMBER}{END})", re.ASCII
)
