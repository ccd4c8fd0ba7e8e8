"""The baseline's own row, the first of every campaign."""

from autoresearch.experiment.board import Advice, Measure, Rest
from autoresearch.experiment.experiment import Experiment, usable, why_no_value
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE, Purpose, Status, Verdict


def baseline_verdict(history: History, advice: Advice) -> Verdict | None:
    """The baseline's row is the first one: written as soon as the policy turns to anything but baseline runs (R55)."""
    entry = history.baseline
    if entry is None or entry.judged or isinstance(advice, Rest):
        return None
    if isinstance(advice, Measure) and advice.arm == BASELINE and advice.purpose is Purpose.BASELINE:
        return None
    if any(not run.settled for run in history.runs_of(BASELINE)):
        return None
    return first_row(history, entry)


def first_row(history: History, entry: Experiment) -> Verdict:
    """The baseline's verdict: kept with the mean of its valid runs, a crash without any (R55)."""
    runs = history.runs_of(entry.name)
    valid = [run for run in runs if run.valid]
    if not valid:
        reason = why_no_value(runs[-1]) if runs else "it was never run"
        return Verdict(Status.CRASH, f"the baseline has no valid run: {reason}", runs=len(runs), by="engine")
    value = history.value_of(entry.name)
    values = ", ".join(f"{one:.4g}" for run in valid if (one := usable(run)) is not None)
    return Verdict(
        Status.KEEP,
        f"the unmodified recipe: mean {value:.4g} over {len(valid)} run{'s' * (len(valid) > 1)} ({values})",
        value=value,
        runs=len(valid),
        by="engine",
    )
