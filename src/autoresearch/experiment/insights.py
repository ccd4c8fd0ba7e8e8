"""What a campaign has learned so far: what helped, what never did, what is unresolved, what was taken back.

By rule, and in lines of an agent where one is asked for them, which have to fit what was measured. Renewed after every
so many verdicts. Each line names the experiments that it rests on and their interval; a line of an
earlier page that later evidence speaks against is struck, with what does. Another campaign is told what is confirmed.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from autoresearch.experiment.attendance import Lesson, ResearcherAsked
from autoresearch.experiment.briefing import code, plain
from autoresearch.experiment.hypothesis import Tried
from autoresearch.experiment.outcome import Status

HELPED, NEVER, UNRESOLVED, STRUCK, REFUSED = "helped", "never", "unresolved", "struck", "refused"
_HEADS = {
    HELPED: "What helped",
    NEVER: "What never helped",
    UNRESOLVED: "What is unresolved",
    STRUCK: "Said earlier, and taken back",
    REFUSED: "Said by an agent, and not taken",
}
_MOST = 8
_HALF = 1.6449
"""Standard errors on each side of a 90 % interval."""

_OWN_EFFECT = re.compile(
    r"(?<![\w.=])[-+\u2212]\s?\.?\d|\d\s?[%\uff05]|\bper ?cent\b|\d\s?([x\u00d7](?!\w)|-?fold\b|times\b|points?\b)"
    r"|\b((by|worth|gain(s|ed)?( of)?) (about |over |up to )?~?\.?\d|add(s|ed)? (about |over |up to )?~?\d*\.\d)",
    re.IGNORECASE,
)
"""A gain as an agent would state it; those on the page are measured."""


@dataclass(frozen=True, kw_only=True)
class Insight:
    """One line.

    Attributes:
        kind: `helped`, `never`, `unresolved`, `struck` or `refused`.
        text: What is said, with the interval, as Markdown.
        ideas: Numbers of the experiments that it rests on.
        confirmed: Whether another campaign may be told: fresh seeds have shown it, or its interval
            excludes a gain, and several runs or one whose number no seed changes are behind it.
        weight: How much evidence there is: how many half widths its interval's middle lies off zero.
    """

    kind: str
    text: str
    ideas: tuple[int, ...]
    confirmed: bool = False
    weight: float = 0.0


def insights(
    tried: Sequence[Tried],
    every: int,
    *,
    origin: Mapping[str, object] | None = None,
    standing: Mapping[str, str] | None = None,
    shown: Iterable[str] = (),
    fallen: Mapping[str, str] | None = None,
    said: Sequence[ResearcherAsked] = (),
) -> tuple[Insight, ...]:
    """The page as of the last renewal.

    Args:
        tried: Ideas in the order of their verdicts.
        every: Verdicts between two renewals; 0: there is no page.
        origin: The recipe's values before any change: they tell whether a key was raised or lowered.
        standing: What may be claimed of an idea in the end, by name.
        shown: Standings that may be relied on.
        fallen: Ideas that were kept and no longer stand, by name, with why.
        said: Calls of agents that were asked what was learned, oldest first: the lines of the last one that hold stand
            on the page, those of any that hold no more are struck.
    """
    judged = [one for one in tried if counts(one)]
    count = len(judged) // every * every if every else 0
    told, gone = judged[:count], fallen or {}
    now = _groups(told, origin or {})
    found = [_helped(one, standing or {}, tuple(shown)) for one in told if _gained(one) and one.name not in gone]
    found += [_never(subject, group) for subject, group in now.items() if _fails(group)]
    settled = {one.index for group in now.values() if _fails(group) for one in group}
    open_ = [one for one in told if not _gained(one) and one.index not in settled and _may_help(one)]
    open_ = [one for one in open_ if one.name not in gone]
    found += [_open(one) for one in sorted(open_, key=lambda one: -(one.effect or 0.0))]
    found += [_fallen(one, gone[one.name]) for one in told if one.name in gone]
    found += _taken_back(told, now, every)
    return _bounded([*found, *_by_agents(said, judged, origin or {}, gone)] if count else found)


def counts(one: Tried) -> bool:
    """Whether it is an idea whose verdict says something of it."""
    return one.status in {Status.KEEP, Status.DISCARD} and one.area != "baseline"


def vetted(lines: Iterable[Lesson], tried: Iterable[Tried], origin: Mapping[str, object]) -> tuple[Lesson, ...]:
    """An agent's lines, with why one is not taken by what is measured now; no more of them than a page has."""
    known = [one for one in tried if counts(one)]
    bounded = (replace(line, text=plain(line.text, 200), ideas=line.ideas[:_MOST]) for line in lines)
    return tuple(replace(line, refused=_why_not(line, known, origin, {})) for line in list(bounded)[:_MOST])


