"""What one further experiment costs as a campaign grows: `python benchmarks/growth.py [--experiments 10 1000 10000]`.

A campaign is grown as in `resume.py`. Then it is taken up with nothing to do, is granted `--more` experiments, and is
taken up again: the difference of the two, divided, is what one further experiment costs. Counted are seconds of the
processor, apart for the controller itself and for the git that it starts, and not those of the wall clock: a busy
machine changes them little. `--profile` prints where the controller's time went instead.
"""

import argparse
import cProfile
import json
import os
import pstats
import subprocess
import sys
import tempfile
from pathlib import Path

import resume
import yaml

RUN = ("run", "--yes", "--plain", "--poll", "0.001")
_COUNTED = """
import json, resource, sys
from autoresearch.cli.main import main
code = main(sys.argv[2:])
own, git = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
with open(sys.argv[1], "w") as out:
    json.dump([one.ru_utime + one.ru_stime for one in (own, git)] + [own.ru_maxrss / 1024], out)
sys.exit(code)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, nargs="+", default=[10, 1000, 10_000], help="sizes of campaigns")
    parser.add_argument("--more", type=int, default=10, help="further experiments (default: 10)")
    parser.add_argument("--profile", action="store_true", help="print a profile of the further experiments")
    args = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| experiments | taken up, CPU s | per further one: controller, CPU s | git, CPU s | memory, MB |")
    print("| --- | --- | --- | --- | --- |")
    for size in args.experiments:
        with tempfile.TemporaryDirectory(prefix="growth-") as place:
            root = resume.grown(Path(place) / "repo", size, missing=0)
            leave_ideas(root, args.more)
            print(_profiled(root, args.more) if args.profile else _line(root, size, args.more), flush=True)


def leave_ideas(root: Path, more: int) -> None:
    """Leave ideas that nobody has had."""
    ideas = [{"title": f"further {n}", "overrides": [f"lr={0.3 + n / 1000}"]} for n in range(more)]
    with (root / "ideas.yaml").open("a") as file:
        file.write(yaml.safe_dump(ideas))


def _line(root: Path, size: int, more: int) -> str:
    before = _cost(root)
    grant(root, more)
    after = _cost(root)
    own, git = ((now - then) / more for now, then in zip(after[:2], before[:2], strict=True))
    return f"| {size} | {before[0]:.2f} | {own:.3f} | {git:.3f} | {after[2]:.0f} |"


def grant(root: Path, more: int) -> None:
    words = (sys.executable, "-m", "autoresearch", "extend", f"{more} experiments")
    subprocess.run(words, cwd=root, check=True, stdout=subprocess.DEVNULL)


def _cost(root: Path) -> list[float]:
    """CPU seconds of `run` and of what it started, and its memory in MB."""
    told = root.parent / "cost.json"
    words = (sys.executable, "-c", _COUNTED, str(told), *RUN)
    subprocess.run(words, cwd=root, check=True, stdout=subprocess.DEVNULL)
    return list(json.loads(told.read_text()))


def _profiled(root: Path, more: int) -> str:
    from autoresearch.cli.main import main as autoresearch  # noqa: PLC0415 - a child of ours measures otherwise

    grant(root, more)
    os.chdir(root)
    profile = cProfile.Profile()
    profile.runcall(autoresearch, list(RUN))
    pstats.Stats(profile).sort_stats("cumulative").print_stats(70)
    pstats.Stats(profile).sort_stats("tottime").print_stats(30)
    return ""


if __name__ == "__main__":
    main()
