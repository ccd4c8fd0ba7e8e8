"""What is made and taken away on a volume."""

import pytest

from autoresearch.errors import StorageError
from autoresearch.records import volume
from autoresearch.records.paths import CampaignPaths, Volume, short


@pytest.fixture
def paths(tmp_path):
    """A campaign with one prepared run."""
    (tmp_path / "disk").mkdir()
    made = CampaignPaths(tmp_path / "repo", "night", Volume(tmp_path / "disk", "ada"))
    volume.prepare(made, "idea", 1)
    yield made
    volume.release(made, "idea", 1, well=False, idle=True)


def test_small_files_are_kept_and_ours_are_never_written_over(paths):
    """Smallest first, a bound on each and on all; what a run calls like a record of ours stays where it is."""
    run, kept = paths.run("idea", 1), paths.evidence("idea", 1)
    kept.mkdir(parents=True)
    (kept / "environment.json").write_text("ours")
    (run / "environment.json").write_text("the run's")
    (run / "metrics.json").write_text("{}")
    (run / "huge.bin").write_bytes(bytes(2 << 20))
    for number in range(9):
        (run / f"part-{number}").write_bytes(bytes((1 << 20) - 1))
    volume.keep(paths, "idea", 1)
    names = sorted(path.name for path in kept.iterdir())
    assert names == ["environment.json", "metrics.json", *(f"part-{n}" for n in range(4))]
    assert (kept / "environment.json").read_text() == "ours"


def test_temporary_files_of_a_bad_run_stay(paths):
    """They may explain it; those of a good one go, a second time too."""
    scrap = paths.kind("idea", "ray", 1) / "session"
    scrap.mkdir()
    volume.release(paths, "idea", 1, well=False, idle=True)
    assert scrap.exists()
    for _ in range(2):
        volume.release(paths, "idea", 1, well=True, idle=True)
    assert not scrap.exists()
    assert paths.run("idea", 1).is_dir()


def test_a_folder_that_leads_elsewhere_is_not_followed(paths, tmp_path):
    """Somebody made `ray` a link to a place of theirs: nothing there is removed."""
    theirs = tmp_path / "theirs" / "run-1"
    theirs.mkdir(parents=True)
    (theirs / "kept").touch()
    paths.kind("idea", "ray", 1).rmdir()
    paths.kind("idea", "ray").rmdir()
    paths.kind("idea", "ray").symlink_to(theirs.parent)
    volume.release(paths, "idea", 1, well=True, idle=True)
    assert (theirs / "kept").exists()


def test_a_short_name_that_is_not_ours_is_refused(paths):
    """/tmp is everybody's: a link that leads elsewhere is never used, and never removed."""
    link = short(paths.heavy / "idea")
    link.unlink()
    link.symlink_to("/nowhere")
    try:
        with pytest.raises(StorageError, match="remove it and go on"):
            volume.prepare(paths, "idea", 2)
        volume.release(paths, "idea", 1, well=True, idle=True)
        assert link.is_symlink()
    finally:
        link.unlink()
