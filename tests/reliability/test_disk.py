"""A disk that is nearly full: nothing new is begun, and nothing is given up."""

import itertools

from autoresearch.campaign import opening
from autoresearch.engine.loop import Loop
from autoresearch.machine.disk import free_gb
from autoresearch.machine.lock import CampaignLock


def loop_with(lab, free):
    """The real loop of the laboratory's campaign, on a disk that has as much room as `free` says."""
    opened = opening.open_campaign(lab.root)
    opening.begin_campaign(opened, "Ada", lambda: 1_800_000_000.0)
    context = opening.make_context(opened, lambda: 1_800_000_000.0)
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
