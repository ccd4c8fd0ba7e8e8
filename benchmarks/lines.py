"""What it costs to read a run that logs a lot: `python benchmarks/lines.py [--lines 1000000]`.

A file of JSON lines with a step and `--tags` numbers each grows in `--looks` parts, as it does under a run, and is read
after each of them by the metric source that campaigns use. Told are seconds of the processor, which a busy machine
changes little, and the most memory, for all looks together; then the same for what the standard library takes to do
nothing but parse the lines.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from autoresearch.metrics.files import FileSource


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000, help="lines of the file (default: 1000000)")
    parser.add_argument("--tags", type=int, default=1, help="numbers in a line, beside its step (default: 1)")
    parser.add_argument("--looks", type=int, default=5, help="looks while it grows (default: 5)")
    args = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory(prefix="lines-") as place:
        spent, kept = _read(Path(place), args.lines, args.tags, args.looks)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        began = time.process_time()
        with (Path(place) / "metrics.jsonl").open("rb") as file:
            for line in file:
                json.loads(line)
        bare = time.process_time() - began
    print("| lines | tags | read, CPU s | points kept | memory, MB | parsed by the standard library alone, CPU s |")
    print("| --- | --- | --- | --- | --- | --- |")
    print(f"| {args.lines} | {args.tags} | {spent:.1f} | {kept} | {memory:.0f} | {bare:.1f} |")


def _read(folder: Path, lines: int, tags: int, looks: int) -> tuple[float, int]:
    """CPU seconds of all looks, and the points that are kept of the first tag."""
    source, spent, kept = FileSource(), 0.0, 0
    for look in range(looks):
        with (folder / "metrics.jsonl").open("a") as file:
            for step in range(look * lines // looks, (look + 1) * lines // looks):
                row = {"step": step, **{f"train/tag-{tag}": step / (tag + 3) for tag in range(tags)}}
                file.write(json.dumps(row) + "\n")
        began = time.process_time()
        found = source.read(folder)
        spent += time.process_time() - began
        kept = len(found.series["train/tag-0"].steps)
    return spent, kept


if __name__ == "__main__":
    main()
