"""The formulas of verdicts and claims a second time, as their sources state them, with scipy.

Nothing here imports the package, and each is worked out in another way than there: distributions by scipy, residuals by
Helmert's contrasts, variances by the covariance matrix of all runs, posteriors by conditioning a normal.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from golden_boards import Board, Run
from scipy import linalg, optimize, stats

FRESH = ("confirm", "ablate")


def anything(_: Run) -> bool:
    """Whatever a run was for."""
    return True


def residuals(groups: Sequence[Sequence[float]]) -> np.ndarray:
    """Within-group contrasts of unit length, which are independent N(0, sigma^2)."""
    found = [linalg.helmert(len(group)) @ np.array(group) for group in groups if len(group) > 1]
    return np.concatenate(found) if found else np.array([])


def scatter(groups: Sequence[Sequence[float]]) -> tuple[float | None, int]:
    """Root mean square of the contrasts; from five on the mean of that and of a winsorised one."""
    found = residuals(groups)
    if not len(found):
        return None, 0
    square = float(np.mean(found**2))
    if len(found) >= 5:
        limit = 2 * float(np.median(np.abs(found))) / stats.norm.ppf(0.75)
        kept = stats.norm.expect(lambda z: np.minimum(z * z, 4.0))
        clipped = float(np.mean(np.clip(found, -limit, limit) ** 2)) / kept
        square = (square + min(square, clipped)) / 2
    return math.sqrt(square), len(found)


def correlation(pairs: Sequence[Sequence[float]], sigma: float | None) -> tuple[float, int]:
    """1 - var(difference) / (2 sigma^2), believed as if four more pairs had shown none."""
    spread, freedom = scatter(pairs)
    if spread is None or not sigma:
        return 0.0, 0
    return float(np.clip(1 - spread**2 / (2 * sigma**2), 0, 0.99)) * freedom / (freedom + 4), freedom


def wallace(t: float, freedom: int) -> float:
    """Wallace (1959): the normal deviate of a Student's t."""
    return math.copysign((8 * freedom + 1) / (8 * freedom + 3) * math.sqrt(freedom * math.log(1 + t * t / freedom)), t)


def quantile(probability: float, freedom: int) -> float:
    """Student's t where the noise has degrees of freedom, else the normal."""
    return float(stats.t.ppf(probability, freedom) if freedom else stats.norm.ppf(probability))


def noise(board: Board) -> tuple[float | None, int, float]:
    """Sigma, its freedom and the seed correlation, from every arm that ran twice."""
    arms = board.arms(anything)
    sigma, freedom = scatter([list(runs.values()) for runs in arms.values()])
    tops = [(arm, board.parent(arm)) for arm, runs in arms.items() if len(runs) > 1]
    pairs = [[arms[a][s] - arms[b][s] for s in arms[a] if s in arms[b]]
             for a, b in tops if b in arms and len(arms[b]) > 1]  # fmt: skip
    return sigma, freedom, correlation(pairs, sigma)[0]


def difference(ours: dict[int, float], theirs: dict[int, float], sigma: float, rho: float) -> tuple[float, float, bool]:
    """Difference of means less what the reference's common seeds had by luck, its error, and whether seeds paired.

    The error is exact for runs whose covariance is sigma^2 on the diagonal and rho sigma^2 between common seeds.
    """
    common = [seed for seed in ours if seed in theirs]
    rho = rho if common and rho > 0.3 else 0.0
    share = rho * len(common) / len(ours)
    w_ours = np.full(len(ours), 1 / len(ours))
    mean_of_common = [(seed in common) / max(1, len(common)) for seed in theirs]
    w_theirs = np.array([-1 / len(theirs) - share * (part - 1 / len(theirs)) for part in mean_of_common])
    cross = np.array([[rho if a == b else 0.0 for b in theirs] for a in ours])
    whole = np.block([[np.eye(len(ours)), cross], [cross.T, np.eye(len(theirs))]]) * sigma**2
    weights = np.concatenate([w_ours, w_theirs])
    gain = float(weights @ np.array([*ours.values(), *theirs.values()]))
    return gain, math.sqrt(float(weights @ whole @ weights)), rho > 0


