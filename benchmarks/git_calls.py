"""How many git processes one experiment starts, and which, and how often it waits for the disk.

`python benchmarks/git_calls.py [--more 4] [--source FOLDER]`; `--source` counts another version's `src`.

A small campaign is grown as in `resume.py`, taken up with nothing to do, granted `--more` experiments and taken up
again, with a `git` before the real one on PATH that writes down what it was asked. The difference of the two, divided,
is what an experiment costs: counts, which no busy machine changes. The waits are the controller's own calls of fsync;
git and the run's supervisor have theirs.
"""

import argparse
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import growth
import resume

_WRAPPER = '#!/bin/sh\nprintf "%s\\n" "$*" >> "{told}"\nexec {git} "$@"\n'
_COUNTED = """
import os, sys
from autoresearch.cli.main import main
real, waits = os.fsync, []
def fsync(handle):
    waits.append(handle)
    return real(handle)
os.fsync = fsync
code = main(sys.argv[2:])
with open(sys.argv[1], "w") as out:
    print(len(waits), file=out)
sys.exit(code)
"""
_SETTINGS = re.compile(r"-c \S+ |-C \S+ ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--more", type=int, default=4, help="further experiments (default: 4)")
    parser.add_argument("--source", default="", help="`src` of the version to count")
    options = parser.parse_args()
    more = options.more
    with tempfile.TemporaryDirectory(prefix="git-calls-") as place:
        root = resume.grown(Path(place) / "repo", 3, missing=0)
        growth.leave_ideas(root, more)
        before, waited = _asked(root, options.source)
        growth.grant(root, more)
        found, waits = _asked(root, options.source)
    found.subtract(before)
    print(f"{found.total() / more:.1f} git processes an experiment, {before.total()} for taking a campaign up")
    print(f"{(waits - waited) / more:.1f} waits for the disk an experiment, {waited} for taking a campaign up\n")
    print("| git processes | command |\n| --- | --- |")
    for command, count in found.most_common():
        if count > 0:
            print(f"| {count / more:.1f} | `git {command}` |")


def _asked(root: Path, source: str) -> tuple["collections.Counter[str]", int]:
    """What git was asked while `run` took the campaign up and went on as far as it could; how often it called fsync."""
    told, folder, waits = root.parent / "told", root.parent / "bin", root.parent / "waits"
    folder.mkdir(exist_ok=True)
    (folder / "git").write_text(_WRAPPER.format(told=told, git=shutil.which("git")))
    (folder / "git").chmod(0o755)
    told.unlink(missing_ok=True)
    env = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    env |= {"PYTHONPATH": source} if source else {}
    words = (sys.executable, "-c", _COUNTED, str(waits), *growth.RUN)
    subprocess.run(words, cwd=root, env=env, check=True, stdout=subprocess.DEVNULL)
    lines = [_SETTINGS.sub("", line) for line in told.read_text().splitlines()]
    asked = collections.Counter(
        " ".join(line.split()[:2]) if line.startswith("rev-parse") else line.split()[0] for line in lines if line
    )
    return asked, int(waits.read_text())


if __name__ == "__main__":
    main()
