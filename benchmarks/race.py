"""What a race saves and what it costs: share of steps not run, and share of the true gain of ideas that it ended.

The rule is `autoresearch.scheduling.race.outraced`, the one that campaigns use, over ideas whose curves saturate.
`noise` is the standard deviation of a whole run over the mean size of an effect. `python benchmarks/race.py` takes some
minutes.
"""

import argparse
import math
import random
from collections.abc import Callable

from autoresearch.run.measurement import Objective
from autoresearch.scheduling.race import FirstRun, outraced

LOOKS = 10
IDEAS = 50
STREAMS: dict[str, Callable[[random.Random], float]] = {
    "base": lambda draw: _pick(draw, (0.20, 1.0), (0.35, 0.0), (0.45, -1.5)),
    "spike": lambda draw: _pick(draw, (0.10, 1.5), (0.70, 0.0), (0.20, -1.0)),
    "half": lambda draw: _pick(draw, (0.50, 1.0), (0.50, -1.0)),
    "80 % harmful": lambda draw: _pick(draw, (0.10, 1.0), (0.10, 0.0), (0.80, -2.0)),
    "normal": lambda draw: draw.gauss(-0.5, 1.0),
}


def _pick(draw: random.Random, *shares: tuple[float, float]) -> float:
    """An exponentially distributed effect of one of these mean sizes."""
    (_, size) = draw.choices(shares, [share for share, _ in shares])[0]
    return size * draw.expovariate(1.0)


def curve(draw: random.Random, effect: float, noise: float, speeds: float) -> list[tuple[int, float]]:
    """Validations of one run: its seed's luck grows with it, each validation has a third of that luck of its own."""
    luck, speed = draw.gauss(0, noise), 3 * math.exp(draw.gauss(0, speeds))
    points = []
    for look in range(1, LOOKS + 1):
        part = look / LOOKS
        grown = (1 - math.exp(-3 * part)) / (1 - math.exp(-3))
        own = (1 - math.exp(-speed * part)) / (1 - math.exp(-speed))
        points.append((look, 10 * own + (effect + luck) * grown + draw.gauss(0, 0.3 * noise)))
    return points


def campaign(draw: random.Random, stream: str, noise: float, speeds: float) -> tuple[float, float, float]:
    """Steps saved, true gain of the good ideas that were ended, and of all good ideas."""
    objective = Objective("more", "score")
    parents = [curve(draw, 0.0, noise, 0.0) for _ in range(3)]
    told = noise * math.sqrt(1.09)
    others: list[FirstRun] = []
    saved, lost, total = 0, 0.0, 0.0
    for _ in range(IDEAS):
        effect = STREAMS[stream](draw)
        points = curve(draw, effect, noise, speeds)
        end = next((k for k in range(1, LOOKS) if outraced(points[:k], parents, others, objective, told)), LOOKS)
        others.append(FirstRun(points[:end], parents, end == LOOKS))
        saved, total = saved + LOOKS - end, total + max(0.0, effect)
        lost += max(0.0, effect) if end < LOOKS else 0.0
    return saved / (LOOKS * IDEAS), lost, total


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--campaigns", type=int, default=8, help="campaigns of 50 ideas a cell")
    count = parser.parse_args().campaigns
    noises = (0.25, 0.5, 1.0, 2.0)
    print("| ideas learn | stream | " + " | ".join(f"noise {noise:g}" for noise in noises) + " |")
    print("| --- | --- |" + " --- |" * len(noises))
    for speeds, words in ((0.0, "alike"), (0.3, "at speeds of their own")):
        for stream in STREAMS:
            cells = []
            for noise in noises:
                draw = random.Random(f"{speeds} {stream} {noise}")
                done = [campaign(draw, stream, noise, speeds) for _ in range(count)]
                saved = sum(one[0] for one in done) / count
                lost = sum(one[1] for one in done) / sum(one[2] for one in done)
                cells.append(f"{100 * saved:.0f} %, {100 * lost:.1f} %")
            print(f"| {words} | {stream} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
