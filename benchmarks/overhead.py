"""What one experiment costs beside the experiment itself: `python benchmarks/overhead.py [--experiments 20]`.

Two repositories are made, a tiny one and one as large as NeMo-RL's (about 1800 files). On each, the same ideas are
tried in three ways, one after the other in turns: a bare shell loop (worktree, edit, signed-off commit, the command
with its output in a log, worktree removed), and `autoresearch run` looking at its jobs every 0.05 s and every 0.5 s
(the default). The command is a shell script that prints one number, so all the time there is, is overhead.

Per experiment: wall time of a whole campaign less that of one with the baseline alone, divided by the other attempts.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from toy import campaign, repository

LOOP = """\
set -e
for n in $(seq 1 "$1"); do
    git worktree add -q -b "loop/$n" "$2/tree-$n" HEAD
    cd "$2/tree-$n"
    printf '{"lr": 1.%s}\\n' "$n" > config.json
    git commit -q -s -m "optimizer: lr 1.$n" -- config.json
    SEED=42 sh train.sh > "$2/run-$n.log" 2>&1
    cd - > /dev/null
    git worktree remove --force "$2/tree-$n"
done
"""
TRAIN = 'echo "score: 0.$SEED"\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=20, help="experiments of each campaign (default: 20)")
    parser.add_argument("--rounds", type=int, default=3, help="times everything is repeated, in turns (default: 3)")
    options = parser.parse_args()
    git = subprocess.run(("git", "--version"), capture_output=True, text=True, check=True).stdout.strip()
    print(
        f"{git}, Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start\n"
    )
    print("| repository | way | s per experiment, median | all rounds | start to end with the baseline alone, s |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(prefix="autoresearch-overhead-") as folder:
        for files in (3, 1800):
            _compare(Path(folder) / f"{files}-files", files, options.experiments, options.rounds)


def _compare(folder: Path, files: int, experiments: int, rounds: int) -> None:
    """One repository: every way, in turns, each on a fresh copy."""
    origin = _repository(folder / "origin", files, experiments)
    ways = {"shell loop": None, "`run --poll 0.05`": 0.05, "`run`": 0.5}
    costs = {way: [] for way in ways}
    alone = {way: [] for way in ways}
    for number in range(rounds):
        for way, poll in ways.items():
            place = folder / f"{number}-{poll}"
            one, many = (_timed(origin, place / str(n), n, poll) for n in (1, experiments))
            costs[way].append((many - one) / (experiments - 1))
            alone[way].append(one)
            shutil.rmtree(place)
    for way, found in costs.items():
        every = ", ".join(f"{cost:.2f}" for cost in found)
        middle, start = statistics.median(found), statistics.median(alone[way])
        print(f"| {files} files | {way} | {middle:.2f} | {every} | {start:.2f} |", flush=True)


def _timed(origin: Path, place: Path, count: int, poll: float | None) -> float:
    """Seconds of wall time for `count` experiments."""
    root = place / "repository"
    shutil.copytree(origin, root, symlinks=True)
    if poll is None:
        (place / "logs").mkdir()
        words = ("sh", "-c", LOOP, "loop", str(count), str(place / "logs"))
    else:
        campaign(root, "overhead", count, {})
        words = (sys.executable, "-m", "autoresearch", "run", "--yes", "--plain", "--poll", str(poll))
    began = time.perf_counter()
    subprocess.run(words, cwd=root, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    _prove(root, count, poll)
    return seconds


def _prove(root: Path, count: int, poll: float | None) -> None:
    """Both did the work: a branch with a signed-off commit for each experiment."""
    pattern = "loop/*" if poll is None else "autoresearch/*"
    log = subprocess.run(
        ("git", "log", "--no-walk", "--format=%(trailers:key=Signed-off-by)", f"--branches={pattern}"),
        cwd=root, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert log.count("Signed-off-by:") == count, f"{pattern}: {log.count('Signed-off-by:')} of {count} commits"


def _repository(root: Path, files: int, experiments: int) -> Path:
    made = random.Random(0)
    for number in range(files - 3):
        path = root / f"part{number % 12}" / f"room{number % 60}" / f"file{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"value_{made.randrange(10**9)} = {made.random()}\n" for _ in range(200)))
    return repository(root, TRAIN, experiments)


if __name__ == "__main__":
    main()
