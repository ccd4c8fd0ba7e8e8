"""Real training runs, as many for our researchers as for Optuna: `python benchmarks/search/run.py`.

Two tasks: the demo's GRPO trainer with fewer steps, and a cart with a pole. Every repetition gives campaigns of ours
and Optuna's samplers the same number of runs, baseline, repeats and fresh seeds of a campaign included. What each ended
with is then trained on seeds that no method saw. Results go to `results.json` beside this file after every repetition,
and from there to `docs/benchmarks-search.md` and its plot; `--page` writes these again from the results at hand.
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
from typing import Any

from page import write

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
    parser.add_argument("--runs", type=int, default=30, help="training runs of each method, everything counted")
    parser.add_argument("--seeds", type=int, default=20, help="fresh seeds for what each method ended with")
    parser.add_argument("--page", action="store_true", help="write the page from the last results")
    return parser.parse_args()


def _measure(place: Path, options: argparse.Namespace) -> None:
    if "numpy" in sys.modules:
        raise SystemExit("numpy was loaded before its threads were limited to one, without which a run takes long")
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    from cartpole import CartPole  # noqa: PLC0415 - loads numpy
    from grpo import Grpo  # noqa: PLC0415 - likewise
    from tasks import check  # noqa: PLC0415

    began, seeds = time.monotonic(), list(range(FRESH, FRESH + options.seeds))
    tasks = (Grpo(place / "grpo"), CartPole())
    found: dict[str, dict[str, Any]] = {}
    for task in tasks:
        check(task, place / f"check-{task.name}" / "repository", FRESH - 1)
        found[task.name] = {
            "title": task.title,
            "metric": task.metric,
            "worth": task.worth,
            "space": task.space,
            "recipe": task.values(list(task.space)),
            "untouched": [task.value({}, seed) for seed in seeds],
            "repetitions": [],
        }
    for repetition in range(1, options.repetitions + 1):
        for task in tasks:
            ends = _repetition(place, task, repetition, options.runs, seeds)
            found[task.name]["repetitions"].append(ends)
        told = {
            "python": sys.version.split()[0],
            "cores": os.cpu_count(),
            "load": round(os.getloadavg()[0], 1),
            "seconds": round(time.monotonic() - began),
            "runs": options.runs,
            "tasks": found,
        }
        RESULTS.write_text(json.dumps(told, indent=1) + "\n")


def _repetition(place: Path, task: Any, repetition: int, runs: int, seeds: list[int]) -> list[dict[str, Any]]:
    from methods import PEERS, campaign, peer  # noqa: PLC0415 - see above

    ends = []
    for method in (*task.ours, *PEERS):
        if method in PEERS:
            end = peer(method, task, repetition, runs, seeds)
        else:
            root = place / f"{task.name}-{method.replace(' ', '-').replace(',', '')}-{repetition}"
            end = campaign(method, task, root, repetition, runs, seeds)
        true = statistics.fmean(end.values)
        told = f"{task.name} {repetition}, {method}: {end.runs} runs, said {end.said:.4g}, true {true:.4g}"
        print(f"{time.strftime('%X')} {told}", flush=True)
        ends.append(asdict(end))
    return ends


if __name__ == "__main__":
    main()
