"""The public types as a user of the library meets them; checked by mypy, never run."""

from autoresearch.run.objective import Direction, Objective

objective = Objective("raise accuracy", "val:accuracy", Direction.MAXIMIZE)
gain: float = objective.gain(0.5, over=0.4)
