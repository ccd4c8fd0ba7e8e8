"""Ideas from a search: Optuna's ask and tell over a declared or derived space; no model needed.

The study is rebuilt from the ledger's digest at every proposal, so nothing is kept that a crash could lose, and what
other researchers tried inside the space informs it too.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from autoresearch.core.hypothesis import Brief, Hypothesis, Tried
from autoresearch.core.metric import Direction
from autoresearch.errors import CampaignError, ResearcherError

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
        return Knob.model_validate(spec)
    except ValidationError as error:
        raise CampaignError(
            f"search space, {key}: {error.errors()[0]['msg'].removeprefix('Value error, ')}; "
            "write for example {type: float, low: 1e-6, high: 1e-4, log: true}"
        ) from None


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
        """The sampler's next point that has not been tried, as overrides of what the parent has."""
        space = self._declared or read_space(brief.facts.space)
        space = {key: knob for key, knob in space.items() if key in brief.facts.values}
        if not space:
            raise ResearcherError("there is nothing to search: give the researcher a `space` of keys the recipe has")
        study = self._study(brief, space)
        known = {frozenset(item.config) for item in brief.tried}
        parent_config = next((item.config for item in brief.tried if item.name == brief.parent), ())
        for _ in range(_ASKS):
            point = self._ask(study, space)
            overrides = self._overrides(brief, point)
            if overrides and frozenset((*parent_config, *overrides)) not in known:
                return _hypothesis(overrides, brief)
        return None

    def _study(self, brief: Brief, space: Mapping[str, Knob]) -> Any:
        import optuna  # noqa: PLC0415

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.TPESampler(
            seed=self._seed * 1009 + brief.index, n_startup_trials=self._random_first, constant_liar=True
        )
        up = brief.objective.direction is Direction.MAXIMIZE
        study = optuna.create_study(direction="maximize" if up else "minimize", sampler=sampler)
        distributions = {key: _distribution(knob) for key, knob in space.items()}
        baseline = dict(brief.facts.values)
        for item in brief.tried:
            study.add_trial(_trial(item, _point(item, baseline, space), distributions))
        return study

    def _ask(self, study: Any, space: Mapping[str, Knob]) -> dict[str, Any]:
        trial = study.ask({key: _distribution(knob) for key, knob in space.items()})
        return dict(trial.params)

    def _overrides(self, brief: Brief, point: Mapping[str, Any]) -> tuple[str, ...]:
        """The knobs that move most, as overrides; the rest stay where the parent has them."""
        moved = [(key, value) for key, value in point.items() if _text(value) != _text(brief.facts.values.get(key))]
        moved.sort(key=lambda item: -_move(brief.facts.values.get(item[0]), item[1]))
        return tuple(sorted(f"{key}={_text(value)}" for key, value in moved[: self._knobs]))


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


def _point(item: Tried, values: Mapping[str, Any], space: Mapping[str, Knob]) -> dict[str, Any]:
    """Where an experiment lies in the space: the recipe's values with its accumulated overrides."""
    said = dict(override.lstrip("+").split("=", 1) for override in item.config if "=" in override)
    return {key: _inside(knob, said.get(key, values.get(key))) for key, knob in space.items()}


def _inside(knob: Knob, value: Any) -> Any:
    """A value as the knob's distribution can hold it: numbers are clipped, an unknown choice becomes the first."""
    if knob.type == "categorical":
        return next((choice for choice in knob.choices if _text(choice) == _text(value)), knob.choices[0])
    assert knob.low is not None and knob.high is not None  # noqa: PT018, S101 - validated
    try:
        number = min(max(float(value), knob.low), knob.high)
    except (TypeError, ValueError):
        number = knob.low
    return round(number) if knob.type == "int" else number


def _trial(item: Tried, point: Mapping[str, Any], distributions: Mapping[str, Any]) -> Any:
    from optuna.trial import TrialState, create_trial  # noqa: PLC0415

    finished = item.value is not None and math.isfinite(item.value)
    state = TrialState.COMPLETE if finished else TrialState.FAIL if item.status else TrialState.RUNNING
    return create_trial(
        state=state, value=item.value if finished else None, params=dict(point), distributions=dict(distributions)
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


def _text(value: Any) -> str:
    """A value as Hydra reads it back, numbers to three significant digits."""
    if isinstance(value, bool) or value is None:
        return str(value).lower() if value is not None else "null"
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value)
