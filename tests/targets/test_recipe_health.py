"""`recipe health`: a run that somebody else started is read as one of ours would be."""

import json
import shutil
from pathlib import Path

import pytest

from autoresearch.cli.main import main
from autoresearch.errors import UsageError
from autoresearch.targets.nemo_rl import inspection

LOGS = Path(__file__).parents[1] / "golden" / "nemo_rl_logs"
GRPO = "examples/configs/grpo_math_1B.yaml"


def test_a_good_run_is_told_by_its_number_and_no_symptom(nemo, capsys):
    """Value, where it was read, how far it came: from the folder alone."""
    assert main(["recipe", "health", GRPO, "--repo", str(nemo), "--run", str(LOGS / "grpo_ok"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["completion"], found["step"], found["source"]) == ("done", 30, "tensorboard")
    assert found["value"] == pytest.approx(0.703125)
    assert found["symptoms"] == []


def test_a_crash_is_told_with_what_to_try(nemo, capsys):
    """One symptom, its evidence and advice; nothing is said of a launcher, for there was none of ours."""
    assert main(["recipe", "health", GRPO, "--repo", str(nemo), "--run", str(LOGS / "grpo_oom")]) == 0
    told = capsys.readouterr().out
    assert "fatal: oom-gpu (idea)" in told
    assert "try: Undo or reduce" in told
    assert "vanished" not in told


def test_a_secret_in_a_log_is_not_repeated(nemo, tmp_path):
    """What stands in the checkout's `.env` or looks like a token is hidden in what is told."""
    shutil.copytree(LOGS / "grpo_badkey", tmp_path / "run")
    with (tmp_path / "run" / "run.log").open("a") as log:
        log.write("huggingface_hub.errors.GatedRepoError: 401 with token hf_" + "aB3dE5gH7jK9" * 3 + "\n")
    told = json.dumps(inspection.health(nemo, GRPO, (), tmp_path / "run"))
    assert "GatedRepoError" in told
    assert "aB3dE5gH7jK9" not in told


def test_without_a_run_the_command_says_what_it_needs(nemo):
    """A folder that is not there, or none named: one line."""
    with pytest.raises(UsageError, match="is not a folder"):
        inspection.health(nemo, GRPO, (), nemo / "nowhere")
    assert main(["recipe", "health", GRPO, "--repo", str(nemo)]) == 2
