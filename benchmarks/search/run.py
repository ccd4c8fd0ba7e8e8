"""Real training runs, as many for our researchers as for Optuna: `python benchmarks/search/run.py`.

The task is the demo's GRPO trainer at its own recipe, with fewer steps. Every repetition has two campaigns by the
program, judged by the policy `auto`, and two peers, which get as many runs as the dearer of the two campaigns spent,
everything counted. What each ended with is then trained on fresh seeds. Results go to `results.json` beside this file
after every repetition, and from there to `docs/benchmarks-search.md`; `--page` writes the page again from the results
at hand.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from methods import OURS, PEERS, SPACE, End, campaign, peer
from page import write
from trainer import STEPS, Trainer, check_command, repository

RESULTS = Path(__file__).with_name("results.json")
FRESH = 1_000_000
"""The first of the seeds that no method sees."""


def main() -> None:
    options = _options()
    if not options.page:
        with tempfile.TemporaryDirectory(prefix="search-benchmark-") as place:
            _measure(Path(place), options)
    write(json.loads(RESULTS.read_text()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=6)
    parser.add_argument("--experiments", type=int, default=10, help="of a campaign, its baseline included")
    parser.add_argument("--seeds", type=int, default=20, help="fresh seeds for what each method ended with")
    parser.add_argument("--page", action="store_true", help="write the page from the last results")
    return parser.parse_args()


def _measure(place: Path, options: argparse.Namespace) -> None:
    began, shipped = time.monotonic(), repository(place / "trainer")
    trainer, seeds = Trainer(shipped, place / "logs"), list(range(FRESH, FRESH + options.seeds))
    check_command(trainer, shipped, place / "check", FRESH - 1)
    untouched = [trainer.accuracy(trainer.recipe, seed) for seed in seeds]
    repetitions: list[list[dict[str, object]]] = []
    for repetition in range(1, options.repetitions + 1):
        ends = _repetition(place, trainer, repetition, options.experiments, seeds)
        repetitions.append([asdict(end) for end in ends])
        found = {
            "python": sys.version.split()[0],
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
            "seconds": round(time.monotonic() - began),
            "steps": STEPS,
            "experiments": options.experiments,
            "space": SPACE,
            "untouched": untouched,
            "repetitions": repetitions,
        }
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def _repetition(place: Path, trainer: Trainer, repetition: int, experiments: int, seeds: list[int]) -> list[End]:
    ends: list[End] = []
    for method in OURS:
        root = place / f"{method.replace(' ', '-')}-{repetition}"
        ends.append(_told(campaign(method, trainer, root, repetition, experiments, seeds)))
    runs = max(end.runs for end in ends)
    return [*ends, *(_told(peer(method, trainer, repetition, runs, seeds)) for method in PEERS)]


def _told(end: End) -> End:
    true = statistics.fmean(end.values)
    print(f"{time.strftime('%X')} {end.method}: {end.runs} runs, said {end.said:.3f}, true {true:.3f}", flush=True)
    return end


if __name__ == "__main__":
    main()
