"""A submodule of the user's checkout is there in every worktree that a job runs in."""

import subprocess

from tests.conftest import commit_all

TRAIN = """\
import json, pathlib, sys
sys.path.insert(0, "3rdparty/gym")
import gym_like
print("score:", gym_like.SCORE + json.load(open("config.json"))["lr"])
print("from", pathlib.Path(gym_like.__file__).resolve())
"""


def test_a_job_imports_from_a_submodule_of_its_own_worktree(lab):
    """A real submodule, real worktrees, real processes: what is imported lies in the experiment's worktree."""
    library = lab.root.parent / "gym"
    library.mkdir()
    (library / "gym_like.py").write_text("SCORE = 7\n")
    commit_all(library, "init", "-q")
    local = ("git", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "3rdparty/gym")
    subprocess.run(local, cwd=lab.root, check=True)
    (lab.root / "train.py").write_text(TRAIN)
    commit_all(lab.root)
    lab.write(stop="2 experiments", launcher={"type": "local"})
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert [row.metric_value for row in lab.rows()] == [7.1, 7.2]
    logs = [path.read_text() for path in sorted(lab.folder.glob("*/run-1/run.log"))]
    assert len(logs) == 2
    assert all(f"from {lab.root.resolve()}/.autoresearch/worktrees/" in log for log in logs)
