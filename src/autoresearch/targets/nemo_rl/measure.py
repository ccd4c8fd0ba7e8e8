"""One number out of a NeMo-RL run, read by the harness from what the run itself wrote.

Trust, best first: event files, `training_info.json` of the checkpoints, rewards of single validation rollouts, printed
lines. All that overlap are cross-checked. How a run ended is decided by the steps it reached and the reason it
printed, since exit code 0 also means time-out, NaN or a failed first refit (seen at commit 7ea279abf).
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from autoresearch.ports.target import SourceSpec
from autoresearch.run.chosen_value import (
    JUDGED,
    AgreedCurve,
    ChosenValue,
    choose,
    cut_short,
    merge,
    nothing_found,
    rule_for,
    samples_at,
    standard_error,
)
from autoresearch.run.integrity import Integrity, of_sources
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.measurement import Completion, Measurement, Objective, Readings, Series
from autoresearch.run.post_mortem import post_mortem
from autoresearch.run.symptom import Symptom
from autoresearch.targets.curve_rules import RunCurves, diverged
from autoresearch.targets.nemo_rl import grammar
from autoresearch.targets.nemo_rl.grammar import Printed
from autoresearch.targets.nemo_rl.health import ROLES, health

SOURCES: tuple[SourceSpec, ...] = (
    SourceSpec("tensorboard", {}),
    SourceSpec("checkpoints", {}),
    SourceSpec("samples", {}),
    SourceSpec("logs", grammar.LOG_OPTIONS),
)
"""What a NeMo-RL run is read with, in order of trust."""


@dataclass(frozen=True)
class Spelling:
    """One metric in the words of every place it is written to.

    Attributes:
        tag: Logger tag, e.g. `validation/accuracy`.
        saved: Keys in `training_info.json`, most specific first.
        printed: Tag the grammar of standard output gives it.
        sampled: Whether it is the mean reward of the validation rollouts.
    """

    tag: str
    saved: tuple[str, ...]
    printed: str
    sampled: bool


def spelling(metric: str, tag: str = "") -> Spelling:
    """All spellings of a metric named as in `checkpointing.metric_name`, or by its logger tag.

    `val:accuracy` is logged as `validation/accuracy`; `val:validation-default_loss` as `validation-default/loss`.
    """
    logged = tag or _logged(metric)
    sampled = logged in {"validation/accuracy", "validation/total_reward/mean"}
    plain = metric.partition(":")[2] if metric.startswith("val:validation-") else ""
    saved = (
        metric,
        *filter(None, [plain]),
        _saved(logged),
        *(["val_reward"] if logged == "validation/accuracy" else []),
    )
    return Spelling(logged, tuple(dict.fromkeys(saved)), grammar.PRINTED_AS.get(logged, logged), sampled)


def _logged(metric: str) -> str:
    prefix, found, name = metric.partition(":")
    if not found:
        return metric
    by_set = re.fullmatch(r"(validation-[^/]+?)_(.+)", name)
    if prefix == "val":
        return f"{by_set.group(1)}/{by_set.group(2)}" if by_set else f"validation/{name}"
    return f"{prefix}/{name}"


def _saved(tag: str) -> str:
    room, _, name = tag.partition("/")
    if room.startswith("validation-"):
        return f"val:{room}_{name}"
    return f"{'val' if room == 'validation' else room}:{name}"


def measure(
    objective: Objective,
    folder: Path,
    log_tail: str,
    readings: Mapping[str, Readings],
    status: JobStatus,
    steps: int | None,
    *,
    validations: str = "last",
) -> Measurement:
    """The run's number and its circumstances; never raises for a broken run.

    Args:
        objective: The metric, in the recipe's spelling.
        folder: The run's folder, for the diagnosis only.
        log_tail: End of the run's standard output.
        readings: What each of `SOURCES` found, by source name.
        status: How the launcher says the job is doing.
        steps: Training steps the recipe asks for, None when unknown.
        validations: Which validation counts: `last`, `best` or `mean-last-N`, see `chosen_value.choose`. For metrics
            of every step, `last` means the last stretch, see `chosen_value.rule_for`.
    """
    words, printed = spelling(objective.metric, objective.tag), grammar.facts(log_tail)
    readings = grammar.with_tail(readings, log_tail)
    by_source = _by_source(words, readings)
    merged, curves = merge(by_source), RunCurves(readings, ROLES)
    reached, target = _reached(curves, readings), printed.target(steps)
    nan = diverged(curves) or _last_is_nan(objective, merged)
    completion = completion_of(status, reached, target, printed, nan=bool(nan))
    chosen = choose(objective, merged.curve, rule_for(words.tag, len(merged.curve), validations))
    integrity = of_sources(_witnesses(by_source, readings), chosen.steps) if chosen else Integrity()
    kept = chosen if completion in JUDGED and not integrity.contradicted else None
    samples = _samples(words, readings, kept) if kept else ()
    doubts = [integrity.sentence] if integrity.contradicted else merged.disagreements
    end = _end_note(completion, status, reached, target, printed)
    notes = [*doubts, nan, end, _value_note(objective, words, merged, chosen, completion, reached)]
    if not merged.curve:
        notes.append(f"in {folder.name}: " + nothing_found(objective, (words.tag, *words.saved), readings, log_tail))
    return Measurement(
        metric=objective.metric,
        value=kept.value if kept else None,
        source=merged.source[kept.step] if kept else "",
        step=kept.step if kept else None,
        completion=completion,
        last_step=reached,
        target_step=reached if completion is Completion.DONE and target is None else target,
        curve=merged.curve,
        standard_error=standard_error(samples),
        samples=samples,
        prompts=_prompts(readings, kept) if kept and samples else "",
        peak_memory_gb=_peak_memory(curves, status),
        symptoms=_symptoms(log_tail, readings, completion, status),
        note="; ".join(filter(None, notes)),
        integrity=integrity,
    )


def _witnesses(by_source: Mapping[str, Series], readings: Mapping[str, Readings]) -> dict[str, Mapping[int, float]]:
    """What may speak against a number. The mean of rollouts of which some lines are torn is another number."""
    torn = "samples" in readings and bool(readings["samples"].notes)
    return {name: dict(series.points()) for name, series in by_source.items() if not (torn and name == "samples")}


def _by_source(words: Spelling, readings: Mapping[str, Readings]) -> dict[str, Series]:
    """The metric's series by source, most trusted first."""
    keys = {
        "tensorboard": (words.tag,),
        "checkpoints": words.saved,
        "samples": ("val_data/reward",) if words.sampled else (),
        "logs": (words.printed,),
    }
    found = {
        name: _first(readings.get(name), keys.get(name, (words.tag, *words.saved))) for name in {**keys, **readings}
    }
    return {name: series for name, series in found.items() if series is not None}


