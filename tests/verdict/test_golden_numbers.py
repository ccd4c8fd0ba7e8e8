"""The numbers of every formula that verdicts and claims are made of, beside those of scipy.

Origin: `python tools/golden_numbers.py --write` works each of them out with scipy, in another way than the package does
(the tool says how), and writes `tests/golden/verdict_numbers.json`. Nothing of scipy is needed here.
"""

import json
import math
from pathlib import Path

import pytest

from autoresearch.experiment.board import Board, Bundle, Idea, Measure, PolicySettings, Propose, Settle, Trial
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.run.measurement import Direction, Objective
from autoresearch.verdict.claims import claims
from autoresearch.verdict.drift import drift
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies import policy
from autoresearch.verdict.policies.screening_array import arrays, effects
from autoresearch.verdict.policies.sequential import unit_loss
from autoresearch.verdict.power import least_proven, proof_chance
from autoresearch.verdict.statistics import (
    correlation,
    mean,
    median,
    normal_cdf,
    normal_quantile,
    paired_error,
    pooled,
    t_cdf,
    t_quantile,
    t_to_z,
)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "verdict_numbers.json").read_text())
SAME = {"rel": 1e-5, "abs": 1e-7}


@pytest.mark.parametrize("name", ["normal_cdf", "normal_quantile", "t_cdf", "t_quantile"])
def test_distributions_agree_with_scipy(name):
    """To five digits, tails and both signs included."""
    ours = {"normal_cdf": normal_cdf, "normal_quantile": normal_quantile, "t_cdf": t_cdf, "t_quantile": t_quantile}[
        name
    ]
    for *given, number in GOLDEN[name]:
        assert ours(*given) == pytest.approx(number, rel=1e-6, abs=1e-9), given


def test_t_as_a_normal_deviate_agrees_with_scipy():
    """Wallace's approximation is off by less than four hundredths from three degrees on."""
    for t, freedom, number in GOLDEN["t_to_z"]:
        off = {1: 0.15, 2: 0.06}.get(freedom, 0.04)
        assert t_to_z(t, freedom) == pytest.approx(number, abs=off), (t, freedom)
    assert t_to_z(2.0, 3) == pytest.approx((8 * 3 + 1) / (8 * 3 + 3) * math.sqrt(3 * math.log(1 + 4 / 3)), rel=1e-12)
    assert (t_to_z(math.inf, 3), t_to_z(-math.inf, 3), t_to_z(math.nan, 3)) == (40.0, -40.0, 0.0)
    assert (t_to_z(1e101, 3), t_to_z(-1e101, 3)) == (40.0, -40.0)
    assert t_to_z(1e99, 3) == pytest.approx(34.2, abs=0.1)


def test_the_ends_of_the_line_are_certain():
    """No t is beyond infinity, and two hundred degrees of freedom are the normal distribution."""
    assert (t_cdf(math.inf, 3), t_cdf(-math.inf, 3)) == (1.0, 0.0)
    assert t_quantile(0.95, 200) == normal_quantile(0.95) != t_quantile(0.95, 199)
    assert t_cdf(1e9, 1) <= 1.0


def test_means_and_medians():
    """Also of numbers whose sum is too large, and of an even count."""
    assert (mean([1.0, 2.0, 4.5]), mean([-3.0])) == (2.5, -3.0)
    assert mean([1.6e308, 1.2e308]) == pytest.approx(1.4e308)
    assert (median([3.0, 1.0, 2.0]), median([4.0, 1.0, 2.0, 3.0]), median([7.0]), median([1.0, 2.0])) == (
        2.0,
        2.5,
        7.0,
        1.5,
    )


def test_the_loss_of_deciding_now_agrees_with_scipy():
    """phi(z) - |z| Phi(-|z|)."""
    for z, number in GOLDEN["unit_loss"]:
        assert unit_loss(z) == pytest.approx(number, **SAME)


def test_the_power_of_a_proof_agrees_with_scipy():
    """The least gain that is called proven, by bisection and by Brent's method, and how likely a guess measures it."""
    for *given, number in GOLDEN["least_proven"]:
        assert least_proven(*given) == pytest.approx(number, rel=1e-4), given
    assert least_proven(1.4, 4, 0.25) == float("inf")
    for *given, number in GOLDEN["proof_chance"]:
        assert proof_chance(*given) == pytest.approx(number, rel=1e-3), given


