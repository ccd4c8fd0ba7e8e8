"""`export`: a campaign told to a tracker afterwards, and one file with what reproduces a claim."""

import shlex
import subprocess
import sys

import pytest
from tests.conftest import commit_all

from autoresearch.campaign.afterwards.reproduction import drift


def told(lab):
    files = (lab.folder / ".trackers" / "tensorboard").rglob("*tfevents*")
    return {file.parent.name: file.read_bytes() for file in files}


def test_a_campaign_is_told_to_a_tracker_afterwards_and_shown_once(finished):
    """Every attempt and the campaign itself, whatever its file says of trackers; again, it is the same."""
    assert "events told to tensorboard" in finished.cli("export", "--to", "tensorboard").stdout
    first = told(finished)
    assert set(first) == {"campaign", *(row.branch.rpartition("/")[2] for row in finished.rows())}
    finished.cli("export", "--to", "tensorboard")
    assert told(finished) == first
    assert "did you mean 'folder'" in finished.refused("export", "--to", "tensorboard", "--set", "foldr=x")


def test_notices_are_for_what_happens_now(finished):
    """Nobody is called for a campaign of yesterday."""
    pytest.importorskip("apprise")
    assert "for what happens now" in finished.refused("export", "--to", "notices", AUTORESEARCH_NOTICES="json://x")


def test_what_is_not_as_it_was_is_named():
    """Machine, packages, variables and command, each with what it was and what it is; the program's path is its own."""
    known = {"python": "3.11.7", "env": {"A": "1"}, "packages": {"torch": "2.5"}, "argv": ["/a/python", "t.py"]}
    now = {"python": "3.12.1", "env": {}, "packages": {"torch": "2.6"}, "argv": ["/b/python", "t.py"]}
    assert list(drift(known, known)) == []
    assert list(drift(known, now)) == [
        "python: 3.11.7 then, 3.12.1 now",
        "variable A: 1 then, none now",
        "package torch: 2.5 then, 2.6 now",
    ]


@pytest.mark.full
def test_a_colleague_reproduces_the_claim_from_one_file(lab, tmp_path):
    """The printed commands, typed in an empty folder: the same number, and what is not as it was."""
    (lab.root / "train.py").write_text('import json\nprint("score:", json.load(open("config.json"))["lr"])\n')
    commit_all(lab.root)
    lab.write(command=["python3", "train.py"], launcher={"type": "local"}, stop="2 experiments")
    assert lab.run().returncode == 0
    made = lab.cli("export", "2", "--bundle", str(tmp_path / "claim.bundle"))
    commands = [line.strip() for line in made.stdout.splitlines()[2:]]
    script = "set -e\n" + "\n".join(commands).replace(
        "autoresearch ", f"{shlex.quote(sys.executable)} -m autoresearch "
    )
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=lab.environ("", {}), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "the same value" in done.stdout or "differs by" in done.stdout
    assert "packages: not kept" not in done.stdout
    assert "is there already" in lab.refused("export", "2", "--bundle", str(tmp_path / "claim.bundle"))
