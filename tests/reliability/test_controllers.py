"""Never two controllers: whoever comes second is told who is at work, and how to take over from the dead."""

import json
import os
import socket

from autoresearch.machine.lock_owner import here

SHORT = {"stop": "1 experiment", "verdict": {"policy": "greedy", "baseline_runs": 1, "confirm": 0}}


def lock_of(lab, **changes: object):
    """The campaign's lock as another controller has left it."""
    path = lab.root / ".autoresearch" / "locks" / f"{lab.name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(here("token", 1_800_000_000.0).__dict__ | changes))
    return path


def test_the_second_controller_learns_who_is_at_work(lab):
    """Process, host, since when, and what to do, in one line; the first one is not disturbed."""
    lock_of(lab)
    said = lab.refused("run", "--yes", "--plain")
    for part in (f"process {os.getpid()} on {socket.gethostname()} since 2027-01-15", "autoresearch stop", lab.name):
        assert part in said
    assert lab.journal() == []


def test_a_lock_of_another_host_stays_until_a_person_takes_over(lab):
    """From here nobody can see whether that one lives: `--take-over` is a person's word."""
    lab.write(**SHORT)
    lock = lock_of(lab, host="far-away", machine="m", boot="b", space="s", pid=77)
    said = lab.refused("run", "--yes", "--plain")
    for part in ("process 77 on far-away", "--take-over"):
        assert part in said
    assert lab.run("--take-over").returncode == 0
    assert len(lab.rows()) == 1
    assert not lock.exists()


def test_a_dead_controller_of_this_machine_is_no_hindrance(lab):
    """Killed without a chance to let go: the next one goes on without being asked."""
    lab.write(**SHORT)
    assert lab.run(fault="run.planned=kill").returncode == -9
    assert lab.run().returncode == 0
    assert len(lab.rows()) == 1
