"""The port of targets: what we know about the thing being trained, and what a target can do besides.

A target is made with `recipe=`, `command=`, `objective=` and `options=`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from autoresearch.experiment.hypothesis import Brief, Facts
from autoresearch.run.job import Job, JobStatus, Resources
from autoresearch.run.measurement import Measurement, Objective, Readings
from autoresearch.run.placement import RunEnvironment, Saves
from autoresearch.run.symptom import Symptom

SETTINGS = "autoresearch.knobs"
"""The file of a commit that holds what was turned on a command line or in the environment; no script reads it."""
WORK = "work"
"""Folder of a run in which a target may start it, beside what we write of it."""


@dataclass(frozen=True)
class SourceSpec:
    """A metric source by name and options, as a target asks for it. `name` is one of `plugins.names("metrics")`."""

    name: str
    options: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What a target needs to know to turn an experiment into a job.

    Attributes:
        run_id: Unique name of the run.
        tree: The experiment's worktree, absolute.
        folder: The run's own folder, absolute; it exists.
        log: The run's log file, absolute.
        seed: Training seed of this run.
        limit_s: Wall-clock limit of the run in seconds, None for none.
        commit: Full hash of the experiment's commit.
        overrides: Further overrides for this run only (never part of the hypothesis).
        rebuild: Whether its Python environments are to be built anew, since the run before it died of a broken one.
            They belong into its own folder, for other runs use the shared ones; a target that builds none ignores it.
        steps: Training steps that a rehearsal is cut to, with a validation at their end; None for a whole run.
    """

    run_id: str
    tree: Path
    folder: Path
    log: Path
    seed: int
    limit_s: float | None
    commit: str
    overrides: tuple[str, ...] = ()
    rebuild: bool = False
    steps: int | None = None


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a target found out about the thing to be trained, before anything is run.

    Attributes:
        objective: The authoritative metric with its direction and meaning.
        command: Entry point and arguments before per-run injections.
        resources: What one run needs.
        lineage: The recipe and its parents, nearest first, repository-relative.
        minutes: Expected minutes per run, None when unknown.
        setup_minutes: Start-up part of it, None when unknown.
        steps: Training steps per run, None when unknown.
        step_minutes: Expected minutes of one of them, None when unknown.
        first_value: Step after which a run first has a value of the metric, None when unknown or when it is the last.
        least_steps: Fewer steps than these judge no idea (R113).
        standard_error: Evaluation noise expected from the size of the validation set, None when unknown.
        plumbing: Why a run is too small to judge an idea by; empty when it is not.
        protect: Globs of files that measure and must not be edited.
        protect_keys: Recipe keys that measure and must not be overridden.
        turned: Files that an override of a knob edits; who protects one of them forbids that knob.
        facts: The recipe as researchers see it.
        warnings: What a maintainer would point out, one sentence each.
        inputs: Files or folders that a run reads: absolute, or relative to the repository and then tracked.
        named: Paths that its command, settings or script name, whether such files are there or not.
        unsaid: What a person has to say before a campaign may begin, such as a direction; empty for nothing.
        saves: What one run saves, None where it saves nothing or nobody knows.
        environment: What a run finds around it, as far as the target decides it; None where it decides nothing.
    """

    objective: Objective
    command: tuple[str, ...]
    resources: Resources = field(default_factory=Resources)
    lineage: tuple[str, ...] = ()
    minutes: float | None = None
    setup_minutes: float | None = None
    steps: int | None = None
    step_minutes: float | None = None
    first_value: int | None = None
    least_steps: int = 0
    standard_error: float | None = None
    plumbing: str = ""
    protect: tuple[str, ...] = ()
    protect_keys: tuple[str, ...] = ()
    turned: tuple[str, ...] = ()
    facts: Facts = field(default_factory=Facts)
    warnings: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    unsaid: str = ""
    saves: Saves | None = None
    environment: RunEnvironment | None = None


@dataclass(frozen=True, kw_only=True)
class ScriptKnob:
    """A setting of a script that an idea can turn, and where it lives.

    Attributes:
        name: What overrides call it.
        place: `flag`, `argument` (`key=value` on the command line), `env`, `constant` or `key` of a file.
        at: What it is called there: `--lr`, `optimizer.lr`, `LR`.
        file: The file of a constant or a key, relative to the repository.
        kind: `float`, `int`, `bool` or `str`; empty where nothing says.
        default: Its value in the base commit; None where nothing says.
        choices: All values that it can have, where that is said.
        off: The flag that switches a `bool` off.
        fixed: Whether no idea may turn it: it says which data is read, and a person has not allowed it.
        unread: Whether it is a key that no code of the repository names, as far as text tells: nothing would change.
    """

    name: str
    place: str
    at: str
    file: str = ""
    kind: str = ""
    default: object = None
    choices: tuple[object, ...] = ()
    off: str = ""
    fixed: bool = False
    unread: bool = False


class KnobFinder(Protocol):
    """Finds the knobs of a script. A module will do; `targets.KNOB_FINDER` names it."""

    def find_knobs(
        self, tree: Path, argv: Sequence[str], told: str, below: str = "", checkout: Path | None = None
    ) -> tuple[ScriptKnob, ...]:
        """The knobs of a command; fixed are those whose value names a file or a folder.

        Args:
            tree: The repository's files.
            argv: The command.
            told: What the command prints when asked for `--help`; empty when nothing.
            below: The folder of the repository in which the command starts; empty for its top.
            checkout: Where files lie besides that git does not have.
        """
        ...

    def space_of(self, knobs: Sequence[ScriptKnob]) -> dict[str, object]:
        """A search space over those that are worth a search, by name; what decides how long a run is, is none."""
        ...

    def options_of(self, knobs: Sequence[ScriptKnob]) -> dict[str, object]:
        """The same knobs as the target's option `knobs` has them."""
        ...

    def offered(self, knobs: Sequence[ScriptKnob]) -> dict[str, object]:
        """The target's options by which overrides reach them, and a search over them where any is worth one."""
        ...

    def beyond_reach(self, tree: Path, argv: Sequence[str], below: str) -> tuple[str, ...]:
        """Files of settings in a form that no override can edit, which the command or its script names."""
        ...

    def seed_of(self, knobs: Sequence[ScriptKnob]) -> ScriptKnob | None:
        """The knob that carries the seed."""
        ...


