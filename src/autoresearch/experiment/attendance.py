"""Which researchers are at work, which have fallen out and why, and what each has cost.

A call of a researcher that costs something is an event of its own, whether an idea came of it or not: what gave no idea
is no experiment, has no row and counts nowhere but here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

PROPOSED, NO_IDEA, AGAIN, FRUITLESS, TROUBLE = "proposed", "no idea", "tried again", "fruitless", "trouble"
MENDED, NOT_MENDED = "mended", "not mended"
"""What comes of a call; `fruitless` ends an attempt that gave nothing, `tried again` is followed by another call."""

REST_FIRST_S, REST_MOST_S = 15.0, 1800.0
"""Seconds that one who fell out is not asked again while another has ideas: doubled each time, up to the second."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A line that a researcher would have on the page of what was learned.

    Attributes:
        kind: `helped`, `never` or `unresolved`.
        text: What it says, in one line without numbers of its own.
        ideas: Numbers of the experiments that it rests on.
        refused: Why it was not taken, from what had been measured when it was said; empty where it was.
    """

    kind: str
    text: str
    ideas: tuple[int, ...]
    refused: str = ""


@dataclass(frozen=True, kw_only=True)
class ResearcherAsked:
    """One call of a researcher, and what it cost.

    Attributes:
        at: When it had ended, Unix seconds.
        index: The attempt it was for.
        researcher: Its name in the campaign.
        outcome: What came of it: `proposed`, `no idea`, `fruitless`, `tried again`, `trouble`, `mended`, `not mended`.
        why: What went wrong, in words; empty for nothing.
        agent: The program that was called; empty where there is none.
        model: The model that it says it used, or was told to use; empty while unknown.
        seconds: How long it took.
        tokens_in: Tokens read, None when it does not say.
        tokens_out: Tokens written, None when it does not say.
        cost_usd: Money, None while unknown.
        priced: Whether the money was worked out from tokens and a price table, rather than said by the program.
        learned: What it says was learned, where it was asked for that.
        verdicts: Of how many verdicts it was asked that; 0: it was not.
    """

    at: float
    index: int
    researcher: str
    outcome: str
    why: str = ""
    agent: str = ""
    model: str = ""
    seconds: float = 0.0
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None
    priced: bool = False
    learned: tuple[Lesson, ...] = ()
    verdicts: int = 0
    kind: Literal["researcher_asked"] = "researcher_asked"


@dataclass(frozen=True, kw_only=True)
class ResearcherOut:
    """A researcher could not do its part: no login, no quota, no model, an outage. Written each time it was so."""

    at: float
    researcher: str
    trouble: str
    reason: str
    kind: Literal["researcher_out"] = "researcher_out"


@dataclass(frozen=True)
class ResearcherDropped:
    """One whose ideas came to nothing, where others' did not: it is asked only when nobody else has an idea."""

    at: float
    researcher: str
    reason: str
    kind: Literal["researcher_dropped"] = "researcher_dropped"


@dataclass(frozen=True)
class ResearcherBack:
    """One that had fallen out works again."""

    at: float
    researcher: str
    kind: Literal["researcher_back"] = "researcher_back"


@dataclass(frozen=True, kw_only=True)
class Absence:
    """From when to when a researcher could not work.

    Attributes:
        researcher: Who.
        since: When it fell out, Unix seconds.
        last: When it was last found to be out.
        times: How often it was asked in vain.
        trouble: The kind of trouble it has now.
        reason: The same in words, with what to do.
        until: When it was back, None while it is not.
    """

    researcher: str
    since: float
    last: float
    times: int
    trouble: str
    reason: str
    until: float | None = None

    @property
    def due(self) -> float:
        """When it is asked again although another has ideas, Unix seconds."""
        return self.last + min(REST_MOST_S, REST_FIRST_S * 2.0 ** min(self.times - 1, 20))


