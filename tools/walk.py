"""How far one has to look: the files of the package that take part between the end of a run and its ledger row.

A campaign of three experiments is run in a folder of its own, on this machine; what listens (session memory, trackers)
counts as well. docs/design/architecture.md tells the figures.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType

import autoresearch as ar

PACKAGE = f"{Path(ar.__file__).parent}/"
FILES = {
    "train.py": "print('score:', 1 - (float(open('config.yaml').read().split()[-1]) - 0.3) ** 2)\n",
    "config.yaml": "lr: 0.1\n",
    "ideas.yaml": "- {title: Up, overrides: [lr=0.2]}\n- {title: Further, overrides: [lr=0.3]}\n",
    ".gitignore": "reports/\n",
}


class Walk:
    """The modules that are called, from the record of a run's end until its row is published."""

    def __init__(self) -> None:
        self.found: list[set[str]] = []
        self._files: set[str] | None = None

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Called by Python for every call and return."""
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if not file.startswith(PACKAGE) or event not in {"call", "return"}:
            return
        place = file.removeprefix(PACKAGE)
        if event == "call" and (place, name) == ("engine/context.py", "record"):
            self._begin(frame.f_locals.get("event"))
        if event == "call" and self._files is not None and not place.endswith("__init__.py"):
            self._files.add(place)
        if event == "return" and (place, name) == ("engine/settlement.py", "publish") and self._files is not None:
            self.found.append(self._files)
            self._files = None

    def _begin(self, event: object) -> None:
        if getattr(event, "kind", "") == "run_ended":
            self._files = set()


def main() -> None:
    """Print the figures, and the files of the last walk."""
    with tempfile.TemporaryDirectory() as home:
        for name, text in FILES.items():
            Path(home, name).write_text(text)
        for line in ("init -q", "config user.name A", "config user.email a@b.c", "add -A", "commit -qm start"):
            subprocess.run(("git", *line.split()), cwd=home, check=True)
        plan = ar.plan("config.yaml", repo=home, target="command", command="python3 train.py", metric="score",
                       direction="maximize", stop="3 experiments", launcher="local", worth=0.02, ideas="ideas.yaml",
                       policy="greedy")  # fmt: skip
        campaign, walk = ar.open(home), Walk()
        campaign.approve(plan)
        sys.setprofile(walk)
        campaign.run()
        sys.setprofile(None)
    for files in walk.found:
        print(f"{len(files)} files in {len({Path(file).parent for file in files})} folders")
    print(*sorted(walk.found[-1]), sep="\n")


if __name__ == "__main__":
    main()