def compare(board: Board, arm: str, against: str, only: Sequence[str] = ()) -> dict[str, Any]:
    """Difference of means, by `difference`; of arms that give the same on common seeds, by these seeds alone."""
    arms = board.arms(lambda run: not only or run.purpose in only)
    ours, theirs = arms[arm], arms[against]
    sigma, freedom, rho = noise(board)
    assert sigma is not None
    common = {seed: value for seed, value in ours.items() if seed in theirs}
    same = bool(not only and common) and max(abs(common[s] - theirs[s]) for s in common) <= 0.05 * sigma
    gain, error, paired = difference(ours, theirs, sigma, 0.99 if same and len(common) == len(ours) else rho)
    paired = paired or same
    gain = board.sign * (float(np.mean([common[s] - theirs[s] for s in common])) if same else gain)
    z = wallace(gain / error, freedom)
    return {"gain": gain, "error": error, "freedom": freedom, "runs": len(ours), "paired": paired, "z": z,
            "low": gain + quantile(0.05, freedom) * error, "high": gain + quantile(0.95, freedom) * error}  # fmt: skip


def belief(board: Board, error: float, gain: float = 0.0) -> float:
    """Posterior share of a normal prior whose spread is twice the noise, twice the gain worth having, or half the gain.

    Worked out by conditioning the normal of true effect and measurement on the latter.
    """
    sigma, _, _ = noise(board)
    spread = max(2 * (sigma or 0.0), 2 * (scale(board) or 0.0), abs(gain) / 2) ** 2
    joint = np.array([[spread, spread], [spread, spread + error**2]])
    return float(joint[0, 1] / joint[1, 1])


def scale(board: Board) -> float | None:
    """What is declared, else the root mean square of at least eight ideas' gains above zero, their noise taken out."""
    if board.worth:
        return board.worth
    judged = [(idea.effect, idea.runs) for idea in board.ideas if idea.effect is not None]
    if len(judged) < 8:
        return None
    sigma = noise(board)[0] or 0.0
    above = [effect**2 - 2 * sigma**2 / runs for effect, runs in judged if effect > 0]
    return math.sqrt(max(0.0, sum(above) / len(above))) if above else 0.0


def credited(board: Board, arm: str, beside: str = "") -> float:
    """An arm's mean, less the part of its gain that is not believed, as far as runs that chose it make up the mean.

    What its seeds share with those of the arm beside it is no luck, as far as the measured correlation goes.
    """
    arms = board.arms(anything)
    idea = next(idea for idea in board.ideas if idea.name == arm)
    sigma, _, rho = noise(board)
    assert sigma is not None
    assert idea.effect is not None
    chose = dict(list(arms[arm].items())[: idea.runs])
    shares = any(seed in arms[arm] for seed in arms.get(beside, {}))
    _, error, _ = difference(chose, arms[idea.parent], sigma, rho if shares else 0.0)
    doubt = 1 - belief(board, error, idea.effect)
    return board.sign * float(np.mean(list(arms[arm].values()))) - doubt * idea.effect * min(
        1, idea.runs / len(arms[arm])
    )


def claim(name: str, effect: dict[str, Any], spread: float, *, fresh: bool) -> dict[str, Any]:
    """A normal prior of variance `spread` for effects that are any, and even odds that there is none.

    Both likelihoods are densities of the measured effect, taken at the normal deviate that is as surprising.
    """
    error = effect["error"]
    share = spread / (spread + error**2)
    gain, left, freedom = share * effect["gain"], math.sqrt(share) * error, effect["freedom"]
    right = float(stats.t.cdf(gain / left, freedom) if freedom else stats.norm.cdf(gain / left))
    seen = effect["z"] * error
    none, some = stats.norm.pdf(seen, 0, error), stats.norm.pdf(seen, 0, math.sqrt(spread + error**2))
    nothing = 0.5 * none / (0.5 * none + 0.5 * some)
    wrong = float(nothing + (1 - nothing) * (1 - right))
    proven = fresh and wrong <= 0.05
    standing = "proven" if proven else "likely" if right >= 0.8 else "refuted" if right <= 0.05 else "unresolved"
    if fresh:
        gain, left = effect["gain"], error
    return {"name": name, "standing": standing, "effect": gain, "low": gain + quantile(0.05, freedom) * left,
            "high": gain + quantile(0.95, freedom) * left, "runs": effect["runs"],
            "fresh": fresh, "wrong": wrong}  # fmt: skip


def afresh(board: Board, against: str) -> dict[str, Any]:
    """Fresh runs alone; by Welch's error, each side's variance from all its runs, where that is wider."""
    effect = compare(board, board.incumbent, against, FRESH)
    if effect["paired"]:
        return effect
    sigma, _, _ = noise(board)
    assert sigma is not None
    sides = [list(board.arms(anything)[name].values()) for name in (board.incumbent, against)]
    fresh = [len(board.arms(lambda run: run.purpose in FRESH)[name]) for name in (board.incumbent, against)]
    variances = [float(np.var(side, ddof=1)) if len(side) > 1 else sigma**2 for side in sides]
    parts = np.array(variances) / np.array(fresh)
    free = np.array([max(1, len(side) - 1) for side in sides])
    own, freedom = math.sqrt(parts.sum()), max(1, round(float(parts.sum() ** 2 / (parts**2 / free).sum())))
    if quantile(0.95, freedom) * own > quantile(0.95, effect["freedom"]) * effect["error"]:
        effect |= {"error": own, "freedom": freedom, "z": wallace(effect["gain"] / own, freedom)}
    return effect


