"""What an earlier campaign tells a later one: what it has learned, what it tried, and how far its runs scattered.

All of it is a prior: told as the earlier one's, checked by what runs say here, and no verdict rests on it.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from autoresearch.experiment.board import Board
from autoresearch.experiment.briefing import code, plain, tried_of
from autoresearch.experiment.history import History
from autoresearch.experiment.hypothesis import Tried
from autoresearch.experiment.insights import Insight, insights
from autoresearch.experiment.outcome import Status
from autoresearch.verdict.arms import Effect
from autoresearch.verdict.claims import SHOWN, Claim, Standing, claims
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.statistics import Noise

_MOST = 40
_UNLIKELY = 1.96
"""Standard deviations from which two noises are told to differ: one time in twenty where they do not."""

_FEW = 3
"""Repeats up to which the approximation needs its correction."""


@dataclass(frozen=True, kw_only=True)
class Predecessor:
    """What one campaign tells a later one that trains and measures the same.

    Attributes:
        name: Its name.
        base: The commit that it began on, short.
        ideas: What it tried and judged, oldest first, with what all its runs say.
        findings: What it has learned.
        noise: How far its runs scattered.
    """

    name: str
    base: str = ""
    ideas: tuple[Tried, ...] = ()
    findings: tuple[Insight, ...] = ()
    noise: Noise = field(default_factory=Noise)

    @property
    def repeats(self) -> str:
        """How many repeats its noise is from, in words."""
        return f"{self.noise.freedom} repeat{'s' * (self.noise.freedom != 1)}"

    def smallest(self, runs: int) -> float | None:
        """Smallest gain that one run could show over so many, by its noise; None without any."""
        if self.noise.sigma is None or not runs:
            return None
        return Effect(0.0, self.noise.sigma * math.sqrt(1 + 1 / runs), self.noise.freedom, 1).high


def told_by(name: str, history: History, board: Board, origin: Mapping[str, object]) -> Predecessor:
    """What a campaign tells a later one; `origin` has the later one's values before any change."""
    claimed = _claimed(board)
    tried = [one for entry in history.judged if (one := tried_of(history, entry)) and one.area != "baseline"]
    return Predecessor(
        name=name,
        base=history.started.base_commit[:7] if history.started else "",
        ideas=tuple(_as_claimed(one, claimed.get(one.name)) for one in tried),
        findings=_learned(history, claimed, 1, origin),
        noise=Evidence(board).noise,
    )


def learned_from(history: History, board: Board, every: int, origin: Mapping[str, object]) -> tuple[Insight, ...]:
    """What a campaign has learned, as of its last renewal after `every` verdicts."""
    return _learned(history, _claimed(board), every, origin)


def _claimed(board: Board) -> dict[str, Claim]:
    return {claim.name: claim for claim in claims(board).ideas}


def _learned(
    history: History, claimed: Mapping[str, Claim], every: int, origin: Mapping[str, object]
) -> tuple[Insight, ...]:
    judged = sorted(history.judged, key=lambda entry: entry.judged.at if entry.judged else 0.0)
    held = history.lineage(history.incumbent)
    fallen = {one.name: one.reason for one in history.demotions if one.name not in held}
    refuted = [name for name, claim in claimed.items() if claim.standing is Standing.REFUTED]
    fallen |= dict.fromkeys(refuted, "its fresh seeds refute it")
    fallen |= {one.name: f"overruled: {one.overruled.verdict.reason}" for one in judged if one.overruled}
    kept = {one.name for one in judged if one.judged and one.judged.verdict.status is Status.KEEP}
    told = [one for entry in judged if (one := tried_of(history, entry))]
    return insights(
        [_as_claimed(one, claimed.get(one.name)) for one in told],
        every,
        origin=origin,
        standing={name: str(claim.standing) for name, claim in claimed.items()},
        shown=SHOWN,
        fallen={name: why for name, why in fallen.items() if name in kept},
        said=history.attendance.said,
    )


def _as_claimed(one: Tried, claim: Claim | None) -> Tried:
    """An idea with what all its runs say, where its verdict had no interval or fresh seeds have shown more."""
    if claim is None or claim.effect is None or (claim.standing not in SHOWN and one.low is not None):
        return one
    return replace(one, effect=claim.effect, low=claim.low, high=claim.high, runs=claim.runs)


def by_evidence(earlier: Iterable[Predecessor]) -> tuple[str, ...]:
    """What earlier campaigns have confirmed, a line each: whatever there is most evidence for stands first."""
    found = [(one, finding) for one in earlier for finding in one.findings if finding.confirmed]
    found.sort(key=lambda pair: -pair[1].weight)
    return tuple(f"{one.name} at {one.base}, {finding.kind}: {finding.text}" for one, finding in found)


def told_of(followed: Predecessor) -> str:
    """What was tried there, as the end of a list of what was tried here; empty where nothing was."""
    if not followed.ideas:
        return ""
    head = (
        f"\n\n### Tried in {plain(followed.name)}, which this campaign goes on from\n\nEach stands against what it was "
        "built on there. Do not propose one again unless the user asks for it, or what has changed since lets it work."
    )
    left = len(followed.ideas) - _MOST
    more = [f"({left} older ones are not shown)"] if left > 0 else []
    return "\n".join([head, "", *more, *(f"- {_line_of(one)}" for one in followed.ideas[-_MOST:])])


def _line_of(one: Tried) -> str:
    overrides = f" {code(' '.join(one.overrides))}" if one.overrides else ""
    between = "" if one.low is None or one.high is None else f" [{one.low:+.3g}, {one.high:+.3g}]"
    effect = "" if one.effect is None else f", effect {one.effect:+.4g}{between}"
    return f"{plain(one.title, 120)}{overrides}: {one.status}{effect}"


def doubt(own: Noise, followed: Predecessor) -> str:
    """That runs here scatter clearly more or less than there; empty while they do not, or nothing is known yet."""
    there = followed.noise
    if own.sigma is None or there.sigma is None or not own.freedom or not there.freedom:
        return ""
    wider, narrower = (own, there) if own.sigma >= there.sigma else (there, own)
    if own.sigma == there.sigma or not _differ(wider, narrower):
        return ""
    return (
        f"the noise of {followed.name} does not hold here: a run varied by {there.sigma:.3g} there "
        f"({followed.repeats}) and varies by {own.sigma:.3g} here ({own.freedom} "
        f"repeat{'s' * (own.freedom != 1)}); only what is measured here counts"
    )


def _differ(wider: Noise, narrower: Noise) -> bool:
    """Whether chance alone seldom makes two variances so different (F test, by Paulson's approximation)."""
    if not narrower.sigma or wider.sigma is None:
        return narrower.freedom > 1  # two repeats and more that gave one number
    ratio = (wider.sigma / narrower.sigma) ** (2 / 3)
    above, below = 2 / (9 * wider.freedom), 2 / (9 * narrower.freedom)
    z = ((1 - below) * ratio - (1 - above)) / math.sqrt(below * ratio * ratio + above)
    if narrower.freedom <= _FEW:
        z *= 1 + 0.08 * z**4 / narrower.freedom**3
    return bool(z > _UNLIKELY)
