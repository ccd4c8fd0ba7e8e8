"""Notices through the real Apprise, to a server of our own."""

import json
import os
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.plan import PlanRequest
from autoresearch.errors import CampaignError
from autoresearch.experiment import events
from autoresearch.experiment.outcome import CALLS, Purpose
from autoresearch.testing.trackers import TrackerContract, a_campaign, tell

pytestmark = [pytest.mark.trackers, pytest.mark.filterwarnings("default")]
pytest.importorskip("apprise", reason="needs apprise: pip install '.[notices]'")

from autoresearch.trackers.notices import NoticesTracker  # noqa: E402 - after the package is known to be there


@pytest.fixture
def heard(monkeypatch):
    """What a server was sent, the newest last."""
    found = []

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("AUTORESEARCH_NOTICES", f"json://127.0.0.1:{server.server_port}/")
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


class TestNotices(TrackerContract):
    """The promises of every tracker."""

    @pytest.fixture
    def make(self, heard, tmp_path):
        return lambda: NoticesTracker(options={"folder": tmp_path / "campaign" / ".trackers" / "notices"})

    @pytest.fixture
    def shown(self, heard):
        return lambda: "\n".join(one["message"] for one in heard)

    def test_what_waits_for_a_person_and_the_end_are_told(self, make, heard):
        """With the command to type, and the plot where there is one."""
        told = a_campaign("the deadline was reached")
        ask = events.ApprovalAsked(
            at=13.5, request="night-idea-1", experiment="x", question="8 GPU-hours?", gpu_hours=8
        )
        tracker = make()
        plot = tracker.options.folder.parent.parent / "progress.png"
        plot.parent.mkdir(parents=True)
        plot.write_bytes(b"\x89PNG")
        tell(tracker, [*told[:-2], ask, *told[-2:]])
        assert [one["message"] for one in heard] == [
            "waits for you: 8 GPU-hours?; autoresearch approve night-idea-1",
            "done: the deadline was reached; best: #2 Raise the learning rate (raise-the-rate)",
        ]
        assert heard[-1]["attachments"][0]["filename"] == "progress.png"

    def test_the_first_fresh_seed_of_the_best_is_told_once(self, make, heard):
        """Numbers that it was selected by are no news."""
        told = a_campaign()
        planned = next(one for one in told if isinstance(one, events.RunPlanned))
        measured = next(one for one in told if isinstance(one, events.RunMeasured))
        fresh = [replace(planned, run_id=f"f{n}", purpose=Purpose.CONFIRM) for n in (1, 2)]
        seen = [replace(measured, run_id=f"f{n}") for n in (1, 2)]
        tell(make(), [*told[:-3], *fresh, *seen])
        assert [one["message"] for one in heard] == [
            "the best, #2 Raise the learning rate, gave accuracy 0.75 on its first fresh seed"
        ]

    def test_the_end_says_what_fresh_seeds_gave_to_the_best_and_the_baseline(self, make, heard):
        """On the seeds that both ran, so that the two numbers can be compared."""
        told = a_campaign("over")
        planned = next(one for one in told if isinstance(one, events.RunPlanned))
        measured = next(one for one in told if isinstance(one, events.RunMeasured))
        arms = ((planned.experiment, 7, 0.8), ("baseline", 7, 0.6), (planned.experiment, 8, 0.1))
        fresh = [
            event
            for number, (arm, seed, value) in enumerate(arms)
            for event in (
                replace(planned, run_id=f"f{number}", experiment=arm, seed=seed, purpose=Purpose.CONFIRM),
                replace(measured, run_id=f"f{number}", measurement=replace(measured.measurement, value=value)),
            )
        ]
        tell(make(), [*told[:-2], *fresh, *told[-2:]])
        assert heard[-1]["message"].endswith("; accuracy 0.8 on 1 fresh seed, the baseline 0.6")

    def test_a_flood_is_held_back_and_counted(self, make, heard):
        """Twelve an hour of the campaign's own time; then the rest is one number, and the end is told all the same."""
        full = events.Noted(at=20.0, text="the disk is full", details={CALLS: "disk"})
        tell(make(), [a_campaign()[0], *(replace(full, at=20.0 + n) for n in range(30))])
        assert len(heard) == 12
        tracker = make()
        tell(tracker, [replace(full, at=5000.0 + n) for n in range(15)])
        tell(tracker, [events.CampaignEnded(at=5020.0, reason="over")])
        assert heard[-1]["message"].endswith("(3 more notices were left out)")

    def test_a_wrong_address_is_told_without_saying_it(self, make, monkeypatch):
        """Addresses hold keys. The campaign hears of it as of every tracker that fails, and goes on."""
        for value, said in (
            ("nonsense-s3cret", "address 1 in"),
            ("", "is not set"),
            ("json://127.0.0.1:1/s3cret", "could"),
        ):
            monkeypatch.setenv("AUTORESEARCH_NOTICES", value)
            with pytest.raises(CampaignError, match=said) as failure:
                tell(make(), a_campaign())
            assert "s3cret" not in str(failure.value)


def test_what_stops_the_work_calls_a_person(lab, heard):
    """A full disk and a suspected machine, from a campaign at work; both turns, once each."""
    crash = {"states": ["running", "failed"], "log": "No space left on device\n", "exit_code": 1}
    lab.write(
        stop="3 experiments",
        trackers=[{"type": "notices"}],
        run={"min_free_gb": 10**9},
        launcher={"type": "scripted", "script": {"*": crash}},
    )
    controller = lab.start(AUTORESEARCH_NOTICES=os.environ["AUTORESEARCH_NOTICES"])
    lab.until(lambda: heard, "a notice of the disk")
    lab.cli("stop", "--now")
    controller.communicate(timeout=200)
    assert "run.min_free_gb asks for 1e+09: free some space" in heard[0]["message"]


def test_a_plan_that_an_agent_wrote_calls_whoever_approves_it(lab, heard, monkeypatch):
    """With the command to type; a plan that a person types calls nobody, and one whose notice fails is written."""
    campaign = Campaign(where=lab.root)
    settings = {
        "trackers": [{"type": "notices"}], "target": {"type": "command", "config": "config.json"},
        "command": ["python3", "train.py"], "objective": {"metric": "score", "direction": "maximize"},
        "researcher": {"type": "file", "path": "ideas.yaml"},
    }  # fmt: skip
    plans = [campaign.draft(PlanRequest("", "2 experiments", name, settings)) for name in ("one", "two", "three")]
    campaign.write(plans[0])
    assert heard == []
    campaign.write(plans[1], agent="claude")
    assert [one["message"] for one in heard] == [
        "claude has planned two, which waits for you to read and approve it: autoresearch run --campaign two"
    ]
    monkeypatch.setenv("AUTORESEARCH_NOTICES", "json://127.0.0.1:1/")
    assert campaign.write(plans[2], agent="claude").exists()
