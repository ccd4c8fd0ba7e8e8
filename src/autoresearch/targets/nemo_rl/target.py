"""NeMo-RL as a target: the parts of this package behind the `Target` protocol."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoresearch.errors import CampaignError, RecipeError
from autoresearch.ports.plugins import chosen_source
from autoresearch.ports.target import MeasuredRun, RunRequest, SourceSpec, SuiteScript, Survey
from autoresearch.run.chosen_value import check_rule
from autoresearch.run.job import Job, JobStatus
from autoresearch.run.known_metrics import SAY_DIRECTION, against_goal
from autoresearch.run.measurement import Completion, Direction, Measurement, Objective, Readings
from autoresearch.run.placement import RunEnvironment
from autoresearch.run.symptom import Severity, Symptom
from autoresearch.targets.nemo_rl import (
    cost as budget,
)
from autoresearch.targets.nemo_rl import facts, grammar, measure, protection, run_command, run_environment, saves
from autoresearch.targets.nemo_rl import (
    objective as metric,
)
from autoresearch.targets.nemo_rl.facts import inputs, left_open
from autoresearch.targets.nemo_rl.health import health
from autoresearch.targets.nemo_rl.suite_script import suite_script
from autoresearch.targets.recipe import edit
from autoresearch.targets.recipe.load import load
from autoresearch.targets.recipe.overrides import apply
from autoresearch.targets.recipe.recipe import Recipe

STEP_TIME = "timing/train/total_step_time"
"""Logger tag of the seconds that a step took."""

RECORD = "recipe.json"
"""What is kept in the run folder about recipe and dependencies."""


class NemoRLTarget:
    """A NeMo-RL recipe in a NeMo-RL-shaped checkout.

    Options (keys under `target:` in the campaign file):
        steps: Steps every run is cut to; the recipe's own number otherwise.
        minutes: Length of a run when known, start-up included; judged by the recipe's test script otherwise.
        setup_minutes: Start-up time when known; estimated from the size of the cluster otherwise.
        expected: Expected value of a metric that is a share, for its standard error; 0.5 otherwise.
        validations: Which validation of a run counts: `last`, `best` or `mean-last-N`.
        venv: A shared virtual environment; the main checkout's `.venv` otherwise.
        source: One more metric source, ours or an installed package's, by name or as a mapping with `type` and its own
            options; what it reads under the metric's logger tag counts where NeMo-RL's own files say nothing.
        saves: What a run saves: `lean`, one checkpoint without optimizer state, or as the `recipe` says; `lean`
            otherwise.
        provenance: What to do with a number whose job never said which code it imported: `required` makes the run a
            crash with that reason, `noted` takes it with a note; `required` otherwise.
    """

    name = "nemo-rl"
    in_image = False
    resumes = False
    rehearsal_steps = 2

    def __init__(
        self,
        *,
        recipe: str,
        command: Sequence[str] | None = None,
        objective: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if not recipe:
            raise CampaignError(
                "no recipe was given: name one, for example: autoresearch plan examples/configs/R.yaml; "
                "for a script outside NeMo-RL say --target command"
            )
        self.recipe = recipe
        self.command = tuple(command or ())
        self._wish = dict(objective or {})
        self._options = dict(options or {})
        _refuse(self._options)
        self._sources = _sources(self._options, str(self._wish.get("metric", "")))
        self._seen: Survey | None = None
        self._frozen: RunEnvironment | None = None
        self._saved = saves.LEAN

    def survey(self, tree: Path) -> Survey:
        """Read recipe and code in `tree`.

        Raises:
            RecipeError: The recipe, a parent or its entry point is missing or wrong.
            CampaignError: The objective is not understood.
        """
        recipe = load(tree, self.recipe)
        if recipe.algorithm == "eval":
            raise RecipeError(f"{recipe.path}: is an evaluation and trains nothing; choose a training recipe")
        run_command.check_trains(recipe)
        objective = self._objective(recipe)
        cost = self._budget(recipe, objective)
        against = against_goal(objective.goal, objective.metric, objective.direction)
        said = str(self._wish.get("direction") or "auto") in set(Direction)
        doubt = f"{against}, as was said: one of the two is wrong" if against and said else ""
        survey = Survey(
            objective=objective,
            command=self._command(recipe),
            resources=cost.resources,
            lineage=recipe.lineage,
            minutes=cost.minutes,
            setup_minutes=cost.setup_minutes,
            steps=cost.steps,
            step_minutes=cost.step_minutes,
            first_value=metric.first_value(recipe, objective),
            least_steps=budget.MEANINGFUL_STEPS,
            standard_error=cost.standard_error,
            plumbing=cost.plumbing,
            protect=protection.files(),
            protect_keys=protection.keys(),
            facts=facts.facts(recipe, protection.measuring_code(tree)),
            warnings=(
                *filter(None, (doubt,)),
                *metric.warnings(recipe, objective),
                *cost.warnings,
                *self._cautions(recipe),
            ),
            inputs=inputs(recipe),
            saves=saves.estimate(recipe, cost.steps, self._saves, resumes=self.resumes),
            unsaid=f"{against}, as the recipe has it: {SAY_DIRECTION}" if against and not said else "",
            environment=self._found(recipe, tree),
        )
        self._seen = self._seen or survey
        return survey

    def apply(self, tree: Path, overrides: Sequence[str]) -> tuple[str, ...]:
        """Write overrides into the recipe file of `tree`; returns it when it changed.

        Raises:
            RecipeError: An override is wrong or cannot be expressed in the file; nothing changed.
        """
        return (self.recipe,) if edit.apply_overrides(tree / self.recipe, overrides, tree) else ()

    def job(self, request: RunRequest) -> Job:
        """The training command of one run with everything that is set per run.

        The run folder, when it exists, receives the resolved recipe and the import probe.

        Raises:
            RecipeError: Recipe or overrides are wrong.
        """
        recipe = load(request.tree, self.recipe, request.overrides)
        cost = self._budget(recipe, self._objective(recipe))
        chosen = self.injections(recipe, request, cost)
        overrides = (*request.overrides, *(one.override for one in chosen))
        around = self._frozen or self._found(recipe, request.tree)
        python = protection.settled(request.tree, around)
        self._keep(recipe, overrides, request)
        return Job(
            run_id=request.run_id,
            argv=run_command.argv(self._command(recipe), recipe, overrides, no_sync=python.no_sync),
            directory=str(request.tree),
            folder=str(request.folder),
            log=str(request.log),
            env={
                **around.exports,
                **around.mode,
                **python.env,
                **run_environment.paths(request, around.path),
                **(protection.rebuilt(request.folder) if request.rebuild else {}),
            },
            resources=cost.resources,
            limit_s=request.limit_s,
        )

    def injections(self, recipe: Recipe, request: RunRequest, cost: budget.Budget) -> tuple[run_command.Injection, ...]:
        """What is set for this run on top of recipe and hypothesis, each with its reason."""
        kept = saves.injected(recipe, self._saves, resumes=self.resumes)
        return run_command.injections(
            recipe,
            request.folder,
            kept,
            seed=request.seed,
            commit=request.commit,
            run_id=request.run_id,
            limit_s=request.limit_s,
            setup_s=cost.setup_minutes * 60,
            steps=request.steps or self._options.get("steps"),
        )

    @property
    def _saves(self) -> str:
        return str(self._options.get("saves") or (self._frozen.saves if self._frozen else self._saved))

    def settle(self, frozen: RunEnvironment | None, *, frugal: bool) -> None:
        """Make jobs as the campaign began; one that froze nothing saves leanly only if it pruned what runs save."""
        self._frozen, self._saved = frozen, saves.LEAN if frugal else saves.RECIPE

    def _found(self, recipe: Recipe, tree: Path) -> RunEnvironment:
        return run_environment.found(recipe, self._python(tree), self._saves, image=self.in_image)

    def weights(self, folder: Path) -> Iterator[Path]:
        """What an ended run's checkpoints hold besides numbers and settings."""
        return saves.weights(folder)

    def step_seconds(self, readings: Mapping[str, Readings]) -> tuple[float, ...]:
        """Its own timer of whole steps, from the most trusted source that has it."""
        found = (one.series[STEP_TIME].values for one in readings.values() if STEP_TIME in one.series)
        return tuple(next(found, ()))

    def evaluation(self, tree: Path) -> dict[str, Any]:
        """NeMo-RL's own converter and driver, for the last checkpoint of a run.

        Raises:
            CampaignError: The recipe cannot be evaluated so, and why.
            RecipeError: The recipe is wrong.
        """
        recipe = load(tree, self.recipe)
        python = self._python(tree)
        return run_command.evaluation(
            recipe, self._objective(recipe), self._command(recipe), python.env, no_sync=python.no_sync
        )

    def test_suite(self, tree: Path, runs: Sequence[MeasuredRun]) -> SuiteScript:
        """A script like those of its maintainers. Raises CampaignError where the suite would not find the recipe."""
        recipe, script = (found := load(tree, self.recipe)), budget.test_script(tree, found)
        entry = next((word for word in self.command if word.endswith(".py")), "")
        entry = entry or run_command.entry_point(recipe, script)
        objective = self._objective(recipe)
        return suite_script(recipe, objective, entry, self._budget(recipe, objective).resources, runs, script)

    def sources(self) -> tuple[SourceSpec, ...]:
        """Event files, checkpoints, rollouts, printed lines, and what a person named besides: in order of trust."""
        return self._sources

    def measure(self, folder: Path, log_tail: str, readings: Mapping[str, Readings], status: JobStatus) -> Measurement:
        """The run's number; no number, and the reason, when the code that ran was not the experiment's."""
        kept = _kept(folder)
        objective = self._seen.objective if self._seen else _objective_of(kept)
        steps = kept.get("steps") if isinstance(kept.get("steps"), int) else None
        rule = str(self._options.get("validations", "last"))
        found = measure.measure(objective, folder, log_tail, readings, status, steps, validations=rule)
        if objective.metric == metric.PEAK_MEMORY:
            found = _peak(found)
        found = _small(found)
        return self._proven(folder, kept, found, status) if kept else found

    def _proven(self, folder: Path, kept: Mapping[str, Any], found: Measurement, status: JobStatus) -> Measurement:
        """The measurement, without its number when that may be some other code's."""
        wrong = protection.verify(folder, Path(str(kept.get("tree", folder))), str(kept.get("commit", "")))
        if wrong:
            return _distrusted(found, "provenance-mismatch", f"{wrong}; its numbers do not count")
        silent = protection.missing_proof(folder) if found.value is not None and status.state.ended else ""
        if not silent:
            return found
        if self._options.get("provenance") == "noted":
            return protection.unproven(found, silent)
        return _distrusted(found, "provenance-missing", silent)

    def health(self, log_tail: str, readings: Mapping[str, Readings]) -> tuple[Symptom, ...]:
        """Findings about a run, worst first."""
        return health(log_tail, readings)

    def milestones(self, log: str) -> tuple[str, ...]:
        """Where a run can be watched, and that its generation works."""
        return grammar.milestones(log)

    def _objective(self, recipe: Recipe) -> Objective:
        wish = {key: str(self._wish.get(key) or default) for key, default in _WISH.items()}
        return metric.objective_for(recipe, wish["metric"], wish["direction"], wish["goal"])

    def _budget(self, recipe: Recipe, objective: Objective) -> budget.Budget:
        options = self._options
        return budget.budget(
            recipe,
            objective,
            steps=options.get("steps"),
            setup_minutes=options.get("setup_minutes"),
            expected=float(options.get("expected", 0.5)),
            minutes=options.get("minutes"),
        )

    def _command(self, recipe: Recipe) -> tuple[str, ...]:
        return self.command or (
            "uv", "run", run_command.entry_point(recipe, budget.test_script(recipe.root, recipe))
        )  # fmt: skip

    def _cautions(self, recipe: Recipe) -> tuple[str, ...]:
        return (
            *left_open(recipe),
            *recipe.unresolved.values(),
            *run_command.resolver_caution(recipe),
            *run_environment.cautions(recipe, self.command, image=self.in_image),
        )

    def _python(self, tree: Path) -> protection.Environment:
        return protection.environment(tree, str(self._options.get("venv", "")), image=self.in_image)

    def _keep(self, recipe: Recipe, overrides: Sequence[str], request: RunRequest) -> None:
        """Leave recipe and probe in the run folder; a run that is only looked at has none."""
        if not request.folder.is_dir():
            return
        final = apply(load(request.tree, self.recipe), overrides)
        objective = self._objective(recipe)
        kept = {
            **protection.record(final, request.tree, request.commit),
            "tree": str(request.tree),
            "steps": request.steps or self._budget(final, objective).steps,
            "objective": {
                "goal": objective.goal,
                "metric": objective.metric,
                "direction": objective.direction,
                "tag": objective.tag,
                "meaning": objective.meaning,
            },
        }
        (request.folder / RECORD).write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
        protection.place_probe(request.folder)


