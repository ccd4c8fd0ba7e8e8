"""One run ended because a person said so: its row says so, no idea is blamed, and the campaign goes on."""

import pytest
from tests.dashboard.test_dashboard import act
from tests.surfaces.test_watching import press, watched

from autoresearch.campaign.campaign import Campaign


def flying(lab, number):
    """Wait for so many runs that have started."""
    lab.until(lambda: len(lab.journal("run_started")) == number, f"run {number} at work")
    return lab.journal("run_planned")[-1]["experiment"]


def test_an_idea_whose_run_was_cancelled_is_not_blamed_and_the_next_is_tried(lab):
    """No run of it is made again, no machine is suspected, and its row says who ended it and why."""
    lab.local(stop="3 experiments")
    lab.gate.touch()
    controller = lab.start_stepwise()
    lab.step(controller, lambda: len(lab.rows()) == 1, "the baseline's row")
    lab.gate.unlink()
    lab.step(controller, lambda: len(lab.journal("run_planned")) == 2, "the idea's run")
    idea = lab.journal("run_planned")[-1]["experiment"]
    told = lab.cli("cancel", "2/1", "somebody needs the GPU").stdout
    assert told.startswith(f"{idea}/1 is being ended: it is not made again")
    lab.step(controller, lambda: len(lab.rows()) == 2, "its row")
    lab.gate.touch()
    lab.let_go()
    controller.communicate(timeout=200)
    ledger = lab.rows()
    person = lab.journal("run_cancelled")[0]["by"]
    assert f"cancelled by {person}: somebody needs the GPU" in ledger[1].reason
    assert "could not be tested" in ledger[1].reason
    assert (len(ledger), len(lab.journal("run_planned"))) == (3, 3)


@pytest.mark.full
def test_what_others_wait_for_is_run_again(lab):
    """The baseline: without it nothing can be judged; the browser's button is the same verb."""
    lab.local(stop="1 experiments")
    controller = lab.start()
    flying(lab, 1)
    assert "it is run again" in act(lab, "cancel", "a stuck node", run="baseline/1").text
    lab.gate.touch()
    flying(lab, 2)
    controller.communicate(timeout=200)
    assert [row.status for row in lab.rows()] == ["keep"]
    assert "run 1 was cancelled by" in lab.rows()[0].reason


def test_only_what_is_in_flight_is_cancelled_and_by_a_person(lab):
    """A run that is over, one that never was, and a word without a person: refused, with nothing recorded."""
    lab.write(stop="2 experiments", approval={"by": "terminal"})
    lab.run()
    for words in ("baseline/1", "2", "9", "baseline"):
        assert lab.refused("cancel", words)
    assert "in flight: none" in lab.refused("cancel", "baseline/1")
    assert lab.journal("run_cancelled") == []
    assert Campaign(where=lab.root).status().state == "ended"


@pytest.mark.full
def test_a_key_cancels_one_run_after_a_yes(lab):
    """`c` names what is in flight; no answer is no."""
    controller, terminal = watched(lab)
    assert "1  baseline/1" in press(terminal, "c", r"Cancel baseline/1\?.*\[y/N\]")
    press(terminal, "\n", "nothing was cancelled")
    press(terminal, "c", r"\[y/N\]")
    press(terminal, "y\n", r"Why\? ")
    press(terminal, "it hangs\n", "baseline/1 is being ended")
    lab.gate.touch()
    controller.communicate(timeout=200)
    assert lab.journal("run_cancelled")[0]["reason"].endswith(": it hangs")
