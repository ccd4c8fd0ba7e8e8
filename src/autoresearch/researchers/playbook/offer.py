"""What a play would change in the recipe of a brief, or why it is not offered there; pure.

A play is offered only where its mechanism is at work: where the recipe has the traits that it needs and the values that
it starts from, where nothing of what it changes is protected, and where NeMo-RL would take the result.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from autoresearch.experiment import recipe_rules
from autoresearch.experiment.hypothesis import Brief
from autoresearch.guards.scope import Globs
from autoresearch.researchers.override_forms import (
    Draft,
    apply,
    assignments,
    effective,
    is_number,
    lookup,
    missing,
    same,
    text,
)
from autoresearch.researchers.playbook.plays import Book, Play


@dataclass(frozen=True)
class PlayOffer:
    """A play looked at for one brief.

    Attributes:
        play: The play.
        overrides: What it would change; empty when it is not for this recipe, or not now.
        why_not: Why it is not offered, in words; empty when it is.
    """

    play: Play
    overrides: tuple[str, ...] = ()
    why_not: str = ""


def offers(brief: Brief, book: Book) -> Iterator[PlayOffer]:
    """Every play of a book, with what it would change here or why it is not offered."""
    table = RecipeView(brief, book)
    for play in book.plays:
        draft = None if (why_not := misfit(play, table)) else draft_of(play, table)
        if draft is None:
            yield PlayOffer(play, why_not=why_not or "a key that it changes has no value that it could start from")
        elif refused := table.refusal(draft):
            yield PlayOffer(play, why_not=refused)
        else:
            yield PlayOffer(play, tuple(draft.overrides))


class RecipeView:
    """The brief, as the rules below look at it."""

    def __init__(self, brief: Brief, book: Book) -> None:
        self.brief, self.book = brief, book
        self.traits = brief.facts.traits
        known = brief.facts.values
        silent = {key: value for key, value in brief.facts.defaults.items() if missing(lookup(known, key))}
        self.silent, self.values = frozenset(silent), {**silent, **known}
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

    def draft(self) -> Draft:
        """A change of the recipe as it is."""
        return Draft(self.values, self.earlier, self.silent)

    def earlier(self, key: str, other: str) -> Any:
        """What `other` was when the present value of `key` was chosen, by the parent's latest override of it or before.

        Values of then are worked out from the recipe before any change and the overrides up to that one, ties that the
        playbook writes (`${a}`, `${mul:${a},${b}}`) included. None when it cannot be told.
        """
        touched = [index for index, said in enumerate(self.parent) if said.lstrip("+").partition("=")[0] == key]
        return self._then(other, assignments(self.parent[: touched[-1] + 1] if touched else ()))

    def _then(self, key: str, said: Mapping[str, str]) -> Any:
        origin = lookup(self.brief.origin, key)
        if key not in said:
            tie = self._tie if key == "policy.train_global_batch_size" else ()
            old = [lookup(self.brief.origin, name) for name in tie]
            if any(name in said for name in tie) and all(map(is_number, old)) and same(math.prod(old), origin):
                return self._product(tie, said)
            return None if missing(origin) else origin
        if named := re.findall(r"\$\{([\w.]+)\}", said[key]):
            return self._product(tuple(named), said)
        try:
            return float(said[key])
        except ValueError:
            return None

    def _product(self, names: tuple[str, ...], said: Mapping[str, str]) -> float | None:
        values = [self._then(name, said) for name in names]
        return math.prod(values) if all(map(is_number, values)) else None

    @cached_property
    def _tie(self) -> tuple[str, ...]:
        """The two keys whose product a batch of rollouts is; empty for an algorithm that samples no answers."""
        algorithm = next((name for name in recipe_rules.ROLLOUT if name in self.traits), "")
        return tuple(f"{algorithm}.num_{what}" for what in ("prompts_per_step", "generations_per_prompt") if algorithm)

    def spelled(self, name: str) -> str | None:
        """The key behind a name, as the dialect says it, else as the book does."""
        return self.brief.facts.spelled.get(name.removeprefix("$")) or self.book.key(name, self.traits)

    def key(self, name: str) -> str | None:
        """The recipe's key for a name, None when it has none."""
        key = self.spelled(name.rstrip("?"))
        return None if key is None or missing(lookup(self.values, key)) else key

    def acceptable(self, draft: Draft) -> bool:
        """Whether a change changes something, is new, allowed, and keeps the recipe's rules."""
        return not self.refusal(draft)

    def refusal(self, draft: Draft) -> str:
        """Why a change is not proposed, in words; empty when it is."""
        if all(same(value, lookup(self.values, key)) for key, value in draft.changed.items()):
            return "it would change nothing"
        if effective((*self.parent, *draft.overrides)) in self.seen:
            return "it was tried"
        if self.brief.repeats_earlier(draft.overrides):
            return "it was tried in the campaign that this one goes on from"
        if protected := [key for key in draft.changed if self.protected(key)]:
            return f"{', '.join(protected)}: part of the evaluation"
        broken = recipe_rules.broken(self.values, draft.after(), self.brief.facts)
        return f"it would break a rule of NeMo-RL: {broken}" if broken else ""

    def shown(self, names: Iterable[str]) -> str:
        """Present values behind names, for a person."""
        keys = [self.key(name) or self.spelled(name) or name for name in names]
        found = [(key, lookup(self.values, key)) for key in keys]
        return ", ".join(f"{key} is {'not there' if missing(value) else text(value)}" for key, value in found)

    def protected(self, key: str) -> bool:
        """Whether a key, or something below it, is what measures."""
        below = (name for name in self.values if name.startswith(f"{key}."))
        return any(self.measuring.match(name.replace(".", "/")) for name in (key, *below))