def told_together(board: Board) -> dict[str, dict[str, Any]]:
    """What ideas are worth that ran by themselves: all effects and the level at once, by conditioning one normal.

    Effects are Student's t with four degrees, as a normal whose variance is divided by a weight of its own; centre and
    spread by 60 rounds of expectation-maximisation with two imagined ideas of no effect, fewer once they stand. Runs of
    several arms on one seed are correlated where that was measured to be above 0.3.
    """
    sigma, freedom, rho = noise(board)
    assert sigma is not None
    arms = board.arms(anything)
    made = {name: (parent, len(ideas)) for name, ideas, parent in board.bundles if parent}
    made |= {idea.name: (idea.parent, 1) for idea in board.ideas}
    arms = {name: values for name, values in arms.items() if name == "baseline" or name in made}
    names = list(made)
    adds = np.array([made[name][1] for name in names], float)
    runs_of = [(arm, seed, value) for arm, values in arms.items() for seed, value in values.items()]
    chain = np.zeros((len(runs_of), len(names) + 1))
    for row, (arm, _, _) in enumerate(runs_of):
        chain[row, 0], above = 1.0, arm
        while above != "baseline":
            chain[row, 1 + names.index(above)], above = 1.0, made[above][0]
    seen = board.sign * np.array([value for _, _, value in runs_of])
    together = np.array([[a != b and s == t for b, t, _ in runs_of] for a, s, _ in runs_of], float)
    errors = sigma**2 * (np.eye(len(runs_of)) + (rho if rho > 0.3 else 0.0) * together)
    ran = np.array([name in arms for name in names])
    width = 2 * max(sigma, scale(board) or 0.0)
    centre, spread, weights = 0.0, width**2, np.ones(len(names))
    mean = error = np.zeros(len(names))
    for _ in range(60):
        before = np.array([float(np.mean(seen)), *(adds * centre)])
        prior = np.diag([1e6, *(adds * spread / weights)])
        pull = prior @ chain.T @ np.linalg.inv(chain @ prior @ chain.T + errors)
        after, left = before + pull @ (seen - chain @ before), prior - pull @ chain @ prior
        mean, error = after[1:], np.sqrt(np.diag(left)[1:])
        old = centre, math.sqrt(spread)
        centre = float((weights * mean)[ran].sum() / ((weights * adds)[ran].sum() + 2))
        square = ((mean - adds * centre) ** 2 + error**2) / adds
        spread = float(((weights * square)[ran].sum() + 2 * width**2) / (ran.sum() + 2))
        weights = np.where(ran, 5 / (4 + square / spread), 1.0)
        if abs(centre - old[0]) + abs(math.sqrt(spread) - old[1]) <= 1e-3 * math.sqrt(spread):
            break
    found = {}
    for n, name in enumerate(names):
        below, runs = adds[n] * centre - mean[n], len(arms.get(name, ()))
        wild = runs == 1 and below > 0 and below**2 >= 4 * adds[n] * spread
        reach = adds[n] * centre + quantile(0.95, 0) * math.sqrt(adds[n] * spread)
        high = float(mean[n] + quantile(0.95, freedom) * error[n])
        right = float(stats.t.cdf(mean[n] / error[n], freedom) if freedom else stats.norm.cdf(mean[n] / error[n]))
        standing = "likely" if right >= 0.8 else "refuted" if right <= 0.05 else "unresolved"
        found[name] = {"name": name, "standing": standing, "effect": float(mean[n]),
                       "low": float(mean[n] + quantile(0.05, freedom) * error[n]),
                       "high": max(high, reach) if wild else high, "runs": runs,
                       "fresh": False, "wrong": 1 - right}  # fmt: skip
    return {name: claim for name, claim in found.items() if name in arms}


