"""What a run of a recipe costs and what it can show: nodes, GPUs, minutes, steps, noise, and when it is too small.

Times come from the recipe's test script in the NeMo-RL repository, whose CONFIG block states how long its maintainers
give it: an upper bound, read as text and never executed. Noise comes from the size of the validation set.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autoresearch.run.job import Resources
from autoresearch.run.measurement import Objective
from autoresearch.targets.nemo_rl.length import own_limit_minutes, steps_of_data
from autoresearch.targets.nemo_rl.objective import ROLLOUT, gym
from autoresearch.targets.recipe.recipe import Recipe, whole_number

UNBOUNDED_STEPS = 100_000
"""A `max_num_steps` from here on is no length but "until the data ends" (the exemplars say 1000000)."""

MEANINGFUL_STEPS = 20
"""Fewer optimizer steps show plumbing: typical warm-ups of shipped recipes take 10 to 50 steps at a reduced rate."""

MEANINGFUL_BATCH = 32
"""Fewer rollouts per step make the gradient mostly noise; upstream's smoke tests use 8, its recipes 128 and more."""

MEANINGFUL_BATCH_GIVEN = 8
"""The same for algorithms that learn from given text, whose gradient has a target for every token."""

MEANINGFUL_VALIDATION = 64
"""Fewer validation samples leave a standard error above 0.06 at 0.5: even a gain of 0.12 would not stand out."""

DATA_SETS: Mapping[str, tuple[int, int]] = {
    "AIME2024": (30, 30),
    "AIME2025": (30, 30),
    "DAPOMathAIME2024": (960, 30),
    "gsm8k": (1319, 1319),
}
"""Rows and different problems of validation sets that shipped recipes name, before `repeat`; others are taken to be as
large as asked for, and all different."""

_CONFIG = re.compile(r"# =+ BEGIN CONFIG =+\n(.*?)# =+ END CONFIG =+", re.DOTALL)
_SETTING = re.compile(r"^\s*([A-Z][A-Z0-9_]*)=[\"']?(?:\$\{\1:-)?(\d+)\b", re.MULTILINE)
_EXPORT = re.compile(r"^\s*export ([A-Z][A-Za-z0-9_]*)=[\"']?([\w.:/-]+)[\"']?\s*$", re.MULTILINE)
_NOT_OURS = re.compile(r"EXP_NAME|NRL_R3_TRACE|PYTHONPATH|PATH$")
"""Variables of the test suite itself, and traces of single steps for debugging."""
_SET = re.compile(r"^\s*(?:export )?([A-Z][A-Z0-9_]*)=", re.MULTILINE)
_OVERRIDE = re.compile(
    r"^\s+(?:\+\+|\+)?([a-z]\w*(?:\.\w+)+)=[\"']?\$\{?([A-Z][A-Z0-9_]*)\}?[\"']?\s*\\?$", re.MULTILINE
)
_OF_THE_SUITE = ("EXP_NAME", "EXP_DIR", "LOG_DIR", "CKPT_DIR", "PROJECT_ROOT", "CONFIG_PATH", "JSON_METRICS", "RUN_LOG")
"""Variables that `tests/test_suites/llm/common.env` sets for every script."""
_TRAINS = re.compile(r"^\s*[^#]*examples/(?:[a-z_]+/)?run_(?!eval)[a-z_]+\.py")
_WORD = re.compile(r"\s\+{0,2}([a-z]\w*(?:\.\w+)+)=(\"[^\"]*\"|'[^']*'|\S+)")
_VALUE = re.compile(r"^\s*(?:export )?([A-Z][A-Z0-9_]*)=(?:[\"']([^\"'$]*)[\"']|([^\s$]+))\s*(?:#.*)?$", re.MULTILINE)
_NAMED = re.compile(r"\$\{?([A-Z][A-Z0-9_]*)\}?")
_ENTRY = re.compile(r"examples/(?:[a-z_]+/)?run_[a-z_]+\.py")


