"""Ideas from a book of plays: symptoms of the parent's run first, then the menu, cheap and likely ones first.

`choose` is a pure function of brief and book, and deterministic. It proposes nothing that the recipe or NeMo-RL would
refuse, nothing protected, nothing that changes nothing, and no configuration twice.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from autoresearch.errors import CampaignError
from autoresearch.experiment.hypothesis import AREAS, Brief, Hypothesis, Tried
from autoresearch.ports.researcher import Explained, Supply
from autoresearch.researchers.override_forms import Draft, lookup, text
from autoresearch.researchers.playbook import plays
from autoresearch.researchers.playbook.offer import RecipeView, draft_of, misfit, offers
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
        self._own = _read(Path(options.get("root", ".")) / str(path)) if path else None

    def supply(self, brief: Brief) -> Supply:
        """Plays that are at work in the recipe as it is; one that is kept may come again."""
        here = [one.play.menu for one in offers(brief, self._book(brief)) if not one.why_not]
        called = here.count(False)
        more = f", {called} more when a symptom calls them" if called else ""
        return Supply(f"{here.count(True)} plays{more}" if here else "no play is for such a recipe", len(here))

    def explain(self, brief: Brief) -> tuple[Explained, ...]:
        """Every play of the book: what it would change here, or why it is not for this recipe."""
        return tuple(
            Explained(
                name=one.play.name,
                title=one.play.title,
                changes=one.overrides,
                why_not=one.why_not,
                called_by=() if one.play.menu else one.play.answers,
                source=one.play.source,
            )
            for one in offers(brief, self._book(brief))
        )

    def propose(self, brief: Brief, tree: Path) -> Hypothesis | None:  # noqa: ARG002 - the brief says it all
        """The next play for this recipe and these symptoms, None when no play is left."""
        return choose(brief, self._book(brief))

    def _book(self, brief: Brief) -> Book:
        return self._own or (plays.concepts() if brief.facts.spelled else plays.builtin())


def _read(path: Path) -> Book:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CampaignError(f"the book of plays {path} cannot be read: {error}") from None
    return plays.read(document, f"the book of plays {path}")


def choose(brief: Brief, book: Book) -> Hypothesis | None:
    """The best play that applies and is new; None when there is none."""
    table = RecipeView(brief, book)
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


def _candidates(table: RecipeView) -> Iterator[Candidate]:
    for place, play in enumerate(table.book.plays):
        answered = tuple(name for name in play.answers if name in table.symptoms)
        if not (answered or play.menu) or misfit(play, table):
            continue
        draft = draft_of(play, table)
        if draft is not None:
            yield Candidate(play, draft, _rank(play, place, answered, table), answered)


def _rank(play: Play, place: int, answered: tuple[str, ...], table: RecipeView) -> tuple[float, ...]:
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


def _experience(play: Play, table: RecipeView) -> int:
    """A play that failed waits for others; one that was kept last is worth another step in its direction."""
    past = [item for item in (*table.brief.before, *table.brief.tried) if item.title == play.title]
    failed = sum(item.status in {"discard", "crash"} for item in past)
    return failed - (1 if past and past[-1].status == "keep" else 0)


def _reductions(table: RecipeView) -> Iterator[Candidate]:
    """After running out of memory: less of the latest change that needed more of it."""
    hungry = {table.key(name): play for play in table.book.plays if play.memory for name in play.set}
    if any(name.startswith("oom") for name in table.symptoms):
        yield from _taken_back(table, hungry)
    for item in reversed(table.brief.tried):
        reason = item.reason.lower()
        mine = item.config[: len(item.config) - len(item.overrides)] == table.parent
        if mine and item.status in _FAILED and item.value is None and any(word in reason for word in _OUT_OF_MEMORY):
            yield from _halfway(table, item, hungry)


def _taken_back(table: RecipeView, hungry: Mapping[str | None, Play]) -> Iterator[Candidate]:
    """The parent itself ran out: halve what it last enlarged, or switch off what it last switched on."""
    for override in reversed(table.parent):
        key, _, said = override.lstrip("+").partition("=")
        value = lookup(table.values, key)
        if key not in hungry or "${" in said:
            continue
        draft = table.draft()
        if isinstance(value, bool):
            draft.put(key, not value)
        elif isinstance(value, int) and value > 1:
            draft.put(key, value // 2)
        elif isinstance(value, float):
            draft.put(key, float(f"{value * 0.75:.6g}"))
        title = "Take back some of the latest change that needs memory"
        yield Candidate(hungry[key].model_copy(update={"title": title, "memory": False}), draft, (), ("oom",))


def _halfway(table: RecipeView, item: Tried, hungry: Mapping[str | None, Play]) -> Iterator[Candidate]:
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
    again = draft_of(play, table)
    if relief is not None and again is not None and lookup(table.values, relief) is False:
        again.put(relief, True)
        title = f"{play.title}, and recompute activations"
        yield Candidate(play.model_copy(update={"title": title}), again, (), ("oom",))


def _between(table: RecipeView, item: Tried) -> Draft | None:
    """Numbers half way between the parent's and the crashed ones; None where there is nothing half way."""
    draft = table.draft()
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
        watch=tuple(f"{brief.facts.spelled.get(f'~{tag}', tag)} {does}" for tag, does in play.watch.items()),
        symptoms=candidate.symptoms,
        simplifies=play.simplifies,
        unlocks=play.unlocks,
        source="playbook",
    )
