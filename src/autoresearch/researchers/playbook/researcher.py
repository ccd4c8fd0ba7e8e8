"""Ideas from a book of plays: symptoms of the parent's run first, then the menu, cheap and likely ones first.

`choose` is a pure function of brief and book, and deterministic. It proposes nothing that the recipe or NeMo-RL would
refuse, nothing protected, nothing that changes nothing, and no configuration twice.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from autoresearch.errors import CampaignError
from autoresearch.experiment.hypothesis import AREAS, Brief, Hypothesis, Tried
from autoresearch.guards.scope import Globs
from autoresearch.ports.researcher import Supply
from autoresearch.researchers import recipe_rules
from autoresearch.researchers.override_forms import Draft, apply, effective, lookup, missing, same, text
from autoresearch.researchers.playbook import plays
from autoresearch.researchers.playbook.plays import Book, Play
from autoresearch.run.symptom import Severity

_GRADES = {"high": 0, "fair": 1, "low": 2}
_COSTS = {"low": 0, "medium": 1, "high": 2}
_SPEED = ("time", "throughput", "tokens_per_sec", "latency", "performance/", "timing/")
_OUT_OF_MEMORY = ("out of memory", "outofmemory", "oom")
_FAILED = frozenset({"crash", "discard"})
_MOST_REDUCTIONS = 2
"""A change that runs out of memory is reduced this often before its axis is given up (R146, R148)."""


class PlaybookResearcher:
    """Proposes plays.

    Args:
        options: `path` of a book of one's own, relative to the repository (`root`); default: the built-in one.
        folder: Not used; the ledger is the memory.

    Raises:
        CampaignError: The book cannot be read.
    """

    name = "playbook"
    edits = False
    finite = False

    def __init__(self, *, options: Mapping[str, Any], folder: Path) -> None:  # noqa: ARG002 - see above
        path = options.get("path")
        self._book = _read(Path(options.get("root", ".")) / str(path)) if path else plays.builtin()

    def supply(self, brief: Brief) -> Supply:
        """Plays whose keys the recipe has; which of them come, the symptoms of its runs decide."""
        table = _Table(brief, self._book)
        fit = sum(
            all(_has(need, table.traits) for need in play.needs) and any(table.key(name) for name in play.set)
            for play in self._book.plays
        )
        return Supply(f"{fit} plays" if fit else "no play is for such a recipe", fit)

    def propose(self, brief: Brief, tree: Path) -> Hypothesis | None:  # noqa: ARG002 - the brief says it all
        """The next play for this recipe and these symptoms, None when no play is left."""
        return choose(brief, self._book)


def _read(path: Path) -> Book:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CampaignError(f"the book of plays {path} cannot be read: {error}") from None
    return plays.read(document, f"the book of plays {path}")


def choose(brief: Brief, book: Book) -> Hypothesis | None:
    """The best play that applies and is new; None when there is none."""
    table = _Table(brief, book)
    for candidate in (*_reductions(table), *sorted(_candidates(table), key=lambda one: one.rank)):
        if table.acceptable(candidate.draft):
            return _hypothesis(brief, candidate)
    return None


@dataclass(frozen=True)
class Candidate:
    """A play made concrete; `rank` orders candidates, smallest first."""

    play: Play
    draft: Draft
    rank: tuple[float, ...] = ()
    symptoms: tuple[str, ...] = ()


class _Table:
    """The brief, as the rules below look at it."""

    def __init__(self, brief: Brief, book: Book) -> None:
        self.brief, self.book = brief, book
        self.values, self.traits = brief.facts.values, brief.facts.traits
        self.symptoms = {symptom.name: symptom for symptom in reversed(brief.symptoms)}
        self.order = {symptom.name: place for place, symptom in reversed(list(enumerate(brief.symptoms)))}

    @cached_property
    def parent(self) -> tuple[str, ...]:
        """Overrides accumulated at the parent."""
        return next((item.config for item in self.brief.tried if item.name == self.brief.parent), ())

    @cached_property
    def kept(self) -> frozenset[str]:
        """Titles of what the parent consists of."""
        return frozenset(
            item.title
            for item in self.brief.tried
            if item.status == "keep" and item.config == self.parent[: len(item.config)] and item.overrides
        )

    @cached_property
    def seen(self) -> frozenset[frozenset[tuple[str, str]]]:
        """Every configuration tried so far."""
        return frozenset(effective(item.config) for item in self.brief.tried)

    @cached_property
    def measuring(self) -> Globs:
        """Keys that are part of the evaluation, with slashes for dots."""
        return Globs(glob.replace(".", "/") for glob in self.brief.protect_keys)

    def key(self, name: str) -> str | None:
        """The recipe's key for a name, None when it has none."""
        key = self.book.key(name.rstrip("?"), self.traits)
        return None if key is None or missing(lookup(self.values, key)) else key

    def acceptable(self, draft: Draft) -> bool:
        """Whether a change changes something, is new, allowed, and keeps the recipe's rules."""
        if all(same(value, lookup(self.values, key)) for key, value in draft.changed.items()):
            return False
        if effective((*self.parent, *draft.overrides)) in self.seen:
            return False
        if any(self.protected(key) for key in draft.changed):
            return False
        return not recipe_rules.broken(self.values, draft.after(), self.brief.facts)

    def protected(self, key: str) -> bool:
        """Whether a key, or something below it, is what measures."""
        below = (name for name in self.values if name.startswith(f"{key}."))
        return any(self.measuring.match(name.replace(".", "/")) for name in (key, *below))


