"""Try verdict policies on invented campaigns with the user's own noise, effect and budget."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoresearch.core.board import PolicySettings
from autoresearch.core.figure import BASELINE_COLOUR, COLOURS, FAINT, Box, Drawing, Shape, Text, svg
from autoresearch.core.policies import POLICIES, policy
from autoresearch.engine.simulation import STREAMS, Figure, Summary, World, simulate
from autoresearch.errors import UsageError
from autoresearch.workspace import atomic


@dataclass(frozen=True)
class Trial:
    """What to simulate; metric values in the metric's own unit.

    Attributes:
        noise: Standard deviation between runs of unchanged code.
        gain: Size of a typical true improvement.
        runs: Runs the campaign can hold.
        worth: Smallest gain one would care about, None for `gain`.
        stream: What kind of ideas come, a key of `STREAMS`.
        policies: Policies to compare; empty for all.
        campaigns: Simulated campaigns per policy.
        slots: Runs at a time.
        seed: First random seed; the same ideas come to every policy.
    """

    noise: float
    gain: float
    runs: int = 50
    worth: float | None = None
    stream: str = "base"
    policies: tuple[str, ...] = ()
    campaigns: int = 100
    slots: int = 1
    seed: int = 0


def compare(trial: Trial) -> tuple[Summary, ...]:
    """One summary per policy; gains in units of `trial.gain`.

    Raises:
        UsageError: A number makes no sense, or the stream is unknown.
        CampaignError: A policy is unknown.
    """
    if not trial.noise >= 0 or not trial.gain > 0 or trial.runs < 1 or trial.campaigns < 1:
        raise UsageError("simulate needs noise >= 0, a gain > 0, and at least one run and one campaign")
    if trial.stream not in STREAMS:
        raise UsageError(f"there is no stream {trial.stream!r}; choose one of: {', '.join(STREAMS)}")
    worth = (trial.worth or trial.gain) / trial.gain
    world = World(
        stream=STREAMS[trial.stream],
        noise=trial.noise / trial.gain,
        runs=trial.runs,
        slots=trial.slots,
        settings=PolicySettings(worth=worth),
    )
    names = trial.policies or tuple(POLICIES)
    return tuple(simulate(policy(name), world, campaigns=trial.campaigns, seed=trial.seed) for name in names)


def plot(summaries: Sequence[Summary], gain: float, path: Path) -> None:
    """Write an SVG: true gain of each policy beside the gain a leader board would announce."""
    most = max((max(one.gain.mean, one.gain.mean + one.announced_minus_true.mean) for one in summaries), default=1.0)
    shapes: list[Shape] = [
        Text(120, 22, "true gain", BASELINE_COLOUR, 12),
        Text(200, 22, "gain as the search saw it", COLOURS["open"], 12),
    ]
    for place, one in enumerate(summaries):
        y = 38 + place * 54
        shapes.append(Text(110, y + 24, one.policy, anchor="end", size=13))
        shapes += _bar(y, one.gain, gain, most, BASELINE_COLOUR)
        announced = Figure(one.gain.mean + one.announced_minus_true.mean, one.announced_minus_true.error, one.campaigns)
        shapes += _bar(y + 20, announced, gain, most, COLOURS["open"])
    drawing = Drawing(760, 48 + 54 * max(1, len(summaries)), "simulated policies", tuple(shapes))
    atomic.replace(path, svg(drawing))


def _bar(y: float, figure: Figure, gain: float, most: float, colour: str) -> list[Shape]:
    length = max(1.0, 480 * max(0.0, figure.mean) / max(most, 1e-9))
    told = f"{figure.mean * gain:+.3g} ± {figure.error * gain:.2g}"
    return [Box(120, y, length, 16, colour), Text(126 + length, y + 12, told, FAINT, 11)]
