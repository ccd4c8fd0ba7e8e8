"""The baseline's own row, the first of every campaign."""

from autoresearch.core.attempt import Experiment, why_no_value
from autoresearch.core.experiment import Status, Verdict
from autoresearch.core.history import History


def first_row(history: History, entry: Experiment) -> Verdict:
    """The baseline's verdict: kept with the mean of its valid runs, a crash without any (R55)."""
    runs = history.runs_of(entry.name)
    valid = [run for run in runs if run.valid]
    if not valid:
        reason = why_no_value(runs[-1]) if runs else "it was never run"
        return Verdict(Status.CRASH, f"the baseline has no valid run: {reason}", runs=len(runs), by="engine")
    value = history.value_of(entry.name)
    values = ", ".join(f"{run.measurement.value:.4g}" for run in valid if run.measurement)
    return Verdict(
        Status.KEEP,
        f"baseline: the unmodified recipe, mean {value:.4g} over {len(valid)} run{'s' * (len(valid) > 1)} ({values})",
        value=value,
        runs=len(valid),
        by="engine",
    )
