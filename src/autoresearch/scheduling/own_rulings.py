"""What is decided of an experiment whatever the policy says: the baseline's own row, and which crash is mended."""

from autoresearch.config.schema import CampaignConfig
from autoresearch.experiment.board import Advice, Measure, Rest
from autoresearch.experiment.experiment import Experiment, lost, slip_of, why_no_value
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE, Purpose, Status, Verdict
from autoresearch.run.ending import Who
from autoresearch.scheduling.exploration import doubt


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
        return Verdict(
            status=Status.CRASH, reason=f"the baseline has no valid run: {reason}", runs=len(runs), by="engine"
        )
    value = history.value_of(entry.name)
    values = ", ".join(f"{one:.4g}" for run in valid if (one := run.value) is not None)
    return Verdict(
        status=Status.KEEP,
        reason=f"the unmodified recipe: mean {value:.4g} over {len(valid)} run{'s' * (len(valid) > 1)} ({values})",
        value=value,
        runs=len(valid),
        by="engine",
    )


def memory_to_spare(history: History, entry: Experiment) -> str:
    """What an open experiment ran out of memory with, while what it enlarged was not reduced yet (R146)."""
    if entry.judged or entry.by_hand or any(r.reason.startswith(("reduced", "not reduced")) for r in entry.repairs):
        return ""
    runs = history.current_runs(entry.name)
    end = runs[-1].ending if runs and all(run.settled for run in runs) else None
    if end is None or end.who is not Who.IDEA or not end.what.startswith("oom") or doubt(history, entry.name):
        return ""
    return f"{end.what}: {end.evidence}"


def crash_to_mend(history: History, campaign: CampaignConfig, entry: Experiment) -> str:
    """The trivial crash of an experiment's last run that may still be mended; empty when there is none."""
    if entry.judged or entry.name == BASELINE or len(entry.repairs) >= campaign.run.repair_tries:
        return ""
    runs = history.current_runs(entry.name)
    return slip_of(runs[-1]) if runs and all(run.settled for run in runs) and not lost(runs[-1]) else ""
