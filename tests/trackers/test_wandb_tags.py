"""The verdict of an idea as a tag of the runs that its recipe logs to W&B itself."""

import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Self

import pytest

from autoresearch.experiment.events import Noted, RunPlanned
from autoresearch.testing.trackers import a_campaign, tell
from autoresearch.trackers.wandb import WandbTracker


@dataclass
class Server:
    """As much of W&B's as is asked for.

    Attributes:
        online: The runs that were asked for; None where it does not answer.
    """

    online: dict[str, SimpleNamespace] | None = None

    def api(self, timeout: int) -> Self:
        assert timeout
        return self

    def run(self, path: str) -> SimpleNamespace:
        if self.online is None:
            raise ConnectionError("no route to host")
        return self.online.setdefault(path, SimpleNamespace(tags=["raise-the-rate"], update=lambda: None))


@pytest.fixture
def server():
    """It does not answer yet."""
    return Server()


@pytest.fixture
def tracker(tmp_path, server, monkeypatch):
    """A tracker whose package writes no page and has this server; the real one is not installed here."""
    page = SimpleNamespace(log=lambda *_, **__: None, summary={}, finish=lambda **_: None)
    package = ModuleType("wandb")
    package.__dict__.update(Api=server.api, Settings=SimpleNamespace, init=lambda **_: page, setup=lambda **_: None)
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


def test_runs_get_the_verdict_of_their_idea_beside_their_own_tags(tracker, server):
    """Once, however often it is told."""
    server.online = {}
    for _ in range(2):
        tell(tracker, logged_online())
    assert {path: run.tags for path, run in server.online.items()} == {"lab/grpo/42": ["raise-the-rate", "keep"]}


def test_a_server_that_does_not_answer_costs_nothing(tracker):
    """The page of the idea is written all the same, and nobody is told of a trouble."""
    tell(tracker, logged_online())
    assert list(tracker.options.folder.glob("*.written"))
