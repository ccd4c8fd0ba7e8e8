"""How a training framework spells what campaigns need to know: knobs, numbers, seeds, folders, and a resume to avoid.

A dialect is data. What is done with it is the same for every framework: `targets/dialects`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from autoresearch.ports.target import ScriptKnob


def number(values: Mapping[str, object], key: str, assumed: float) -> float:
    """A setting that is a number; what is assumed where it is none."""
    value = values.get(key)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else assumed


@dataclass(frozen=True)
class Concept:
    """What an idea means, as a framework spells it.

    Attributes:
        key: Its setting.
        default: What holds where nothing says it; None where `like` does, or where it is not known.
        kind: `float`, `int` or `bool`.
        like: The concept whose value holds where nothing says this one's.
        only_if: Whether it has an effect beside the other settings, which are given by key; None for always.
        within: The least and the largest value worth a search, and whether it goes by factors; None for no search.
    """

    key: str
    default: float | None
    kind: str = "float"
    like: str = ""
    only_if: Callable[[Mapping[str, object]], bool] | None = None
    within: tuple[float, float, bool] | None = None


@dataclass(frozen=True, kw_only=True)
class PrintedLine:
    """The line in which a framework prints its numbers.

    Attributes:
        name: Regular expression whose first group is a name that is followed by its number.
        value: Regular expression for the number of one name: `{name}` stands for it, and one group for the number.
        step: Regular expression whose first group is the step; empty where lines say none.
    """

    name: str
    value: str
    step: str = ""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """A framework.

    Attributes:
        name: What a campaign file calls it, under `target.dialect`.
        title: What a person calls it.
        read_at: Where its formats were looked up: repository and commit.
        spoken: Regular expressions, of which one matches a command that starts it, or the script which that runs.
        algorithms: Word for what is trained to a regular expression of the same kind.
        place: How a setting is given behind a command: `flag` or `argument` (`key=value`).
        kebab: Whether flags have dashes where keys have underscores.
        hands_on: Regular expression of a shell script that hands its own arguments on; empty where none is to.
        forced: Settings of every run, as they are given: `{seed}` and `{folder}` are filled in.
        joined: Lists among the settings that need a member besides: key to member.
        env: Variables of every run.
        switched_off: Keys of a configuration file that no campaign can have, with why.
        sources: Where its numbers are, as `target.source` says it, the best first.
        printed: How it prints them; None for not at all.
        metrics: Regular expressions of what may be judged, with the direction, the best first.
        steps: The setting that says how many steps a run has.
        gpus: Settings whose sum is a node's GPUs.
        nodes: The setting that says how many nodes; empty for one.
        defaults_of: Words for what is trained where the defaults of concepts hold; empty for everywhere.
        concepts: What ideas turn, by the name that plays know it by.
        curves: Regular expressions of tags by the role that the curve plays, see `targets.curve_rules.ROLES`.
        measured_by: Settings that name files, folders or functions that measure.
        protect: Globs of files that measure.
        protect_keys: Globs of settings that measure, or that belong to the campaign; dots separate.
    """

    name: str
    title: str
    read_at: str
    spoken: tuple[str, ...]
    algorithms: Mapping[str, str] = field(default_factory=dict)
    place: str
    kebab: bool = False
    hands_on: str = ""
    forced: tuple[tuple[str, str], ...] = ()
    joined: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    switched_off: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Mapping[str, object], ...] = ()
    printed: PrintedLine | None = None
    metrics: tuple[tuple[str, str], ...] = ()
    steps: str = ""
    gpus: tuple[str, ...] = ()
    nodes: str = ""
    defaults_of: tuple[str, ...] = ()
    concepts: Mapping[str, Concept] = field(default_factory=dict)
    curves: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    measured_by: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    protect_keys: tuple[str, ...] = ()

    def rank(self, name: str) -> int | None:
        """The place of a number among what may be judged, None for one that is not among it."""
        return next((at for at, (pattern, _) in enumerate(self.metrics) if re.fullmatch(pattern, name)), None)

    def direction(self, name: str) -> str | None:
        """Which way is better of a number, None for one that is not judged."""
        at = self.rank(name)
        return None if at is None else self.metrics[at][1]

    @property
    def told(self) -> str:
        """What is known of a command that speaks it, for a person."""
        return (
            f"Its command is {self.title}'s (read at {self.read_at}): what its curves show, what ideas are called, and "
            f"which of its settings measure."
        )


@dataclass(frozen=True, kw_only=True)
class SpokenCommand:
    """A command of which a dialect is known, and what it says in it.

    Attributes:
        dialect: The dialect.
        argv: The command as runs have it: own folder, own seed, no resume.
        algorithms: Words for what is trained.
        knobs: What can be turned: keys of its files, and concepts that its command line takes.
        space: Where to search, by name of a knob.
        protect: Files of the repository that measure, as the settings name them.
        config: The file that overrides edit; empty for none.
        steps: Steps of a run, None where nothing says it.
        gpus: GPUs of a node, None where nothing says it.
        nodes: Nodes, None where nothing says it.
        own: Whether it is a script of somebody's own, which is run as it is.
    """

    dialect: Dialect
    argv: tuple[str, ...]
    algorithms: tuple[str, ...] = ()
    knobs: tuple[ScriptKnob, ...] = ()
    space: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    protect: tuple[str, ...] = ()
    config: str = ""
    steps: int | None = None
    gpus: int | None = None
    nodes: int | None = None
    own: bool = False

    @property
    def options(self) -> dict[str, object]:
        """What the target's options say of its runs."""
        said: dict[str, object] = {"steps": self.steps, "gpus": self.gpus, "nodes": self.nodes}
        said |= {"env": dict(self.dialect.env), "protect": list(self.protect)}
        return {"dialect": self.dialect.name, **{key: value for key, value in said.items() if value}}


class DialectFinder(Protocol):
    """Knows dialects. A module will do; `targets.DIALECTS` names it."""

    def recognise(self, tree: Path, argv: Sequence[str], directory: str = "") -> SpokenCommand | None:
        """What a command says that is started in a folder of the tree, None where no dialect is spoken.

        Raises:
            CampaignError: It cannot be run as a campaign has to run it, and why.
        """
        ...

    def printed_sources(self, dialect: Dialect, log: str) -> dict[str, dict[str, object]]:
        """Names that a log gives numbers to, in the lines of the dialect, with `target.source` of each."""
        ...