_WISH = {"metric": "auto", "direction": "auto", "goal": ""}
_OPTIONS: dict[str, Any] = {
    "steps": int,
    "minutes": (int, float),
    "setup_minutes": (int, float),
    "expected": (int, float),
    "validations": str,
    "venv": str,
    "provenance": str,
    "saves": str,
    "source": (str, Mapping),
}


def _sources(options: Mapping[str, Any], metric: str) -> tuple[SourceSpec, ...]:
    if "source" not in options:
        return measure.SOURCES
    more = chosen_source(options["source"], metric)
    if more.name in {own.name for own in measure.SOURCES}:
        raise CampaignError(f"target: source {more.name} is read for every NeMo-RL run already; name another one")
    return (*measure.SOURCES, more)


def _refuse(options: Mapping[str, Any]) -> None:
    for key, value in options.items():
        if key not in _OPTIONS:
            raise CampaignError(f"target: {key!r} is not an option of nemo-rl; it has {', '.join(_OPTIONS)}")
        if isinstance(value, bool) or not isinstance(value, _OPTIONS[key]):
            raise CampaignError(f"target: {key} cannot be {value!r}; see `autoresearch plan --help`")
    if options.get("steps", 1) < 1 or not 0 < options.get("expected", 0.5) < 1:
        raise CampaignError("target: steps must be at least 1, and expected between 0 and 1")
    if options.get("minutes", 1) <= 0 or options.get("setup_minutes", 0) < 0:
        raise CampaignError("target: minutes must be above 0, and setup_minutes not negative")
    if options.get("provenance", "required") not in {"required", "noted"}:
        raise CampaignError("target: provenance is `required` or `noted`")
    if options.get("saves", saves.LEAN) not in {saves.LEAN, saves.RECIPE}:
        raise CampaignError("target: saves is `lean` or `recipe`")
    check_rule(str(options.get("validations", "last")))


