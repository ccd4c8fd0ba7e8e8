"""How well a campaign keeps its slots busy: `python benchmarks/slots.py [--slots 1 4 8] [--seconds 2 10] [--agent 12]`.

For each number of slots and each length of a run a real campaign of `autoresearch run` tries ideas whose
command sleeps for so long and writes down when it began and when it ended. *busy* is the time that slots had a run in
them, of all slot time between the first begin of an idea's run and the last end of one; the baseline, which is measured
alone, does not count. *gap* is what that leaves between two runs in one slot. *taken in* is the median of the seconds
between the end of a run, as its supervisor writes it, and the line of the journal that says so. The end of a campaign,
when there are fewer ideas left than slots, is in busy and gap, so they are bounds. *no idea* and *idea ready* part what
is not busy until the last begin: no idea was committed that the idle slot could have run, or one was.

With `--agent` the ideas come from an agent that thinks for so many seconds in its sandbox, as many at once as there are
slots or as `--at-once` says. `--source FOLDER` runs another version's `src` instead.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from itertools import pairwise
from pathlib import Path

from toy import campaign, repository

TRAIN = """\
began=$(date +%s.%N)
sleep {seconds}
echo "score: 0.$SEED"
echo "$began $(date +%s.%N)" > "$AUTORESEARCH_RUN_FOLDER/times"
"""


AGENT = """\
sleep {seconds}
lr=0.$(date +%N)$$
echo "{\\"lr\\": $lr}" > config.json
echo "{\\"title\\": \\"learning rate $lr\\", \\"area\\": \\"optimizer\\"}" > "$AUTORESEARCH_ANSWER"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 4, 8], help="runs at a time")
    parser.add_argument("--seconds", type=float, nargs="+", default=[2.0, 10.0], help="lengths of a run")
    parser.add_argument("--turns", type=int, default=5, help="ideas for each slot (default: 5)")
    parser.add_argument(
        "--agent", type=float, default=0.0, help="seconds an agent thinks for an idea (default: a list)"
    )
    parser.add_argument("--at-once", type=int, default=0, help="agents at once (default: as many as slots)")
    parser.add_argument("--source", default="", help="`src` of the version to run")
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start\n")
    print("| slots | run, s | runs | start to end, s | busy % | no idea % | idea ready % | gap, s | taken in, s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for seconds in options.seconds:
        for slots in options.slots:
            with tempfile.TemporaryDirectory(prefix="autoresearch-slots-") as folder:
                ideas = options.turns * slots
                print(_line(Path(folder), slots, seconds, ideas, options.source, **_asked(options)), flush=True)


def _asked(options: argparse.Namespace) -> dict[str, object]:
    if not options.agent:
        return {}
    script = AGENT.replace("{seconds}", f"{options.agent:g}")
    agent = {"type": "agent", "agent": "command", "command": ["bash", "-c", script], "tries": 1}
    return {"researcher": agent | ({"at_once": options.at_once} if options.at_once else {})}


def _line(folder: Path, slots: int, seconds: float, ideas: int, source: str, **more: object) -> str:
    root = repository(folder / "repository", TRAIN.replace("{seconds}", f"{seconds:g}"), ideas)
    launcher = {"type": "local", "parallel": slots}
    campaign(root, "slots", ideas + 1, {"confirm": 0}, launcher=launcher, **more)
    subprocess.run(
        (sys.executable, "-m", "autoresearch", "run", "--yes", "--plain"),
        cwd=root,
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **({"PYTHONPATH": source} if source else {})},
    )
    times = sorted(tuple(map(float, file.read_text().split())) for file in root.glob("reports/**/times"))
    assert len(times) == ideas + 1, f"{len(times)} runs, not {ideas} and a baseline"
    of_ideas = times[1:]
    whole = max(end for _, end in of_ideas) - of_ideas[0][0]
    busy = sum(end - begin for begin, end in of_ideas)
    gap = (slots * whole - busy) / ideas
    told = [*map(json.loads, next(root.glob("reports/**/journal.jsonl")).read_text().splitlines())]
    ready = [one["at"] for one in told if one["kind"] == "experiment_committed" and one["index"] > 1]
    late = statistics.median(one["at"] - one["status"]["ended_at"] for one in told if one["kind"] == "run_ended")
    shares = [100 * one / (slots * whole) for one in (busy, *_idle(of_ideas, ready, slots))]
    told_shares = " | ".join(f"{one:.0f}" for one in shares)
    return f"| {slots} | {seconds:g} | {ideas} | {whole:.1f} | {told_shares} | {gap:.2f} | {late:.2f} |"


def _idle(runs: list[tuple[float, float]], ready: list[float], slots: int) -> tuple[float, float]:
    """Slot seconds without an idea that could be run, and with one, until the last run began."""
    moments = sorted({moment for run in runs for moment in run} | set(ready))
    without = with_one = 0.0
    for begin, end in pairwise(moments):
        if runs[0][0] <= begin < runs[-1][0]:
            free = slots - sum(start <= begin < stop for start, stop in runs)
            waiting = sum(at <= begin for at in ready) - sum(start <= begin for start, _ in runs)
            with_one += (end - begin) * min(free, max(0, waiting))
            without += (end - begin) * max(0, free - max(0, waiting))
    return without, with_one


if __name__ == "__main__":
    main()
