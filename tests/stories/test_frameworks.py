"""TRL, verl and prime-rl under `init`: recognised, run in folders of their own, searched and played in their own words.

TRL is the real one. The other two need GPUs: what stands in for them takes their settings and writes their formats.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.conftest import Lab

SCRIPTS = Path(__file__).with_name("own_scripts")
INIT = ("init", "--yes", "--run", "--plain", "--poll", "0.02", "--name", "night")
QUICK = ("--set", "verdict.confirm=0", "--set", "verdict.baseline_runs=1", "--set", "target.gpus=0")


@pytest.fixture
def clone(tmp_path):
    """Makes a repository of a folder of scripts."""

    def make(kind: str) -> Lab:
        root = tmp_path / "their répo"
        shutil.copytree(SCRIPTS / kind, root)
        return Lab(root)

    return make


@pytest.fixture
def finished(run_git):
    """Runs `init` on a command until the campaign has ended; gives what it said and the campaign file."""

    def run(lab: Lab, stop: str, *command: str, **environ: str) -> tuple[str, dict]:
        run_git(lab.root, "init", "-q", "-b", "main")
        run_git(lab.root, "config", "user.name", "Ada")
        run_git(lab.root, "config", "user.email", "ada@example.org")
        run_git(lab.root, "add", ".")
        run_git(lab.root, "commit", "-q", "-m", "As it was")
        argv = (sys.executable, "-m", "autoresearch", *INIT, *QUICK, "--stop", stop, "--", *command)
        env = lab.environ("", environ)
        done = subprocess.run(argv, cwd=lab.root, env=env, capture_output=True, text=True, timeout=1700, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "4/4 attempted" in done.stdout
        rows = lab.rows()
        assert len(rows) == 4
        assert all(row.metric_value is not None for row in rows), done.stdout
        assert run_git(lab.root, "status", "--short") == ""
        return done.stdout, yaml.safe_load((lab.folder / "campaign.yaml").read_text())

    return run


def changed(lab, run_git):
    """What the ideas of a campaign changed: lines that were added."""
    named = [row.branch for row in lab.rows()[1:]]
    diffs = [run_git(lab.root, "diff", "-U0", "main", branch).splitlines() for branch in named]
    return [line[1:] for diff in diffs for line in diff if line.startswith("+") and not line.startswith("+++")]


@pytest.mark.full
def test_verl_in_a_shell_script(clone, finished, run_git):
    """The script is edited where it says a setting, the command takes the rest, and validation is what is judged."""
    lab = clone("verl")
    said, written = finished(lab, "4 experiments, 30s each", "bash", "run.sh")
    assert "Its command is verl's" in (lab.folder / "campaign.yaml").read_text()
    assert written["objective"]["metric"] == "data/val-core/openai/gsm8k/acc/mean@1"
    assert written["target"]["source"] == {"type": "jsonl", "path": "metrics.jsonl"}
    assert written["target"]["config"] == "run.sh"
    assert (written["target"]["dialect"], written["target"]["steps"]) == ("verl", 12)
    assert "two runs with one seed agree; another seed gave" in said
    added = changed(lab, run_git)
    assert "    actor_rollout_ref.actor.optim.lr=2.0e-06   # as published" in added
    assert all("=" in line for line in added)


@pytest.mark.full
def test_prime_rl_with_a_toml_file(clone, finished, run_git):
    """The file is edited, evaluation is what is judged, and no seed is claimed that the framework does not take."""
    lab = clone("prime_rl")
    said, written = finished(lab, "4 experiments, 30s each", "bin/rl", "@", "rl.toml")
    assert written["objective"] == {
        "goal": "raise eval/reverse-text/effective/agent/avg@1",
        "metric": "eval/reverse-text/effective/agent/avg@1",
        "direction": "maximize",
    }
    assert written["command"] == ["bin/rl", "@", "rl.toml", "--output-dir", "{folder}/out"]
    assert "the same in every run: no flag, variable" in said
    assert "lr = 6e-06  # as published" in changed(lab, run_git)


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.skipif(shutil.which("trl") is None, reason="trl is not installed")
def test_trl_itself(clone, finished, run_git):
    """Real GRPO of a tiny model on a CPU: from a stranger's repository to a finished campaign by one command."""
    lab = clone("trl")
    trl = Path(shutil.which("trl") or sys.executable)
    python = trl.with_name("python") if trl.with_name("python").exists() else Path(sys.executable)
    subprocess.run([str(python), "make_tiny.py"], cwd=lab.root, check=True, timeout=600)
    words = ("trl", "grpo", "--config", "grpo.yaml")
    _, written = finished(lab, "4 experiments, 10m each", *words, HF_HUB_OFFLINE="1")
    assert written["objective"]["metric"] == "eval_reward"
    assert written["target"]["source"] == {"type": "json", "path": "trainer_state.json"}
    assert (written["target"]["dialect"], written["target"]["protect"]) == ("trl", ["sums/**", "rewards.py"])
    assert "learning_rate: 0.002  # large, for a model this small" in changed(lab, run_git)
