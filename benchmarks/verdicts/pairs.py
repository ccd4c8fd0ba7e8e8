"""What trying two ideas in a run is worth under a guard, by a model of the rule alone: errors of a point in minutes.

    python benchmarks/verdicts/pairs.py              # eight streams, r = 0.25 and 1, 41 runs, 250 nights a cell
    python benchmarks/verdicts/pairs.py --runs 90 --nights 150

Modelled is `auto` up to a noise of 1.5 gains: one look at each idea, the credited bar, crashes; neither proof nor
anchors. `autoresearch.verdict.policies.doubles.expected` is worked out here with numpy. The columns are points of what
could be found ahead of singles on the same ideas, with the mean number of doubles in brackets.
"""

import argparse
import math
from dataclasses import dataclass

import numpy as np

SHARES = {"base": (0.2, 0.35), "spike": (0.1, 0.7), "sparse": (0.08, 0.4), "half": (0.5, 0.1), "harmful": (0.15, 0.05),
          "decay": (0.2, 0.35)}  # fmt: skip
STREAMS = (*SHARES, "normal", "huge one")
HUGE = np.array([8.0] + [0.0] * 12 + [-0.5, -1.0, -1.5, -2.0, -2.5] * 3 + [0.2] * 2)
CRASH = 0.08


@dataclass(frozen=True)
class Guard:
    """Ideas alone, standard errors and times a single's worth from which two share a run."""

    alone: int
    sure: float
    ahead: float


GUARDS = (None, Guard(8, 0.0, 1.05), Guard(12, 0.75, 1.0))
"""Singles, the guard of `doubles`, a surer one."""


