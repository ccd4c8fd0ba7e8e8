"""What is counted as events are applied is what counting everything anew gives, after every event."""

import random
from itertools import takewhile

import pytest

from autoresearch.experiment import events as happened
from autoresearch.experiment.experiment import made_again, shows_poor_idea, trial_of
from autoresearch.experiment.history import History
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.experiment.tally import Views
from autoresearch.run.ending import Ending, Follows, Who
from autoresearch.run.job import JobState, JobStatus, Resources
from autoresearch.run.measurement import Completion, Measurement


def ran(draw, name, number):
    run_id, at, value = f"{name}-{number}", draw.randrange(1, 50), draw.choice([None, 0.5])
    follows = draw.choice([Follows.AGAIN, Follows.DISCARD])
    why = (
        Ending(what="node-lost", who=Who.NODE, evidence="x", source="launcher", follows=follows, tries=2)
        if value is None and draw.random() < 0.5
        else None
    )
    purpose = draw.choice([Purpose.EXPLORE, Purpose.EXPLORE, Purpose.CANARY])
    yield happened.RunPlanned(
        at=at, run_id=run_id, experiment=name, number=number, seed=number, purpose=purpose, launcher="x", command="c",
        folder="/f", log="/f/run.log", resources=Resources(gpus_per_node=draw.randrange(3)),
    )  # fmt: skip
    yield happened.RunSubmitted(at + 1, run_id, "job")
    yield happened.RunStarted(at + draw.randrange(2, 5), run_id)
    yield happened.RunEnded(at + draw.randrange(5, 50), run_id, JobStatus(state=JobState.SUCCEEDED, exit_code=0))
    done = Completion.DONE if value is not None else Completion.CRASHED
    yield happened.RunMeasured(at + 50, run_id, Measurement(metric="score", value=value, completion=done), why)


def attempt(draw, index):
    """One attempt from its opening to whatever became of it, as a stream that others may break into."""
    name = "baseline" if index == 1 else f"idea-{index}"
    yield happened.ExperimentOpened(at=index, index=index, parent="baseline", parent_commit="0" * 40)
    if index > 1 and draw.random() < 0.1:
        yield happened.ExperimentAbandoned(index, index, "none")
        return
    yield happened.ExperimentCommitted(
        at=index, index=index, name=name, branch=f"b/{name}", commit=f"{index:040x}", hypothesis=Hypothesis(title=name)
    )
    for number in range(1, draw.randrange(2, 4)):
        yield from ran(draw, name, number)
        if draw.random() < 0.2:
            yield happened.ExperimentRepaired(at=9, name=name, commit=f"{number}{index:039x}", reason="typo")
    for kind in draw.choices(list(Status), k=draw.randrange(3)):
        at = draw.randrange(100, 300)
        verdict = Verdict(status=kind, reason="so")
        yield happened.ExperimentJudged(at=at, name=name, verdict=verdict, row={}, incumbent=None)
    if draw.random() < 0.2:
        yield happened.VerdictOverruled(400, name, Verdict(status=draw.choice(list(Status)), reason="no"), "ada")
        yield from ran(draw, name, 9)


def campaign(draw):
    baseline = list(attempt(draw, 1))
    yield from baseline
    streams = [attempt(draw, index) for index in range(2, 12)]
    while streams:
        stream = draw.choice(streams[:4])
        if (event := next(stream, None)) is None:
            streams.remove(stream)
        else:
            yield event


def counted_anew(history):
    runs, entries = history.runs.values(), [one for _, one in sorted(history.experiments.items())]
    judged = [one for one in entries if one.judged]
    ideas = [one for one in judged if one.name != "baseline" and not history.untested(one.name)]
    newest_first = sorted(ideas, key=lambda one: one.judged.at, reverse=True)
    again = {run.run_id for arm in history._runs for run in made_again(history.runs_of(arm), runs)}
    old = {run.run_id for one in entries for run in history.runs_of(one.name)[: one.superseded]}
    kept = [one for one in runs if one.planned.purpose is not Purpose.CANARY and one.run_id not in again | old]
    return {
        "in flight": [run for run in runs if not run.settled],
        "judged": judged,
        "kept": [one for one in judged if one.name != "baseline" and one.verdict.status is Status.KEEP],
        "stalled": len(list(takewhile(lambda one: one.verdict.status is not Status.KEEP, newest_first))),
        "hours": pytest.approx(sum(run.gpu_hours for run in runs)),
        "walls": pytest.approx(sum(run.wall_s + (run.queued_s or 0) for run in runs if run.valid)),
        "trials": tuple(map(trial_of, kept)),
        "fatal": [any(map(shows_poor_idea, history.current_runs(one.name))) for one in committed_ideas(entries)],
        "ideas": [(one.name, one.verdict, history.untested(one.name)) for one in committed_ideas(entries)],
    }


def committed_ideas(entries):
    return [one for one in entries if one.committed and one.name != "baseline"]


@pytest.mark.parametrize("seed", range(6))
def test_counting_on_gives_what_counting_anew_gives(seed):
    """After each event of campaigns with repairs, lost runs, canaries, verdicts given twice and overruled."""
    history = History()
    for event in campaign(random.Random(seed)):
        history.apply(event)
        assert {
            "in flight": history.in_flight(),
            "judged": history.judged,
            "kept": history.kept,
            "stalled": history.stalled,
            "hours": history.gpu_hours,
            "walls": history.tally.walls.total,
            "trials": history.trials(room=True),
            "fatal": [idea.fatal for idea in history.ideas()],
            "ideas": [(idea.name, idea.verdict, idea.untested) for idea in history.ideas()],
        } == counted_anew(history), event


def test_what_was_not_touched_is_not_made_again():
    """The very same objects, so that whoever compares two boards need not look inside."""
    views, made = Views(), []
    for key in (1, 3, 2):
        views.touch(key, key)
    first = views.all(lambda thing: made.append(thing) or str(thing))
    assert first == ("1", "2", "3")
    assert views.all(lambda thing: made.append(thing) or str(thing)) is first
    views.touch(2, 20)
    assert views.all(lambda thing: made.append(thing) or str(thing)) == ("1", "20", "3")
    assert made == [1, 2, 3, 20]