class Target(Protocol):
    """What we know about the thing being trained. Made with `recipe=`, `command=`, `objective=`, `options=`."""

    name: str

    def survey(self, tree: Path) -> Survey:
        """Read recipe and code in `tree`; raises RecipeError with one clear line when that cannot be done."""
        ...

    def apply(self, tree: Path, overrides: Sequence[str]) -> tuple[str, ...]:
        """Write overrides into the recipe file in `tree` with the smallest edit; returns the files changed."""
        ...

    def job(self, request: RunRequest) -> Job:
        """The exact training command of one run, with per-run injections (own folders, seed, limits)."""
        ...

    def sources(self) -> tuple[SourceSpec, ...]:
        """Metric sources in order of trust."""
        ...

    def measure(self, folder: Path, log_tail: str, readings: Mapping[str, Readings], status: JobStatus) -> Measurement:
        """One number and its circumstances from what the sources read; never raises for a broken run."""
        ...

    def health(self, log_tail: str, readings: Mapping[str, Readings]) -> tuple[Symptom, ...]:
        """Findings about a run, worst first, also while it is still running; a FATAL one justifies an early kill."""
        ...


def misspelt_place(words: Iterable[str], places: Sequence[str]) -> str:
    """What is wrong with a word of a command that would pass as it is, such as `{sede}`; empty when nothing is near."""
    for found in (one for word in words for one in re.findall(r"(?<!\$)\{\w+\}", word)):
        near = get_close_matches(found, places, n=1, cutoff=0.7)
        if near and found not in places:
            return f"has {found}, which nothing would fill in; did you mean {near[0]}? It may have {', '.join(places)}"
    return ""


@runtime_checkable
class Imaged(Protocol):
    """A target whose runs use other software in a container image than on this machine."""

    in_image: bool
    """Whether they begin in one; whoever makes the target sets it."""


@runtime_checkable
class Resuming(Protocol):
    """A target whose runs may go on from their own checkpoints, where their launcher begins them again."""

    resumes: bool
    """Whether it may; whoever makes the target sets it."""


@runtime_checkable
class Settled(Protocol):
    """A target whose runs have the environment that their campaign began with, wherever it is taken up again."""

    def settle(self, frozen: RunEnvironment | None, *, frugal: bool) -> None:
        """Make jobs as the campaign began.

        Args:
            frozen: What it froze; None for one of a version that froze nothing.
            frugal: Whether that version pruned checkpoints, and so had them saved for that.
        """
        ...


