"""A disk that is nearly full: nothing new is begun, and nothing is given up."""

import itertools
import os
from pathlib import Path

from autoresearch.campaign import beginning, opening
from autoresearch.engine.loop import Loop
from autoresearch.machine.disk import delete, free_gb, walk
from autoresearch.machine.lock import CampaignLock


def loop_with(lab, free):
    """The real loop of the laboratory's campaign, on a disk that has as much room as `free` says."""
    opened = opening.open_campaign(lab.root)
    beginning.begin_campaign(opened, "Ada", lambda: 1_800_000_000.0)
    context = beginning.make_context(opened, lambda: 1_800_000_000.0)
    context.free_gb = lambda _path: next(free)
    return Loop(ctx=context, poll_s=0.0, sleep=lambda _s: None)


def test_a_campaign_waits_for_room_and_goes_on(lab):
    """Full for a while in the middle of the night: two lines say so, and the campaign ends as it would have (R190)."""
    lab.write(stop="2 experiments", verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0})
    free = itertools.chain([5.0] * 8, [0.2] * 40, itertools.repeat(5.0))
    loop = loop_with(lab, free)
    with CampaignLock(loop.ctx.paths.lock):
        loop.run()
    notes = [event["text"] for event in lab.journal("noted")]
    assert "0.20 GB free and run.min_free_gb asks for 1: free some space" in notes[0]
    assert notes[1] == "there is enough disk space again"
    assert [(row.index, row.status.value) for row in lab.rows()] == [(1, "keep"), (2, "keep")]


def test_a_campaign_on_a_full_disk_says_so_and_starts_nothing(lab):
    """From the command line: a threshold no disk meets; the line names disk and option, and `stop` still works."""
    lab.write(run={"min_free_gb": 10_000_000})
    controller = lab.start()
    try:
        lab.until(lambda: lab.journal("noted") or controller.poll() is not None, "a note")
        assert lab.journal("run_planned") == []
        assert lab.cli("stop").returncode == 0
        out, _ = controller.communicate(timeout=200)
    finally:
        controller.kill()
    assert controller.returncode == 0
    assert "run.min_free_gb asks for 1e+07: free some space" in out


def test_free_space_is_what_the_system_says(tmp_path):
    """Also for a folder that is not there yet."""
    assert 0 < free_gb(tmp_path / "not" / "there" / "yet") < 1e9


def nest(top, levels):
    """Folders in one another, deeper than any path can say; each holds a file."""
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.close(os.open("file", os.O_CREAT, dir_fd=here))
        os.mkdir("long-name", dir_fd=here)
        below = os.open("long-name", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def test_folders_are_deleted_however_deep_they_lie(tmp_path):
    """Neither Python's recursion nor the longest path of the system ends it, and no descriptor stays open."""
    handles = Path("/proc/self/fd")
    before = len(list(handles.iterdir()))
    nest(tmp_path / "top", 2000)
    assert sum(1 for _ in walk(tmp_path / "top", 100)) == 101
    assert sum(1 for _ in walk(tmp_path / "top")) > 300
    delete(tmp_path / "top")
    assert not any(tmp_path.iterdir())
    assert len(list(handles.iterdir())) == before


def test_delete_takes_away_what_is_locked_and_follows_no_link(tmp_path):
    """Folders without any permission go; what a link in the tree, or in its place, leads to stays."""
    (tmp_path / "kept" / "inner").mkdir(parents=True)
    (tmp_path / "kept").chmod(0o500)
    (tmp_path / "top" / "locked" / "inner").mkdir(parents=True)
    (tmp_path / "top" / "locked" / "way").symlink_to(tmp_path / "kept")
    (tmp_path / "top" / "locked").chmod(0)
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    os.mkfifo(tmp_path / "pipe")
    for name in ("top", "link", "pipe", "not there"):
        delete(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o500
    assert (tmp_path / "kept" / "inner").is_dir()
