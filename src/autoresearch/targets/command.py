"""The general target: any script that prints or writes numbers.

The script learns the run's seed from `{seed}` in its arguments or from the variable SEED, and where to write from
`{folder}` or AUTORESEARCH_RUN_FOLDER. Ideas are edits of its files, or overrides of the one configuration file it reads
and of its knobs: flags, arguments, variables, constants (`targets/knobs.py`).
"""

import math
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from autoresearch.errors import CampaignError, RecipeError
from autoresearch.experiment.hypothesis import Facts
from autoresearch.guards.scope import matches
from autoresearch.ports.plugins import chosen_source
from autoresearch.ports.target import RunRequest, ScriptKnob, SourceSpec, Survey, misspelt_place
from autoresearch.run.chosen_value import JUDGED, AgreedCurve, check_rule, choose, cut_short, merge, nothing_found
from autoresearch.run.collapse import collapses, curves_of
from autoresearch.run.integrity import Finding, Integrity, of_sources
from autoresearch.run.job import Job, JobState, JobStatus, Resources
from autoresearch.run.known_metrics import SAY_DIRECTION, against_goal, direction_of, why_unknown
from autoresearch.run.log_patterns import nearest, unclear
from autoresearch.run.measurement import Completion, Direction, Measurement, Objective, Readings
from autoresearch.run.post_mortem import crash_symptoms, post_mortem, worst_first
from autoresearch.run.printed_result import conflict_words
from autoresearch.run.symptom import Severity, Symptom
from autoresearch.targets import knobs, workplace
from autoresearch.targets.curve_rules import RULES, RunCurves, shown_by
from autoresearch.targets.dialects import recognition
from autoresearch.targets.inventory import files_named, find_knobs, fixed_keys

_KNOWN = (
    "dialect",
    *("source", "config", "steps", "minutes", "setup_minutes", "gpus", "nodes", "cpus", "memory_gb", "seed_env", "env"),
    *("protect", "protect_keys", "inputs", "space", "standard_error", "tag", "validations", "knobs", "start_in"),
    *("directory", "seed_at"),
)

_ALLOWED = "a person may name more under target.knobs in the campaign file"
_PLACES = ("{seed}", "{folder}", "{config}", "{overrides}")


