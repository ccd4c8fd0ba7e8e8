"""Noise is measured from repeats, and one collapsed run does not blind a campaign."""

import random
import statistics

import pytest

from autoresearch.verdict.arms import Arm
from autoresearch.verdict.evidence import difference
from autoresearch.verdict.statistics import (
    _apart,
    averages,
    correlation,
    estimate,
    figure_of,
    mean,
    normal_quantile,
    pooled,
    sample_errors,
    t_cdf,
    t_quantile,
    t_to_z,
)


def test_pooling_agrees_with_the_textbook():
    """Few repeats: the pooled variance is the within-group sum of squares over its degrees of freedom."""
    sigma, freedom = pooled([(1.0, 2.0, 4.0), (10.0, 11.0), (7.0,)])
    squares = 2 * statistics.variance([1, 2, 4]) + statistics.variance([10, 11])
    assert freedom == 3
    assert sigma == pytest.approx((squares / 3) ** 0.5)


@pytest.mark.parametrize("runs", range(1, 12))
def test_runs_that_are_alike_have_their_value_for_a_mean(runs):
    """To the last digit: rounding once was an effect of +4e-19, beyond a noise of nothing, and so a likely gain."""
    value = 0.0033286574829
    assert {mean([value * n / 7] * runs) - value * n / 7 for n in range(1, 50)} == {0.0}


def test_without_repeats_there_is_no_noise_estimate():
    """One run of everything says nothing about noise."""
    assert estimate({"baseline": {42: 1.0}, "a": {42: 2.0}}).sigma is None


def test_a_collapsed_run_counts_but_does_not_rule():
    """One run at a hundred sigma raises the estimate less than the plain pooled one."""
    groups = [(0.0, 1.0), (0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (0.0, -1.0), (0.0, 100.0)]
    plain = (sum(statistics.variance(g) for g in groups) / 6) ** 0.5
    assert pooled(groups)[0] < 0.75 * plain


def test_common_seeds_show_their_correlation():
    """Arms that move together have a high rho, shrunk for the few pairs behind it; opposite ones have none."""
    noise = estimate({"a": {1: 0.0, 2: 1.0, 3: 5.0}, "b": {1: 2.0, 2: 3.0, 3: 7.0}}, [("b", "a")])
    assert noise.rho == pytest.approx(0.99 * 2 / 6)
    assert correlation([(0.0, 9.0)], 1.0)[0] == 0


def test_evaluation_noise_is_told_apart():
    """What the finite validation set explains is known beside the scatter of runs."""
    noise = estimate({"a": {1: 0.0, 2: 2.0}}, errors=[1.0, 7.0])
    assert noise.sigma == pytest.approx(2**0.5)
    assert noise.evaluation == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("probability", "freedom", "point"),
    [
        (0.95, 1, 6.31375151),
        (0.05, 3, -2.35336343),
        (0.995, 10, 3.16927267),
        (1e-4, 2, -70.7000711),
        (0.5, 7, 0.0),
        (3e-4, 40, -3.7265178),
        (0.75, 199, 0.675724596),
        (1e-7, 5, -39.3418196),
        (0.95, 200, 1.64485363),
    ],
)
def test_t_quantiles_are_those_of_scipy(probability, freedom, point):
    """Nine digits of `scipy.stats.t.ppf`, in both tails; from 200 degrees on those of `norm.ppf`."""
    assert t_quantile(probability, freedom) == pytest.approx(point, rel=4e-9, abs=1e-12)
    if freedom < 200:
        assert t_cdf(point, freedom) == pytest.approx(probability, rel=1e-6)


def test_normal_and_wallace():
    """The normal quantile, and t = 2.92 with two degrees of freedom being about 1.6 normal deviates."""
    assert normal_quantile(0.975) == pytest.approx(1.959963985, abs=1e-9)
    assert t_to_z(2.920, 2) == pytest.approx(1.645, abs=0.04)


def validation(tilt, seed, problems=400):
    """Rewards on one validation set whose problems differ widely in difficulty, by a model a little better or worse."""
    dice = random.Random(seed)
    chances = [0.05 + 0.9 * n / problems for n in range(problems)]
    return tuple(float(dice.random() < min(1.0, chance + tilt)) for chance in chances)


