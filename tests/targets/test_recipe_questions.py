"""Questions about one recipe, asked on the command line."""

import json

from autoresearch.cli.main import main
from autoresearch.run.complaint import memory_in_use

GRPO = "examples/configs/grpo_math_1B.yaml"


def asked(capsys, root, *words: str):
    assert main(["recipe", words[0], GRPO, *words[1:], "--repo", str(root), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_environment_of_a_run_is_shown_whole(checkout, capsys, monkeypatch):
    """Command, Python, variables, disk, and every override that a run gets with its reason."""
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    found = asked(capsys, checkout, "environment", "checkpointing.save_period=20", "--image")
    assert found["command"] == "uv run examples/run_grpo.py"
    assert found["python"] == "the image's own"
    assert found["checkpoints"].startswith("6 GB each, 2 stay of a run (1.5 billion parameters by its name")
    assert "checkpointing.save_optimizer=false  (nothing resumes from it)" in found["set_for_every_run"]


def test_every_play_applies_or_says_why_not(checkout, capsys):
    """One that would change nothing here is told with the value that makes it so."""
    plays = {one["name"]: one for one in asked(capsys, checkout, "plays")["plays"]}
    assert all(bool(one["changes"]) != bool(one["why_not"]) for one in plays.values())
    assert plays["lower-learning-rate"]["changes"] == ["policy.optimizer.kwargs.lr=1.66667e-06"]
    assert plays["clip-higher"]["why_not"]
    assert main(["recipe", "plays", GRPO, "--repo", str(checkout)]) == 0
    told = capsys.readouterr().out
    assert " apply:" in told
    assert "do not apply:" in told


def test_a_log_says_how_much_memory_was_in_use():
    """The largest figure counts, in GiB; a message without one says nothing."""
    line = "CUDA out of memory. Process 71 has {} memory in use."
    assert memory_in_use(f"{line.format('512.00 MiB')} {line.format('78.02 GiB')}") == 78.02
    assert memory_in_use("CUDA out of memory.") == 0