def claims(board: Board) -> dict[str, Any]:
    """Every judged idea, the campaign, and the chance that a proven one is false."""
    sigma, freedom, _ = noise(board)
    assert sigma is not None
    effects = [(idea.effect, idea.runs) for idea in board.ideas if idea.effect is not None]
    excess = sum(effect**2 - 2 * sigma**2 / runs for effect, runs in effects) + 4 * sigma**2
    spread = max(0.25 * sigma**2, excess / (len(effects) + 4))
    held = board.held()
    found, alone = [], told_together(board)
    for idea in board.ideas:
        without = "baseline" if len(held) == 1 else board.without(idea.name)
        if idea.name in held and without in board.arms(lambda run: run.purpose in FRESH):
            found.append(claim(idea.name, afresh(board, without), spread, fresh=True))
            continue
        if idea.name in alone:
            found.append(alone[idea.name])
            continue
        if idea.name in held:
            assert idea.high is not None
            assert idea.low is not None
            error = (idea.high - idea.low) / 2 / quantile(0.95, freedom)
            effect = {"gain": idea.effect, "error": error, "freedom": freedom, "runs": idea.runs}
            effect["z"] = wallace((idea.effect or 0.0) / error, freedom)
        else:
            effect = compare(board, idea.name, idea.parent)
        found.append(claim(idea.name, effect, spread, fresh=False))
    nothing = {
        "standing": "unresolved",
        "effect": None,
        "low": None,
        "high": None,
        "runs": 0,
        "fresh": False,
        "wrong": 1.0,
    }
    whole: dict[str, Any] | None = {"name": board.incumbent, **nothing} if held else None
    if held and "baseline" in board.arms(lambda run: run.purpose in FRESH):
        effect = afresh(board, "baseline")
        whole = claim(board.incumbent, effect, spread * len(held), fresh=True)
    told = found if len(held) == 1 or whole is None else [*found, whole]
    chance = sum(one["wrong"] for one in told if one["standing"] == "proven")
    return {"ideas": found, "campaign": whole, "false_chance": chance}


def least_proven(error: float, freedom: int, spread: float) -> float:
    """Where the chance that a fresh claim is false crosses one in twenty, by Brent's method."""

    def off(gain: float) -> float:
        effect = {"gain": gain, "error": error, "freedom": freedom, "runs": 1, "z": wallace(gain / error, freedom)}
        return float(claim("", effect, spread, fresh=True)["wrong"]) - 0.05

    return float(optimize.brentq(off, 0.0, 40 * error, xtol=1e-12))


def drift(board: Board) -> dict[str, Any]:
    """Least squares within the baseline, by scipy's line; its error from all ideas too where those scatter more."""
    runs = [run for run in board.runs if run.arm == "baseline"]
    line = stats.linregress([run.order for run in runs], [run.value for run in runs])
    freedom, spread = len(runs) - 2, float(np.var([run.order for run in runs]) * len(runs))
    square = float(line.stderr) ** 2 * spread
    others = board.arms(lambda run: run.arm != "baseline")
    sigma, more = scatter([list(values.values()) for values in others.values()])
    if sigma is not None and sigma**2 > square:
        square, freedom = (square * freedom + sigma**2 * more) / (freedom + more), freedom + more
    error, span = math.sqrt(square / spread), max(r.order for r in board.runs) - min(r.order for r in board.runs)
    margin = quantile(0.95, freedom) * error
    shown = abs(line.slope) > quantile(0.995, freedom) * error
    return {"slope": float(line.slope), "total": float(line.slope) * span, "low": (float(line.slope) - margin) * span,
            "high": (float(line.slope) + margin) * span, "repeats": len(runs) - 1, "shown": bool(shown)}  # fmt: skip


def screened(board: Board) -> dict[str, Any]:
    """Main effects of an array: a normal prior on each, the level free, all rows and the parent's runs observed."""
    sigma, freedom, _ = noise(board)
    assert sigma is not None
    ideas = sorted({idea for bundle in board.bundles for idea in bundle[1]})
    inside = {name: ideas_of for name, ideas_of, _ in board.bundles}
    rows = [run for run in board.runs if run.arm in inside]
    seen = [*rows, *(run for run in board.runs if run.arm == "baseline")]
    x = np.array([[1.0, *(float(idea in inside.get(run.arm, ())) for idea in ideas)] for run in seen])
    y = np.array([run.value for run in seen]) * board.sign
    spread = max(2 * sigma, 2 * math.sqrt(float(np.var(y, ddof=1)) / len(ideas)))
    prior = np.diag([1e5, *([spread**2] * len(ideas))])
    gain = prior @ x.T @ np.linalg.inv(x @ prior @ x.T + sigma**2 * np.eye(len(y)))
    mean, cov = gain @ y, prior - gain @ x @ prior
    return {idea: {"gain": float(mean[n]), "error": math.sqrt(float(cov[n, n])), "freedom": freedom, "runs": len(rows)}
            for n, idea in enumerate(ideas, 1)}  # fmt: skip


def smallest(board: Board) -> float:
    """The gain of one run whose 90 % interval just reaches zero."""
    sigma, freedom, _ = noise(board)
    assert sigma is not None
    return quantile(0.95, freedom) * sigma * math.sqrt(1 + 1 / len(board.arms(anything)["baseline"]))
