"""What a rehearsal found out about a command: its knobs, what carries its seed, its numbers, the data it asked for."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from autoresearch.campaign.own_script.found_numbers import FoundNumber, ambiguous_number
from autoresearch.campaign.own_script.rehearsal import RehearsedRun, Stage
from autoresearch.config.duration import span
from autoresearch.errors import CampaignError
from autoresearch.ports import plugins
from autoresearch.ports.dialect import SpokenCommand
from autoresearch.ports.target import ScriptKnob
from autoresearch.run.job import JobState
from autoresearch.run.known_metrics import direction_of, likelihood
from autoresearch.run.symptom import excerpt
from autoresearch.secrets import environment

FIRST_SEED = 42


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a rehearsal found out about a command.

    Attributes:
        argv: The command, with `{seed}` where its seed goes.
        knobs: What could be turned.
        secrets: Names of what looks like a secret: no idea turns it, and its value is shown nowhere.
        seed: What carries the seed; None where nothing does that is known.
        runs: The first run; one more with its seed; one with another seed: as many as there was time for.
        spoken: What the command says to a framework; None where no dialect is known of it.
        commit: What was rehearsed.
        tree: Its files; gone with the rehearsal.
        directory: The folder of the repository in which it was started; empty for its top.
        inputs: Data that git ignores and every run gets linked, by their places.
    """

    argv: tuple[str, ...]
    knobs: tuple[ScriptKnob, ...]
    secrets: tuple[str, ...] = ()
    seed: ScriptKnob | None
    spoken: SpokenCommand | None = None
    runs: tuple[RehearsedRun, ...]
    commit: str
    tree: Path
    directory: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def candidates(self) -> list[FoundNumber]:
        """Numbers that may be the result and whose direction is known, the likeliest first."""
        known = [one for one in self.runs[0].numbers if self.way(one.name) and not one.unclear]
        rank = self.spoken.dialect.rank if self.spoken else lambda name: -likelihood(name)
        return sorted((one for one in known if math.isfinite(one.last)), key=lambda one: rank(one.name) or 0)

    def way(self, name: str) -> str | None:
        """Which way is better of a number, as its framework or its name says; None where neither does."""
        return self.spoken.dialect.direction(name) if self.spoken else direction_of(name)

    def number(self, name: str) -> FoundNumber:
        """The number of a name, by the first source that has it.

        Raises:
            CampaignError: There is none, or it is no result as it stands.
        """
        found = [one for one in self.runs[0].numbers if one.name == name]
        if not found:
            names = list(dict.fromkeys(one.name for one in self.runs[0].numbers))
            near = get_close_matches(name, names, n=3, cutoff=0.4) or names[:10]
            raise CampaignError(f"the rehearsal gave no number {name!r}; it gave: {', '.join(near) or 'none at all'}")
        clear = next((one for one in found if not one.unclear), None)
        if clear is None:
            raise CampaignError(f"{name} is no result as it stands: {found[0].unclear}; print it once at the end")
        return clear


def rehearse(stage: Stage, argv: Sequence[str], limit_s: float) -> Findings:
    """Find the command's knobs, run it, and where that was short, twice more.

    Raises:
        CampaignError: It failed, or gave no number.
    """
    finder, spoken = plugins.knob_finder(), plugins.dialect_finder().recognise(stage.tree, argv, stage.directory)
    if spoken is not None and not spoken.own:
        knobs, seed, words = spoken.knobs, None, spoken.argv
    else:
        knobs = finder.find_knobs(stage.tree, argv, stage.help(argv), stage.directory, stage.root)
        seed = finder.seed_of(knobs)
        words = _seeded(argv, seed)
    dialect = spoken.dialect if spoken else None
    variable = seed.at if seed and seed.place == "env" else "SEED"
    place = finder.options_of([seed])[seed.name] if seed and seed.place in {"constant", "key"} else None
    first = stage.run(words, FIRST_SEED, limit_s, variable, place, dialect)
    while not first.whole and _only_read(first) and stage.supply(first.absent):
        first = stage.run(words, FIRST_SEED, limit_s, variable, place, dialect)
    _refuse_failed(first, limit_s)
    runs = [first]
    if first.whole:
        seeds = (FIRST_SEED, *((FIRST_SEED + 1,) if reaches_seed(words, seed) else ()))
        runs += [stage.run(words, each, limit_s, variable, place, dialect) for each in seeds]
    known = environment.of_repository(stage.root)
    secrets = tuple(knob.name for knob in knobs if known.is_secret(knob.name, (knob.default, *knob.choices)))
    knobs = tuple(knob for knob in knobs if knob is not seed and knob.name not in secrets)
    return Findings(
        argv=words,
        knobs=knobs,
        secrets=secrets,
        seed=seed,
        spoken=spoken,
        runs=tuple(runs),
        commit=stage.commit,
        tree=stage.tree,
        directory=stage.directory,
        inputs=dict(stage.inputs),
    )


def reaches_seed(argv: Sequence[str], seed: ScriptKnob | None) -> bool:
    """Whether a run learns its seed, as far as is known."""
    return any("{seed}" in word for word in argv) or (seed is not None and seed.place in {"env", "constant", "key"})


def _seeded(argv: Sequence[str], seed: ScriptKnob | None) -> tuple[str, ...]:
    """The command with `{seed}` where its seed goes."""
    if any("{seed}" in word for word in argv) or seed is None or seed.place not in {"flag", "argument"}:
        return tuple(argv)
    words, glue = list(argv), "=" if seed.place == "argument" else ""
    for at, word in enumerate(words):
        if word.startswith(f"{seed.at}="):
            return (*words[:at], f"{seed.at}={{seed}}", *words[at + 1 :])
        if word == seed.at and at + 1 < len(words):
            return (*words[: at + 1], "{seed}", *words[at + 2 :])
    return (*words, f"{seed.at}={{seed}}") if glue else (*words, seed.at, "{seed}")


_WRITES = re.compile(r"""['"][wax]b?\+?['"]|\b(save\w*|to_\w+|dump|write\w*|mkdir|makedirs|mkdtemp)\(""")


def _only_read(run: RehearsedRun) -> bool:
    """Whether what a run missed is data: not where a line of the traceback says that it would have written."""
    return bool(run.absent) and not _WRITES.search(excerpt(run.log))


def _refuse_failed(run: RehearsedRun, limit_s: float) -> None:
    if run.absent:
        raise CampaignError(
            f"the command asks for {', '.join(run.absent)}, which is in your checkout but not in its commit, and runs "
            f"see the commit alone: commit it, or name it by its absolute path; where it writes, let it make the folder"
        )
    if not run.whole and run.status.state is not JobState.TIMED_OUT:
        code = "" if run.status.exit_code is None else f" with exit code {run.status.exit_code}"
        why = f" ({run.status.reason})" if run.status.reason else ""
        raise CampaignError(f"the command failed{code}{why}; it ended with: {excerpt(run.log) or 'nothing printed'}")
    if not run.numbers and (unclear := ambiguous_number(run.log)):
        raise CampaignError(f"the command gave no number that is one: {unclear}")
    if not run.numbers:
        more = f" within {span(limit_s)}; give it longer with --minutes" if not run.whole else ""
        cure = "; ".join(run.foreign) or "let it print its result as `accuracy: 0.5`, or write it to a file"
        raise CampaignError(f"the command gave no number{more}: {cure}; it ended with: {excerpt(run.log) or 'nothing'}")