@dataclass(frozen=True, kw_only=True)
class TestScript:
    """What the recipe's own test script says.

    Attributes:
        path: Repository-relative.
        minutes: Minutes given to one run.
        steps: Steps after which the test ends.
        steps_per_run: Steps that fit into one run.
        nodes: Nodes.
        gpus_per_node: GPUs per node, None when it leaves the default.
        entry: The training script it calls, empty when it calls several or another test.
        exports: Variables that it sets for the run, with plain values.
        needs: Keys that it takes from a variable which it does not set itself, with the variable's name.
        sets: Overrides that it adds to the recipe, key and value, variables of its own filled in.
        of: The parent that it tests, where the recipe has none of its own.
    """

    path: str
    minutes: int | None = None
    steps: int | None = None
    steps_per_run: int | None = None
    nodes: int | None = None
    gpus_per_node: int | None = None
    entry: str = ""
    exports: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    of: str = ""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one run costs and what it can show.

    Attributes:
        resources: Nodes and GPUs.
        steps: Training steps, None when only the data ends the run.
        minutes: Expected minutes at most, start-up included, None when unknown.
        setup_minutes: Start-up part of it.
        step_minutes: Minutes of one step at most, by the recipe's test script; None when unknown.
        standard_error: Evaluation noise of the metric from the size of the validation set, None when unknown.
        samples: Validation samples behind one value, None when unknown.
        plumbing: Why a run is too small to judge an idea by; empty when it is not.
        warnings: One sentence each.
    """

    resources: Resources
    steps: int | None
    minutes: float | None
    setup_minutes: float
    standard_error: float | None
    samples: int | None
    plumbing: str = ""
    warnings: tuple[str, ...] = ()
    step_minutes: float | None = None

    @property
    def gpu_hours(self) -> float | None:
        """GPU-hours of one run, None when its length is unknown."""
        return None if self.minutes is None else self.resources.gpus * self.minutes / 60

    @property
    def smallest_effect(self) -> float | None:
        """Smallest difference between two single runs that evaluation noise does not explain; see `smallest_effect`."""
        return None if self.standard_error is None else smallest_effect(self.standard_error)


def smallest_effect(standard_error: float, runs: int = 1, z: float = 1.96) -> float:
    """The difference between two means of `runs` runs that noise exceeds in 5 % of cases: `z * se * sqrt(2 / runs)`."""
    return z * standard_error * math.sqrt(2 / runs)


def binomial_error(samples: int, expected: float = 0.5) -> float:
    """Standard error of a share of `samples` independent trials: `sqrt(p (1 - p) / n)`."""
    return math.sqrt(expected * (1 - expected) / samples)


def test_script(root: Path, recipe: Recipe) -> TestScript | None:
    """The recipe's test script, read as text, or that of its nearest parent with one; None when there is none."""
    for source in recipe.lineage:
        path = source.replace("examples/configs/recipes/", "tests/test_suites/", 1)
        file = root / Path(path).with_suffix(".sh")
        if path != source and file.is_file():
            return _script_of(recipe, source, str(Path(path).with_suffix(".sh")), file.read_text("utf-8", "replace"))
    return None


def _script_of(recipe: Recipe, source: str, path: str, text: str) -> TestScript:
    own = source == recipe.path
    block = _CONFIG.search(text)
    settings = {name: int(number) for name, number in _SETTING.findall(block.group(1) if block else "")}
    entries = set(_ENTRY.findall(text)) - {"examples/run_eval.py"}
    return TestScript(
        path=path,
        of="" if own else source,
        minutes=settings.get("NUM_MINUTES"),
        steps=settings.get("MAX_STEPS"),
        steps_per_run=settings.get("STEPS_PER_RUN"),
        nodes=settings.get("NUM_NODES"),
        gpus_per_node=settings.get("GPUS_PER_NODE"),
        entry=entries.pop() if len(entries) == 1 else "",
        exports={name: value for name, value in _EXPORT.findall(text) if not _NOT_OURS.match(name)},
        needs={key: name for key, name in _needs(text).items() if own or recipe.origin(key) != recipe.path},
        sets=_sets(text),
    )


def _sets(text: str) -> dict[str, str]:
    """Overrides on the lines of its first training command."""
    lines = next((line for line in text.replace("\\\n", " ").splitlines() if _TRAINS.search(line)), "")
    known = {name: value or plain for name, value, plain in _VALUE.findall(text)}

    def filled(value: str) -> str:
        return _NAMED.sub(lambda found: known.get(found[1], found[0]), value.strip("\"'"))

    return {key: filled(value) for key, value in _WORD.findall(lines)}


def _needs(text: str) -> dict[str, str]:
    """Keys set from variables that nothing in the script sets; such a script ends at once where one is missing."""
    known = {*_SET.findall(text), *_OF_THE_SUITE}
    return {key: name for key, name in _OVERRIDE.findall(text) if name not in known}


