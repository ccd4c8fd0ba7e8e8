"""Where a run of a script starts: what lies elsewhere is linked into its own folders."""

import subprocess

from tests.conftest import commit_all

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


def test_a_plan_refuses_what_every_run_would(lab):
    """The place is behind a committed link: `plan` says so, with the cure, and no run is spent on it."""
    (lab.root / "data").symlink_to(lab.root.parent)
    commit_all(lab.root)
    inputs = f"target.inputs={{data/new.csv: {lab.root / 'train.py'}}}"
    told = lab.refused(
        "plan", "--target", "command", "--command", "python3 train.py", "--metric", "score", "--direction", "maximize",
        "--set", "target.start_in=folder", "--set", inputs,
    )  # fmt: skip
    assert "data/new.csv in target.inputs leads through the link data of the commit" in told
    assert "name another place" in told


def test_a_place_in_the_runs_own_folders_is_linked(tmp_path):
    """Its folders are made where the commit lacks them."""
    (tmp_path / "tree").mkdir()
    assert start(tmp_path, "data/deep/new.csv") == (0, "1\n")
