"""A laboratory: a small repository, a scripted launcher, and campaigns run through the real command line."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from autoresearch.core.record import Row, parse_table
from autoresearch.workspace import git

IDEAS = [
    {"title": "raise the learning rate", "area": "optimizer", "overrides": ["lr=0.2"]},
    {"title": "weight decay", "area": "optimizer", "overrides": ["wd=0.1"]},
    {"title": "far too high", "area": "optimizer", "overrides": ["lr=5"]},
]
SCRIPT = {
    "*baseline*": {"value": [0.50, 0.51, 0.49, 0.50]},
    "*raise-the*": {"value": [0.70, 0.71, 0.69, 0.70]},
    "*weight*": {"value": [0.50]},
    "*far-too*": {"states": ["running", "failed"], "log": "RuntimeError: boom\n", "exit_code": 1},
}


@dataclass
class Lab:
    """A repository with one campaign file."""

    root: Path
    name: str = "night"

    def cli(self, *words: str, fault: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run the program as a user would; a fault makes it fail at a named place."""
        environ = {**os.environ, "AUTORESEARCH_FAULT": fault, **env}
        argv = (sys.executable, "-m", "autoresearch", *words)
        return subprocess.run(argv, cwd=self.root, env=environ, capture_output=True, text=True, timeout=120, check=False)

    def run(self, *words: str, fault: str = "") -> subprocess.CompletedProcess[str]:
        """Work on the campaign until it ends."""
        return self.cli("run", "--yes", "--plain", "--poll", "0.01", *words, fault=fault)

    def write(self, **settings: object) -> Path:
        """Write a campaign file: the `command` target, a list of ideas, a scripted launcher."""
        document = {
            "campaign": self.name,
            "objective": {"metric": "score", "goal": "raise the score"},
            "target": {"type": "command", "config": "config.json", "source": {"type": "stdout"}},
            "command": ["python3", "train.py"],
            "stop": "4 experiments",
            "launcher": {"type": "scripted", "script": SCRIPT},
            "researcher": {"type": "file", "path": "ideas.yaml"},
            "verdict": {"policy": "greedy", "baseline_runs": 1},
            **settings,
        }
        path = self.root / "reports" / "auto_research" / self.name / "campaign.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        git.exclude(self.root, ("/reports/",))
        return path

    def rows(self) -> tuple[Row, ...]:
        """The ledger."""
        path = self.root / "reports" / "auto_research_results.tsv"
        return parse_table(path.read_text()).rows if path.exists() else ()

    def journal(self) -> list[dict[str, object]]:
        """The journal's events as JSON."""
        path = self.root / "reports" / "auto_research" / self.name / "journal.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]

    def said(self) -> list[tuple[object, ...]]:
        """What the ledger says, without what differs between two runs of one campaign (times and hashes)."""
        return [(r.index, r.branch, r.metric_value, r.status.value, r.description, r.reason) for r in self.rows()]


def make_repository(root: Path) -> Path:
    """A repository with a training script, its configuration and a list of ideas, in one commit."""
    root.mkdir(parents=True)
    (root / "train.py").write_text("print('score: 0')\n")
    (root / "config.json").write_text('{"lr": 0.1, "wd": 0.0}\n')
    (root / "ideas.yaml").write_text(yaml.safe_dump(IDEAS, sort_keys=False))
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.invalid")
    for words in (("init", "-q", "-b", "main"), ("add", "."), (*identity, "commit", "-q", "-m", "start")):
        subprocess.run(("git", *words), cwd=root, check=True, capture_output=True)
    return root


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A fresh laboratory with a campaign file."""
    made = Lab(make_repository(tmp_path / "my repo"))
    made.write()
    return made
