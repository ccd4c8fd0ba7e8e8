"""A script that is configured by one TOML file and writes `metrics.csv`, a long table."""

import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from autoresearch.errors import CampaignError, RecipeError
from autoresearch.experiment.hypothesis import Facts
from autoresearch.ports.target import RunRequest, SourceSpec, Survey
from autoresearch.run.job import Job, JobState, JobStatus
from autoresearch.run.measurement import Completion, Direction, Measurement, Objective, Readings
from autoresearch.run.post_mortem import crash_symptoms
from autoresearch.run.symptom import Severity, Symptom

ENDINGS = {
    JobState.SUCCEEDED: Completion.DONE,
    JobState.TIMED_OUT: Completion.TIMED_OUT,
    JobState.CANCELLED: Completion.CANCELLED,
    JobState.QUEUED: Completion.UNKNOWN,
    JobState.RUNNING: Completion.UNKNOWN,
    JobState.UNKNOWN: Completion.UNKNOWN,
}


class TomlScript:
    """Runs `command` with the variables SEED and RUN_FOLDER; the recipe is its TOML file, which overrides edit."""

    name = "toml-script"

    def __init__(
        self,
        *,
        recipe: str,
        command: Sequence[str] | None,
        objective: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> None:
        if options:
            raise CampaignError(f"target 'toml-script' has no options; got {', '.join(options)}")
        if not command or not recipe.endswith(".toml") or objective.get("metric", "auto") == "auto":
            raise CampaignError("target 'toml-script' needs a command, a recipe that is a .toml file, and a metric")
        self._recipe, self._command, self._metric = recipe, tuple(command), str(objective["metric"])
        direction = Direction.MINIMIZE if objective.get("direction") == "minimize" else Direction.MAXIMIZE
        self._objective = Objective(str(objective.get("goal", "")), self._metric, direction, self._metric)

    def survey(self, tree: Path) -> Survey:
        """The recipe's values by dotted key: what researchers see, and what tells two ideas apart."""
        values = dict(_flat(_parsed(_text(tree / self._recipe), self._recipe)))
        return Survey(objective=self._objective, command=self._command, lineage=(self._recipe,), facts=Facts(values))

    def apply(self, tree: Path, overrides: Sequence[str]) -> tuple[str, ...]:
        """All overrides or none: the file is written once, when everything is understood."""
        before = after = _text(tree / self._recipe)
        for override in overrides:
            after = _with(after, override, self._recipe)
        if after == before:
            return ()
        (tree / self._recipe).write_text(after, encoding="utf-8")
        return (self._recipe,)

    def job(self, request: RunRequest) -> Job:
        """The same request gives the same job; whatever differs between runs comes in by variables."""
        if request.overrides:
            raise RecipeError("target 'toml-script' takes no overrides for a single run")
        return Job(
            run_id=request.run_id,
            argv=self._command,
            directory=str(request.tree),
            folder=str(request.folder),
            log=str(request.log),
            env={"SEED": str(request.seed), "RUN_FOLDER": str(request.folder)},
            limit_s=request.limit_s,
        )

    def sources(self) -> tuple[SourceSpec, ...]:
        """By name: a source of another package will do as well."""
        return (SourceSpec("long-csv", {}),)

    def measure(self, folder: Path, log_tail: str, readings: Mapping[str, Readings], status: JobStatus) -> Measurement:
        """The last value, if the run ended as it should; never an exception, for a broken run is a result."""
        curve = self._curve(readings)
        ending = ENDINGS.get(status.state, Completion.CRASHED)
        step, value = curve[-1] if curve else (None, math.nan)
        counts = ending is Completion.DONE and math.isfinite(value)
        why = f"no {self._metric} to judge by in {folder.name}: the run {ending}, {len(curve)} values"
        return Measurement(
            metric=self._metric,
            value=value if counts else None,
            source="long-csv" if counts else "",
            step=step if counts else None,
            completion=ending,
            last_step=step,
            curve=curve,
            symptoms=self.health(log_tail, readings),
            note="" if counts else why,
        )

    def health(self, log_tail: str, readings: Mapping[str, Readings]) -> tuple[Symptom, ...]:
        """A FATAL finding ends the run early, so it has to be certain; worst first."""
        curve = self._curve(readings)
        lost = bool(curve) and not math.isfinite(curve[-1][1])
        advice = "Lower the learning rate."
        nan = (Symptom("nan-metric", Severity.FATAL, f"the last {self._metric} is not finite", "idea", advice),)
        return (*(nan if lost else ()), *crash_symptoms(log_tail))

    def _curve(self, readings: Mapping[str, Readings]) -> tuple[tuple[int, float], ...]:
        return next((one.series[self._metric].points() for one in readings.values() if self._metric in one.series), ())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path.name} cannot be read: {error}") from error


def _parsed(text: str, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{name} is not TOML: {error}") from error


def _flat(document: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _with(text: str, override: str, name: str) -> str:
    """The text with one value replaced, everything else as it was; only `key = value` on a line of its own is known."""
    key, equals, value = override.partition("=")
    wanted = dict(_flat(_parsed(text, name)))
    if not equals or key not in wanted:
        raise RecipeError(f"{override!r} changes nothing: {name} has the keys {', '.join(wanted)}")
    wanted[key] = _parsed(f"value = {value}", override)["value"]
    lines, table = text.splitlines(keepends=True), ""
    for number, line in enumerate(lines):
        if header := re.match(r"\s*\[([^\[\]]+)]", line):
            table = f"{header[1].strip()}."
        elif (entry := re.match(r"(\s*([\w-]+)\s*=\s*)[^#\n]*?(\s*(#.*)?\n?)$", line)) and table + entry[2] == key:
            lines[number] = f"{entry[1]}{value}{entry[3]}"
    after = "".join(lines)
    if dict(_flat(_parsed(after, name))) != wanted:
        raise RecipeError(f"{key} of {name} cannot be replaced: write it as `key = value` on a line of its own")
    return after
