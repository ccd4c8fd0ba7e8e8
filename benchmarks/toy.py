"""A small repository and a campaign file for benchmarks whose command takes no time of its own worth measuring."""

import json
import subprocess
from pathlib import Path

import yaml

IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.invalid")


def repository(root: Path, train: str, ideas: int) -> Path:
    """A committed repository with `train.sh`, a configuration and so many ideas; files that are there come along.

    Args:
        root: Where to make it.
        train: The shell script.
        ideas: How many entries `ideas.yaml` has.
    """
    root.mkdir(parents=True, exist_ok=True)
    (root / "train.sh").write_text(train)
    (root / "config.json").write_text(json.dumps({"lr": 0.1}) + "\n")
    listed = [{"title": f"learning rate number {n}", "overrides": [f"lr={n / 1000}"]} for n in range(1, ideas + 1)]
    (root / "ideas.yaml").write_text(yaml.safe_dump(listed, sort_keys=False))
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "start")):
        subprocess.run(("git", *IDENTITY, *words), cwd=root, check=True)
    for name, value in (("user.name", "Ada"), ("user.email", "ada@example.invalid")):
        subprocess.run(("git", "config", name, value), cwd=root, check=True)
    return root


def campaign(root: Path, name: str, experiments: int, verdict: dict[str, object], **more: object) -> None:
    """Write the file of a campaign that tries the repository's ideas by `greedy`, the baseline measured once.

    Args:
        root: The repository.
        name: Of the campaign.
        experiments: Attempts, the baseline included.
        verdict: Further settings of the verdict.
        more: Further parts of the file.
    """
    document = {
        "campaign": name,
        "objective": {"metric": "score", "goal": "raise the score", "direction": "maximize"},
        "target": {"type": "command", "config": "config.json", "source": {"type": "stdout"}},
        "command": ["sh", "train.sh"],
        "stop": f"{experiments} experiments",
        "researcher": {"type": "file", "path": "ideas.yaml"},
        "verdict": {"policy": "greedy", "baseline_runs": 1, **verdict},
        **more,
    }
    path = root / "reports" / "auto_research" / name / "campaign.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