@dataclass(kw_only=True)
class Attendance:
    """The researchers of a campaign as its journal tells of them; `apply` folds in one more event."""

    asked: list[ResearcherAsked] = field(default_factory=list)
    said: list[ResearcherAsked] = field(default_factory=list)
    """Calls that were to say what was learned."""
    out: dict[str, Absence] = field(default_factory=dict)
    """Who is out now, by name."""
    past: list[Absence] = field(default_factory=list)
    """Absences that are over, oldest first."""
    dropped: dict[str, str] = field(default_factory=dict)
    """Who is asked last from now on, and why."""
    anew: bool = False
    """Whether a person has spoken since: everybody is asked at once."""

    def apply(self, event: object) -> None:
        """Fold in an event; one that is none of these changes nothing."""
        match event:
            case ResearcherAsked():
                self.asked.append(event)
                self.said += [event] * bool(event.verdicts)
            case ResearcherOut():
                known = self.out.get(event.researcher)
                self.out[event.researcher] = Absence(
                    researcher=event.researcher,
                    since=known.since if known else event.at,
                    last=event.at,
                    times=known.times + 1 if known else 1,
                    trouble=event.trouble,
                    reason=event.reason,
                )
                self.anew = False
            case ResearcherDropped():
                self.dropped[event.researcher] = event.reason
            case ResearcherBack() if event.researcher in self.out:
                self.past.append(replace(self.out.pop(event.researcher), until=event.at))
            case _:
                pass

    def rests(self, name: str, now: float) -> bool:
        """Whether a researcher is left alone for now as long as another one has ideas."""
        return name in self.out and not self.anew and now < self.out[name].due


_TRIALS, _CHANCE = 10, 0.05
"""Tested ideas without a keep after which a researcher is dropped, and the chance below which it is before that."""


def useless(tested: Mapping[str, Sequence[bool]]) -> dict[str, str]:
    """Researchers whose tested ideas came to nothing where the others' did not, and why, in numbers.

    How probable a row without a keep is for one as good as the others decides; after ten ideas two keeps of the others
    are enough.

    Args:
        tested: Of each researcher, whether its ideas that ran and were judged were kept, oldest first.
    """
    found = {}
    for name, own in tested.items():
        others = [kept for other, each in tested.items() if other != name for kept in each]
        if any(own) or not any(others):
            continue
        chance = (1 - sum(others) / (len(others) + 1)) ** len(own)
        if chance < _CHANCE or (len(own) >= _TRIALS and sum(others) > 1):
            found[name] = (
                f"none of its {len(own)} tested ideas was kept, of the others' {len(others)} were {sum(others)}; "
                f"one as good as they are would have had none with a chance of {chance:.2g}"
            )
    return found


Made = Sequence[tuple[float, str]]
"""When which researcher had an idea: Unix seconds and its name, of every committed experiment."""


def absences(found: Attendance, made: Made) -> tuple[str, ...]:
    """Each absence in a sentence, those that are over first: who, why, from when to when, and who proposed instead."""
    return tuple(_sentence(one, made) for one in (*found.past, *found.out.values()))


def out_now(found: Attendance, made: Made) -> tuple[str, ...]:
    """Who is out now, a sentence each."""
    return tuple(_sentence(one, made) for one in found.out.values())


def _sentence(one: Absence, made: Made) -> str:
    came: dict[str, int] = {}
    for at, source in made:
        if source != one.researcher and one.since <= at <= (one.until or at):
            came[source] = came.get(source, 0) + 1
    others = [f"{counted(number, 'idea')} came from {source} instead" for source, number in came.items()]
    word = _WORDS.get(one.trouble, one.trouble or "out")
    if one.until is not None:
        when = f"from {_moment(one.since, one.until)} to {_moment(one.until, one.since)} UTC"
        return "; ".join([f"researcher {one.researcher} was {word} {when}", *others])
    asked = f", asked {one.times} times in vain" if one.times > 1 else ""
    head = f"researcher {one.researcher} is {word} since {_moment(one.since, one.last)} UTC{asked}"
    return "; ".join([head, *others, one.reason])


_WORDS = {
    "login": "not logged in",
    "quota": "out of quota",
    "rate-limit": "without an answer from its model (limit, overload or network)",
    "model": "without its model",
    "context": "given more than its model can read",
    "failure": "failing",
}
"""What a researcher in a kind of trouble is, in words."""


