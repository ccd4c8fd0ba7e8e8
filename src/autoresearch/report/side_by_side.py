"""Two campaigns side by side: whether their numbers are comparable, what each found, and ideas that both tried."""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass

from autoresearch.experiment.outcome import BASELINE
from autoresearch.report import costs
from autoresearch.report.attempts import ReportLine
from autoresearch.report.pages import facts
from autoresearch.report.plain_text import interval, number, table, wrapped
from autoresearch.report.report import Report


@dataclass(frozen=True, kw_only=True)
class SharedIdea:
    """An idea that both campaigns tried: the same overrides or, without any, the same title.

    Attributes:
        title: Its title in the first.
        numbers: Its number in each.
        verdicts: Its verdict in each.
        effects: Its effect with interval in each, as it was judged there.
    """

    title: str
    numbers: tuple[int, int]
    verdicts: tuple[str, str]
    effects: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class SideBySide:
    """Two campaigns.

    Attributes:
        campaigns: Their names.
        apart: What differs so that a difference of their values says nothing about their ideas, a sentence each.
        headlines: What each report says first.
        rows: Facts of each: a label and two texts.
        ideas: What both tried.
    """

    campaigns: tuple[str, str]
    apart: tuple[str, ...]
    headlines: tuple[str, str]
    rows: tuple[tuple[str, str, str], ...]
    ideas: tuple[SharedIdea, ...]

    def text(self, width: int | None = None) -> str:
        """Both as tables, broken to `width` characters; None: never."""
        parts = [wrapped(f"{name}: {said}", width) for name, said in zip(self.campaigns, self.headlines, strict=True)]
        parts += [wrapped(said, width) for said in self.apart]
        room = None if width is None else max(16, (width - 4 - max(len(row[0]) for row in self.rows)) // 2)
        whole = [
            row for row in self.rows if room is None or all(len(word) <= room for word in " ".join(row[1:]).split())
        ]
        rows = [line for row in whole for line in _broken(row, room)]
        parts.append(table(("", *self.campaigns), rows, width))
        parts += [
            wrapped(f"{label} of {name}: {text}", width)
            for label, *texts in (row for row in self.rows if row not in whole)
            for name, text in zip(self.campaigns, texts, strict=True)
        ]
        if self.ideas:
            told = [(*one.numbers, *one.verdicts, *one.effects, one.title) for one in self.ideas]
            head = ("#A", "#B", "A", "B", "effect in A", "effect in B", "tried in both")
            parts.append(table(head, told, width, folds=True))
        else:
            parts.append("no idea was tried in both")
        return "\n\n".join(parts)


def side_by_side(one: Report, other: Report) -> SideBySide:
    """Two reports of one repository, beside each other."""
    first, second = _facts(one), _facts(other)
    labels = dict.fromkeys((*first, *second))
    return SideBySide(
        campaigns=(one.campaign, other.campaign),
        apart=_apart(one, other),
        headlines=(one.headline, other.headline),
        rows=tuple((label, first.get(label, ""), second.get(label, "")) for label in labels),
        ideas=_shared(one.entries, other.entries),
    )


def _facts(report: Report) -> dict[str, str]:
    """The head of a report, and its counts and cost."""
    found = dict(facts(report))
    kept = sum(one.status == "keep" and one.name != BASELINE for one in report.entries)
    return {
        **{
            label: found[label]
            for label in ("goal", "recipe", "baseline", "best", "noise", "judged by")
            if label in found
        },
        "attempts": f"{len(report.entries)}, {kept} kept",
        "spent": costs.added(report.spend, report.usd_per_gpu_hour),
        "ended": report.reason or "not yet",
    }


def _apart(one: Report, other: Report) -> tuple[str, ...]:
    asked = [
        ("the metric", one.objective.metric, other.objective.metric),
        ("the direction", str(one.objective.direction), str(other.objective.direction)),
        ("the recipe", one.recipe, other.recipe),
        ("the commit they began on", one.base_commit, other.base_commit),
    ]
    told = [f"{what} differs ({a or 'none'}, {b or 'none'})" for what, a, b in asked if a != b]
    if not told:
        return ()
    return (f"Values cannot be compared as they stand: {'; '.join(told)}. Each effect is against its own parent.",)


def _shared(ones: Iterable[ReportLine], others: Iterable[ReportLine]) -> tuple[SharedIdea, ...]:
    known = {_key(entry): entry for entry in ones if entry.name != BASELINE}
    pairs = [(known[_key(entry)], entry) for entry in others if _key(entry) in known]
    return tuple(
        SharedIdea(
            title=a.title,
            numbers=(a.index, b.index),
            verdicts=(a.status, b.status),
            effects=(_effect(a), _effect(b)),
        )
        for a, b in pairs
    )


def _key(entry: ReportLine) -> object:
    return frozenset(entry.overrides) or " ".join(entry.title.lower().split())


def _effect(entry: ReportLine) -> str:
    return interval(entry.effect, entry.low, entry.high) or number(entry.value)


def _broken(row: tuple[str, str, str], width: int | None) -> Iterable[tuple[str, str, str]]:
    """A row whose texts go on below themselves."""
    label, *texts = row
    first, second = ([text] if width is None else textwrap.wrap(text, width, break_on_hyphens=False) for text in texts)
    for place in range(max(len(first), len(second))):
        yield (
            label if place == 0 else "",
            first[place] if place < len(first) else "",
            second[place] if place < len(second) else "",
        )
