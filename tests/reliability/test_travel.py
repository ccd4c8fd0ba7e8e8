"""What a clone carries, and a ledger that others have written in."""

import shutil
import subprocess

from autoresearch.records.row import SHARED, parse_table

NOTES = "refs/notes/autoresearch"
AS_ADA = ("-c", "user.name=Ada", "-c", "user.email=ada@example.invalid")


def git(place, *words: str) -> str:
    return subprocess.run(("git", *words), cwd=place, capture_output=True, text=True, check=True).stdout


def test_a_clone_that_fetches_notes_can_rebuild_the_ledger(ended, tmp_path):
    """Pushed and fetched as documented: the clone has no folder of ours, and ends with the same rows."""
    lab, hub, clone = ended, tmp_path / "hub.git", tmp_path / "clone"
    git(lab.root, "init", "-q", "--bare", str(hub))
    git(lab.root, "push", "-q", str(hub), "main", "refs/heads/autoresearch/*:refs/heads/autoresearch/*", NOTES)
    git(tmp_path, "clone", "-q", "-b", "main", str(hub), str(clone))
    there = type(lab)(clone)
    assert NOTES in there.refused("ledger", "rebuild")
    git(clone, "fetch", "-q", "origin", f"{NOTES}:{NOTES}")
    done = there.cli("ledger", "rebuild")
    assert done.returncode == 0, done.stderr
    assert there.rows() == lab.rows()
    assert git(clone, "status", "--porcelain") == ""


def test_notes_survive_a_rebase_and_a_fetch_over_them(finished, tmp_path):
    """A result is rebased for merging, with git told to copy notes, and notes are fetched again: all records agree."""
    lab, idea, hub = finished, "autoresearch/night/raise-the-learning-rate", tmp_path / "hub.git"
    good = lab.rows()
    git(lab.root, "init", "-q", "--bare", str(hub))
    git(lab.root, "push", "-q", str(hub), NOTES)
    (lab.root / "README").write_text("meanwhile\n")
    for words in (("add", "README"), ("commit", "-q", "-m", "meanwhile"), ("switch", "-q", "-c", "mine", idea)):
        git(lab.root, *AS_ADA, *words)
    git(lab.root, *AS_ADA, "-c", f"notes.rewriteRef={NOTES}", "rebase", "-q", "main")
    assert "0.7" in git(lab.root, "log", "-1", "--notes=autoresearch", "--format=%N", "mine")
    assert "0.7" in git(lab.root, "log", "-1", "--notes=autoresearch", "--format=%N", idea)
    assert lab.cli("ledger", "check").returncode == 0
    git(lab.root, "fetch", "-q", "--force", str(hub), f"{NOTES}:{NOTES}")
    assert lab.cli("ledger", "check").returncode == 0
    lab.ledger.unlink()
    shutil.rmtree(lab.folder)
    assert lab.cli("ledger", "rebuild").returncode == 0
    assert lab.rows() == good


def test_a_table_of_fifteen_columns_by_an_agent_stays_and_counts(lab):
    """Its rows are read, ours come after them, the wider header keeps every byte of theirs, and a backup is made."""
    theirs = "1\tagent/try-1\taaa\tbbb\tr.yaml\tscore\t0.4\t1\t2\tlocal\tnone\tc\tl"
    lab.ledger.parent.mkdir(parents=True, exist_ok=True)
    lab.ledger.write_text("\t".join(SHARED) + f"\n{theirs}\tkeep\tmade by hand\n")
    lab.write(stop="1 experiment", verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0})
    assert lab.run().returncode == 0
    table = parse_table(lab.ledger.read_text())
    assert [row.branch for row in table.rows] == ["agent/try-1", "autoresearch/night/baseline"]
    assert f"\n{theirs}\tkeep\tmade by hand" in lab.ledger.read_text()
    assert len(list(lab.ledger.parent.glob(f"{lab.ledger.name}.bak-*"))) == 1
    assert lab.cli("ledger", "check").returncode == 0