def text(found: Sequence[Insight]) -> str:
    """The page as Markdown, without its title; empty where nothing can be said yet."""
    parts = []
    for kind, head in _HEADS.items():
        lines = [f"- {one.text}" for one in found if one.kind == kind]
        parts += [f"### {head}", "", *lines, ""] if lines else []
    return "\n".join(parts).rstrip()


def confirmed(found: Iterable[Insight]) -> tuple[str, ...]:
    """The lines that another campaign may be told."""
    return tuple(one.text for one in found if one.confirmed)


def _gained(one: Tried) -> bool:
    return one.status == Status.KEEP and one.low is not None and one.low > 0


def _may_help(one: Tried) -> bool:
    return one.status == Status.KEEP or (one.high or 0.0) > 0


def _helped(one: Tried, standing: Mapping[str, str], shown: Sequence[str]) -> Insight:
    word = standing.get(one.name, "")
    told = f"{_name(one)}: {_effect(one)}{f', {word}' if word else ''}"
    weight = _weight(one.low, one.high)
    return Insight(kind=HELPED, text=told, ideas=(one.index,), confirmed=word in shown, weight=weight)


def _never(subject: str, group: Sequence[Tried]) -> Insight:
    mean, low, high = _pooled(group) or (0.0, 0.0, 0.0)
    ideas = tuple(one.index for one in group)
    count = f"{len(group)} ideas, none kept" if len(group) > 1 else "1 idea, not kept"
    numbers = ", ".join(f"#{index}" for index in ideas)
    told = f"{subject}: {count} ({numbers}), together {mean:+.3g} [{low:+.3g}, {high:+.3g}]"
    known = [one for one in group if one.low is not None]
    several = sum(one.runs for one in known) > 1 or any(one.low == one.high for one in known)
    weight = _weight(low, high)
    return Insight(kind=NEVER, text=told, ideas=ideas, confirmed=high < 0 and several, weight=weight)


def _weight(low: float | None, high: float | None) -> float:
    if low is None or high is None:
        return 0.0
    return abs(low + high) / (high - low) if high > low else math.inf


def _open(one: Tried) -> Insight:
    return Insight(kind=UNRESOLVED, text=f"{_name(one)}: {_effect(one)}, {one.status}", ideas=(one.index,))


def _fallen(one: Tried, why: str) -> Insight:
    told = f"~~{_name(one)} helped: {_effect(one)}~~ {plain(why, 160)}"
    return Insight(kind=STRUCK, text=told, ideas=(one.index,))


def _taken_back(told: Sequence[Tried], now: Mapping[str, Sequence[Tried]], every: int) -> list[Insight]:
    """What the page before the first gain said never to help."""
    place = {one.index: number for number, one in enumerate(told)}
    found = []
    for subject, group in now.items():
        by = next(filter(_gained, group), None)
        before = place[by.index] // every * every if by else 0
        earlier = [one for one in group if place[one.index] < before]
        if by and earlier and _fails(earlier):
            numbers = ", ".join(f"#{one.index}" for one in earlier)
            said = f"~~{subject} never helped ({numbers})~~ {_name(by)} did: {_effect(by)}"
            found.append(Insight(kind=STRUCK, text=said, ideas=(*(one.index for one in earlier), by.index)))
    return found


def _by_agents(
    said: Sequence[ResearcherAsked], judged: Sequence[Tried], origin: Mapping[str, object], gone: Mapping[str, str]
) -> list[Insight]:
    found = []
    for call in said:
        for line in call.learned:
            why = line.refused or _why_not(line, judged, origin, gone)
            told = f"{line.text} ({', '.join(f'#{index}' for index in line.ideas) or 'no experiment'}"
            if not why and call is said[-1]:
                mean, low, high = _pooled(_those(line, judged)) or (0.0, 0.0, 0.0)
                told = f"{told}, together {mean:+.3g} [{low:+.3g}, {high:+.3g}]; said by {plain(call.researcher, 40)})"
                found.append(Insight(kind=line.kind, text=told, ideas=line.ideas))
            elif line.refused and call is said[-1]:
                found.append(Insight(kind=REFUSED, text=f"{told}): {why}", ideas=line.ideas))
            elif why and not line.refused and line.kind != UNRESOLVED:
                found.append(Insight(kind=STRUCK, text=f"~~{told})~~ {why}", ideas=line.ideas))
    return found


