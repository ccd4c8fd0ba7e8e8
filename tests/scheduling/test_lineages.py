"""From which arm the next idea starts, and who has earned to be asked."""

from dataclasses import replace

from tests.verdict.boards import DISCARD, KEEP, board, idea, runs

from autoresearch.config.line_rules import LineagesConfig
from autoresearch.experiment.board import PolicySettings
from autoresearch.scheduling.lineages import Earned, archive, earned_shares, start
from autoresearch.verdict.evidence import Evidence

ARCHIVE = LineagesConfig(parents="archive")
RUNS = (*runs("best", 1.10), *runs("close", 1.06), *runs("poor", 0.70))
IDEAS = (idea("best", status=KEEP, effect=0.1), idea("close", status=DISCARD), idea("poor", status=DISCARD))
SEEN = board(*RUNS, ideas=IDEAS, incumbent="best")


def test_the_archive_holds_what_the_noise_leaves_a_chance():
    """A near miss within the noise is in it, weighted by its chance; what is shown to be worse is not."""
    found = {line.arm: line for line in archive(Evidence(SEEN))}
    assert found["close"].kind == "a near miss"
    assert found["best"].weight == 1 > found["close"].weight > 0.3
    assert "poor" not in found


def test_an_arm_gets_ideas_by_its_weight_and_two_asked_at_once_start_apart():
    """The best first; while somebody thinks of it the other line is begun from."""
    assert start(SEEN, ARCHIVE).parent == "best"
    ahead = start(SEEN, ARCHIVE, begun=("best",))
    assert ahead.parent == "close"
    assert "a near miss, is as good as best with a chance of" in ahead.why
    more = tuple(idea(f"more-{n}", parent="best", status=DISCARD) for n in range(3))
    assert start(replace(SEEN, ideas=(*IDEAS, *more)), ARCHIVE).parent == "close"


def test_nothing_starts_from_code_that_still_waits_for_a_person():
    """Its number is its own word; neither archive nor crossing builds on it."""
    waiting = replace(SEEN, ideas=(IDEAS[0], replace(IDEAS[1], own_code=True)), settings=PolicySettings(holds=True))
    assert [line.arm for line in archive(Evidence(waiting))] == ["best"]
    assert start(waiting, LineagesConfig(cross_after=1)).crosses == ""


def test_a_row_without_a_keep_starts_one_idea_from_the_baseline():
    """One start for each such row, and none while the baseline is the best."""
    rules = LineagesConfig(restart_after=2)
    late = tuple(idea(f"late-{n}", parent="best", status=DISCARD) for n in range(2))
    row = replace(SEEN, ideas=(IDEAS[0], *late))
    assert start(row, rules).parent == "baseline"
    assert start(row, rules, begun=("baseline",)).parent == "best"
    assert start(replace(row, incumbent="baseline"), rules).why == ""


def test_a_line_that_the_best_does_not_hold_is_crossed_once():
    """The likelier gain first; not again with the same best, nor where it was found not to fit."""
    rules = LineagesConfig(cross_after=3)
    found = start(SEEN, rules)
    assert (found.parent, found.crosses) == ("best", "close")
    assert start(SEEN, rules, uncrossed=frozenset({("close", "best")})).crosses == ""
    done = replace(idea("both", parent="best", status=DISCARD), crosses="close")
    assert start(replace(SEEN, ideas=(*IDEAS, done)), LineagesConfig(cross_after=1)).crosses == ""


def test_as_shipped_each_idea_starts_from_the_best():
    """Nothing else is done before a campaign file asks for it."""
    assert start(SEEN, LineagesConfig()).parent == "best"
    assert start(SEEN, LineagesConfig()).why == ""


def test_who_brings_more_for_its_cost_is_asked_more_and_nobody_less_than_the_floor():
    """One lucky idea says little; many say much."""
    lucky, proven = [Earned(1, 1, 1), Earned(0, 1, 1)], [Earned(40, 40, 40), Earned(0, 40, 40)]
    assert 0.5 < earned_shares(lucky, 0.2)[0] < earned_shares(proven, 0.2)[0] <= 0.9
    assert earned_shares([Earned(40, 40, 40), Earned(0, 4000, 40)], 0.2)[1] >= 0.1
    assert earned_shares([Earned(), Earned()], 0.2) == (0.5, 0.5)
