"""Many short runs on Slurm: a job each, and as steps of one warm allocation, side by side in one session.

    sudo tools/slurm_up.sh /tmp/slurm && source /tmp/slurm/env.sh
    python benchmarks/warm.py [--runs 20] [--setup 0] [--nodes 2]

Each run is `true`, one after the other, from its submission until the launcher says that it is over and nothing of it
is left. The two ways take turns, so that both meet the same load of the machine. `--setup` is a `sleep` among the
shell lines that a job runs before anything else, in place of a `module load`. With `--nodes` a run has so many nodes
and starts a step on its head and one on its workers, as NeMo-RL's ray.sub does, without a container and without Ray. On
a throw-away Slurm the queue is empty: what a busy site adds is its waiting time, once per job, which is once per run or
once per allocation.
"""

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from autoresearch.launchers.slurm.launcher import SlurmLauncher
from autoresearch.run.job import JobState, Resources
from autoresearch.testing.launchers import JobFactory, settle

RAY_SUB = """#!/bin/bash
logs=$BASE_LOG_DIR/$SLURM_JOB_ID-logs; mkdir -p "$logs"
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1); workers=$((SLURM_JOB_NUM_NODES - 1))
srun --nodes=1 --ntasks=1 -w "$head" bash -c "until [ \\$(ls $logs | grep -c worker) = $workers ]; do sleep 0.05; done
  $COMMAND > $logs/ray-driver.log 2>&1" & one=$!
srun --exact --nodes=$workers --ntasks=$workers --ntasks-per-node=1 --exclude="$head" \\
  bash -c "touch $logs/worker.\\$SLURM_PROCID; sleep 300" &
wait $one
"""


def one_run(launcher: SlurmLauncher, job: JobFactory, name: str, nodes: int) -> float:
    """Seconds from submission to the proof that nothing is left."""
    wanted = replace(job(name=name), resources=Resources(nodes=nodes))
    Path(wanted.directory, "ray.sub").write_text(RAY_SUB)
    began = time.monotonic()
    job_id = launcher.submit(launcher.plan(wanted))
    status = settle(launcher, job_id, patience_s=300.0)
    if status.state is not JobState.SUCCEEDED or launcher.leftovers(job_id):
        raise SystemExit(f"run {name} did not end well: {status}")
    return time.monotonic() - began


def told(way: str, seconds: list[float]) -> str:
    """One row of the table."""
    first, rest = seconds[0], seconds[1:]
    middle = statistics.median(rest)
    return f"| {way} | {first:.2f} | {middle:.2f} | {min(rest):.2f} | {max(rest):.2f} | {sum(seconds):.1f} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--setup", type=float, default=0.0)
    parser.add_argument("--poll", type=float, default=0.2)
    parser.add_argument("--nodes", type=int, default=1)
    args = parser.parse_args()
    options = {"poll_s": args.poll, "setup": [f"sleep {args.setup:g}"] if args.setup else []}
    if args.nodes > 1:
        options |= {"style": "ray.sub", "container": "none", "extra": ["--exclusive"]}
    with tempfile.TemporaryDirectory(prefix="warm-bench-") as name:
        root = Path(name)
        plain = SlurmLauncher(options, root / "plain" / "campaign")
        held = {"time": "30m", "idle": "2m", "nodes": args.nodes}
        warm = SlurmLauncher({**options, "allocation": held}, root / "warm" / "campaign")
        seconds: dict[str, list[float]] = {"a job each": [], "warm allocation": []}
        for number in range(args.runs):
            for way, launcher in (("a job each", plain), ("warm allocation", warm)):
                job = JobFactory(root / way.split()[0])
                seconds[way].append(one_run(launcher, job, f"run-{number}", args.nodes))
        left = warm.release()
    about = f"{args.nodes} nodes, setup {args.setup:g} s, poll_s {args.poll:g}, load {os.getloadavg()[0]:.1f}"
    print(f"{args.runs} runs each, {about}, left over: {left or 'nothing'}\n")
    print("| way | first run, s | median of the others, s | fastest | slowest | all runs |")
    print("| --- | --- | --- | --- | --- | --- |")
    for way, taken in seconds.items():
        print(told(way, taken))


if __name__ == "__main__":
    main()
