"""The verdict of an idea as a tag of the runs that its recipe logs to W&B itself."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

import pytest

from autoresearch.experiment.events import Noted, RunPlanned
from autoresearch.testing.trackers import a_campaign, tell
from autoresearch.trackers.wandb import WandbTracker


class Api:
    """As much of W&B's as is asked for; `runs` are those that were asked for, None where no server answers."""

    runs: dict[str, SimpleNamespace] | None = None

    def __init__(self, timeout: int) -> None:
        assert timeout

    def run(self, path: str) -> SimpleNamespace:
        if self.runs is None:
            raise ConnectionError("no route to host")
        return self.runs.setdefault(path, SimpleNamespace(tags=["raise-the-rate"], update=lambda: None))


@pytest.fixture
def tracker(tmp_path, monkeypatch):
    """A tracker whose package writes no page and has this server."""
    page = SimpleNamespace(log=lambda *_, **__: None, summary={}, finish=lambda **_: None)
    package = ModuleType("wandb")
    package.__dict__.update(Api=Api, Settings=SimpleNamespace, init=lambda **_: page, setup=lambda **_: None)
    package.__spec__ = ModuleSpec("wandb", None)
    monkeypatch.setitem(sys.modules, "wandb", package)
    return WandbTracker(options={"folder": tmp_path})


def logged_online():
    """A campaign whose runs say where W&B has them, in the order of the journal."""
    for event in a_campaign():
        yield event
        if isinstance(event, RunPlanned):
            where = f"https://wandb.ai/lab/grpo/runs/{event.seed}"
            yield Noted(at=event.at, text=f"{event.run_id}: Weights & Biases has it at {where}")


def test_runs_get_the_verdict_of_their_idea_beside_their_own_tags(tracker, monkeypatch):
    """Once, however often it is told."""
    online: dict[str, SimpleNamespace] = {}
    monkeypatch.setattr(Api, "runs", online)
    for _ in range(2):
        tell(tracker, logged_online())
    assert {path: run.tags for path, run in online.items()} == {"lab/grpo/42": ["raise-the-rate", "keep"]}


def test_a_server_that_does_not_answer_costs_nothing(tracker):
    """The page of the idea is written all the same, and nobody is told of a trouble."""
    tell(tracker, logged_online())
    assert list(tracker.options.folder.glob("*.written"))
