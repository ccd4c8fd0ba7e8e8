"""The benchmark on public nights: its counts are those of the published numbers, and its truth is the table's."""

import importlib
import sys
from pathlib import Path
from statistics import fmean
from types import ModuleType

import pytest

from autoresearch.verdict.policies import policy

NIGHTS = Path(__file__).parents[2] / "benchmarks" / "nights"


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(NIGHTS)
    monkeypatch.delitem(sys.modules, "replay", raising=False)
    return importlib.import_module("replay")


@pytest.mark.parametrize(("name", "out", "keeps"), [("h100-mar8", 3, 22), ("code-agent-seed0", 4, 10)])
def test_keeps_that_stand_out_are_counted(replay, name, out, keeps):
    """A gain over the best before it of more than 1.645 standard errors of two runs, at the measured noise."""
    night = replay.public_night(NIGHTS / "data" / f"night-{name}.csv", higher=False)
    assert (replay.standing_out(night.gains, 0.00067), len(night.gains)) == (out, keeps)


def test_every_rule_meets_the_same_configurations(replay):
    """The same seed draws the same ones, so the best that can be had is the same; no rule gains more than there is."""
    table = replay.read(NIGHTS / "data" / "repeated.txt")
    told = [
        replay.play(policy(name), table, runs=24, confirm=0.15, worth=0.002, seed=7)
        for name in ("greedy", "auto", "screening", "doubles")
    ]
    assert len({night.possible for night in told}) == 1
    assert all(night.gain <= night.possible for night in told)


def test_a_late_night_begins_where_others_end(replay):
    """Only good configurations are to come, and the deviations of a run are about zero."""
    whole = replay.read(NIGHTS / "data" / "repeated.txt")
    late = whole.late(60, 120)
    assert (len(whole.truths), len(late.truths)) == (736, 120)
    assert sum(truth < late.truths[0] for truth in late.truths) == 60
    assert abs(fmean(late.deviations[0])) < 1e-4
