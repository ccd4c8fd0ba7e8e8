"""The laboratory of the drills: a user's repository, two small campaigns, and the program at work on them in a fork."""

import json
import os
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import yaml

from autoresearch.cli.main import main as autoresearch
from autoresearch.experiment.hypothesis import Brief, Hypothesis
from autoresearch.machine import fault_points, processes
from autoresearch.records.row import parse_table

NAME, PATIENCE_S = "drill", 120

CAMPAIGN = {
    "campaign": NAME,
    "objective": {"metric": "score", "goal": "raise the score"},
    "target": {"type": "command", "config": "config.json", "source": {"type": "stdout"}},
    "command": ["python3", "train.py"],
    "researcher": "drill",
}
STAGES = CAMPAIGN | {
    "stop": "3 experiments",
    "verdict": {"policy": "greedy", "baseline_runs": 2, "confirm": 0},
    "launcher": {
        "type": "scripted",
        "script": {
            "*baseline*": {"value": [0.50, 0.51]},
            "*better*": {"value": [0.70, 0.71]},
            "*broken*1": {"states": ["running", "failed"], "log": "NameError: name 'lr' is not defined\n"},
            "*": {"value": [0.60]},
        },
    },
}
BUNDLES = CAMPAIGN | {
    "stop": "3 experiments",
    "verdict": {"policy": "greedy", "baseline_runs": 1, "confirm": 0.65},
    "launcher": {
        "type": "scripted",
        "script": {"*baseline*": {"value": [0.5]}, "*better*": {"value": [0.7]}, "*": {"value": [0.9]}},
    },
}
IDEAS = (
    Hypothesis(title="better", area="recipe", overrides=("lr=0.2",), seeds=2),
    Hypothesis(title="broken at first", area="recipe", overrides=("wd=0.1",)),
)


CAMPAIGNS = {"stages": STAGES, "bundles": BUNDLES}


class DrillResearcher:
    """A list of ideas, by somebody who also mends what crashes; each fix differs, as an agent's would."""

    name = "drill"
    edits = False
    finite = False

    def __init__(self, *, options: Mapping[str, object], folder: Path) -> None:
        """Nothing to prepare."""

    def propose(self, brief: Brief, tree: Path) -> Hypothesis | None:  # noqa: ARG002
        """The next idea that was not tried."""
        tried = {item.title for item in brief.tried}
        return next((idea for idea in IDEAS if idea.title not in tried), None)

    def repair(self, brief: Brief, tree: Path, crash: str) -> bool:  # noqa: ARG002
        """Edit the training script."""
        (tree / "train.py").write_text(f"lr = 1  # {time.time_ns()}\nprint('score: 0')\n")
        return True


class Ended(NamedTuple):
    """One fork of the program: negative codes are signals."""

    code: int
    out: str
    err: str
    signals: int = 0
    """How many it was pelted with."""


@dataclass(frozen=True)
class Lab:
    """A repository with one campaign."""

    root: Path

    @property
    def folder(self) -> Path:
        """The campaign's folder."""
        return self.root / "reports" / "auto_research" / NAME

    @classmethod
    def make(cls, root: Path, campaign: dict[str, object]) -> "Lab":
        """A repository of a user with a half-finished day: staged, unstaged, stashed and untracked work."""
        lab = cls(root)
        lab.folder.mkdir(parents=True)
        for name, text in {
            "train.py": "print('score: 0')\n",
            "config.json": '{"lr": 0.1, "wd": 0.0}\n',
            "mine.txt": "one\n",
        }.items():
            (root / name).write_text(text)
        lab.git("init", "-q", "-b", "main")
        for setting in (("user.name", "Ada"), ("user.email", "ada@example.org")):
            lab.git("config", *setting)
        (root / ".git" / "info" / "exclude").write_text("/reports/\n/session/\n/.autoresearch/\n")
        lab.git("add", ".")
        lab.git("commit", "-q", "-m", "start")
        (root / "mine.txt").write_text("stashed\n")
        lab.git("stash", "-q")
        (root / "mine.txt").write_text("staged\n")
        lab.git("add", "mine.txt")
        (root / "config.json").write_text('{"lr": 0.3}\n')
        (root / "untracked ü.txt").write_text("untracked\n")
        (lab.folder / "campaign.yaml").write_text(yaml.safe_dump(campaign, sort_keys=False))
        return lab

    def git(self, *words: str) -> str:
        """Git as the user runs it."""
        return processes.run(("git", *words), cwd=self.root).text

    def run(self, order: str = "", told: Path | None = None, *, storm: bool = False) -> Ended:
        """Fork, and work on the campaign there until it ends, fails or is killed; in a storm of signals if wanted."""
        streams = [self.root.parent / name for name in ("stdout", "stderr")]
        signal.signal(signal.SIGUSR1, lambda *_: None)
        child = os.fork()
        if not child:
            self._work(order, told, streams)
        signals = _pelt(child) if storm else 0
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return Ended(code, *(stream.read_text() for stream in streams), signals)

    def _work(self, order: str, told: Path | None, streams: list[Path]) -> None:
        code = 70
        try:
            signal.alarm(PATIENCE_S)
            os.chdir(self.root)
            for number, stream in enumerate(streams, 1):
                os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            fault_points.order(order, self._scribe(told) if told else None)
            code = autoresearch(["run", "--yes", "--plain", "--poll", "0.001"])
        except BaseException:  # noqa: BLE001 (a fork must never go on with what its parent was doing)
            traceback.print_exc()
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(code)

    def _scribe(self, told: Path) -> Callable[[str], None]:
        sink = told.open("a")

        def tell(point: str) -> None:
            stage = "repair" if point.startswith("repair.") else self.stage()
            sink.write(f"{point}\t{stage}\n")
            sink.flush()

        return tell

    def stage(self) -> str:
        """What the campaign is at, told by the last telling line of its journal."""
        events = self.events()
        mended = {event["name"] for event in events if event["kind"] == "experiment_repaired"}
        return next(filter(None, (_stage(event, mended) for event in reversed(events))), "start")

    def events(self) -> list[dict[str, object]]:
        """The journal's whole lines."""
        path = self.folder / "journal.jsonl"
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith(b"\n")]

    def said(self) -> list[tuple[object, ...]]:
        """What the ledger says, but for times and hashes."""
        path = self.root / "reports" / "auto_research_results.tsv"
        rows = parse_table(path.read_text()).rows if path.exists() else ()
        return [(r.index, r.branch, r.metric_value, r.status.value, r.runs, r.description, r.reason) for r in rows]

    def runs(self) -> list[tuple[object, ...]]:
        """Every run that was planned, and how often it was taken by the launcher."""
        events = self.events()
        taken = Counter(event["run_id"] for event in events if event["kind"] == "run_submitted")
        return [(e["run_id"], e["seed"], taken[e["run_id"]]) for e in events if e["kind"] == "run_planned"]


def _pelt(child: int) -> int:
    """Send a process a signal every millisecond until it has ended; how many it got."""
    signals = 0
    while not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        os.kill(child, signal.SIGUSR1)
        signals += 1
        time.sleep(0.001)
    return signals


def _stage(event: dict[str, object], mended: Collection[object]) -> str:
    match event["kind"]:
        case "experiment_opened":
            return "baseline" if event["index"] == 1 else "explore"
        case "run_planned":
            return "repair" if event["experiment"] in mended else str(event["purpose"])
        case "experiment_repaired":
            return "repair"
        case "experiment_judged" | "campaign_ended":
            return "settle"
    return ""