def ideas(stream: str, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """True effects in mean improvements, and who crashes."""
    crash = rng.random(count) < CRASH
    if stream == "normal":
        return rng.normal(-0.5, 1, count), crash
    if stream == "huge one":
        return HUGE[rng.integers(0, len(HUGE), count)], crash
    good, null = SHARES[stream]
    draw, size, ruin = rng.random(count), rng.exponential(1, count), rng.random(count) < 0.1
    first = 3 * np.exp(-np.arange(count) / 40) if stream == "decay" else 1.0
    return np.where(draw < good, size * first, np.where(draw < good + null, 0.0, -1.5 * size - 8 * ruin)), crash


def phi(z: np.ndarray) -> np.ndarray:
    """The normal distribution to seven digits (Abramowitz and Stegun, 7.1.26)."""
    x = np.abs(z) / math.sqrt(2)
    t = 1 / (1 + 0.3275911 * x)
    powers = ((((1.061405429 * t - 1.453152027) * t) + 1.421413741) * t - 0.284496736) * t + 0.254829592
    return 0.5 * (1 + np.sign(z) * (1 - powers * t * np.exp(-x * x)))


def expected(alone: list[float], crashes: int, sigma: float, error: float, bar: float, ahead: float) -> float:
    """How far two are ahead of `ahead` times one, in standard errors of that."""
    seen = np.array(alone)
    count, spread = len(seen), float(((seen - seen.mean()) ** 2).sum() / max(1, len(seen) - 1))
    true = seen.mean() + math.sqrt(max(0.0, spread - 2 * sigma * sigma) / (spread or 1)) * (seen - seen.mean())
    ones = true * phi((true - bar) / error)
    both = true[:, None] + true[None, :]
    twos = both * phi((both - bar) / error)
    np.fill_diagonal(twos, 0)
    rows = twos.sum(1) / max(1, count - 1)
    crash = (crashes + 0.5) / (count + crashes + 5)
    fine, half = (1 - crash) ** 2, 2 * crash * (1 - crash)
    runs = 1 + 1.5 * half + 2 * crash * crash
    found = (fine * rows.mean() + half * ones.mean()) / runs - ahead * (1 - crash) * ones.mean()
    parts = (2 * fine * rows + half * ones) / runs - ahead * (1 - crash) * ones
    known = float(parts.std(ddof=1)) / math.sqrt(count) if count > 1 else math.inf
    return float(found) / known if known else math.copysign(math.inf, found)


class Night:
    """One campaign: ideas in their order, one look at each arm, the bar credited."""

    def __init__(self, effects: np.ndarray, crash: np.ndarray, luck: np.ndarray, sigma: float) -> None:
        self.effects, self.crash, self.luck, self.sigma = effects, crash, luck, sigma
        self.start = self.off = luck[0] * sigma / math.sqrt(3)
        self.gain, self.reference, self.runs, self.next, self.doubles = 0.0, 3, 0, 0, 0
        self.alone: list[float] = []
        self.recent: list[float] = []
        self.crashes = 0

    def play(self, most: int, guard: Guard | None) -> tuple[float, int]:
        """True gain and doubles tried with so many runs."""
        steps = 0
        while self.runs < most:
            two = guard is not None and most - self.runs >= 3 and steps % 8 != 7 and self._pays(guard)
            steps += 1
            self._double(most) if two else self._single()
        return self.gain, self.doubles

    @property
    def _error(self) -> float:
        return self.sigma * math.sqrt(1 + 1 / self.reference)

    @property
    def _belief(self) -> float:
        square = (2 * max(self.sigma, 1.0)) ** 2
        return square / (square + self._error**2)

    def _pace(self, runs: int) -> float:
        return (max(0.0, self.gain + self.off - self.start) + 2 * self.sigma) / (runs + 3 + 20)

    def _pays(self, guard: Guard) -> bool:
        kept = [gain for gain in self.recent[-8:] if gain > 0]
        if not self.alone or len(self.alone) + self.crashes < guard.alone or (kept and sum(kept) / len(kept) > 1.5):
            return False
        bar = self._pace(self.runs) / self._belief
        return expected(self.alone[-32:], self.crashes, self.sigma, self._error, bar, guard.ahead) > guard.sure

    def _judge(self, effect: float, count: int, pace: float) -> float:
        noise = self.sigma * self.luck[self.runs]
        seen, belief = effect + noise - self.off, self._belief
        kept = seen > 0 and belief * seen >= pace
        if kept:
            self.gain, self.off, self.reference = self.gain + effect, noise - (1 - belief) * seen, 1
        self.recent += [seen / count if kept else -1.0] * count
        return seen

    def _single(self) -> None:
        pace, self.runs = self._pace(self.runs), self.runs + 1
        if self.crash[self.next]:
            self.crashes += 1
            self.recent.append(-1.0)
        else:
            self.alone.append(self._judge(self.effects[self.next], 1, pace))
        self.next += 1

    def _double(self, most: int) -> None:
        """A double that gives no metric is told apart by its older idea."""
        pace, one, other = self._pace(self.runs), self.next, self.next + 1
        self.runs, self.next, self.doubles = self.runs + 1, self.next + 2, self.doubles + 1
        if not (self.crash[one] or self.crash[other]):
            self._judge(self.effects[one] + self.effects[other], 2, pace)
            return
        for idea in (one, other):
            if self.runs >= most:
                return
            self.runs += 1
            if self.crash[idea]:
                self.crashes += 1
                continue
            self.alone.append(self._judge(self.effects[idea], 1, pace))
            self.crashes += idea == one
            return


def cell(stream: str, noise: float, runs: int, nights: int) -> str:
    """One line of the table."""
    rng = np.random.default_rng([1, int(noise * 100), runs, sum(map(ord, stream))])
    found, possible = [], []
    for _ in range(nights):
        effects, crash = ideas(stream, rng, 2 * runs + 4)
        luck = rng.normal(size=2 * runs + 6)
        possible.append(float(np.clip(effects, 0, None)[: runs + 9][~crash[: runs + 9]].sum()))
        found.append([Night(effects, crash, luck, noise).play(runs, guard) for guard in GUARDS])
    whole, gains, doubles = np.array(possible), np.array(found)[:, :, 0], np.array(found)[:, :, 1]
    told = [f"{stream}, r = {noise:g}", f"{100 * gains[:, 0].mean() / whole.mean():.0f}"]
    for place in range(1, len(GUARDS)):
        ahead = gains[:, place] - gains[:, 0]
        ratio = ahead.mean() / whole.mean()
        error = (ahead - ratio * whole).std(ddof=1) / math.sqrt(nights) / whole.mean()
        told.append(f"{100 * ratio:+.1f} ± {100 * error:.1f} ({doubles[:, place].mean():.0f})")
    return "| " + " | ".join(told) + " |"


def main() -> None:
    """Print the table."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--runs", type=int, default=41)
    ask.add_argument("--nights", type=int, default=250)
    ask.add_argument("--noises", default="0.25,1")
    said = ask.parse_args()
    print("| stream | singles find % | doubles | surer |\n| --- | --- | --- | --- |")
    for stream in STREAMS:
        for noise in said.noises.split(","):
            print(cell(stream, float(noise), said.runs, said.nights), flush=True)


if __name__ == "__main__":
    main()
