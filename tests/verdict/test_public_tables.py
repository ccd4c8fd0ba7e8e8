"""The benchmark over public tables: its yardstick is the tables', a campaign pays for what it runs, and truth is known."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from autoresearch.verdict.policies import policy

PUBLIC = Path(__file__).parents[2] / "benchmarks" / "public"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch):
    """A module of the benchmark by name."""
    monkeypatch.syspath_prepend(PUBLIC)
    for name in ("tables", "night", "others"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module


@pytest.fixture
def table(bench):
    """One of the eighteen."""
    return next(
        one for one in bench("tables").read(PUBLIC / "data" / "tables.npz") if one.name == "atari_double_dunk_dqn"
    )


def test_the_yardstick_goes_from_the_median_to_the_best(table):
    """0 % is the median configuration, 100 % the best, each as the mean over its seeds."""
    assert table.share(table.start) == 0
    assert table.share(int(table.truths.argmax())) == pytest.approx(100)
    assert table.curves.shape == (256, 10, 10)


def test_what_a_race_saves_is_spent_on_ideas(bench, table):
    """A campaign never spends more than its budget, and one that races tries more configurations with it."""
    plain, raced = (
        bench("night").play(policy("auto"), table, 34, 3, search=False, racing=racing) for racing in (False, True)
    )
    assert plain.cost <= 34
    assert raced.cost <= 34
    assert raced.tried > plain.tried


def test_gain_is_told_by_seeds_that_chose_nothing(bench, table):
    """A configuration chosen for a lucky seed is worth what its other seeds say."""
    place = int(table.ends.std(1).argmax())
    lucky = int(table.ends[place].argmax())
    assert table.share(place, [lucky]) < table.share(place)


def test_the_search_proposes_entries_that_nobody_took(bench, table):
    """Points stand for the nearest configuration; none is given away twice."""
    nearest = bench("night").Nearest(table, {table.start})
    taken = [nearest.take(nearest.points[7]) for _ in range(5)]
    assert taken[0] == 7
    assert len(set(taken)) == 5


def test_every_published_optimiser_is_read_crosswise(bench, table):
    """Fifteen figures each: five repetitions, of which each of three seeds tells once."""
    told = list(bench("others").published(PUBLIC / "data" / "published-runs.npz", table))
    assert [name for name, _, _ in told] == ["random search", "SMAC", "multi-fidelity SMAC", "PBT"]
    assert all(len(gains) == 15 and np.isfinite(gains).all() for _, gains, _ in told)


def test_a_checkout_of_the_repository_is_read_like_the_archive(bench, table, tmp_path):
    """`--full` finds the same curves in the files of the repository's authors; what is not complete is left out."""
    folder = tmp_path / "results_combined" / "sobol"
    folder.mkdir(parents=True)
    lines = ["run_id,budget,performance,hp_config.learning_rate,seed"]
    lines += [
        f"{n},{5000 * (b + 1)},{table.curves[n, s, b]},{table.configurations[n]['learning_rate']},{s}"
        for n in range(256)
        for s in range(10)
        for b in range(10)
    ]
    (folder / "whole.csv").write_text("\n".join(lines))
    (folder / "torn.csv").write_text("\n".join(lines[:-1]))
    (found,) = bench("tables").checkout(tmp_path)
    assert np.allclose(found.curves, table.curves)