def test_pooled_noise_agrees_with_contrasts():
    """Up to four residuals the plain root mean square; from five on half of it winsorised."""
    for groups, sigma, freedom in GOLDEN["pooled"]:
        found = pooled(groups)
        assert (pytest.approx(sigma, rel=1e-4), freedom) == found, groups
    assert pooled([[1.0], [2.0]]) == (None, 0)


def test_seed_correlation_agrees_with_contrasts():
    """Shrunk as by four pairs that showed none; never negative, never beyond 0.99, none without noise."""
    for groups, sigma, rho, freedom in GOLDEN["correlation"]:
        assert correlation(groups, sigma) == (pytest.approx(rho, rel=1e-6), freedom), groups
    assert (
        correlation([[0.1, 0.2]], None)
        == correlation([[0.1, 0.2]], 0.0)
        == correlation([[0.1, 0.2]], math.inf)
        == (0.0, 0)
    )


def test_the_error_of_paired_samples_agrees_with_scipy():
    """The standard error of the mean difference, one run's part of it."""
    for one, two, number in GOLDEN["paired_error"]:
        assert paired_error(tuple(one), tuple(two)) == pytest.approx(number, rel=1e-6)


def idea(name, parent, status, effect, low, high, runs):
    return Idea(
        name=name,
        parent=parent,
        verdict=Verdict(status=Status(status), reason="", value=None, effect=effect, low=low, high=high, runs=runs)
        if status
        else None,
    )


def board(body) -> Board:
    more = dict(body["more"])
    settings = {name: more.pop(name) for name in ("max_runs",) if name in more}
    return Board(
        objective=Objective("", "score", Direction(body["direction"])),
        settings=PolicySettings(worth=body["worth"], **settings),
        ideas=tuple(idea(*one) for one in body["ideas"]),
        trials=tuple(
            Trial(arm=arm, seed=seed, purpose=Purpose(why), value=value, order=order)
            for arm, seed, value, why, order in body["runs"]
        ),
        bundles=tuple(Bundle(name, tuple(ideas), parent) for name, ideas, parent in body["bundles"]),
        incumbent=body["incumbent"],
        **more,
    )


def answer(here: Board, kind: str, *more: object):
    evidence = Evidence(here)
    match kind:
        case "compare":
            return evidence.compare(*more, credit=False)
        case "credited":
            return evidence.credited(more[0], beside="".join(more[1:]))
        case "smallest":
            return evidence.smallest("baseline")
        case "screened":
            return effects(evidence, arrays(evidence)[0])
        case "claims":
            return claims(here)
        case "drift":
            return drift(here)
        case "scale":
            return evidence.scale
    return getattr(evidence, kind)(*more)


def agrees(found, wanted) -> None:
    """Every number to five digits, every word and count exactly."""
    if isinstance(wanted, dict):
        for name, number in wanted.items():
            agrees(found[name] if isinstance(found, dict) else getattr(found, name), number)
    elif isinstance(wanted, list):
        for one, number in zip(found, wanted, strict=True):
            agrees(one, number)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=2e-5, abs=1e-6)
    else:
        assert found == wanted


@pytest.mark.parametrize("case", GOLDEN["boards"], ids=[case["name"] for case in GOLDEN["boards"]])
def test_effects_intervals_and_chances_agree_with_scipy(case):
    """Effect, error, interval, probability and the chance of a false claim of a whole campaign."""
    here = board(case["board"])
    for question, wanted in case["asked"]:
        agrees(answer(here, *question), wanted)


def said(policy_name, body) -> str:
    """Advice in a word."""
    match policy(policy_name).advise(board(body)):
        case Settle(verdict=found):
            return found.status.value
        case Measure(purpose=Purpose.REPEAT):
            return "repeat"
        case Propose(why=why) if policy_name == "auto":
            return why.removeprefix("auto: ").partition(",")[0].partition(":")[0]
        case other:
            return type(other).__name__.lower()


@pytest.mark.parametrize("case", GOLDEN["edges"], ids=[case["name"] for case in GOLDEN["edges"]])
def test_advice_changes_at_the_very_number_where_it_should(case):
    """A ten-millionth below it and above it, on a board of its own; the number is solved for by scipy."""
    assert [said(case["policy"], body) for body in case["boards"]] == case["says"], case["at"]
