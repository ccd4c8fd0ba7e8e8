"""Ideas from a search: Optuna's ask and tell over a declared or derived space; no model needed.

The study is rebuilt from the ledger's digest at every proposal, so nothing is kept that a crash could lose, and what
other researchers tried inside the space informs it too.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from autoresearch.core.guards import matches
from autoresearch.core.hypothesis import Brief, Hypothesis, Tried
from autoresearch.core.metric import Direction
from autoresearch.errors import CampaignError, ResearcherError
from autoresearch.researchers.changes import (
    Change,
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
from autoresearch.researchers.recipe_rules import ROLLOUT, broken

_BATCH = "policy.train_global_batch_size"

_ASKS = 50
"""Times the sampler may be asked for a point that has not been tried."""


class Knob(BaseModel):
    """One dimension of the space, in Optuna's terms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = "float"
    """`float`, `int` or `categorical`."""
    low: float | None = None
    """Smallest value of a number."""
    high: float | None = None
    """Largest value of a number."""
    log: bool = False
    """Whether to search on a logarithmic scale."""
    choices: tuple[Any, ...] = ()
    """Values of a categorical."""

    @model_validator(mode="after")
    def _is_a_range(self) -> "Knob":
        if self.type == "categorical":
            if len(self.choices) < 2:
                raise ValueError("a categorical needs at least two choices")
        elif self.type not in {"float", "int"}:
            raise ValueError(f"type {self.type!r} is none of float, int, categorical")
        elif self.low is None or self.high is None or not self.low < self.high:
            raise ValueError("a number needs low < high")
        elif self.log and self.low <= 0:
            raise ValueError("a logarithmic scale needs low > 0")
        return self


def read_space(document: Mapping[str, Any]) -> dict[str, Knob]:
    """Validate a declared space: dotted recipe key to a specification, or `[low, high]`, or a list of choices.

    Raises:
        CampaignError: A knob is not understood; the text names it.
    """
    return {str(key): _knob(str(key), spec) for key, spec in document.items()}


def _knob(key: str, spec: Any) -> Knob:
    try:
        return Knob.model_validate(_spelled_out(spec))
    except ValidationError as error:
        raise CampaignError(
            f"search space, {key}: {error.errors()[0]['msg'].removeprefix('Value error, ')}; "
            "write for example {type: float, low: 1e-6, high: 1e-4, log: true}"
        ) from None


def _spelled_out(spec: Any) -> Any:
    """`[low, high]` and a list of choices as the mapping they stand for."""
    if not isinstance(spec, list | tuple):
        return spec
    if len(spec) == 2 and all(map(is_number, spec)):
        whole = all(isinstance(end, int) for end in spec)
        return {"type": "int" if whole else "float", "low": spec[0], "high": spec[1]}
    return {"type": "categorical", "choices": spec}


class SearchResearcher:
    """Proposes points of a search space with Optuna's TPE sampler.

    Args:
        options: `space` (dotted key to specification; default: derived from the recipe), `seed`, `random_first`
            (points drawn at random before the model is trusted, default 5), `knobs` (most knobs one proposal
            may turn, default 2, so that a verdict still says something about a cause).
        folder: Not used; the ledger is the memory.

    Raises:
        CampaignError: The declared space is not understood.
        ImportError: Optuna is not installed.
    """

    name = "search"

    def __init__(self, *, options: Mapping[str, Any], folder: Path) -> None:  # noqa: ARG002 - see above
        import optuna  # noqa: F401, PLC0415 - a missing package must show when the campaign starts

        self._declared = read_space(options.get("space") or {})
        self._seed = int(options.get("seed", 0))
        self._random_first = int(options.get("random_first", 5))
        self._knobs = int(options.get("knobs", 2))

    def propose(self, brief: Brief, tree: Path) -> Hypothesis | None:  # noqa: ARG002 - the brief says it all
        """The sampler's next point that has not been tried, as overrides of what the parent has.

        Raises:
            ResearcherError: There is no space, or the declared one holds a key that is unknown or protected.
        """
        space = self._space(brief)
        study = self._study(brief, space)
        known = {effective(item.config) for item in brief.tried}
        parent = _parent(brief)
        for _ in range(_ASKS):
            draft = self._draft(brief, space, self._ask(study, space))
            new = effective((*parent, *draft.overrides)) not in known
            if draft.overrides and new and not broken(brief.facts.values, draft.after(), brief.facts):
                return _hypothesis(tuple(draft.overrides), brief)
        return None

    def _space(self, brief: Brief) -> dict[str, Knob]:
        """The declared space checked against the recipe, or the derived one."""
        values, globs = brief.facts.values, tuple(glob.replace(".", "/") for glob in brief.protect_keys)
        unknown = [key for key in self._declared if missing(lookup(values, key))]
        if unknown:
            raise ResearcherError(f"search space: the recipe has no key {', '.join(unknown)}; correct its spelling")
        barred = [key for key in self._declared if matches(key.replace(".", "/"), globs)]
        if barred:
            raise ResearcherError(f"search space: {', '.join(barred)} is protected; take it out of the space")
        space = self._declared or read_space({key: one for key, one in brief.facts.space.items() if key in values})
        if not space:
            raise ResearcherError("there is nothing to search: give the researcher a `space` of keys the recipe has")
        return space

    def _study(self, brief: Brief, space: Mapping[str, Knob]) -> Any:
        import optuna  # noqa: PLC0415

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.TPESampler(
            seed=self._seed * 1009 + brief.index, n_startup_trials=self._random_first, constant_liar=True
        )
        up = brief.objective.direction is Direction.MAXIMIZE
        study = optuna.create_study(direction="maximize" if up else "minimize", sampler=sampler)
        distributions = {key: _distribution(knob) for key, knob in space.items()}
        unmoved = {key: lookup(brief.facts.values, key) for key in space if key not in assignments(_parent(brief))}
        for item in brief.tried:
            study.add_trial(_trial(item, _point(item, unmoved, space), distributions))
        return study

    def _ask(self, study: Any, space: Mapping[str, Knob]) -> dict[str, Any]:
        trial = study.ask({key: _distribution(knob) for key, knob in space.items()})
        return dict(trial.params)

    def _draft(self, brief: Brief, space: Mapping[str, Knob], point: Mapping[str, Any]) -> Draft:
        """The knobs that move most; the rest stay where the parent has them, and the batch follows its factors."""
        values, draft = brief.facts.values, Draft(brief.facts.values)
        rounded = {key: _rounded(space[key], value) for key, value in point.items()}
        moved = [key for key, value in rounded.items() if not same(value, lookup(values, key))]
        moved.sort(key=lambda key: -_move(lookup(values, key), rounded[key]))
        for key in sorted(moved[: self._knobs]):
            draft.put(key, rounded[key])
        for algorithm in sorted(brief.facts.traits.intersection(ROLLOUT)):
            factors = (f"{algorithm}.num_prompts_per_step", f"{algorithm}.num_generations_per_prompt")
            if draft.changed.keys() & set(factors) and _BATCH not in draft.changed and _BATCH in values:
                apply(draft, _BATCH, Change(follows=factors), str)
        return draft