def budget(
    recipe: Recipe,
    objective: Objective,
    *,
    steps: int | None = None,
    setup_minutes: float | None = None,
    expected: float = 0.5,
    minutes: float | None = None,
) -> Budget:
    """What one run of a recipe costs and can show.

    Args:
        recipe: The composed recipe.
        objective: What it is judged by.
        steps: Steps every run is cut to, None for the recipe's own number.
        setup_minutes: Known start-up time; None to estimate it.
        expected: Expected value of a metric that is a share, for its standard error.
        minutes: Known length of a run, start-up included; None to judge by the test script.
    """
    script, wanted = test_script(recipe.root, recipe), steps or _steps(recipe)
    expected_steps = min(filter(None, (wanted, steps_of_data(recipe))), default=None)
    resources, setup = _resources(recipe), _setup_minutes(recipe) if setup_minutes is None else setup_minutes
    samples = validation_samples(recipe)
    return Budget(
        resources=resources,
        steps=wanted,
        minutes=_minutes(recipe, script, expected_steps, setup) if minutes is None else minutes,
        setup_minutes=setup,
        standard_error=_standard_error(objective, recipe, validation_problems(recipe), expected),
        samples=samples,
        plumbing=_plumbing(recipe, objective, wanted, samples),
        warnings=(*_warnings(recipe, script, resources, wanted), *_too_long(recipe, script, expected_steps, setup)),
        step_minutes=_step_minutes(script, minutes, expected_steps, setup),
    )


def validation_samples(recipe: Recipe) -> int | None:
    """Rollouts behind one validation value, None when it cannot be known from the recipe.

    NeMo-RL validates `max_val_samples // val_batch_size` whole batches; with NeMo-Gym the whole file.
    """
    algorithm = recipe.algorithm
    repeats = recipe.whole(f"{algorithm}.val_num_generations_per_prompt", 1) or 1
    if algorithm not in ROLLOUT:
        batches = recipe.whole(f"{algorithm}.val_batches")
        size = recipe.whole(f"{algorithm}.val_global_batch_size")
        return batches * size if batches and size and batches > 0 else None
    if gym(recipe):
        rows = _lines(recipe)
        return rows * repeats if rows else None
    wanted, batch = recipe.whole(f"{algorithm}.max_val_samples"), recipe.whole(f"{algorithm}.val_batch_size")
    if wanted is None or batch is None or batch < 1:
        return None
    whole = wanted // batch * batch
    rows = _rows(recipe)
    return min(whole, rows) * repeats if rows else whole * repeats