def _kept(folder: Path) -> dict[str, Any]:
    try:
        document = json.loads((folder / RECORD).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _objective_of(kept: Mapping[str, Any]) -> Objective:
    """The objective noted beside the run, for a target that has not surveyed anything since it was made."""
    try:
        return Objective(**{**kept["objective"], "direction": Direction(kept["objective"]["direction"])})
    except (KeyError, TypeError, ValueError):
        return Objective("improve val:accuracy", "val:accuracy", tag="validation/accuracy")


def _distrusted(found: Measurement, name: str, why: str) -> Measurement:
    symptom = Symptom(name, Severity.FATAL, why, "environment", "Look at provenance.json and at the job's environment.")
    symptoms = (symptom, *found.symptoms)
    return replace(found, value=None, completion=Completion.CRASHED, symptoms=symptoms, note=why)


def _small(found: Measurement) -> Measurement:
    """A run that its time limit ended after very few steps shows plumbing, whatever its recipe asks for (R113)."""
    reached, least = found.last_step, budget.MEANINGFUL_STEPS
    if found.completion is not Completion.TIMED_OUT or reached is None or reached >= least:
        return found
    return replace(
        found, plumbing=f"it was ended after {reached} steps, too few to judge an idea by (at least {least})"
    )


def _peak(found: Measurement) -> Measurement:
    """The memory objective's number is the monitor's peak, whatever the curve says."""
    peak = found.peak_memory_gb
    if peak is None or found.completion not in {Completion.DONE, Completion.EARLY_STOPPED, Completion.TIMED_OUT}:
        return replace(found, value=None)
    return replace(
        found, value=peak, source="gpu monitor", step=found.last_step, curve=(), standard_error=None, note=""
    )
