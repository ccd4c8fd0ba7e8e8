"""Start-up time beside bare Python: `python benchmarks/startup.py [--runs 20]`.

Every command is started alone, in turn with the others, so that a busy machine slows all of them alike. The table has
the median and the fastest of the runs in milliseconds, and the median's distance to `python -c pass`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ("-c", "pass"),
    "import autoresearch": ("-c", "import autoresearch"),
    "autoresearch --version": ("-m", "autoresearch", "--version"),
    "autoresearch --help": ("-m", "autoresearch", "--help"),
    "autoresearch status --help": ("-m", "autoresearch", "status", "--help"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="runs of each command (default: 20)")
    runs = parser.parse_args().runs
    times = {name: [] for name in COMMANDS}
    for words in COMMANDS.values():
        _seconds(words)  # bytecode and file cache
    for _ in range(runs):
        for name, words in COMMANDS.items():
            times[name].append(1000 * _seconds(words))
    bare = statistics.median(times["python -c pass"])
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {runs} runs\n")
    print("| command | median ms | fastest ms | over bare Python |\n| --- | --- | --- | --- |")
    for name, found in times.items():
        middle = statistics.median(found)
        print(f"| `{name}` | {middle:.0f} | {min(found):.0f} | {middle - bare:+.0f} |")


def _seconds(words: tuple[str, ...]) -> float:
    began = time.perf_counter()
    subprocess.run((sys.executable, *words), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
