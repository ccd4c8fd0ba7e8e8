"""One cell of the benchmark: every policy on the same campaigns of one stream, noise and budget."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from peers import PEERS

from autoresearch.experiment.board import PolicySettings
from autoresearch.ports.policy import Policy
from autoresearch.verdict.policies import BUILTIN, policy
from autoresearch.verdict.simulated_world import STREAMS, World
from autoresearch.verdict.simulation import Outcome, run_campaign, summarise

FIRST_SEED = 100_000
GREEDY = "greedy"
"""The peer that everything is compared with: it keeps whatever looks better, and nothing for fresh seeds."""

TOLD = ("null", "base", "drift")
"""Streams for which the page says how often drift was reported: two without any, one with two noises of it."""

CONFIRM = 0.15
"""Share of the runs that our policies keep for fresh seeds, as they do by default; peers keep none."""


@dataclass(frozen=True)
class Cell:
    """What to simulate: a stream, a number of runs, noise in mean true improvements, how many campaigns."""

    stream: str
    runs: int
    noise: float
    campaigns: int


@dataclass(frozen=True)
class Row:
    """One policy in one cell; each number with its standard error, None where it does not exist.

    Attributes:
        policy: Its name; ours begin with `ours: `.
        found: True gain in per cent of what a judge who sees the truth would have found at one run per idea.
        ahead: `found` less that of plain greedy on the same campaigns.
        gain: True gain in mean true improvements.
        keeps: Ideas kept.
        false_keeps: Of these, ideas that do nothing or harm.
        said: Announced gain less true gain.
        claimed: Per cent of campaigns in which anything was called proven.
        wrong: Per cent of campaigns in which any of that was not true.
        covers: Per cent of 90 % intervals that hold the true gain.
        ideas: Ideas tried.
        drifted: Per cent of campaigns whose report says that the machine drifted, and that it may have; for streams in
            `TOLD` at 100 runs alone.
    """

    policy: str
    found: tuple[float, float] | None
    ahead: tuple[float, float] | None
    gain: tuple[float, float]
    keeps: float
    false_keeps: tuple[float, float]
    said: tuple[float, float] | None
    claimed: float | None
    wrong: float | None
    covers: float | None
    ideas: float
    drifted: tuple[float, float] | None = None


def measure(cell: Cell) -> dict[str, object]:
    """Simulate a cell; JSON that `page` reads."""
    outcomes = {name: _play(judge, cell, confirm) for name, judge, confirm in rivals()}
    rows = [_row(name, found, outcomes[GREEDY], cell) for name, found in outcomes.items()]
    return {"cell": asdict(cell), "rows": [asdict(row) for row in rows]}


def rivals() -> list[tuple[str, Policy, float]]:
    """Name, policy, share kept for fresh seeds."""
    every: list[tuple[str, Policy, float]] = [(peer.name, peer, 0.0) for peer in PEERS]
    return every + [(f"ours: {name}", policy(name), CONFIRM) for name in sorted(BUILTIN)]


def _play(judge: Policy, cell: Cell, confirm: float) -> list[Outcome]:
    world = World(
        stream=STREAMS[cell.stream],
        noise=cell.noise,
        runs=cell.runs,
        settings=PolicySettings(worth=1.0, confirm=confirm),
    )
    return [run_campaign(judge, world, FIRST_SEED + number) for number in range(cell.campaigns)]


def _row(name: str, outcomes: Sequence[Outcome], greedy: Sequence[Outcome], cell: Cell) -> Row:
    ours = name.startswith("ours")
    found = summarise(name, list(outcomes))
    said = found.confirmed_minus_true if ours else found.announced_minus_true
    gains, possible = [o.gain for o in outcomes], [o.possible for o in outcomes]
    return Row(
        policy=name,
        found=share(gains, possible),
        ahead=share([o.gain - g.gain for o, g in zip(outcomes, greedy, strict=True)], possible),
        gain=(found.gain.mean, found.gain.error),
        keeps=found.keeps.mean,
        false_keeps=(found.false_keeps.mean, found.false_keeps.error),
        said=(said.mean, said.error) if said.count else None,
        claimed=100 * found.claimed.mean if ours else None,
        wrong=100 * found.false_claims.mean if ours else None,
        covers=100 * found.coverage.mean if ours and found.coverage.count else None,
        ideas=sum(o.ideas for o in outcomes) / len(outcomes),
        drifted=_drifted(outcomes) if ours and cell.stream in TOLD and cell.runs == 100 else None,
    )


def _drifted(outcomes: Sequence[Outcome]) -> tuple[float, float]:
    count = len(outcomes)
    return 100 * sum(o.drifted for o in outcomes) / count, 100 * sum(o.hinted for o in outcomes) / count


def share(parts: Sequence[float], wholes: Sequence[float]) -> tuple[float, float] | None:
    """Ratio of sums in per cent, and its standard error by linearisation (Cochran, Sampling Techniques, 2.11)."""
    total, count = sum(wholes), len(wholes)
    if not total:
        return None
    ratio = sum(parts) / total
    square = sum((part - ratio * whole) ** 2 for part, whole in zip(parts, wholes, strict=True)) / max(1, count - 1)
    return 100 * ratio, 100 * math.sqrt(square / count) / (total / count)
