"""How many git processes one experiment starts, and which: `python benchmarks/git_calls.py [--more 4]`.

A small campaign is grown as in `resume.py`, taken up with nothing to do, granted `--more` experiments and taken up
again, with a `git` before the real one on PATH that writes down what it was asked. The difference of the two, divided,
is what an experiment costs: counts, which no busy machine changes.
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
_SETTINGS = re.compile(r"-c \S+ |-C \S+ ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--more", type=int, default=4, help="further experiments (default: 4)")
    more = parser.parse_args().more
    with tempfile.TemporaryDirectory(prefix="git-calls-") as place:
        root = resume.grown(Path(place) / "repo", 3, missing=0)
        growth.leave_ideas(root, more)
        before = _asked(root)
        growth.grant(root, more)
        found = _asked(root)
    found.subtract(before)
    print(f"{found.total() / more:.1f} git processes an experiment, {before.total()} for taking a campaign up\n")
    print("| git processes | command |\n| --- | --- |")
    for command, count in found.most_common():
        if count > 0:
            print(f"| {count / more:.1f} | `git {command}` |")


def _asked(root: Path) -> "collections.Counter[str]":
    """The commands that git was given while `run` took the campaign up and went on as far as it could."""
    told, folder = root.parent / "told", root.parent / "bin"
    folder.mkdir(exist_ok=True)
    (folder / "git").write_text(_WRAPPER.format(told=told, git=shutil.which("git")))
    (folder / "git").chmod(0o755)
    told.unlink(missing_ok=True)
    env = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    words = (sys.executable, "-m", "autoresearch", *growth.RUN)
    subprocess.run(words, cwd=root, env=env, check=True, stdout=subprocess.DEVNULL)
    lines = [_SETTINGS.sub("", line) for line in told.read_text().splitlines()]
    return collections.Counter(
        " ".join(line.split()[:2]) if line.startswith("rev-parse") else line.split()[0] for line in lines if line
    )


if __name__ == "__main__":
    main()