def _why_not(line: Lesson, judged: Sequence[Tried], origin: Mapping[str, object], gone: Mapping[str, str]) -> str:
    """Why a line does not stand against what was measured; empty where it does."""
    group = _those(line, judged)
    if not line.ideas or len(group) < len(set(line.ideas)):
        return "it names no experiment that was judged" if not group else "it names one that was not judged"
    if _OWN_EFFECT.search(line.text):
        return "it states an effect of its own; those on this page are measured"
    if (pooled := _pooled(group)) is None:
        return "what it names has no interval"
    _, low, high = pooled
    between = f"[{low:+.3g}, {high:+.3g}]"
    if line.kind == HELPED:
        back = next((f"{_name(one)}: {plain(gone[one.name], 160)}" for one in group if one.name in gone), "")
        return back or ("" if low > 0 else f"what it names shows no gain: {between}")
    if line.kind == UNRESOLVED:
        return "" if low <= 0 <= high else f"what it names is settled: {between}"
    if any(map(_gained, group)):
        return "one of what it names helped"
    alike = {_subject(one, origin) for one in group if len(one.overrides) <= 1}
    others = [one for one in judged if _gained(one) and one.name not in gone and len(one.overrides) <= 1]
    if against := next((one for one in others if len(alike) == 1 and _subject(one, origin) in alike), None):
        return f"{_name(against)} did: {_effect(against)}"
    return "" if _fails(group) else f"what it names may hold a gain: {between}"


def _those(line: Lesson, judged: Iterable[Tried]) -> list[Tried]:
    return [one for one in judged if one.index in line.ideas]


def _groups(judged: Iterable[Tried], origin: Mapping[str, object]) -> dict[str, list[Tried]]:
    """Ideas by what they do alike: one key turned one way, or edits in one area; one of several keys says little."""
    found: dict[str, list[Tried]] = {}
    for one in judged:
        if len(one.overrides) <= 1:
            found.setdefault(_subject(one, origin), []).append(one)
    return found


def _subject(one: Tried, origin: Mapping[str, object]) -> str:
    if not one.overrides:
        return f"edits in area {code(one.area)}"
    key, _, value = one.overrides[0].lstrip("+~").partition("=")
    before, after = _number(origin.get(key)), _number(value)
    if before is None or after is None or before == after:
        return f"{code(key)} changed"
    return f"{code(key)} {'raised' if after > before else 'lowered'}"


def _number(value: object) -> float | None:
    try:
        return None if value is None or isinstance(value, bool) else float(str(value))
    except ValueError:
        return None


def _fails(group: Sequence[Tried]) -> bool:
    """Whether ideas that do alike have never helped: none was kept, and together they gained nothing."""
    pooled = _pooled(group)
    if pooled is None or any(one.status == Status.KEEP for one in group):
        return False
    return pooled[2] < 0 or (len(group) > 1 and pooled[0] <= 0)


def _pooled(group: Iterable[Tried]) -> tuple[float, float, float] | None:
    """The mean effect of ideas, weighted by what is known of each, with its interval; None without any interval."""
    known = [
        (one.effect, (one.high - one.low) / 2 / _HALF)
        for one in group
        if one.effect is not None and one.low is not None and one.high is not None
    ]
    if not known:
        return None
    if any(error <= 0 for _, error in known):
        mean = sum(effect for effect, _ in known) / len(known)
        return mean, min(effect for effect, _ in known), max(effect for effect, _ in known)
    weights = [1 / error**2 for _, error in known]
    mean = sum(weight * effect for weight, (effect, _) in zip(weights, known, strict=True)) / sum(weights)
    half = _HALF / math.sqrt(sum(weights))
    return mean, mean - half, mean + half


def _name(one: Tried) -> str:
    turned = f" {code(' '.join(one.overrides), 100)}" if one.overrides else ""
    return f"#{one.index} {plain(one.title, 100)}{turned}"


def _effect(one: Tried) -> str:
    if one.effect is None:
        return "no comparison"
    between = "" if one.low is None or one.high is None else f" [{one.low:+.3g}, {one.high:+.3g}]"
    return f"{one.effect:+.3g}{between} over {one.runs} run{'s' * (one.runs != 1)}"


def _bounded(found: Sequence[Insight]) -> tuple[Insight, ...]:
    """Of each kind as many as a reader takes in, the newest of what stands."""
    kept: list[Insight] = []
    for kind in _HEADS:
        lines = [one for one in found if one.kind == kind]
        kept += lines[:_MOST] if kind == UNRESOLVED else lines[-_MOST:]
    return tuple(kept)
