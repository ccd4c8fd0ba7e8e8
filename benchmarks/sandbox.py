"""What a sandbox adds to a run: `python benchmarks/sandbox.py [--runs 20] [--files 0 100 1000]`.

Runs `true` under the local launcher's supervisor, in turn without a sandbox and with one that keeps so many files
read-only, and prints the median and the fastest from submission to end in milliseconds.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from autoresearch.launchers.local import LocalLauncher
from autoresearch.machine import sandbox
from autoresearch.run.job import Job, RunSandbox


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="runs of each kind (default: 20)")
    parser.add_argument(
        "--files", type=int, nargs="+", default=[0, 100, 1000], help="protected files (default: 0 100 1000)"
    )
    asked = parser.parse_args()
    if why_not := sandbox.why_not():
        sys.exit(why_not)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        kinds = {"without": None} | {f"{count} files": _sandbox(root, count) for count in asked.files}
        times: dict[str, list[float]] = {name: [] for name in kinds}
        for number in range(asked.runs):
            for name, wanted in kinds.items():
                times[name].append(1000 * _seconds(root, f"{name}-{number}".replace(" ", "-"), wanted))
    print(
        f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {asked.runs} runs\n"
    )
    print("| sandbox | median ms | fastest ms |\n| --- | --- | --- |")
    for name, found in times.items():
        print(f"| {name} | {statistics.median(found):.0f} | {min(found):.0f} |")


def _sandbox(root: Path, count: int) -> RunSandbox:
    tree = root / "tree"
    tree.mkdir(exist_ok=True)
    files = [tree / f"f{number}.py" for number in range(count)]
    for file in files:
        file.touch()
    return RunSandbox(shown=(str(root),), frozen=tuple(map(str, files)))


def _seconds(root: Path, name: str, wanted: RunSandbox | None) -> float:
    folder = root / name
    folder.mkdir()
    (root / "tree").mkdir(exist_ok=True)
    launcher = LocalLauncher({}, root / "campaign")
    job = Job(
        run_id=name, argv=("true",), directory=str(root / "tree"), folder=str(folder), log=str(folder / "run.log"),
        sandbox=wanted,
    )  # fmt: skip
    began = time.perf_counter()
    job_id = launcher.submit(launcher.plan(job))
    while not launcher.states([job_id])[job_id].state.ended:
        time.sleep(0.002)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
