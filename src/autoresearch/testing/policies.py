"""What every policy promises, as a suite to subclass.

A policy is led through whole invented campaigns, and every advice that it gives is looked at.
"""
# ruff: noqa: S101 (assertions are what a test suite is made of)

import random
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from autoresearch.experiment.board import (
    Advice,
    Board,
    Combine,
    Demote,
    Done,
    Idea,
    Measure,
    PolicySettings,
    Propose,
    Rest,
    Settle,
    Trial,
)
from autoresearch.experiment.outcome import BASELINE, Status
from autoresearch.ports.plugins import gaps
from autoresearch.ports.policy import Policy
from autoresearch.run.measurement import Direction, Objective
from autoresearch.verdict.simulated_world import STREAMS, World
from autoresearch.verdict.simulation import run_campaign

PolicyMaker = Callable[[], Policy]

_OBJECTIVE = Objective("more", "metric")
_WORLDS = {
    "few runs": World(runs=12),
    "count of ideas": World(runs=None, experiments=8),
    "three slots": World(runs=40, slots=3),
    "no worth given": World(runs=40, settings=PolicySettings()),
    "two runs each": World(runs=40, settings=PolicySettings(worth=1.0, max_runs=2)),
    "pure noise": World(stream=STREAMS["null"], noise=2.0, runs=40),
    "all crash": World(stream=replace(STREAMS["base"], crash=1.0), runs=20),
    "heavy tails": World(stream=STREAMS["heavy"], noise=0.5, runs=40),
    "loud": World(noise=4.0, runs=60),
}

each_world = pytest.mark.parametrize("world", [pytest.param(world, id=name) for name, world in _WORLDS.items()])


class Watched:
    """A policy beside the one under test: hands its advice on and keeps every board with what was said about it."""

    def __init__(self, make: PolicyMaker) -> None:
        self._policy = make()
        self.name = self._policy.name
        self.said: list[tuple[Board, Advice]] = []

    def baseline_runs(self, settings: PolicySettings) -> int:
        """As the policy."""
        return self._policy.baseline_runs(settings)

    def advise(self, board: Board) -> Advice:
        """As the policy."""
        advice = self._policy.advise(board)
        self.said.append((board, advice))
        return advice


_LED = pytest.StashKey[dict[str, Watched]]()


