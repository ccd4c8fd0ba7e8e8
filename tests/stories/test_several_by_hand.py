"""Several experiments that are driven by hand side by side: nobody holds the campaign while runs go on."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.stories.test_by_hand import begin, verbs

from autoresearch.campaign.by_hand import Onlooker
from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.status import DrivenExperiment
from autoresearch.errors import HeldError
from autoresearch.experiment.events import ExperimentJudged, ExperimentOpened
from autoresearch.machine.turns import SharedTurn


@pytest.mark.full
def test_others_are_opened_run_dropped_and_judged_while_one_is_followed(lab):
    """Two runs at once by two hands, a third opened and dropped meanwhile; no plain run begins, nothing is told twice."""
    lab.local(parallel=2)
    Campaign(where=lab.root).approve()
    for number, title in enumerate(("two", "three")):
        begin(lab, title, 0.2 + number / 10)

    def close(event) -> None:
        if isinstance(event, ExperimentJudged) and event.name == "baseline":
            lab.gate.unlink()

    def follow(index: int) -> DrivenExperiment:
        return verbs(lab).run(index, Onlooker(listen=close, poll_s=0.01))

    lab.gate.touch()
    with ThreadPoolExecutor(2) as hands:
        first = hands.submit(follow, 2)
        lab.until(lambda: [one for one in lab.journal("run_started") if "two" in one["run_id"]], "the second to run")
        begin(lab, "four", 0.4)
        second = hands.submit(follow, 3)
        lab.until(lambda: [one for one in lab.journal("run_started") if "three" in one["run_id"]], "the third to run")
        with pytest.raises(HeldError, match="follows experiment 2"):
            Campaign(where=lab.root).detach()
        assert {one.state for one in verbs(lab).listing()} == {"running", "editing"}
        assert verbs(lab).drop(4, "not now", Onlooker(poll_s=0.01)).status == "discard"
        with pytest.raises(HeldError, match="held by"):
            verbs(lab).run(3)
        lab.gate.touch()
        assert {one.result(120).state for one in (first, second)} <= {"measured", "keep", "discard"}
    assert [verbs(lab).judge(index).index for index in (2, 3)] == [2, 3]
    assert sorted(row.index for row in lab.rows()) == [1, 2, 3, 4]
    measured = [event["run_id"] for event in lab.journal("run_measured")]
    assert sorted(measured) == sorted(set(measured))
    told = "".join(page.read_text() for page in lab.root.glob("session/*/timeline.md"))
    assert [told.count(words) for words in ("opened attempt 4 by hand", "four: discard", "two--1: score")] == [1, 1, 1]


def test_what_is_opened_beside_a_follower_counts(lab):
    """Whoever opens one by hand follows no run and starts no controller: it is somebody's word all the same."""
    lab.local(parallel=2)
    Campaign(where=lab.root).approve()
    begin(lab, "two")
    heard = []
    with ThreadPoolExecutor(1) as hands:
        running = hands.submit(lambda: verbs(lab).run(2, Onlooker(listen=heard.append, poll_s=0.01)))
        lab.until(lambda: lab.journal("run_started"), "a run")
        begin(lab, "three", 0.3)
        lab.until(lambda: any(isinstance(one, ExperimentOpened) and one.index == 3 for one in heard), "word of it")
        lab.gate.touch()
        assert running.result(120).state in {"measured", "keep", "discard"}
    assert "does not count" not in (lab.folder / "journal.jsonl").read_text()
    assert verbs(lab).drop(3, "not now").status == "discard"


def test_who_came_first_leads_and_the_next_one_after_it(tmp_path):
    """Exactly one looks at the jobs; each has the lock only while it acts, and nobody waits for itself."""
    first, second = (SharedTurn(path=tmp_path / "lock", folder=tmp_path / "turns", index=index) for index in (7, 3))
    for turn in (first, second):
        turn.own.acquire()
    assert (first.leads(), second.leads(), first.alone()) == (True, False, False)
    first.take()
    with pytest.raises(HeldError, match=f"process {os.getpid()}"):
        second.take()
    first.rest(0.0, lambda: pytest.fail("who leads asks nobody"))
    first.give()
    second.rest(0.0, lambda: True)
    first.own.release()
    assert (second.leads(), second.alone()) == (True, True)
    second.give()