def _moment(at: float, other: float) -> str:
    """A time of day, with its date where the other one is of another day."""
    here, there = (datetime.fromtimestamp(one, UTC) for one in (at, other))
    return here.strftime("%H:%M" if here.date() == there.date() else "%Y-%m-%d %H:%M")


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What the calls of one researcher with one model came to.

    Attributes:
        researcher: Its name.
        agent: The program.
        model: The model; empty while unknown.
        calls: How often it was called.
        ideas: Calls that gave an experiment.
        fruitless: Attempts that gave none.
        minutes: How long the calls took together.
        tokens: Tokens read and written, None when it never says.
        cost_usd: Money, None while none of its calls has a price.
        priced: Whether some of the money was worked out from a price table.
        unpriced: Calls whose money is unknown.
    """

    researcher: str
    agent: str
    model: str
    calls: int
    ideas: int
    fruitless: int
    minutes: float
    tokens: int | None
    cost_usd: float | None
    priced: bool
    unpriced: int

    @property
    def sentence(self) -> str:
        """In one line: `agent (claude, sonnet): 3 ideas from 4 calls, 12.4 minutes, 84000 tokens, 1.20 USD`."""
        whose = ", ".join(filter(None, (self.agent, self.model)))
        head = f"{self.researcher}{f' ({whose})' if whose else ''}"
        return f"{head}: {counted(self.ideas, 'idea')} from {counted(self.calls, 'call')}, {self.spent}"

    @property
    def spent(self) -> str:
        """Time, tokens and money."""
        parts = [f"{self.minutes:.1f} minutes"]
        parts += [] if self.tokens is None else [f"{self.tokens} tokens"]
        return ", ".join([*parts, money(self.cost_usd, priced=self.priced, unpriced=self.unpriced)])


def bills(asked: Iterable[ResearcherAsked]) -> tuple[Bill, ...]:
    """What calls came to, by researcher, program and model, in the order they came up."""
    groups: dict[tuple[str, str, str], list[ResearcherAsked]] = {}
    for one in asked:
        groups.setdefault((one.researcher, one.agent, one.model), []).append(one)
    return tuple(_bill(*key, calls) for key, calls in groups.items())


def _bill(researcher: str, agent: str, model: str, calls: Sequence[ResearcherAsked]) -> Bill:
    tokens = [count for one in calls for count in (one.tokens_in, one.tokens_out) if count is not None]
    costs = [one.cost_usd for one in calls if one.cost_usd is not None]
    return Bill(
        researcher=researcher,
        agent=agent,
        model=model,
        calls=len(calls),
        ideas=sum(one.outcome == PROPOSED for one in calls),
        fruitless=sum(one.outcome == FRUITLESS for one in calls),
        minutes=sum(one.seconds for one in calls) / 60,
        tokens=sum(tokens) if tokens else None,
        cost_usd=sum(costs) if costs else None,
        priced=any(one.priced for one in calls),
        unpriced=sum(one.cost_usd is None and bool(one.tokens_in or one.tokens_out) for one in calls),
    )


def money(cost_usd: float | None, *, priced: bool = False, unpriced: int = 0) -> str:
    """Money in words, no surer than it is known."""
    if cost_usd is None:
        return "money unknown"
    more = f" and {counted(unpriced, 'call')} without a price" if unpriced else ""
    return f"{'about ' if priced else ''}{cost_usd:.2f} USD{more}"


def counted(number: int, what: str) -> str:
    """`1 idea`, `2 ideas`."""
    return f"{number} {what}{'s' * (number != 1)}"


CELLS = ("researcher", "model", "agent_min", "agent_tokens", "agent_usd")
"""Columns of the ledger after all others, in one with rows that a researcher with costs proposed."""


def cells_of(asked: Iterable[ResearcherAsked], index: int, opened_at: float) -> Mapping[str, str]:
    """What an experiment's own calls cost, repairs included, by column of `CELLS`; empty where nothing did.

    Args:
        asked: Every call of the campaign.
        index: The experiment.
        opened_at: When its attempt was opened: calls before that gave no idea and belong to no row.
    """
    own = [one for one in asked if one.index == index and one.at >= opened_at]
    own = [one for one in own if any(one.researcher == other.researcher for other in own if other.outcome == PROPOSED)]
    if not own:
        return {}
    minutes, tokens = sum(one.seconds for one in own) / 60, [t for one in own if (t := _tokens(one)) is not None]
    costs = [one.cost_usd for one in own if one.cost_usd is not None]
    said = (
        own[-1].researcher,
        ",".join(dict.fromkeys(one.model or one.agent for one in own)),
        f"{minutes:.2f}",
        str(sum(tokens)) if tokens else "",
        f"{sum(costs):.4f}" if costs else "",
    )
    return dict(zip(CELLS, said, strict=True))


def _tokens(one: ResearcherAsked) -> int | None:
    found = [count for count in (one.tokens_in, one.tokens_out) if count is not None]
    return sum(found) if found else None