def _parent(brief: Brief) -> tuple[str, ...]:
    return next((item.config for item in brief.tried if item.name == brief.parent), ())


def _rounded(knob: Knob, value: Any) -> Any:
    """A number to three significant digits, still within its range."""
    return _inside(knob, float(f"{value:.3g}")) if knob.type == "float" else value


def _hypothesis(overrides: tuple[str, ...], brief: Brief) -> Hypothesis:
    short = ", ".join(f"{key.rsplit('.', 1)[-1]}={value}" for key, _, value in (o.partition("=") for o in overrides))
    tried = sum(1 for item in brief.tried if item.status)
    return Hypothesis(
        title=f"search: {short}",
        area="search",
        overrides=overrides,
        parent="incumbent",
        rationale=f"Point of a TPE search, informed by {tried} finished experiments.",
        watch=(brief.objective.metric,),
        source="search",
    )


def _distribution(knob: Knob) -> Any:
    from optuna.distributions import (  # noqa: PLC0415
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    if knob.type == "categorical":
        return CategoricalDistribution(knob.choices)
    assert knob.low is not None and knob.high is not None  # noqa: PT018, S101 - validated
    if knob.type == "int":
        return IntDistribution(math.ceil(knob.low), math.floor(knob.high), log=knob.log)
    return FloatDistribution(knob.low, knob.high, log=knob.log)


def _point(item: Tried, unmoved: Mapping[str, Any], space: Mapping[str, Knob]) -> dict[str, Any]:
    """Where an experiment lies in the space: its accumulated overrides, and the recipe's values that nobody moved.

    A knob whose value is not known (the parent moved it, this experiment did not) is left out, and so is one that
    lies outside of the space.
    """
    said: dict[str, Any] = {**unmoved, **assignments(item.config)}
    found = {key: _inside(knob, said[key]) for key, knob in space.items() if key in said}
    return {key: value for key, value in found.items() if value is not None}


def _inside(knob: Knob, value: Any) -> Any:
    """A value as the knob's distribution can hold it, numbers clipped; None for what it cannot hold."""
    if knob.type == "categorical":
        spelled = {text(choice): choice for choice in knob.choices}
        return spelled.get(value if isinstance(value, str) else text(value))
    assert knob.low is not None and knob.high is not None  # noqa: PT018, S101 - validated
    try:
        number = min(max(float(value), knob.low), knob.high)
    except (TypeError, ValueError):
        return None
    return round(number) if knob.type == "int" else number


def _trial(item: Tried, point: Mapping[str, Any], distributions: Mapping[str, Any]) -> Any:
    from optuna.trial import TrialState, create_trial  # noqa: PLC0415

    finished = item.value is not None and math.isfinite(item.value)
    state = TrialState.COMPLETE if finished else TrialState.FAIL if item.status else TrialState.RUNNING
    return create_trial(
        state=state,
        value=item.value if finished else None,
        params=dict(point),
        distributions={key: distributions[key] for key in point},
    )


def _move(old: Any, new: Any) -> float:
    """How far a knob moves, comparable between knobs: in factors of e for numbers, 1 for anything else."""
    try:
        before, after = float(old), float(new)
    except (TypeError, ValueError):
        return 1.0
    if before > 0 and after > 0:
        return abs(math.log(after / before))
    return abs(after - before)