def validation_problems(recipe: Recipe) -> int | None:
    """Different problems among the validation samples, None when unknown.

    Rollouts of one problem share its difficulty, so that the noise of a share is that of its problems: 32 rounds of
    AIME's 30 problems are 30, not 960. On these very problems two runs compare better than that.
    """
    samples = validation_samples(recipe)
    if samples is None:
        return None
    counts = [problems for _, problems in _known_sets(recipe)]
    repeats = recipe.whole(f"{recipe.algorithm}.val_num_generations_per_prompt", 1) or 1
    return min(samples, sum(counts)) if counts else max(1, samples // repeats)


def _resources(recipe: Recipe) -> Resources:
    nodes, gpus = recipe.whole("cluster.num_nodes", 1) or 1, recipe.whole("cluster.gpus_per_node", 0) or 0
    return Resources(nodes=nodes + (recipe.whole("env.nemo_gym.num_gpu_nodes", 0) or 0), gpus_per_node=gpus)


def _steps(recipe: Recipe) -> int | None:
    steps = recipe.whole(f"{recipe.algorithm}.max_num_steps")
    return steps if steps is not None and 0 < steps < UNBOUNDED_STEPS else None


def _setup_minutes(recipe: Recipe) -> float:
    """Minutes before the first step: seconds on a CPU; reports range from 2 on one node to 20 on large ones."""
    resources = _resources(recipe)
    if not resources.gpus:
        return 0.1
    base = 5.0 if resources.nodes == 1 else 10.0 if resources.nodes <= 8 else 20.0
    return base + (4.0 if gym(recipe) else 0.0)


def _minutes(recipe: Recipe, script: TestScript | None, steps: int | None, setup: float) -> float | None:
    """Minutes of a whole run at most: by the pace of its test script, and not beyond the recipe's own time limit."""
    limit = own_limit_minutes(recipe)
    known = (_by_pace(script, steps, setup), None if limit is None else limit + setup)
    return min((one for one in known if one is not None), default=None)


def _by_pace(script: TestScript | None, steps: int | None, setup: float) -> float | None:
    if script is None or not script.minutes or not steps:
        return None
    start = min(setup, script.minutes / 2)
    return start + (script.minutes - start) * steps / (script.steps_per_run or script.steps or steps)


def _step_minutes(script: TestScript | None, known: float | None, steps: int | None, setup: float) -> float | None:
    """Minutes of one step: of a run whose length is known, else by the pace of the test script."""
    whole = _by_pace(script, steps, setup) if known is None else known
    if whole is None or not steps:
        return None
    return max(0.0, whole - min(setup, whole / 2)) / steps


def _standard_error(objective: Objective, recipe: Recipe, problems: int | None, expected: float) -> float | None:
    share = objective.tag in {"validation/accuracy", "validation/total_reward/mean"}
    return binomial_error(problems, expected) if share and problems and recipe.algorithm in ROLLOUT else None


def _plumbing(recipe: Recipe, objective: Objective, steps: int | None, samples: int | None) -> str:
    batch = _batch(recipe)
    if steps is not None and steps < MEANINGFUL_STEPS:
        return f"{steps} training steps are too few to judge an idea by (at least {MEANINGFUL_STEPS})"
    generates = recipe.algorithm in ROLLOUT and "teachers" not in recipe.plain
    least = MEANINGFUL_BATCH if generates else MEANINGFUL_BATCH_GIVEN
    if batch is not None and batch < least:
        return f"{batch} samples per step are too few to judge an idea by (at least {least})"
    by_samples = objective.metric.startswith("val:") and recipe.algorithm in ROLLOUT
    if by_samples and samples is not None and samples < MEANINGFUL_VALIDATION:
        noise = binomial_error(max(samples, 1))
        return (
            f"{samples} validation samples leave a standard error of {noise:.3f}, too much to judge an idea by "
            f"(at least {MEANINGFUL_VALIDATION} samples)"
        )
    return ""


def _batch(recipe: Recipe) -> int | None:
    algorithm = recipe.algorithm
    prompts = recipe.whole(f"{algorithm}.num_prompts_per_step")
    if prompts is not None:
        return prompts * (recipe.whole(f"{algorithm}.num_generations_per_prompt") or 1)
    return recipe.whole("policy.train_global_batch_size")


def _warnings(recipe: Recipe, script: TestScript | None, resources: Resources, steps: int | None) -> tuple[str, ...]:
    found = []
    if steps is None and recipe.algorithm:
        data = steps_of_data(recipe)
        bound = f"; its test script stops at {script.steps}" if script and script.steps else ""
        lasts = f" (after about {data} steps)" if data else ""
        found.append(
            f"the recipe sets no step limit that binds, so a run ends with its data{lasts} or with its time limit"
            f"{bound}. `target: {{type: nemo-rl, steps: N}}` gives every run the same length."
        )
    if script and script.of and script.minutes:
        found.append(f"its pace is that of {script.of}, by {script.path}: it has no test script of its own")
    if script and script.nodes and script.nodes != resources.nodes:
        found.append(f"{script.path} asks for {script.nodes} nodes, the recipe for {resources.nodes}.")
    if script and script.gpus_per_node and script.gpus_per_node != resources.gpus_per_node:
        found.append(
            f"{script.path} asks for {script.gpus_per_node} GPUs per node, the recipe for {resources.gpus_per_node}."
        )
    return tuple(found)


def _too_long(recipe: Recipe, script: TestScript | None, steps: int | None, setup: float) -> tuple[str, ...]:
    """A recipe written for a production run is no experiment: said when one run would take more than a day."""
    minutes = _minutes(recipe, script, steps, setup)
    if minutes is None or minutes < 24 * 60 or script is None:
        return ()
    days = minutes / 60 / 24
    caution = (
        f"{steps} steps would take about {days:.0f} days at the pace {script.path} allows for; "
        f"it stops at {script.steps} steps itself. `target: {{type: nemo-rl, steps: N}}` makes runs comparable."
    )
    return (caution,)


def _rows(recipe: Recipe) -> int | None:
    """Rows of the validation sets together, None unless all of them are known."""
    return sum(rows for rows, _ in _known_sets(recipe)) or None


def _known_sets(recipe: Recipe) -> list[tuple[int, int]]:
    """Rows and different problems of each validation set; empty unless all of them are known."""
    found = recipe.get("data.validation")
    sets = [one for one in (found if isinstance(found, list) else [found]) if isinstance(one, Mapping)]
    known = [(DATA_SETS.get(str(one.get("dataset_name", ""))), whole_number(one.get("repeat", 1)) or 1) for one in sets]
    counted = [(size[0] * repeat, size[1]) for size, repeat in known if size]
    return counted if len(counted) == len(known) else []


def _lines(recipe: Recipe) -> int | None:
    """Rows of the validation file, when it is inside the checkout or on this machine."""
    path = recipe.get("data.validation.data_path")
    file = recipe.root / path if isinstance(path, str) else None
    if file is None or not file.is_file():
        return None
    with file.open("rb") as lines:
        return sum(1 for line in lines if line.strip())