class PolicyContract:
    """What every policy promises. Give it the fixture `make` (a new policy each call)."""

    @pytest.fixture
    def watched(self, make: PolicyMaker, world: World, request: pytest.FixtureRequest) -> Watched:
        """A policy that has led one campaign from the baseline to its end; led once for all who look at it."""
        led: dict[str, Watched] = request.node.getparent(pytest.Class).stash.setdefault(_LED, {})
        parameters = request.node.callspec.id
        if parameters not in led:
            watched = Watched(make)
            run_campaign(watched, world, seed=1)  # raises when it comes to no end
            led[parameters] = watched
        return led[parameters]

    def test_it_has_the_shape_of_a_policy(self, make: PolicyMaker) -> None:
        """Every attribute and method of the port; what an entry point names is called without arguments."""
        assert gaps("policies", make()) == ()

    def test_the_number_of_baseline_runs_is_the_files_if_it_has_one(self, make: PolicyMaker) -> None:
        """Its own is at least one."""
        assert make().baseline_runs(PolicySettings()) >= 1
        assert make().baseline_runs(PolicySettings(baseline_runs=2)) == 2

    def test_the_baseline_comes_first(self, make: PolicyMaker) -> None:
        """Nothing can be judged without it; with no run to be had for it, nothing is left to do."""
        first = make().advise(Board(objective=_OBJECTIVE))
        assert isinstance(first, Measure)
        assert first.arm == BASELINE
        assert isinstance(make().advise(Board(objective=_OBJECTIVE, runs_left=0, runs_total=0)), Done)

    def test_a_baseline_that_always_crashes_ends_the_campaign(self, make: PolicyMaker) -> None:
        """After a few attempts, and with a reason."""
        board = Board(objective=_OBJECTIVE)
        for order in range(10):
            advice = make().advise(board)
            if isinstance(advice, Done):
                break
            assert isinstance(advice, Measure)
            trial = Trial(arm=advice.arm, seed=advice.seed, purpose=advice.purpose, order=order, note="it crashed")
            board = replace(board, trials=(*board.trials, trial))
        assert isinstance(advice, Done)
        assert advice.why

    def test_an_idea_that_cannot_run_is_settled_without_a_run(self, make: PolicyMaker) -> None:
        """A breach of the scope costs nothing, and is never kept."""
        board = _with_idea(make(), Idea(name="idea-1", parent=BASELINE, broken="it edits the validation data"))
        advice = make().advise(board)
        assert isinstance(advice, Settle)
        assert advice.idea == "idea-1"
        assert advice.verdict.status is not Status.KEEP

    def test_fixed_boards_need_no_clock_and_no_dice(self, make: PolicyMaker, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is advised follows from the board alone."""
        board = _with_idea(make(), Idea(name="idea-1", parent=BASELINE))
        expected = make().advise(board)
        policy = make()
        with monkeypatch.context() as still:
            for module, name in ((time, "time"), (time, "monotonic"), (random, "random"), (random, "gauss")):
                still.setattr(module, name, _forbidden)
            advice = policy.advise(board)
        assert advice == expected

    @each_world
    def test_one_board_one_advice(self, make: PolicyMaker, watched: Watched) -> None:
        """A policy made anew says the same: a campaign that is resumed goes on as if nothing had happened."""
        for board, advice in watched.said:
            assert make().advise(board) == advice
        same = make()
        assert [same.advise(board) for board, _ in reversed(watched.said)] == [a for _, a in reversed(watched.said)]

    @each_world
    def test_better_is_never_larger(self, make: PolicyMaker, watched: Watched) -> None:
        """Where less is better, the mirrored numbers lead to the same advice."""
        for board, advice in watched.said:
            assert _heart(make().advise(_mirrored(board))) == _heart(advice)

    @each_world
    def test_only_what_exists_is_run(self, watched: Watched) -> None:
        """The baseline, an idea that can run, or a bundle that could be merged; each time with another seed."""
        for board, advice in watched.said:
            if isinstance(advice, Measure):
                assert advice.arm in _arms(board)
                assert all((trial.arm, trial.seed) != (advice.arm, advice.seed) for trial in board.trials)

    @each_world
    def test_the_budget_is_kept(self, watched: Watched) -> None:
        """No run without one left, no idea beyond the count, and no idea has more runs than the file allows."""
        for board, advice in watched.said:
            if isinstance(advice, Propose):
                assert board.may_explore
            if isinstance(advice, Measure):
                assert board.runs_left is None or board.runs_left > 0
                had = sum(trial.arm == advice.arm for trial in board.trials)
                assert advice.arm not in _open(board) or had < board.settings.max_runs

    @each_world
    def test_only_open_ideas_are_settled_and_for_a_reason(self, watched: Watched) -> None:
        """A verdict is final, is written down with its reason, and makes nothing the incumbent that is not there."""
        for board, advice in watched.said:
            if isinstance(advice, Settle):
                assert advice.idea in _open(board)
                assert advice.verdict.reason
                assert advice.incumbent in {None, *_arms(board)}

    @each_world
    def test_only_what_was_measured_is_kept(self, watched: Watched) -> None:
        """An idea without a single valid run is never kept."""
        for board, advice in watched.said:
            if isinstance(advice, Settle) and advice.verdict.status is Status.KEEP:
                tested = {advice.idea, *(bundle.name for bundle in board.bundles if advice.idea in bundle.ideas)}
                assert any(trial.arm in tested and trial.value is not None for trial in board.trials)

    @each_world
    def test_parents_and_bundles_are_of_what_exists(self, watched: Watched) -> None:
        """Ideas start from an arm, bundles merge ideas under a name of their own, and a demotion names another arm."""
        for board, advice in watched.said:
            if isinstance(advice, Propose | Combine):
                assert advice.parent in _arms(board)
            if isinstance(advice, Combine):
                assert set(advice.ideas) <= {idea.name for idea in board.ideas}
                assert advice.name not in _arms(board)
            if isinstance(advice, Demote):
                assert (advice.arm, advice.incumbent in _arms(board)) == (board.incumbent, True)

    @each_world
    def test_it_rests_only_while_something_runs(self, watched: Watched) -> None:
        """Waiting for nothing would be waiting for ever."""
        for board, advice in watched.said:
            assert not isinstance(advice, Rest) or any(trial.pending for trial in board.trials)

    @each_world
    def test_in_the_end_every_idea_has_its_verdict(self, watched: Watched) -> None:
        """Nothing is left open, and the campaign had ideas at all."""
        board, advice = watched.said[-1]
        assert isinstance(advice, Done)
        assert board.ideas
        assert _open(board) == set()


def _forbidden(*_: object) -> float:
    raise AssertionError("a policy is pure: it asks neither a clock nor dice")


def _with_idea(policy: Policy, idea: Idea) -> Board:
    """A board whose baseline has all its runs, and one open idea."""
    board = Board(objective=_OBJECTIVE, settings=PolicySettings(worth=1.0))
    while isinstance(advice := policy.advise(board), Measure):
        done = Trial(
            arm=BASELINE,
            seed=advice.seed,
            purpose=advice.purpose,
            value=0.5 + 0.01 * len(board.trials),
            order=advice.seed,
        )
        board = replace(board, trials=(*board.trials, done))
    return replace(board, ideas=(idea,))


def _arms(board: Board) -> set[str]:
    ideas = {idea.name for idea in board.ideas if not idea.broken}
    return {BASELINE, *ideas, *(bundle.name for bundle in board.bundles if not bundle.conflict)}


def _open(board: Board) -> set[str]:
    return {idea.name for idea in board.ideas if idea.verdict is None}


def _mirrored(board: Board) -> Board:
    """The same campaign with less being better."""
    objective = replace(board.objective, direction=Direction.MINIMIZE)
    trials = tuple(replace(one, value=None if one.value is None else -one.value) for one in board.trials)
    ideas = tuple(
        replace(one, verdict=one.verdict and replace(one.verdict, value=_negative(one.verdict.value)))
        for one in board.ideas
    )
    return replace(board, objective=objective, trials=trials, ideas=ideas)


def _negative(value: float | None) -> float | None:
    return None if value is None else -value


def _heart(advice: Advice) -> tuple[object, ...]:
    """What an advice asks for, without its words and numbers."""
    match advice:
        case Settle(idea=idea, verdict=verdict, incumbent=incumbent):
            return ("settle", idea, verdict.status, incumbent)
        case Measure(arm=arm, seed=seed, purpose=purpose):
            return ("measure", arm, seed, purpose)
        case Combine(name=name, ideas=ideas, parent=parent):
            return ("combine", name, ideas, parent)
        case Propose(parent=parent):
            return ("propose", parent)
        case Demote(arm=arm, incumbent=incumbent):
            return ("demote", arm, incumbent)
        case _:
            return (type(advice).__name__,)
