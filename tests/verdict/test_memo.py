"""Remembering the last answer changes when work is done, never what comes out, and dies with who remembers."""

import gc
import re
import weakref
from configparser import ConfigParser
from pathlib import Path

import pytest

from autoresearch.experiment.board import Board, Trial
from autoresearch.experiment.outcome import Purpose
from autoresearch.run.measurement import Objective
from autoresearch.verdict.evidence import Evidence, Reader
from autoresearch.verdict.memo import LastAnswers, once
from autoresearch.verdict.policies import BUILTIN, policy


def test_the_last_question_is_answered_from_memory_and_no_other():
    """Equal parts are one question, even in a new tuple; anything else is worked out, also what was asked before."""
    worked, answers = [], LastAnswers()

    def total(numbers: tuple[int, ...]) -> int:
        worked.append(numbers)
        return sum(numbers)

    asked = [(1, 2), (1, 2), (3,), (1, 2)]
    assert [answers.of(total, numbers) for numbers in asked] == [3, 3, 3, 3]
    assert worked == [(1, 2), (3,), (1, 2)]


def test_two_who_remember_know_nothing_of_each_other():
    """What one was asked is worked out again for the other."""
    worked = []
    for answers in (LastAnswers(), LastAnswers()):
        answers.of(worked.append, 1)
        answers.of(worked.append, 1)
    assert worked == [1, 1]


def test_what_differs_from_itself_is_worked_out_again():
    """NaN equals nothing, so an answer about another NaN is never taken for this one's."""
    worked, answers = [], LastAnswers()
    answers.of(worked.append, float("nan"))
    answers.of(worked.append, float("nan"))
    assert len(worked) == 2


def test_a_property_is_worked_out_once_for_each_owner():
    """The second look at an object costs nothing, and another object has an answer of its own."""
    worked = []

    class Owner:
        @once
        def size(self) -> int:
            worked.append(self)
            return len(worked)

    one, two = Owner(), Owner()
    assert (one.size, one.size, two.size, one.size) == (1, 1, 2, 1)
    assert worked == [one, two]


def board(*values: float, last: bool = False):
    """Runs of baseline and `a` in turn, the last of them still pending or not."""
    trials = [Trial(arm=("baseline", "a")[n % 2], seed=42 + n, value=value, order=n) for n, value in enumerate(values)]
    if last:
        trials[-1] = Trial(arm=trials[-1].arm, seed=trials[-1].seed, pending=True, order=trials[-1].order)
    return Board(objective=Objective("more", "score"), trials=tuple(trials))


def test_what_is_read_does_not_depend_on_what_was_read_before():
    """A reader that saw other boards, longer, shorter and half run, reads each as one that saw nothing."""
    boards = [board(1.0, 2.0, 1.5), board(1.0, 2.0, 1.5, 2.5, last=True), board(1.0, 2.0, 1.5, 2.5), board(9.0, 8.0)]
    reader = Reader()
    for one in [*boards, *reversed(boards)]:
        seen, alone = Evidence(one, reader), Evidence(one)
        assert {name: (arm.values, arm.pending) for name, arm in seen.arms.items()} == {
            name: (arm.values, arm.pending) for name, arm in alone.arms.items()
        }
        assert (seen.noise, seen.compare("a", "baseline")) == (alone.noise, alone.compare("a", "baseline"))


@pytest.mark.parametrize("name", sorted(BUILTIN))
def test_a_board_is_forgotten_with_the_policy_that_read_it(name):
    """Nothing of a campaign stays in the process when its policy is gone."""
    judge, shown = (
        policy(name),
        Board(objective=Objective("more", "score"), trials=(Trial(arm="baseline", seed=1, purpose=Purpose.BASELINE),)),
    )
    judge.advise(shown)
    left = weakref.ref(shown.trials[0])
    del judge, shown
    gc.collect()
    assert left() is None


def test_no_pure_module_remembers_for_the_whole_process():
    """What the contract calls pure imports neither `cache` nor `lru_cache`: who needs an answer again keeps it."""
    root = Path(__file__).parents[2]
    contracts = ConfigParser()
    contracts.read(root / "tools" / "importlinter.ini")
    named = contracts["importlinter:contract:pure"]["source_modules"].split()
    rooms = [root / "src" / name.rstrip(".*").replace(".", "/") for name in named]
    files = [file for room in rooms for file in (room.rglob("*.py") if room.is_dir() else [room.with_suffix(".py")])]
    assert len(files) > 50
    assert [file for file in files if re.search(r"import .*\b(lru_)?cache\b", file.read_text())] == []
