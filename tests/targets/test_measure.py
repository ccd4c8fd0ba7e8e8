"""One number out of a NeMo-RL run, and how the run ended."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.errors import CampaignError
from autoresearch.ports import plugins
from autoresearch.run.chosen_value import check_rule, choose, merge, samples_at, standard_error
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.measurement import Completion, Direction, Objective, Readings, SampleSet, Series
from autoresearch.run.symptom import Severity
from autoresearch.targets.nemo_rl.measure import SOURCES, measure, spelling

GOLDEN = Path(__file__).parents[1] / "golden" / "nemo_rl_logs"
ACCURACY = Objective("raise accuracy", "val:accuracy")
LOSS = Objective("lower the loss", "val:val_loss", Direction.MINIMIZE)
OK = JobStatus(state=JobState.SUCCEEDED, exit_code=0)
FAILED = JobStatus(state=JobState.FAILED, exit_code=1)


def read(folder):
    return {spec.name: plugins.load("metrics", spec.name)(options=spec.options).read(folder) for spec in SOURCES}


def judged(folder, objective=ACCURACY, status=OK, steps=30, **options: object):
    tail = (folder / "run.log").read_text(errors="replace")[-64 * 1024 :]
    return measure(objective, folder, tail, read(folder), status, steps, **options)


def curve(tag, *values: float):
    return Readings({tag: Series.of(tag, enumerate(values, start=1))})


def of(log="", status=OK, steps=3, **readings: Readings):
    return measure(ACCURACY, Path("run"), log, readings, status, steps)


def trained(loss=(1.0, 0.9, 0.8), accuracy=(0.5, 0.6, 0.7), **more: tuple[float, ...]):
    tags = {"train/loss": loss, "validation/accuracy": accuracy, **more}
    return Readings({tag: Series.of(tag, enumerate(values, start=1)) for tag, values in tags.items()})


def test_a_good_grpo_run():
    """The sample run: last validation, its noise from 64 rewards, done at step 30 of 30, peak GPU memory."""
    found = judged(GOLDEN / "grpo_ok")
    assert (found.value, found.step, found.source) == (0.703125, 30, "tensorboard")
    assert (found.completion, found.last_step, found.target_step) == (Completion.DONE, 30, 30)
    assert found.standard_error == pytest.approx(math.sqrt(0.703125 * 0.296875 / 63))
    assert len(found.samples) == 64
    assert found.peak_memory_gb == pytest.approx(41.01, abs=0.01)
    assert found.curve[0] == (0, 0.234375)
    assert (found.symptoms, found.note) == ((), "")


def test_a_good_sft_run():
    """A loss: the same without samples."""
    found = judged(GOLDEN / "sft_ok", LOSS, steps=20)
    assert (found.value, found.step, found.completion) == (1.1487420797348022, 20, Completion.DONE)
    assert found.standard_error is None


def test_a_run_out_of_gpu_memory():
    """No value, because a crashed run has none; what it reached and why it died are told."""
    found = judged(GOLDEN / "grpo_oom", status=FAILED)
    assert (found.value, found.completion, found.last_step) == (None, Completion.CRASHED, 6)
    assert found.curve == ((5, 0.265625),)
    assert (found.symptoms[0].name, found.symptoms[0].severity) == ("oom-gpu", Severity.FATAL)
    assert "crashed at step 6 of 30 with exit code 1" in found.note


def test_a_run_that_never_started():
    """A misspelt key: the cause, where was looked, and the end of the log, cleaned."""
    found = judged(GOLDEN / "grpo_badkey", status=FAILED)
    assert (found.value, found.completion, found.last_step) == (None, Completion.CRASHED, None)
    assert found.symptoms[0].name == "trivial-config-error"
    assert "max_num_stepz" in found.symptoms[0].evidence
    assert "tensorboard: no file" in found.note
    assert "logs: run.log" in found.note
    assert max(map(len, found.note.split("\n"))) < 600


@pytest.mark.parametrize(
    ("lost", "source"),
    [
        ((), "tensorboard"),
        (("*tfevents*",), "checkpoints"),
        (("*tfevents*", "training_info.json"), "samples"),
        (("*tfevents*", "training_info.json", "val_data*"), "logs"),
    ],
)
def test_trust_goes_down_the_list(tmp_path, lost, source):
    """Whatever survived of a run, the number is the same, from the best witness left."""
    folder = shutil.copytree(GOLDEN / "grpo_ok", tmp_path / "run", ignore=shutil.ignore_patterns(*lost))
    found = judged(folder)
    assert found.value == pytest.approx(0.703125, abs=5e-5)
    assert (found.source, found.step, found.completion) == (source, 30, Completion.DONE)


def test_what_a_better_source_lacks_is_filled_in():
    """Event files lose their last seconds in a crash; the printed validation of the last step counts then."""
    events, logs = curve("validation/accuracy", 0.1, 0.2), curve("validation/accuracy", 0.1, 0.2, 0.3)
    found = of(tensorboard=Readings({**events.series, **trained().series, **events.series}), logs=logs)
    assert (found.value, found.step, found.source) == (0.3, 3, "logs")


def test_a_number_that_another_source_contradicts_is_none():
    """Two witnesses that contradict each other are named with step and numbers; rounding is no contradiction."""
    found = of(tensorboard=trained(), logs=curve("validation/accuracy", 0.5, 0.60004, 0.9))
    assert (found.value, found.source, found.step, found.integrity.finding) == (None, "", None, "contradicted")
    assert found.note == "contradicted: sources disagree at step 3: tensorboard 0.7, logs 0.9"
    sound = of(tensorboard=trained(), logs=curve("validation/accuracy", 0.5, 0.60004, 0.70004))
    assert (sound.value, sound.integrity.finding, sound.note) == (0.7, "sound", "")


def test_a_contradiction_elsewhere_on_the_curve_is_a_note():
    """Only the validations that make up the number can void it."""
    found = of(tensorboard=trained(), logs=curve("validation/accuracy", 0.5, 0.9, 0.7))
    assert (found.value, found.integrity.finding) == (0.7, "sound")
    assert found.note == "sources disagree at step 2: tensorboard 0.6, logs 0.9"


@pytest.mark.parametrize(
    ("metric", "tag", "saved"),
    [
        ("val:accuracy", "validation/accuracy", "val:accuracy"),
        ("validation/accuracy", "validation/accuracy", "val:accuracy"),
        ("val:total_reward/mean", "validation/total_reward/mean", "val:total_reward/mean"),
        ("val:val_loss", "validation/val_loss", "val:val_loss"),
        ("val:validation-default_loss", "validation-default/loss", "val:validation-default_loss"),
        ("val:validation-my_set_loss", "validation-my/set_loss", "val:validation-my_set_loss"),
        ("val:validation-default_loss", "validation-default/loss", "validation-default_loss"),
        ("train:loss", "train/loss", "train:loss"),
        ("train:total_reward/mean", "train/total_reward/mean", "train:total_reward/mean"),
    ],
)
def test_three_spellings_are_one_metric(metric, tag, saved):
    """Recipe key, logger tag and checkpoint key lead to each other."""
    words = spelling(metric)
    assert words.tag == tag
    assert saved in words.saved


LOG = "========================= Epoch 1/1 =========================\n========================= Step 2/3 =====\n"
LOG += "📊 Training Results:\n  • Loss: 0.5000\n"
STALL = JobStatus(state=JobState.CANCELLED, reason="stalled: nothing printed for 30 minutes")


@pytest.mark.parametrize(
    ("log", "status", "steps", "expected"),
    [
        ("", OK, 3, Completion.DONE),
        ("", FAILED, 3, Completion.DONE),
        ("", OK, None, Completion.DONE),
        ("", OK, 10, Completion.CRASHED),
        ("", FAILED, 10, Completion.CRASHED),
        ("Timeout has been reached, stopping training early\n", OK, 10, Completion.TIMED_OUT),
        ("", JobStatus(state=JobState.TIMED_OUT), 10, Completion.TIMED_OUT),
        ("accuracy reached the early-stop threshold (0.9 >= 0.8)\n", OK, 10, Completion.EARLY_STOPPED),
        ("accuracy reached the early-stop threshold (0.9 >= 0.8)\n", OK, 3, Completion.EARLY_STOPPED),
        ("Max number of steps has been reached, stopping training early\n", OK, 10, Completion.DONE),
        ("====== Step 3/3 ======\n", OK, 1_000_000, Completion.DONE),
        ("====== Epoch 1/2 ======\n====== Step 3/3 ======\n", OK, None, Completion.DONE),
        ("", JobStatus(state=JobState.CANCELLED, reason="asked by a person"), 10, Completion.CANCELLED),
        ("", STALL, 10, Completion.STALLED),
        ("", JobStatus(state=JobState.NODE_FAILED), 10, Completion.CRASHED),
        ("", JobStatus(state=JobState.VANISHED), 10, Completion.CRASHED),
        ("", JobStatus(state=JobState.RUNNING), 10, Completion.UNKNOWN),
    ],
)
def test_how_a_run_ended(log, status, steps, expected):
    """By steps reached and words printed, the exit code last: 0 also means time-out, 1 also a failed farewell."""
    found = of(log, status, steps, tensorboard=trained())
    assert found.completion is expected
    judged_ends = {Completion.DONE, Completion.TIMED_OUT, Completion.EARLY_STOPPED, Completion.UNKNOWN}
    assert (found.value is not None) == (expected in judged_ends)


def test_a_run_without_a_single_step_crashed():
    """Exit code 0 with nothing trained (a failed first refit does that) is a crash."""
    assert of("", OK, 3).completion is Completion.CRASHED
    assert of("", OK, None).symptoms[0].name == "unexplained-crash"


@pytest.mark.parametrize(
    "readings",
    [
        trained(loss=(1.0, math.nan, math.nan)),
        trained(accuracy=(0.5, 0.6, math.nan)),
        trained(**{"train/grad_norm": (math.inf, math.nan, math.nan)}),
    ],
)
def test_nan_means_diverged(readings):
    """NaN at the end of loss or metric, or three in a row: no value counts, although exit code and steps look fine."""
    found = of(tensorboard=readings)
    assert (found.value, found.completion) == (None, Completion.DIVERGED)
    assert "nan" in found.note or "not finite" in found.note


def test_a_nan_that_passed_is_a_warning():
    """One odd step of a run that went on is a symptom, no verdict."""
    found = of(tensorboard=trained(loss=(1.0, math.nan, 0.8)))
    assert (found.value, found.completion) == (0.7, Completion.DONE)
    assert found.symptoms[0].name == "nan-step"


def test_the_untrained_model_is_no_result():
    """A validation before training alone gives no value, in words."""
    zero = Readings({"validation/accuracy": Series.of("validation/accuracy", [(0, 0.2)])})
    found = of("", JobStatus(state=JobState.TIMED_OUT), tensorboard=zero)
    assert found.value is None
    assert "only the model before training was validated" in found.note


def test_a_missing_final_validation_is_told():
    """When training went on after the last validation, the note says so."""
    found = of(tensorboard=trained(accuracy=(0.5, 0.6)))
    assert (found.value, found.note) == (0.6, "the last validation was at step 2, the last training step is 3")


def test_a_missing_metric_names_its_neighbours():
    """The diagnosis lists what was looked at and the nearest tags."""
    found = of("\x1b[31mbye\x1b[0m\n", tensorboard=replace(trained(accuracy=()), files=("events.1",)))
    other = Readings({"validation/acuracy": Series.of("validation/acuracy", [(1, 1.0)])}, files=("events.1",))
    assert "looked for validation/accuracy" in found.note
    note = of("\x1b[31mbye\x1b[0m\n", tensorboard=other).note
    assert "nearest: validation/acuracy" in note
    assert note.endswith("The log ends:\nbye")


@pytest.mark.parametrize(
    ("rule", "value", "step"),
    [("last", 0.6, 40), ("best", 0.9, 20), ("mean-last-2", 0.65, 40), ("mean-last-3", (0.9 + 0.7 + 0.6) / 3, 40)],
)
def test_which_validation_counts(rule, value, step):
    """The rules as documented; step 0 never counts."""
    chosen = choose(ACCURACY, [(0, 1.0), (20, 0.9), (30, 0.7), (40, 0.6)], rule)
    assert chosen is not None
    assert (chosen.value, chosen.step) == (pytest.approx(value), step)


def test_best_knows_the_direction_and_nan_is_never_papered_over():
    """For a loss the best is the smallest; a curve that ends in NaN has no value by any rule."""
    points = [(1, 2.0), (2, 1.0), (3, 1.5)]
    best = choose(LOSS, points, "best")
    assert best is not None
    assert best.value == 1.0
    for rule in ("last", "best", "mean-last-3"):
        assert choose(LOSS, [*points, (4, math.nan)], rule) is None


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("performance/tokens_per_sec_per_gpu", 248.172),
        ("timing/train/total_step_time", 0.494998),
        ("train:reward", (0.625 + 0.5 + 0.625 + 0.5 + 0.875) / 5),
    ],
)
def test_metrics_of_every_step_are_not_judged_by_their_last_one(metric, value):
    """The last step holds validation and checkpoint; throughput and timings are the median of the second half."""
    found = judged(GOLDEN / "grpo_ok", Objective("", metric))
    assert found.value == pytest.approx(value, rel=0.005)
    assert (found.step, found.completion) == (30, Completion.DONE)


def test_unknown_rules_are_refused():
    """A rule that does not exist is answered with those that do."""
    for rule in ("mean", "mean-last-0", "median", ""):
        with pytest.raises(CampaignError, match="mean-last-N"):
            check_rule(rule)


def test_averaged_validations_have_averaged_samples():
    """With mean-last-2 the rewards per sample are averaged too, so the standard error is that of the mean."""
    samples = Readings(samples=(SampleSet(2, (1.0, 0.0)), SampleSet(3, (1.0, 0.5))))
    readings = {"tensorboard": trained(accuracy=(0.1, 0.5, 0.75)), "samples": samples}
    found = measure(ACCURACY, Path("run"), "", readings, OK, 3, validations="mean-last-2")
    assert found.value == pytest.approx(0.625)
    assert found.samples == (1.0, 0.25)
    assert found.standard_error == pytest.approx(standard_error((1.0, 0.25)))


def test_torn_samples_are_not_used():
    """Rewards that are not all there: no samples, no standard error, a note, and nothing against the number."""
    samples = Readings({"val_data/reward": Series.of("", [(3, 0.5)])}, (SampleSet(3, (1.0, 0.0)),), notes=("1 torn",))
    found = of(tensorboard=trained(), samples=samples)
    assert (found.value, found.samples, found.standard_error) == (0.7, (), None)
    assert "sources disagree at step 3" in found.note
    whole = replace(samples, notes=())
    assert of(tensorboard=trained(), samples=whole).integrity.contradicted


def test_samples_that_do_not_match_are_not_used():
    """Missing steps, different lengths or NaN: no samples rather than wrong ones; equal samples prove no precision."""
    sets = (SampleSet(1, (1.0,)), SampleSet(2, (1.0, 0.0)), SampleSet(3, (math.nan, 1.0)))
    assert samples_at(sets, (1, 2)) == samples_at(sets, (3,)) == samples_at(sets, (9,)) == ()
    assert standard_error((1.0, 1.0, 1.0)) is None


def test_memory_is_the_largest_seen_by_anyone():
    """GPU memory over all GPUs and both witnesses; host memory only where there is no GPU number."""
    gpus = Readings({f"ray/node.{n}.gpu.1.mem_gb": Series.of("", [(1, 10.0 + n), (9, 5.0)]) for n in range(3)})
    assert of(status=replace(OK, peak_gpu_memory_gb=11.0, peak_memory_gb=90.0), tensorboard=gpus).peak_memory_gb == 12.0
    assert of(status=replace(OK, peak_gpu_memory_gb=14.0), tensorboard=gpus).peak_memory_gb == 14.0
    assert of(status=replace(OK, peak_memory_gb=3.5)).peak_memory_gb == 3.5


points = st.dictionaries(st.integers(0, 20), st.floats(allow_nan=True, width=32), max_size=6)


@settings(max_examples=100, deadline=None)
@given(one=points, two=points)
def test_merged_curves_hold_every_step_once(one, two):
    """Merging loses no step, invents none, and prefers the trusted source."""
    found = merge({"a": Series.of("a", one.items()), "b": Series.of("b", two.items())})
    assert [step for step, _ in found.curve] == sorted(one | two)
    assert all(found.source[step] == ("a" if step in one else "b") for step in found.source)


FILES = [path.relative_to(GOLDEN / "grpo_ok") for path in sorted((GOLDEN / "grpo_ok").rglob("*")) if path.is_file()]


@pytest.fixture(scope="module")
def torn(tmp_path_factory):
    return shutil.copytree(GOLDEN / "grpo_ok", tmp_path_factory.mktemp("torn") / "run")


@settings(max_examples=15, deadline=None)
@given(file=st.sampled_from(FILES), part=st.floats(0, 1))
def test_any_file_torn_anywhere_still_measures(torn, file, part):
    """Each file of a real run cut at any place: a measurement with the true value, or none, and never a failure."""
    data = (GOLDEN / "grpo_ok" / file).read_bytes()
    (torn / file).write_bytes(data[: int(part * len(data))])
    found = judged(torn)
    (torn / file).write_bytes(data)
    assert found.value is None or found.value == pytest.approx(0.703125, abs=5e-5)