class CommandTarget:
    """Any command as a target.

    Options:
        source: Where the number is: `stdout`, `json`, `jsonl`, `csv`, `tsv` or the name of a metric source, ours or an
            installed package's; or a mapping with that as `type` and the options of the metric source. Default: printed
            as `<metric>: <number>` or `<metric>=<number>`.
        tag: Name of the metric in that source. Default: the objective's metric.
        validations: Which of several values counts: `last` (default), `best` or `mean-last-N`. Said, it declares that
            the printed values are a curve; else two results that differ at the end of a run are none.
        config: YAML, JSON or TOML file that overrides edit. Default: the recipe, when it is such a file.
        knobs: Settings that overrides may turn besides, by name: each with one of `flag`, `argument`, `env`, `constant`
            or `key`, which says what it is called there, and `file`, `type`, `default`, `choices`, `off` as needed;
            with `fixed: true` no idea may turn it, as `init` and `plan` write where it names a file or folder.
        start_in: `tree` (default): a run starts in its worktree; `folder`: among links to its files in the run's own
            folder, where numbers that it writes beside them are found, and no two runs write to one place.
        directory: Folder of the repository in which the command starts. Default: its top.
        seed_at: A constant or key that holds the seed, as under `knobs`; each run has its own, in a copy of that file.
            Needs `start_in: folder`.
        steps, minutes, setup_minutes, standard_error: What is known of a run beforehand.
        gpus, nodes, cpus, memory_gb: What a run needs. Default: one node, no GPU.
        seed_env: Variable that carries the seed. Default SEED.
        env: Further variables; `{seed}`, `{folder}` and `{config}` are filled in as in the command.
        protect, protect_keys: Files and keys that measure and must not be edited.
        dialect: The framework that the command speaks to, `trl`, `verl` or `prime-rl`: what its curves show, which of
            its settings measure, and what ideas are called in it.
        inputs: Files or folders that a run reads: absolute, or relative to the repository; `run` refuses to begin
            without them. As a mapping, `data/train.csv: /home/me/repo/data/train.csv`, each is linked into its place,
            for data that git ignores; needs `start_in: folder`, and no idea may put something else there.
        space: Search space, dotted key to specification.

    In the command, `{seed}`, `{folder}` and `{config}` are replaced, and an argument that is just `{overrides}` becomes
    the overrides given for a single run.
    """

    name = "command"

    def __init__(
        self,
        *,
        recipe: str = "",
        command: Sequence[str] = (),
        objective: Mapping[str, Any],
        options: Mapping[str, object] | None = None,
    ) -> None:
        chosen = dict(options or {})
        unknown = sorted(set(chosen) - set(_KNOWN))
        if unknown:
            raise CampaignError(f"target 'command' has no option {unknown[0]!r}; it knows: {', '.join(sorted(_KNOWN))}")
        if not command:
            raise CampaignError(
                "target 'command' needs a command: say --command 'python3 train.py {seed}', or give a list in the file"
            )
        if objective.get("metric", "") in {"", "auto"}:
            raise CampaignError(
                "target 'command' cannot guess the metric: name it with --metric, or objective.metric in the file"
            )
        self._command = tuple(command)
        self._options = chosen
        self._tag = str(chosen.get("tag") or objective["metric"])
        self._objective = _objective(objective, self._tag)
        self._rule = check_rule(str(chosen.get("validations", "last")))
        said = objective.get("direction") in set(Direction) or direction_of(self._tag) is not None
        self._against = against_goal(self._objective.goal, self._objective.metric, self._objective.direction)
        self._unsaid = "" if said else why_unknown(str(objective["metric"]))
        if self._against and objective.get("direction") not in set(Direction):
            self._unsaid = self._unsaid or f"{self._against}, by its name: {SAY_DIRECTION}"
        self._knobs = knobs.read_knobs(self._mapping("knobs"))
        self._fixed = tuple(knob.name for knob in self._knobs if knob.fixed)
        self._dialect = recognition.named(str(chosen["dialect"])) if "dialect" in chosen else None
        self._start_in = str(chosen.get("start_in", "tree"))
        if self._start_in not in {"tree", "folder"}:
            raise CampaignError(f"target option 'start_in' is tree or folder, not {self._start_in!r}")
        self._directory = str(chosen.get("directory", ""))
        seeds = knobs.read_knobs({"seed_at": chosen["seed_at"]}) if "seed_at" in chosen else ()
        self._seed_at = next(iter(seeds), None)
        if self._seed_at and (self._start_in != "folder" or self._seed_at.place not in {"constant", "key"}):
            raise CampaignError("target option 'seed_at' names a constant or key, and needs start_in: folder")
        self._inputs, self._placed = workplace.read_inputs(chosen.get("inputs", ()))
        if self._placed and self._start_in != "folder":
            raise CampaignError("target option 'inputs' with places to link needs start_in: folder")
        fallback = recipe if recipe.endswith((".yaml", ".yml", ".json", ".toml")) else ""
        self._config = str(chosen.get("config") or fallback)
        wanted = chosen.get("source", "stdout")
        self._source = chosen_source(wanted, self._tag, one_result="validations" not in chosen)
        self._printed = wanted in ("stdout", {"type": "stdout"})

    def survey(self, tree: Path) -> Survey:
        """What the options declare, checked against the files in `tree`."""
        if wrong := misspelt_place(self._command, _PLACES):
            raise RecipeError(f"the command {wrong}")
        for argument in self._command:
            if argument.endswith((".py", ".sh")) and not (tree / self._directory / argument).is_file():
                raise RecipeError(f"the command names {argument}, which is not in the repository; correct the command")
        workplace.refuse_behind_links(tree, self._placed)
        values = dict(knobs.flat(knobs.read_document(tree, self._config))) if self._config else {}
        values |= knobs.values(self._knobs, tree)
        resources, spoken = self._resources(), self._dialect
        held = recognition.held(spoken, tree, self._config, self._directory, self._knobs) if spoken else ()
        return Survey(
            objective=self._objective,
            command=self._command,
            resources=resources,
            lineage=(self._config,) if self._config else (),
            minutes=self._number("minutes"),
            setup_minutes=self._number("setup_minutes"),
            steps=self._whole("steps"),
            standard_error=self._number("standard_error"),
            protect=(*self._strings("protect"), *self._placed, *(spoken.protect if spoken else ())),
            protect_keys=(*self._strings("protect_keys"), *self._fixed, *held),
            turned=tuple(dict.fromkeys(knob.file for knob in self._knobs if knob.file and not knob.fixed)),
            facts=self._facts(values, resources.gpus),
            warnings=tuple(self._warnings()),
            inputs=self._inputs,
            named=files_named(tree, self._command, self._directory, values.values(), self._placed),
            unsaid=self._unsaid,
        )

    def find_knobs(self, tree: Path) -> tuple[ScriptKnob, ...]:
        """What could be turned, read from the files that the command names; of a named `config` what may not."""
        if {"knobs", "dialect"} & set(self._options) or ("space" in self._options and not self._config):
            return ()
        if self._config:
            return fixed_keys(tree, self._config, self._directory)
        return find_knobs(tree, self._command, "", self._directory)

    def _facts(self, values: Mapping[str, object], gpus: int) -> Facts:
        space = self._mapping("space")
        if self._dialect is None:
            return Facts(values, frozenset({self.name}), gpus, space)
        traits = {self.name, self._dialect.name, *recognition.algorithms(self._dialect, self._command, values)}
        return Facts(values, frozenset(traits), gpus, space, spelled=recognition.spelled(self._dialect, values))

    def apply(self, tree: Path, overrides: Sequence[str]) -> tuple[str, ...]:
        """Write overrides where their knobs live, or else into the configuration file; returns the files changed."""
        known = {knob.name: knob for knob in self._knobs}
        turning = [one for one in overrides if one.lstrip("+~").partition("=")[0] in known]
        rest = [one for one in overrides if one not in turning]
        if rest and not self._config:
            raise RecipeError(self._nowhere(rest[0]))
        changed = set(knobs.turn(known, tree, turning))
        if rest and knobs.edit_document(tree, self._config, rest):
            changed.add(self._config)
        return tuple(sorted(changed))

    def _nowhere(self, override: str) -> str:
        if self._knobs:
            name = override.lstrip("+~").partition("=")[0]
            turned = [knob.name for knob in self._knobs if not knob.fixed]
            near = get_close_matches(name, turned, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(turned) or 'none'}"
            return f"{override!r} cannot be applied: the script has no knob {name!r}; {hint}; {_ALLOWED}"
        return (
            f"{override!r} cannot be applied: this target has no configuration file; "
            "name one with target.config, name its flags with target.knobs, or propose a patch"
        )

    def job(self, request: RunRequest) -> Job:
        """The command with its placeholders filled in."""
        if request.overrides and "{overrides}" not in self._command:
            raise RecipeError(
                f"{request.overrides[0]!r} cannot reach the run: add the argument {{overrides}} to target.command"
            )
        env = {name: self._filled(str(value), request) for name, value in self._mapping("env").items()}
        env |= knobs.environment(self._knobs, request.tree)
        splice = knobs.splice(self._seed_at, request.tree, request.seed) if self._seed_at else ("", "0", "", "1")
        copied = workplace.started(request.tree, request.folder, self._directory or ".", splice, self._placed)
        start = copied if self._start_in == "folder" else ()
        own = {
            str(self._options.get("seed_env", "SEED")): str(request.seed),
            "AUTORESEARCH_RUN_FOLDER": str(request.folder),
            "PYTHONUNBUFFERED": "1",
        }
        return Job(
            run_id=request.run_id,
            argv=(*start, *self._arguments(request)),
            directory=str(request.tree / self._directory) if self._start_in == "tree" else str(request.tree),
            folder=str(request.folder),
            log=str(request.log),
            env=env | own,
            resources=self._resources(),
            limit_s=request.limit_s,
        )

    def linking(self, path: str, where: str) -> str:
        """The options by which a file that git ignores is in its place in each run."""
        return f"target.start_in: folder with target.inputs: {{{path}: {where}}}"

    def sources(self) -> tuple[SourceSpec, ...]:
        """The one source the options name."""
        return (self._source,)

    def measure(self, folder: Path, log_tail: str, readings: Mapping[str, Readings], status: JobStatus) -> Measurement:
        """One number and its circumstances; never raises for a broken run."""
        found = {name: one.series[self._tag] for name, one in readings.items() if self._tag in one.series}
        merged = merge(found)
        completion = _ended(merged, status)
        chosen = choose(self._objective, merged.curve, self._rule, after=_before_training(merged))
        points = {name: dict(series.points()) for name, series in found.items()}
        integrity = self._one_result(readings) or (of_sources(points, chosen.steps) if chosen else Integrity())
        odd = unclear(self._tag, log_tail) if self._printed and completion in JUDGED else ""
        unit = "value" if (counted := _counted(readings, found)) else "step"
        kept = chosen if completion in JUDGED and not integrity.contradicted and not odd else None
        return Measurement(
            metric=self._objective.metric,
            value=kept.value if kept else None,
            source=merged.source[kept.step] if kept else "",
            step=kept.step if kept else None,
            completion=completion,
            last_step=merged.curve[-1][0] if merged.curve else None,
            target_step=self._whole("steps"),
            curve=merged.curve,
            peak_memory_gb=status.peak_gpu_memory_gb or status.peak_memory_gb,
            symptoms=self._symptoms(log_tail, readings, completion, status),
            note=odd or self._note(merged, integrity, completion, status, unit) or self._unit(readings)
            if merged.curve or odd
            else f"in {folder.name}: {self._hint(log_tail)}"
            + nothing_found(self._objective, (self._tag,), readings, log_tail),
            integrity=integrity,
            results=tuple(line for one in readings.values() for line in one.lines_of(self._tag)),
            counted=counted,
        )

    def health(self, log_tail: str, readings: Mapping[str, Readings]) -> tuple[Symptom, ...]:
        """Crash signatures, a metric that is not finite any more, and curves that have collapsed."""
        series = next((one.series[self._tag] for one in readings.values() if self._tag in one.series), None)
        lost = series is not None and len(series.values) >= 3 and not any(map(math.isfinite, series.values[-3:]))
        evidence = f"{self._tag} was not finite in its last three values"
        advice = "Lower the learning rate or raise precision."
        nan = [Symptom("nan-metric", Severity.FATAL, evidence, "idea", advice)] if lost else []
        falls = self._objective.direction is Direction.MINIMIZE or self._rule == "best"
        if self._dialect is not None:
            shape = shown_by(RULES, RunCurves(readings, recognition.roles(self._dialect, self._tag, falls=falls)))
        else:
            shape = list(collapses(curves_of(readings, self._tag, falls=falls)))
        return worst_first([*nan, *crash_symptoms(log_tail), *shape])

    def _one_result(self, readings: Mapping[str, Readings]) -> Integrity | None:
        pair = next((one.conflict for one in readings.values() if one.conflict), None)
        clash = next((one.clashes[self._tag] for one in readings.values() if self._tag in one.clashes), "")
        told = conflict_words(self._tag, pair) if pair else clash
        return Integrity(Finding.CONTRADICTED, (told,)) if told else None

    def _symptoms(
        self, log_tail: str, readings: Mapping[str, Readings], completion: Completion, status: JobStatus
    ) -> tuple[Symptom, ...]:
        found = self.health(log_tail, readings)
        return post_mortem(found, status, log_tail) if completion is Completion.CRASHED else found

    def _note(
        self, merged: AgreedCurve, integrity: Integrity, completion: Completion, status: JobStatus, unit: str
    ) -> str:
        if completion in JUDGED:
            return integrity.sentence if integrity.contradicted else "; ".join(merged.disagreements)
        step, value = merged.curve[-1]
        code = "" if status.exit_code is None else f" with exit code {status.exit_code}"
        reason = f" ({status.reason})" if status.reason else ""
        return f"the run {completion.value}{code}{reason}; its last {self._tag} was {value:.6g} at {unit} {step}"

    def _hint(self, log_tail: str) -> str:
        near = nearest(self._tag, log_tail) if self._printed else ""
        return f"{near}. " if near else ""

    def _unit(self, readings: Mapping[str, Readings]) -> str:
        percent = any(one.results and one.results[-1].unit == "%" for one in readings.values())
        return f"{self._tag} is printed as percent and taken as it stands" if percent else ""

    def _arguments(self, request: RunRequest) -> Iterator[str]:
        for argument in knobs.arguments(self._knobs, request.tree, self._command):
            if argument == "{overrides}":
                yield from request.overrides
                continue
            yield self._filled(argument, request)

    def _filled(self, text: str, request: RunRequest) -> str:
        places = {"{seed}": str(request.seed), "{folder}": str(request.folder), "{config}": self._config_from_here()}
        return re.sub(r"\{(?:seed|folder|config)\}", lambda found: places[found.group()], text)

    def _config_from_here(self) -> str:
        return posixpath.relpath(self._config, self._directory) if self._directory and self._config else self._config

    def _resources(self) -> Resources:
        return Resources(
            self._whole("nodes") or 1, self._whole("gpus") or 0, self._whole("cpus"), self._number("memory_gb")
        )

    def _warnings(self) -> Iterator[str]:
        if self._against and not self._unsaid:
            yield f"{self._against}, as was said: one of the two is wrong"
        if not self._seed_at and not any("{seed}" in argument for argument in self._command):
            variable = self._options.get("seed_env", "SEED")
            yield f"the command has no {{seed}}: unless the script reads {variable}, repeats will not differ by seed"
        turned = [knob for knob in self._knobs if knob.file and not knob.fixed]
        for file in dict.fromkeys(knob.file for knob in turned):
            if glob := matches(file, self._strings("protect")):
                names = ", ".join(knob.name for knob in turned if knob.file == file)
                yield f"target.protect ({glob}) holds {file}: every idea that turns {names} there will be refused"

    def _number(self, key: str) -> float | None:
        value = self._options.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise CampaignError(f"target option {key!r} must be a number, not {value!r}")
        return float(value)

    def _whole(self, key: str) -> int | None:
        value = self._number(key)
        if value is not None and value != int(value):
            raise CampaignError(f"target option {key!r} must be a whole number, not {value!r}")
        return None if value is None else int(value)

    def _strings(self, key: str) -> tuple[str, ...]:
        value = self._options.get(key, ())
        if not isinstance(value, list | tuple):
            raise CampaignError(f"target option {key!r} must be a list, not {value!r}")
        return tuple(map(str, value))

    def _mapping(self, key: str) -> dict[str, Any]:
        value = self._options.get(key, {})
        if not isinstance(value, Mapping):
            raise CampaignError(f"target option {key!r} must be a mapping, not {value!r}")
        return {str(name): each for name, each in value.items()}


def _objective(asked: Mapping[str, Any], tag: str) -> Objective:
    """The objective as the campaign file has it; `direction: auto` is what the metric's name says.

    Where the name says nothing, a campaign that began when that meant maximize goes on so; a new one does not begin.
    """
    said = asked.get("direction")
    known = Direction(said) if said in set(Direction) else direction_of(tag)
    return Objective(str(asked.get("goal", "")), str(asked["metric"]), known or Direction.MAXIMIZE, tag)


def _counted(readings: Mapping[str, Readings], found: Mapping[str, object]) -> bool:
    """Whether none of the sources that have the metric was told a step."""
    return bool(found) and all(readings[name].counted for name in found)


def _ended(merged: AgreedCurve, status: JobStatus) -> Completion:
    if merged.curve and not math.isfinite(merged.curve[-1][1]):
        return Completion.DIVERGED
    if not status.state.ended:
        return Completion.UNKNOWN
    word = cut_short(status)
    if word is not None:
        return word
    return Completion.DONE if status.state is JobState.SUCCEEDED else Completion.CRASHED


def _before_training(merged: AgreedCurve) -> int:
    """Step 0 is before training where steps are counted, and all there is where they are not."""
    return 0 if merged.curve and merged.curve[-1][0] > 0 else -1