def test_common_problems_do_not_count_as_noise():
    """Paired samples know the scatter between runs on one set; the usual error of a proportion overstates it by a third."""
    runs = [validation(0.0, seed) for seed in range(40)]
    found = statistics.fmean(sample_errors([runs]))
    truth = statistics.stdev(statistics.fmean(run) for run in runs)
    usual = statistics.fmean(statistics.stdev(run) / len(run) ** 0.5 for run in runs)
    assert found == pytest.approx(truth, rel=0.3)
    assert usual > 1.15 * found


def test_samples_of_another_set_or_another_number_are_not_used():
    """Runs with different numbers of samples do not pair; a metric that is not the samples' mean is none of theirs."""
    assert sample_errors([[validation(0, 1), validation(0, 2, problems=200)]]) == []
    assert averages(0.5, (0.0, 1.0) * 8)
    assert not averages(0.7, (0.0, 1.0) * 8)
    assert not averages(0.5, (0.0, 1.0))


def covered(arms: int, rho: float, *, common: bool, nights: int = 1500) -> tuple[float, float]:
    """Share of 90 % intervals that hold the truth, with all repeats counted and as `difference` counts them.

    Arms that do nothing run on three seeds, the same for all but the last where it is not `common`.
    """
    dice, plain, found = random.Random(2), 0, 0
    for _ in range(nights):
        luck = [dice.gauss(0, rho**0.5) for _ in range(6)]
        seeds = [(0, 1, 2)] * arms + [(0, 1, 2) if common else (3, 4, 5)]
        runs = {str(n): {s: luck[s] + dice.gauss(0, (1 - rho) ** 0.5) for s in one} for n, one in enumerate(seeds)}
        noise = estimate(runs, [(name, "0") for name in runs])
        effect = difference(Arm(values=runs[str(arms)]), Arm(values=runs["0"]), noise, noise.sigma)
        plain += abs(effect.gain) <= t_quantile(0.95, noise.freedom) * effect.error
        found += abs(effect.gain) <= t_quantile(0.95, effect.freedom) * effect.error
    return plain / nights, found / nights


def test_common_seeds_leave_fewer_degrees_of_freedom_for_arms_apart():
    """What the seeds of 20 arms share is one look at the noise, not 20: an arm on other seeds needs wider intervals.

    4000 simulated boards of 3, 8 and 20 arms of three runs; coverage of 90 % intervals, all repeats counted -> as here:
    rho 0.6: 0.871 -> 0.874, 0.875 -> 0.892, 0.858 -> 0.891; rho 0.9: 0.850 -> 0.862, 0.835 -> 0.879, 0.805 -> 0.871.
    """
    plain, found = covered(20, 0.9, common=False)
    assert plain < 0.83
    assert found > 0.85


def test_arms_on_the_same_seeds_lose_no_degrees_of_freedom():
    """Their difference has nothing of what seeds share, and its interval is wide enough as it is.

    The same boards, the last arm on the common seeds: rho 0.3 0.904, 0.896, 0.881; 0.6 0.939, 0.926, 0.899; 0.9 0.984,
    0.972, 0.948.
    """
    plain, found = covered(8, 0.6, common=True)
    assert plain == found > 0.9


def test_a_mean_over_campaigns_has_its_standard_error():
    """1, 2 and 4: the root of their variance 7/3 over three; of one number the error is 0, of none there is no mean."""
    found = figure_of([1.0, 2.0, 4.0])
    assert (found.mean, found.error, found.count) == pytest.approx((7 / 3, (7 / 9) ** 0.5, 3))
    assert [str(figure_of(values)) for values in ([1.0, 2.0, 4.0], [5.0], [])] == ["2.33±0.88", "5.00±0.00", "-"]
    assert figure_of([]).count == 0


def test_the_degrees_of_freedom_apart_are_satterthwaites():
    """m arms of n common seeds have m(n-1) / (1 + (m-1) rho^2); seeds of their own, all of them."""
    luck = (0.0, 1.0, -1.0)
    runs = {str(arm): {seed: luck[seed] + 0.1 * ((arm + 1) * (seed + 1) % 3) for seed in range(3)} for arm in range(4)}
    noise = estimate(runs, [(name, "0") for name in runs])
    assert (noise.freedom, noise.apart) == (8, round(8 / (1 + 3 * noise.rho**2)))
    assert noise.apart < 5
    own = {name: {seed + 10 * int(name): value for seed, value in values.items()} for name, values in runs.items()}
    assert estimate(own, [(name, "0") for name in runs]).apart == 8
    assert _apart({str(n): {0: 1.0, 1: 2.0} for n in range(9)}, 1, 0.99) == 1
