"""R26: what a run reads is looked for before anything is launched."""

import pytest

CPU = {"type": "command", "source": {"type": "stdout"}, "config": "config.json"}


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ("/nowhere/model", "/nowhere/model is not there"),
        ("data/none.jsonl", "data/none.jsonl is not there"),
        ("notes.txt", "notes.txt is in the checkout but not committed, so no experiment's worktree has it"),
    ],
)
def test_a_campaign_whose_runs_would_miss_a_file_does_not_begin(lab, wanted, why):
    """Told with the plan, refused by `run` in one line, and nothing was written down."""
    (lab.root / "notes.txt").write_text("mine\n")
    lab.write(target={**CPU, "inputs": [wanted]}, launcher="local")
    assert f"`run` will refuse to begin: {why}" in lab.cli("run").stdout
    assert why in lab.refused("run", "--yes")
    assert lab.journal() == []


def test_what_is_committed_or_here_is_there(lab, tmp_path):
    """A tracked file, the folder it is in, an absolute path that exists."""
    lab.write(target={**CPU, "inputs": ["train.py", str(tmp_path)]}, launcher="local")
    assert "will refuse to begin" not in lab.cli("run").stdout


def test_what_only_the_nodes_have_is_pointed_out(lab):
    """Nobody here can know what a cluster mounts, so it is no reason to refuse."""
    lab.write(target={**CPU, "inputs": ["/lustre/model"]}, launcher={"type": "slurm"})
    told = lab.cli("run").stdout
    assert "/lustre/model is not on this machine; make sure that the nodes see it" in told
    assert "will refuse to begin" not in told
