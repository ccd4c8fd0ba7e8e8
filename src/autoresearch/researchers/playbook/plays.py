"""The exploration menu as data: `plays.yaml`, read and checked once, and its page in the documentation."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from autoresearch.errors import CampaignError, mistakes
from autoresearch.researchers.override_forms import Condition, OverrideForm, Written

Grade = Literal["high", "fair", "low"]

_EXPECTS = {"up": "should improve", "same": "should stay, at less cost", "either": "may go either way"}


class Gpus(Written):
    """GPUs of one run that a play makes sense with (R141-R143)."""

    at_least: int = 0
    """No fewer."""
    at_most: int | None = None
    """No more."""


class Play(Written):
    """One idea, for every recipe it fits."""

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    """Stable name."""
    title: str = Field(min_length=1, max_length=100)
    """The change and its effect in one line; the same for every recipe, so that what was tried is recognised."""
    area: str
    """One of `experiment.hypothesis.AREAS`."""
    why: str
    """The reasoning, for the commit message."""
    source: str = ""
    """Where it comes from: a paper, or the page or code of NeMo-RL that says so."""
    expects: Literal["up", "same", "either"] = "up"
    """What the objective should do if it works: better, the same at less cost, or better here and worse there."""
    answers: tuple[str, ...] = ()
    """Symptoms it answers, the one it is made for first."""
    unless: tuple[str, ...] = ()
    """Symptoms that forbid it."""
    menu: bool = True
    """Whether it is also worth a try without a symptom."""
    odds: Grade = "fair"
    """How likely it helps where nothing points to it."""
    cost: Literal["low", "medium", "high"] = "low"
    """What a run costs more than before, in time or risk."""
    gain: Literal["quality", "speed", "memory"] = "quality"
    """What it is good for."""
    needs: tuple[str, ...] = ()
    """Traits the recipe must have: `a`, one of `a|b`, not `!a`."""
    gpus: Gpus = Gpus()
    """How many GPUs it is for."""
    where: dict[str, Condition] = Field(default_factory=dict)
    """Conditions on present values, by key."""
    apart: tuple[str, ...] = ()
    """Keys that validation must not follow, or the play would change the exam."""
    after: tuple[str, ...] = ()
    """Only once one of these keys has been changed with success (R132)."""
    set: dict[str, OverrideForm] = Field(min_length=1)
    """What to change, by key; a key that ends with `?` only where the recipe has it."""
    watch: dict[str, str] = Field(default_factory=dict)
    """Logged tags, and what they should do if the play works for its reason."""
    opposite: str = ""
    """The play that this one takes back."""
    memory: bool = False
    """Whether it needs more memory."""
    simplifies: bool = False
    """It removes more than it adds, so a tie keeps it; counts where the commit bears it out."""
    unlocks: bool = False
    """Later ideas need it, so a tie keeps it."""


class Book(Written):
    """A book of plays."""

    names: dict[str, dict[str, str]]
    """Short name of a knob to its key by trait, first match first; `otherwise` is for every recipe."""
    plays: tuple[Play, ...]
    """In the order of the menu, where nothing else decides."""

    @model_validator(mode="after")
    def _consistent(self) -> "Book":
        known = {play.name for play in self.plays}
        if len(known) < len(self.plays):
            raise ValueError("two plays have the same name")
        for play in self.plays:
            if play.opposite and play.opposite not in known:
                raise ValueError(f"{play.name}: there is no play {play.opposite!r} to be the opposite of")
            for name in _named(play):
                if name.startswith("$") and name[1:] not in self.names:
                    raise ValueError(f"{play.name}: {name} is not among the names")
        return self

    def key(self, name: str, traits: frozenset[str]) -> str | None:
        """The key behind a name (`$lr`) in a recipe with these traits; a plain key is itself."""
        if not name.startswith("$"):
            return name
        return next(
            (key for trait, key in self.names[name[1:]].items() if trait in traits or trait == "otherwise"), None
        )


def _named(play: Play) -> list[str]:
    inner = [
        name
        for change in play.set.values()
        for name in (*change.follows, *change.product, change.same_as, change.root_of, change.of)
    ]
    return [name.rstrip("?") for name in (*play.set, *play.where, *play.apart, *play.after, *inner)]


def read(document: Any, where: str = "the book of plays") -> Book:
    """Check a parsed document.

    Raises:
        CampaignError: It is not a book of plays; the text names place and problem.
    """
    try:
        return Book.model_validate(document)
    except ValidationError as error:
        raise CampaignError(f"{where}, at {mistakes(Book, error)[0]}") from None


@cache
def builtin() -> Book:
    """The book that comes with the program."""
    return read(_ours("plays.yaml"), "plays.yaml")


@cache
def concepts() -> Book:
    """The book for frameworks whose dialect spells what it speaks of."""
    return read(_ours("concepts.yaml"), "concepts.yaml")


def _ours(name: str) -> Any:
    return yaml.load(files(__package__).joinpath(name).read_text(encoding="utf-8"), yaml.CSafeLoader)


def render(book: Book | None = None) -> str:
    """The book as the page `docs/reference/playbook.md`."""
    book = book or builtin()
    symptoms = sorted({name for play in book.plays for name in play.answers})
    made = "The plays are in `src/autoresearch/researchers/playbook/plays.yaml`. How they are chosen:"
    lines = [
        "# The playbook",
        "",
        f"{made} [researchers](../how-to/researchers.md).",
        "",
        f"{len(book.plays)} plays. A name such as `$lr` stands for a key that depends on the recipe; see the end.",
        "",
        "## By symptom",
        "",
        "| symptom of the parent's run | plays that answer it |",
        "| --- | --- |",
        *(
            f"| `{name}` | {', '.join(_link(play) for play in book.plays if name in play.answers)} |"
            for name in symptoms
        ),
    ]
    for area in dict.fromkeys(play.area for play in book.plays):
        lines += ["", f"## Area: {area}"]
        for play in book.plays:
            lines += _section(play) if play.area == area else []
    lines += ["", "## Names", "", "| name | key |", "| --- | --- |"]
    lines += [f"| `${name}` | {_keys(keys)} |" for name, keys in book.names.items()]
    return "\n".join(lines) + "\n"


def _link(play: Play) -> str:
    return f"[{play.name}](#{play.name})"


def _keys(keys: Mapping[str, str]) -> str:
    return ", ".join(f"{trait}: `{key}`" if trait != "otherwise" else f"`{key}`" for trait, key in keys.items())


def _section(play: Play) -> list[str]:
    facts = {
        "answers": ", ".join(play.answers),
        "not with": ", ".join(play.unless),
        "on the menu": f"odds {play.odds}, cost {play.cost}" if play.menu else "no, only when a symptom calls",
        "good for": f"{play.gain}; the objective {_EXPECTS[play.expects]}",
        "for recipes": ", ".join(play.needs),
        "GPUs": _range(play.gpus),
        "where": "; ".join(f"`{key}` {_condition(one)}" for key, one in play.where.items()),
        "validation must not follow": ", ".join(f"`{key}`" for key in play.apart),
        "after a change of": ", ".join(f"`{key}`" for key in play.after),
        "changes": "; ".join(f"`{key.rstrip('?')}` {_change(one)}" for key, one in play.set.items()),
        "watch": "; ".join(f"`{tag}` {does}" for tag, does in play.watch.items()),
        "opposite of": play.opposite,
        "source": play.source,
        "notes": ", ".join(word for word in ("simplifies", "unlocks", "memory") if getattr(play, word)),
    }
    told = [f"- {name}: {said}" for name, said in facts.items() if said]
    return ["", f"### {play.name}", "", f"{play.title}. {play.why}", "", *told]


def _range(gpus: Gpus) -> str:
    parts = [f"at least {gpus.at_least}" if gpus.at_least else "", f"at most {gpus.at_most}" if gpus.at_most else ""]
    return " and ".join(filter(None, parts))


def _condition(one: Condition) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {_value(getattr(one, name))}" for name in sorted(one.model_fields_set))


def _change(one: OverrideForm) -> str:
    said = one.model_dump(include=one.model_fields_set)
    return ", ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in said.items())


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return " times ".join(f"`{item}`" for item in value)
    return (
        {None: "null", True: "true", False: "false"}.get(value, str(value))
        if value in (None, True, False)
        else str(value)
    )
