"""What it costs to have a run watched over: `python benchmarks/supervisors.py [--runs 20] [--source FOLDER]`.

Runs of `true` through the local launcher, one after the other: seconds of the processor for each, of launcher,
supervisor and run together, as the kernel counts them when they are gone; how long `submit` takes; and the memory of
supervisors whose runs sleep: what nobody shares, and their part of what is shared (PSS). The first run, which may have
something to start, is counted by itself. `--source FOLDER` measures another version's `src` instead.
"""

import argparse
import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ADOPT = 36
"""Option of prctl(2): what is orphaned below becomes our child, so what it cost is counted as ours."""
TOGETHER = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="how many (default: 20)")
    parser.add_argument("--source", default="", help="`src` of the version to measure")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.here:
        print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start\n")
        print("| first run, CPU s | each further, CPU s | `submit`, median s | supervisor alone, MB | PSS, MB |")
        print("| --- | --- | --- | --- | --- |", flush=True)
        env = os.environ | ({"PYTHONPATH": options.source} if options.source else {})
        subprocess.run([sys.executable, __file__, "--here", "--runs", str(options.runs)], env=env, check=True)
        return
    ctypes.CDLL(None).prctl(ADOPT, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory(prefix="autoresearch-supervisors-") as folder:
        measure(Path(folder), options.runs)


def measure(folder: Path, runs: int) -> None:
    from autoresearch.launchers.local import LocalLauncher  # noqa: PLC0415 (of the version to measure)
    from autoresearch.testing.launchers import JobFactory, settle  # noqa: PLC0415

    launcher, job, waited = LocalLauncher({}, folder / "campaign"), JobFactory(folder / "jobs"), []

    def work(name: str, command: str = "true") -> None:
        began = time.monotonic()
        launcher.submit(launcher.plan(job(command, name=name)))
        waited.append(time.monotonic() - began)

    before = _spent()
    work("first")
    settle(launcher, "first")
    first = _spent()
    for number in range(runs):
        work(f"run-{number}")
        settle(launcher, f"run-{number}")
    further = (_spent() - first) / runs
    submit = statistics.median(waited[1:])
    for number in range(TOGETHER):
        work(f"asleep-{number}", "sleep 600")
    time.sleep(1.0)
    memory = [_memory(launcher.keeper(f"asleep-{number}")[0]) for number in range(TOGETHER)]
    own, share = (statistics.median(column) for column in zip(*memory, strict=True))
    print(f"| {first - before:.3f} | {further:.3f} | {submit:.3f} | {own:.1f} | {share:.1f} |")
    for number in range(TOGETHER):
        launcher.cancel(f"asleep-{number}")
        settle(launcher, f"asleep-{number}")


def _spent() -> float:
    """Our seconds of the processor and those of everything that was ours and is gone; a supervisor takes a moment."""
    time.sleep(0.5)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _memory(pid: int) -> tuple[float, float]:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    sizes = {line.split(":")[0]: int(line.split()[1]) / 1000 for line in text.splitlines()[1:]}
    return sizes["Private_Clean"] + sizes["Private_Dirty"], sizes["Pss"]


if __name__ == "__main__":
    main()