def _candidates(table: _Table) -> Iterator[Candidate]:
    for place, play in enumerate(table.book.plays):
        answered = tuple(name for name in play.answers if name in table.symptoms)
        if not (answered or play.menu) or not _fits(play, table):
            continue
        draft = _draft(play, table)
        if draft is not None:
            yield Candidate(play, draft, _rank(play, place, answered, table), answered)


def _fits(play: Play, table: _Table) -> bool:
    """Whether a play is for this recipe, this machine, this moment and this budget."""
    space, gpus = table.brief.facts.space, table.brief.facts.gpus
    opposite = next((other.title for other in table.book.plays if other.name == play.opposite), "")
    return (
        (play.cost == "low" or not table.brief.low_risk)
        and all(_has(need, table.traits) for need in play.needs)
        and play.gpus.at_least <= gpus <= (math.inf if play.gpus.at_most is None else play.gpus.at_most)
        and not any(name in table.symptoms for name in play.unless)
        and opposite not in table.kept
        and all(table.key(name) in space for name in play.apart)
        and (not play.after or _touched(play, table))
        and all(condition.holds(_present(name, table)) for name, condition in play.where.items())
    )


def _has(need: str, traits: frozenset[str]) -> bool:
    return need[1:] not in traits if need.startswith("!") else not traits.isdisjoint(need.split("|"))


def _touched(play: Play, table: _Table) -> bool:
    """Whether the parent was made by a change of one of the play's keys, and this play has not been kept since."""
    keys = {table.key(name) for name in play.after}
    changed = {override.lstrip("+").partition("=")[0] for override in table.parent}
    return not keys.isdisjoint(changed) and play.title not in table.kept


def _present(name: str, table: _Table) -> Any:
    key = table.book.key(name, table.traits)
    return lookup(table.values, key or "")


def _draft(play: Play, table: _Table) -> Draft | None:
    draft = Draft(table.values)
    for name, change in play.set.items():
        key = table.key(name)
        if key is None and name.endswith("?"):
            continue
        if key is None or not apply(draft, key, change, table.key):
            return None
    return draft


def _rank(play: Play, place: int, answered: tuple[str, ...], table: _Table) -> tuple[float, ...]:
    """What decides between plays: symptoms worst first, then what serves the goal, then odds, cost, area and page.

    Areas at a plateau (R115) come after all others, unless a warning calls for the play.
    """
    serves = play.gain == _goal(table.brief)
    worry = min((table.order[name] for name in answered), default=0)
    serious = any(table.symptoms[name].severity is not Severity.INFO for name in answered)
    tier = 0 if serious else (1 if answered else 2) + (0 if serves else 2)
    aside = bool(answered) and play.answers[0] not in answered
    odds = _GRADES[play.odds] + _experience(play, table) + aside
    area = AREAS.index(play.area) if play.area in AREAS else len(AREAS)
    worn = play.area in table.brief.worn and not serious
    return (worn, tier, worry, odds, _COSTS[play.cost], area, place)


def _goal(brief: Brief) -> str:
    """What the objective is about: `speed`, `memory` or `quality`."""
    metric = f"{brief.objective.metric} {brief.objective.tag}".lower()
    if "mem_gb" in metric or "memory" in metric:
        return "memory"
    return "speed" if any(word in metric for word in _SPEED) else "quality"


