"""Where a run of a script starts: what lies elsewhere is linked into its own folders."""

import subprocess

from autoresearch.targets.workplace import started


def start(tmp_path, place):
    """Start `true` with one linked file; what was said, and the run's folder of work."""
    (tmp_path / "new.csv").write_text("1\n")
    folder = tmp_path / "run"
    words = started(tmp_path / "tree", folder, ".", ("", "0", "", "1"), {place: str(tmp_path / "new.csv")})
    done = subprocess.run([*words, "cat", place], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_nothing_is_made_behind_a_committed_link(tmp_path):
    """Neither a file nor a folder, however deep; what is there already is read through the link."""
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (tree := tmp_path / "tree").mkdir()
    (tree / "data").symlink_to(elsewhere)
    for place in ("data/new.csv", "data/deep/new.csv"):
        code, said = start(tmp_path, place)
        assert code == 1
        assert "leads through the link data of the commit" in said
    assert [*elsewhere.iterdir()] == []
    (elsewhere / "there.csv").symlink_to(tmp_path / "new.csv")
    assert start(tmp_path, "data/there.csv") == (0, "1\n")


def test_a_place_in_the_runs_own_folders_is_linked(tmp_path):
    """Its folders are made where the commit lacks them."""
    (tmp_path / "tree").mkdir()
    assert start(tmp_path, "data/deep/new.csv") == (0, "1\n")