@runtime_checkable
class Saver(Protocol):
    """A target whose runs save weights that can go once nobody will load them."""

    def weights(self, folder: Path) -> Iterator[Path]:
        """Files and folders in an ended run's folder that hold them, and no number."""
        ...


@runtime_checkable
class KnobHolder(Protocol):
    """A target that can be told which settings overrides may turn, and looks for them where it was told of none."""

    def find_knobs(self, tree: Path) -> tuple[ScriptKnob, ...]:
        """What could be turned, read from the files in `tree`; nothing is run. Empty where its options say any."""
        ...


@runtime_checkable
class Linker(Protocol):
    """A target whose runs can have files linked into their place that their commit does not have."""

    def linking(self, path: str, where: str) -> str:
        """The options, in words, by which what lies at `where` is at `path` in each run."""
        ...


@runtime_checkable
class Rehearsable(Protocol):
    """A target that can cut a run to a few steps, so that a campaign is rehearsed before its baseline."""

    rehearsal_steps: int
    """How many: enough to tell the first, which is slow, from the others."""

    def step_seconds(self, readings: Mapping[str, Readings]) -> tuple[float, ...]:
        """How long each step of a run took, the first one first; empty where it does not say."""
        ...


@runtime_checkable
class Narrator(Protocol):
    """What a target can do besides that can tell how far a run has come; the engine looks for it, not all have it."""

    def milestones(self, log: str) -> tuple[str, ...]:
        """What a log says has been reached, in words that stay the same at every look: a link, the first rollouts."""
        ...


@runtime_checkable
class Evaluator(Protocol):
    """What a target can do besides whose project has a program that evaluates; `plan` looks for it, not all have it."""

    def evaluation(self, tree: Path) -> dict[str, Any]:
        """Keys of `evaluate` for the recipe in `tree`; raises CampaignError with why there are none, on one line."""
        ...


@dataclass(frozen=True, kw_only=True)
class MeasuredRun:
    """One run that has a number.

    Attributes:
        seed: Its seed.
        minutes: How long it took.
        measurement: What was read of it.
        apart: Whether its number is an independent evaluation's, and none of its own.
    """

    seed: int
    minutes: float
    measurement: Measurement
    apart: bool = False


@dataclass(frozen=True, kw_only=True)
class SuiteScript:
    """A test of a project's own suite: where it belongs there, and its text."""

    place: str
    text: str


@runtime_checkable
class Suited(Protocol):
    """What a target can do besides whose project keeps a test script for each recipe; `adopt` looks for it."""

    def test_suite(self, tree: Path, runs: Sequence[MeasuredRun]) -> SuiteScript:
        """The script for the recipe in `tree`, with the figures of its runs; raises CampaignError where none can be."""
        ...


class Inspector(Protocol):
    """Answers about one recipe without a campaign: `recipe show|metric|budget|environment|plays|health`.

    A module will do; a target names it in `targets.INSPECTORS`. `where` is the folder the person stands in, `recipe` a
    path from there or from the checkout's root. Every answer raises RecipeError for a recipe that cannot be read.
    """

    def show(self, where: Path, recipe: str, overrides: Sequence[str], *, resolved: bool) -> dict[str, Any]:
        """The resolved config, or the lineage with value and origin of every key."""
        ...

    def metric(self, where: Path, recipe: str, overrides: Sequence[str]) -> dict[str, Any]:
        """The authoritative metric in its spellings, with direction, meaning and warnings."""
        ...

    def budget(self, where: Path, recipe: str, overrides: Sequence[str]) -> dict[str, Any]:
        """What one run needs and how long it takes, and what is too small about it."""
        ...

    def environment(self, where: Path, recipe: str, overrides: Sequence[str], *, image: bool = False) -> dict[str, Any]:
        """What a run finds around it, in a container image or on a machine, and what is set for it and why."""
        ...

    def brief(self, where: Path, recipe: str, overrides: Sequence[str]) -> Brief:
        """What a researcher would be told of it in a campaign in which nothing was tried."""
        ...

    def health(self, where: Path, recipe: str, overrides: Sequence[str], run: Path) -> dict[str, Any]:
        """What the files of one run say about it: the number, how far it came, and symptoms, worst first."""
        ...