def _experience(play: Play, table: _Table) -> int:
    """A play that failed waits for others; one that was kept last is worth another step in its direction."""
    past = [item for item in table.brief.tried if item.title == play.title]
    failed = sum(item.status in {"discard", "crash"} for item in past)
    return failed - (1 if past and past[-1].status == "keep" else 0)


def _reductions(table: _Table) -> Iterator[Candidate]:
    """After running out of memory: less of the latest change that needed more of it."""
    hungry = {table.key(name): play for play in table.book.plays if play.memory for name in play.set}
    if any(name.startswith("oom") for name in table.symptoms):
        yield from _taken_back(table, hungry)
    for item in reversed(table.brief.tried):
        reason = item.reason.lower()
        mine = item.config[: len(item.config) - len(item.overrides)] == table.parent
        if mine and item.status in _FAILED and item.value is None and any(word in reason for word in _OUT_OF_MEMORY):
            yield from _halfway(table, item, hungry)


def _taken_back(table: _Table, hungry: Mapping[str | None, Play]) -> Iterator[Candidate]:
    """The parent itself ran out: halve what it last enlarged, or switch off what it last switched on."""
    for override in reversed(table.parent):
        key, _, said = override.lstrip("+").partition("=")
        value = lookup(table.values, key)
        if key not in hungry or "${" in said:
            continue
        draft = Draft(table.values)
        if isinstance(value, bool):
            draft.put(key, not value)
        elif isinstance(value, int) and value > 1:
            draft.put(key, value // 2)
        elif isinstance(value, float):
            draft.put(key, float(f"{value * 0.75:.6g}"))
        title = "Take back some of the latest change that needs memory"
        yield Candidate(hungry[key].model_copy(update={"title": title, "memory": False}), draft, (), ("oom",))


def _halfway(table: _Table, item: Tried, hungry: Mapping[str | None, Play]) -> Iterator[Candidate]:
    """A change that ran out of memory: the same again, half as far, or with activations recomputed."""
    keys = {override.lstrip("+").partition("=")[0] for override in item.overrides}
    same_keys = [one for one in table.brief.tried if keys <= {o.lstrip("+").partition("=")[0] for o in one.overrides}]
    play = next((hungry[key] for key in sorted(keys) if key in hungry), None)
    if (
        play is None
        or len([one for one in same_keys if one.status in _FAILED and one.value is None]) > _MOST_REDUCTIONS
    ):
        return
    middle = _between(table, item)
    if middle is not None:
        title = f"{play.title}, but only half as far"
        yield Candidate(play.model_copy(update={"title": title}), middle, (), ("oom",))
    relief = table.key("$recompute") if "recompute" in table.book.names else None
    again = _draft(play, table)
    if relief is not None and again is not None and lookup(table.values, relief) is False:
        again.put(relief, True)
        title = f"{play.title}, and recompute activations"
        yield Candidate(play.model_copy(update={"title": title}), again, (), ("oom",))


def _between(table: _Table, item: Tried) -> Draft | None:
    """Numbers half way between the parent's and the crashed ones; None where there is nothing half way."""
    draft = Draft(table.values)
    for override in item.overrides:
        key, _, said = override.lstrip("+").partition("=")
        value = lookup(table.values, key)
        if "${" in said:
            return None
        try:
            middle = (value + type(value)(said)) / 2
        except (TypeError, ValueError):
            return None
        if isinstance(value, bool) or (isinstance(value, int) and middle != int(middle)):
            return None
        draft.put(key, int(middle) if isinstance(value, int) else float(f"{middle:.6g}"))
    return draft


def _hypothesis(brief: Brief, candidate: Candidate) -> Hypothesis:
    play = candidate.play
    told = [play.why]
    told += [f"Answers {', '.join(candidate.symptoms)} of {brief.parent}."] if candidate.symptoms else []
    told += [f"From {key} = {text(lookup(brief.facts.values, key))}." for key in list(candidate.draft.changed)[:1]]
    told += [f'Noted, but a playbook cannot read it: "{brief.steering[-1]}".'] if brief.steering else []
    return Hypothesis(
        title=play.title,
        area=play.area,
        overrides=tuple(candidate.draft.overrides),
        rationale=" ".join(told),
        watch=tuple(f"{tag} {does}" for tag, does in play.watch.items()),
        symptoms=candidate.symptoms,
        simplifies=play.simplifies,
        unlocks=play.unlocks,
        source="playbook",
    )
