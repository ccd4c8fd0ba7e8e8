"""A campaign taken up again publishes what is missing, and nothing else."""

import subprocess

NOTES = "refs/notes/autoresearch"


def git(lab, *words: str) -> str:
    return subprocess.run(("git", *words), cwd=lab.root, capture_output=True, text=True, check=True).stdout


def test_what_is_there_is_not_published_again(finished):
    """Neither the ledger nor the notes are touched, so that a start costs the same after ten thousand rows."""
    ledger, notes = finished.ledger.stat(), git(finished, "rev-parse", NOTES)
    assert finished.run().returncode == 0
    assert finished.ledger.stat().st_mtime_ns == ledger.st_mtime_ns
    assert git(finished, "rev-parse", NOTES) == notes


def test_a_lost_note_a_lost_row_and_a_torn_row_come_back(finished):
    """Each is told from the others: three publications, for what was missing."""
    good, lines = finished.said(), finished.ledger.read_text().splitlines(keepends=True)
    git(finished, "notes", "--ref=autoresearch", "remove", "autoresearch/night/baseline")
    finished.ledger.write_text("".join([*lines[:2], *lines[3:]])[:-30])
    assert finished.cli("ledger", "check").returncode == 1
    before = int(git(finished, "rev-list", "--count", NOTES))
    assert finished.run().returncode == 0
    assert sorted(finished.said()) == sorted(good)
    assert finished.cli("ledger", "check").returncode == 0
    assert int(git(finished, "rev-list", "--count", NOTES)) == before + 3


def test_a_lost_campaign_file_comes_back_from_the_journal(finished):
    """The plan is frozen in the journal's first line: status goes on without the file, and `run` writes it again."""
    file = finished.folder / "campaign.yaml"
    file.unlink()
    assert "4/4 attempted" in finished.cli("status").stdout
    assert not file.exists()
    done = finished.run()
    assert done.returncode == 0, done.stderr
    assert any("was gone and is written again" in str(event["text"]) for event in finished.journal("noted"))
    assert file.exists()
    assert finished.cli("status", "--campaign", "night").returncode == 0


def test_a_half_removed_worktree_is_swept_away(lab):
    """Killed while the last worktree of an experiment was being deleted, which nobody would ever make again."""
    lab.write(stop="2 experiments", verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0})
    assert lab.run().returncode == 0
    trash = lab.root / ".autoresearch" / "worktrees" / lab.name / "2.removed"
    trash.mkdir(parents=True)
    (trash / "train.py").write_text("half deleted\n")
    assert lab.run().returncode == 0
    assert not trash.exists()
