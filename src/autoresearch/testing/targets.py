"""What every target promises, as a suite to subclass."""
# ruff: noqa: S101 (assertions are what a test suite is made of)

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from autoresearch.errors import RecipeError
from autoresearch.ports import plugins
from autoresearch.ports.metric_source import MetricSource
from autoresearch.ports.plugins import gaps, made_with
from autoresearch.ports.target import RunRequest, Survey, Target
from autoresearch.run.job import Job, JobState, JobStatus
from autoresearch.run.measurement import Measurement, Readings, SampleSet, Series
from autoresearch.run.symptom import Severity, Symptom
from autoresearch.testing.user_files import changed, contents

TargetMaker = Callable[[], Target]
RunEnder = Callable[[Path], str]

_GOOD = JobStatus(state=JobState.SUCCEEDED, exit_code=0)
_SEVERITIES = (Severity.FATAL, Severity.WARNING, Severity.INFO)
_LOGS = ("", "\x00\xff\x1b[31m\n" * 100, "x" * 1_000_000, "step 1\r" * 10_000, "Traceback (most recent call last):\n")


class TargetContract:
    """What every target promises.

    Give it the fixtures `make` (a new target each call), `tree` (a folder with all that it trains), `override` (one
    that changes the recipe in `tree`) and `finish` (puts into a folder what a good run leaves there; returns its log).
    """

    @pytest.fixture
    def request_run(self, tree: Path, tmp_path: Path) -> RunRequest:
        """A run that could be launched."""
        return a_request(tree, tmp_path / "a-run")

    def test_it_has_the_shape_of_a_target(self, make: TargetMaker) -> None:
        """Every attribute and method of the port; made with `recipe=`, `command=`, `objective=` and `options=`."""
        assert gaps("targets", make()) == ()
        assert made_with(type(make()), "recipe", "command", "objective", "options") == ""

    def test_a_survey_is_the_same_twice_and_changes_nothing(self, make: TargetMaker, tree: Path) -> None:
        """It reads recipe and code; what it says of them is a matter of the tree alone."""
        before = contents(tree)
        found = make().survey(tree)
        assert isinstance(found, Survey)
        assert make().survey(tree) == found
        assert contents(tree) == before

    def test_a_survey_names_metric_and_command(self, make: TargetMaker, tree: Path) -> None:
        """What is judged by, and what would be run."""
        found = make().survey(tree)
        assert found.objective.metric
        assert found.command
        assert all(isinstance(argument, str) for argument in found.command)
        assert all((tree / file).is_file() for file in found.lineage)

    def test_a_tree_without_the_recipe_is_refused_in_one_line(self, make: TargetMaker, tmp_path: Path) -> None:
        """An idea may delete anything; what cannot be read is a RecipeError, and one line of a row."""
        with pytest.raises(RecipeError) as refused:
            make().survey(tmp_path)
        assert "\n" not in str(refused.value)

    def test_apply_changes_the_files_it_names(self, make: TargetMaker, tree: Path, override: str) -> None:
        """Just these, and the survey of the tree tells the new value."""
        before, known = contents(tree), make().survey(tree)
        files = make().apply(tree, [override])
        assert files
        assert changed(before, contents(tree)) == set(files)
        assert make().survey(tree).facts.values != known.facts.values

    def test_apply_twice_changes_nothing_more(self, make: TargetMaker, tree: Path, override: str) -> None:
        """What is there already is no change, and so is nothing at all."""
        make().apply(tree, [override])
        before = contents(tree)
        assert make().apply(tree, [override]) == ()
        assert make().apply(tree, []) == ()
        assert contents(tree) == before

    def test_a_refused_override_leaves_the_tree_alone(self, make: TargetMaker, tree: Path, override: str) -> None:
        """One that cannot be applied is a RecipeError, and the good one beside it is not applied either."""
        before = contents(tree)
        with pytest.raises(RecipeError):
            make().apply(tree, [override, "no such override"])
        assert contents(tree) == before

    def test_a_job_is_a_matter_of_its_request(self, make: TargetMaker, request_run: RunRequest) -> None:
        """Asked twice, also of a new target, it is the same, in plain text; the tree stays as it was."""
        before = contents(request_run.tree)
        job = make().job(request_run)
        assert make().job(request_run) == job
        assert contents(request_run.tree) == before
        assert json.loads(json.dumps([job.argv, job.env])) == [list(job.argv), dict(job.env)]

    def test_a_job_is_the_run_that_was_asked_for(self, make: TargetMaker, request_run: RunRequest) -> None:
        """Its name, places and limit are those of the request."""
        job = make().job(request_run)
        assert (job.run_id, job.limit_s) == (request_run.run_id, request_run.limit_s)
        asked = (request_run.tree, request_run.folder, request_run.log)
        assert (job.directory, job.folder, job.log) == tuple(map(str, asked))

    def test_the_run_learns_its_folder_and_its_seed(self, make: TargetMaker, request_run: RunRequest) -> None:
        """Two runs never write to one place, and a repetition is another draw."""
        job, other = make().job(request_run), make().job(replace(request_run, seed=request_run.seed + 1))
        assert any(str(request_run.folder) in text for text in _said(job))
        assert _said(job) != _said(other)

    def test_a_run_can_be_planned_before_its_folder_exists(self, make: TargetMaker, tree: Path, tmp_path: Path) -> None:
        """A dry run costs nothing and leaves nothing behind."""
        missing = tmp_path / "later"
        assert make().job(replace(a_request(tree, tmp_path / "a-run"), folder=missing)).argv
        assert not missing.exists()

    def test_its_sources_exist(self, make: TargetMaker) -> None:
        """Each is the name of a metric source that takes these options."""
        assert _sources(make())

    def test_a_good_run_is_measured(self, make: TargetMaker, tree: Path, tmp_path: Path, finish: RunEnder) -> None:
        """One finite number with its origin and step, twice the same, that survives being written as JSON."""
        target, run = _surveyed(make, tree), tmp_path / "a-run"
        run.mkdir()
        log = finish(run)
        found = target.measure(run, log, _readings(target, run), _GOOD)
        assert found.metric == target.survey(tree).objective.metric
        assert found.value is not None, found.note
        assert math.isfinite(found.value)
        assert found.source
        assert repr(_surveyed(make, tree).measure(run, log, _readings(target, run), _GOOD)) == repr(found)
        assert json.loads(json.dumps(asdict(found)))["value"] == found.value
        assert not any(symptom.severity is Severity.FATAL for symptom in found.symptoms)

    @pytest.mark.parametrize("state", list(JobState))
    def test_without_numbers_there_is_no_value(
        self, make: TargetMaker, tree: Path, tmp_path: Path, state: JobState
    ) -> None:
        """However a run ended: an empty folder and one that is gone give no number, and a note instead."""
        (tmp_path / "empty").mkdir()
        target = _surveyed(make, tree)
        for run in (tmp_path / "empty", tmp_path / "gone"):
            found = target.measure(run, "", _readings(target, run), JobStatus(state=state))
            assert (found.value, found.source) == (None, "")
            assert found.note

    @pytest.mark.parametrize("log", _LOGS, ids=["empty", "binary", "one-line", "progress", "torn"])
    def test_a_strange_run_raises_nothing(self, make: TargetMaker, tree: Path, tmp_path: Path, log: str) -> None:
        """Foreign logs and readings of every kind are measured and looked at; what is no number is no value."""
        target = _surveyed(make, tree)
        tag = target.survey(tree).objective.tag
        for readings in _strange(tag, [spec.name for spec in target.sources()]):
            for status in (
                _GOOD,
                JobStatus(state=JobState.FAILED, exit_code=1, reason="killed"),
                JobStatus(state=JobState.RUNNING),
            ):
                found = target.measure(tmp_path, log, readings, status)
                assert isinstance(found, Measurement)
                assert found.value is None or math.isfinite(found.value)
            assert _sorted(target.health(log, readings))

    def test_torn_files_raise_nothing(self, make: TargetMaker, tree: Path, tmp_path: Path, finish: RunEnder) -> None:
        """A run is looked at while it writes: with every file cut in half it has a finite number or none."""
        target, run = _surveyed(make, tree), tmp_path / "a-run"
        run.mkdir()
        log = finish(run)
        for file in [path for path in run.rglob("*") if path.is_file()]:
            file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        readings = _readings(target, run)
        found = target.measure(run, log[: len(log) // 2], readings, JobStatus(state=JobState.RUNNING))
        assert found.value is None or math.isfinite(found.value)
        assert _sorted(target.health(log[: len(log) // 2], readings))

    def test_a_run_that_has_said_nothing_is_not_ill(self, make: TargetMaker, tree: Path) -> None:
        """A FATAL finding ends a run early, so silence is none."""
        target = _surveyed(make, tree)
        empty = {spec.name: Readings() for spec in target.sources()}
        for readings in ({}, empty):
            assert not any(symptom.severity is Severity.FATAL for symptom in target.health("", readings))


def a_request(tree: Path, folder: Path) -> RunRequest:
    """A run in `folder`, which exists afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    return RunRequest(
        run_id="run-1", tree=tree, folder=folder, log=folder / "run.log", seed=7, limit_s=60.0, commit="c" * 40
    )


def _surveyed(make: TargetMaker, tree: Path) -> Target:
    """A target as the engine uses it: nothing is measured before the first survey."""
    target = make()
    target.survey(tree)
    return target


def _said(job: Job) -> tuple[str, ...]:
    return (*job.argv, *job.env.values())


def _sources(target: Target) -> dict[str, MetricSource]:
    return {spec.name: plugins.load("metrics", spec.name)(options=spec.options) for spec in target.sources()}


def _readings(target: Target, run: Path) -> dict[str, Readings]:
    return {name: source.read(run) for name, source in _sources(target).items()}


def _strange(tag: str, sources: list[str]) -> list[Mapping[str, Readings]]:
    """Readings that no good run has."""
    series = (
        Series(tag, (), ()),
        Series.of(tag, [(0, math.nan)]),
        Series.of(tag, [(-5, -math.inf), (3, math.inf), (2**62, 1e308)]),
        Series.of("another tag", [(1, 1.0)]),
    )
    samples = (SampleSet(1, ()), SampleSet(3, (math.nan, 1.0)))
    found = [Readings({one.tag: one}, samples, ("f",), ("odd",)) for one in series]
    return [{}, *(dict.fromkeys(sources, each) for each in found), {"unasked": found[0]}]


def _sorted(symptoms: tuple[Symptom, ...]) -> bool:
    """Whether findings are a tuple, worst first."""
    assert isinstance(symptoms, tuple)
    ranks = [_SEVERITIES.index(symptom.severity) for symptom in symptoms]
    return ranks == sorted(ranks)