def _first(readings: Readings | None, keys: tuple[str, ...]) -> Series | None:
    return next((readings.series[key] for key in keys if key in readings.series), None) if readings else None


def _reached(curves: RunCurves, readings: Mapping[str, Readings]) -> int | None:
    """The last training step that was completed, by any witness."""
    witnesses = (
        curves.series("train/loss"),
        _first(readings.get("logs"), ("train/loss",)),
        _first(readings.get("tensorboard"), ("train/lr",)),
        _first(readings.get("checkpoints"), ("total_steps", "step")),
    )
    return max((series.steps[-1] for series in witnesses if series is not None and series.steps), default=None)


def _last_is_nan(objective: Objective, merged: AgreedCurve) -> str:
    if not merged.curve or math.isfinite(merged.curve[-1][1]):
        return ""
    step, value = merged.curve[-1]
    return f"{objective.metric} is {value} at step {step}"


def completion_of(
    status: JobStatus, reached: int | None, target: int | None, printed: Printed, *, nan: bool
) -> Completion:
    """How a run ended: NaN first, then the steps it reached and what it printed, the launcher's word last."""
    if nan:
        return Completion.DIVERGED
    if not status.state.ended:
        return Completion.UNKNOWN
    if reached and target is not None and reached >= target and printed.ending is not Completion.EARLY_STOPPED:
        return Completion.DONE
    if printed.ending is not None and reached:
        return printed.ending
    if (word := cut_short(status)) is not None:
        return word
    if status.state is JobState.SUCCEEDED and reached and (target is None or printed.ran_out):
        return Completion.DONE
    return Completion.CRASHED


def _end_note(
    completion: Completion, status: JobStatus, reached: int | None, target: int | None, printed: Printed
) -> str:
    where = f"step {reached or 0}" + (f" of {target}" if target is not None else "")
    code = "" if status.exit_code is None else f" with exit code {status.exit_code}"
    reason = f" ({status.reason})" if status.reason else ""
    if completion is Completion.DONE:
        return f"the run failed{code} after its last step{reason}" if status.state is JobState.FAILED else ""
    if completion is Completion.CRASHED and status.state is JobState.SUCCEEDED:
        return f"the run ended{code} at {where} without saying why"
    if completion in {Completion.CRASHED, Completion.CANCELLED, Completion.STALLED}:
        return f"the run {completion.value} at {where}{code}{reason}"
    return f"the run ended at {where}: {printed.ending_line}" if printed.ending_line else ""


def _value_note(
    objective: Objective,
    words: Spelling,
    merged: AgreedCurve,
    chosen: ChosenValue | None,
    completion: Completion,
    reached: int | None,
) -> str:
    if not merged.curve:
        return ""
    step, value = merged.curve[-1]
    shown = f"{objective.metric} {value:.6g} at step {step}"
    if completion not in JUDGED:
        return f"no value counts for such a run; the last one was {shown}"
    if chosen is None:
        return f"only the model before training was validated: {shown}" if step == 0 else ""
    if reached is not None and step < reached and words.tag.startswith("validation"):
        return f"the last validation was at step {step}, the last training step is {reached}"
    return ""


def _samples(words: Spelling, readings: Mapping[str, Readings], kept: ChosenValue) -> tuple[float, ...]:
    """Rewards behind the value. Rewards that do not average to it are torn or someone else's, and are not used."""
    found = readings.get("samples")
    samples = samples_at(found.samples, kept.steps) if found and words.sampled else ()
    return samples if samples and math.isclose(fmean(samples), kept.value, rel_tol=1e-5, abs_tol=1e-4) else ()


def _prompts(readings: Mapping[str, Readings], kept: ChosenValue) -> str:
    """What all the validations behind a value asked, as a fingerprint; empty when they did not ask the same."""
    asked = {one.prompts for one in readings["samples"].samples if one.step in kept.steps}
    return asked.pop() if len(asked) == 1 else ""


def _peak_memory(curves: RunCurves, status: JobStatus) -> float | None:
    """Largest GPU memory seen by NeMo-RL's monitor or by the launcher; without either the host's.

    The monitor samples every ten seconds or so, hence both are lower bounds and the larger one is closer.
    """
    seen = [value for values in curves.matching(r"ray/node\.\d+\.gpu\.\d+\.mem_gb").values() for value in values]
    if status.peak_gpu_memory_gb:
        seen.append(status.peak_gpu_memory_gb)
    return max(seen, default=status.peak_memory_gb)


def _symptoms(
    log_tail: str, readings: Mapping[str, Readings], completion: Completion, status: JobStatus
) -> tuple[Symptom, ...]:
    found = health(log_tail, readings)
    return post_mortem(found, status, log_tail) if completion is Completion.CRASHED else found