def misfit(play: Play, table: RecipeView) -> str:
    """Why a play is not for this recipe, this machine, this moment or this budget; empty when it is."""
    space, gpus = table.brief.facts.space, table.brief.facts.gpus
    opposite = next((other.title for other in table.book.plays if other.name == play.opposite), "")
    most = math.inf if play.gpus.at_most is None else play.gpus.at_most
    lacking = [need for need in play.needs if not has(need, table.traits)]
    broken = [name for name, one in play.where.items() if not one.holds(_present(name, table))]
    reasons = (
        (f"it is for recipes that are {', '.join(lacking)}", bool(lacking)),
        (f"it is for {play.gpus.at_least} to {most} GPUs, not {gpus}", not play.gpus.at_least <= gpus <= most),
        (f"{table.shown(broken)}", bool(broken)),
        (f"validation follows {', '.join(play.apart)}", not all(table.key(name) in space for name in play.apart)),
        (f"it costs {play.cost}, and only low-risk ideas are wanted", play.cost != "low" and table.brief.low_risk),
        (f"not with {', '.join(play.unless)}", any(name in table.symptoms for name in play.unless)),
        ("its opposite was kept", opposite in table.kept),
        (f"nothing changed {', '.join(play.after)} with success", bool(play.after) and not _touched(play, table)),
    )
    return next((words for words, holds in reasons if holds), "")


def has(need: str, traits: frozenset[str]) -> bool:
    return need[1:] not in traits if need.startswith("!") else not traits.isdisjoint(need.split("|"))


def _touched(play: Play, table: RecipeView) -> bool:
    """Whether the parent was made by a change of one of the play's keys, and this play has not been kept since."""
    keys = {table.key(name) for name in play.after}
    changed = {override.lstrip("+").partition("=")[0] for override in table.parent}
    return not keys.isdisjoint(changed) and play.title not in table.kept


def _present(name: str, table: RecipeView) -> Any:
    key = table.spelled(name)
    return lookup(table.values, key or "")


def draft_of(play: Play, table: RecipeView) -> Draft | None:
    draft = table.draft()
    for name, change in play.set.items():
        key = table.key(name)
        if key is None and name.endswith("?"):
            continue
        if key is None or not apply(draft, key, change, table.key):
            return None
    return draft
