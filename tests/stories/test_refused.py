"""Whole campaigns whose launcher says no, not now, or nothing at all."""

import pytest
import yaml
from tests.conftest import SCRIPT

HEALTHY = {key: part for key, part in SCRIPT.items() if key != "*far-too*"}


def scripted(lab, pattern, part, parallel=1, run=None):
    """A campaign of three experiments with one pattern of runs played otherwise."""
    script = {pattern: {**HEALTHY.get(pattern, {}), **part}, **{k: v for k, v in HEALTHY.items() if k != pattern}}
    verdict = {"policy": "greedy", "baseline_runs": 1, "confirm": 0}
    launcher = {"type": "scripted", "parallel": parallel, "script": script}
    lab.write(launcher=launcher, run=run or {}, verdict=verdict, stop="3 experiments")
    return lab


def test_a_refusal_stops_the_campaign_with_the_launchers_own_words_and_no_row(lab):
    """Exit code 1, the sentence on stderr, in `status` and in the report; run again, it goes on as if nothing was."""
    scripted(lab, "*raise-the*", {"answers": ["refused"]})
    done = lab.run()
    said = "the scripted scheduler says refused"
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert [row.status for row in lab.rows()] == ["keep"]
    assert said in lab.cli("status").stdout
    assert said in (lab.folder / "report.md").read_text()
    assert lab.run().returncode == 0
    assert [row.status for row in lab.rows()] == ["keep", "keep", "discard"]


@pytest.mark.full
def test_a_refused_launcher_may_be_corrected_in_the_campaign_file(lab):
    """Nothing was measured yet, so the frozen plan takes the correction, and a note tells of it."""
    scripted(lab, "*baseline*", {"answers": ["refused"] * 9})
    assert lab.run().returncode == 1
    path = lab.folder / "campaign.yaml"
    document = yaml.safe_load(path.read_text())
    document["launcher"]["script"]["*baseline*"]["answers"] = []
    path.write_text(yaml.safe_dump(document))
    done = lab.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(lab.rows()) == 3
    assert any("the launcher was corrected" in note["text"] for note in lab.journal("noted"))


@pytest.mark.full
def test_what_runs_are_measured_with_stays_frozen(lab):
    """Once a run was taken, only what says who pays and where it queues may change; this launcher has no such option."""
    scripted(lab, "*raise-the*", {"answers": ["refused"]})
    assert lab.run().returncode == 1
    path = lab.folder / "campaign.yaml"
    path.write_text(path.read_text().replace("0.49", "0.99"))
    assert "a started plan is frozen" in lab.refused("run", "--yes", "--plain")


def test_a_refusal_ends_only_after_what_is_in_flight(lab):
    """A second run is refused while the first goes on: it is followed to its end and judged, nothing more is begun."""
    assert scripted(lab, "*weight*", {"answers": ["refused"]}, parallel=2).run().returncode == 1
    ended = {event["run_id"] for event in lab.journal("run_ended")}
    assert ended == {event["run_id"] for event in lab.journal("run_submitted")}


@pytest.mark.parametrize("answer", ["not-now", "outage"])
def test_a_submission_that_is_not_taken_yet_is_tried_again(lab, answer):
    """It is held back, visibly, and taken in the end; every row is as ever and no run was made twice."""
    scripted(lab, "*raise-the*", {"answers": [answer]})
    assert lab.run().returncode == 0
    assert [row.status for row in lab.rows()] == ["keep", "keep", "discard"]
    (waits,) = lab.journal("run_waits")
    assert ("held back" if answer == "not-now" else "not submitted yet") in waits["reason"]
    planned = [event["run_id"] for event in lab.journal("run_planned")]
    assert len(planned) == len(set(planned)) == 3


@pytest.mark.full
def test_runs_are_followed_while_another_is_held_back(lab):
    """A run that ends while its neighbour may not be submitted yet is read at once, and not when that is taken."""
    scripted(lab, "*weight*", {"answers": ["not-now"] * 3}, parallel=2)
    assert lab.run().returncode == 0
    kinds = [(event["kind"], event.get("run_id", "")) for event in lab.journal()]
    measured = next(n for n, (kind, run) in enumerate(kinds) if kind == "run_measured" and "raise-the" in run)
    taken = next(n for n, (kind, run) in enumerate(kinds) if kind == "run_submitted" and "weight" in run)
    assert measured < taken


def test_what_cannot_begin_by_itself_is_said_and_then_refused(lab):
    """The reason is in the journal as one that cannot pass; the job is cancelled, no row is written, work stops."""
    part = {"states": ["queued"], "waits": "JobHeldAdmin", "stuck": True}
    scripted(lab, "*raise-the*", part, run={"stuck_minutes": 0})
    done = lab.run()
    assert (done.returncode, "JobHeldAdmin" in done.stderr) == (1, True)
    assert [(event["reason"], event["stuck"]) for event in lab.journal("run_waits")] == [("JobHeldAdmin", True)]
    assert "JobHeldAdmin; it cannot pass by itself" in done.stdout
    assert len(lab.rows()) == 1
    assert lab.journal("run_measured")[-1]["ending"]["who"] == "site rule"
