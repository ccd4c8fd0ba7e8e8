"""What a run says of being under way is noted once (R256, R257)."""

import json
import shlex

import pytest

from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.plan import PlanRequest
from autoresearch.examples.demo_repository import create
from autoresearch.secrets.redactor import Redactor
from autoresearch.supervision.run_log import ends_of
from autoresearch.targets.nemo_rl.grammar import milestones

LOG = """\
wandb: \U0001f680 View run at https://wandb.ai/lab/grpo/runs/ab12cd
▶ Generating responses for batch of size 512...
Processed prompts:  50%|#####     | 256/512 [00:05<00:05, est. speed input: 8 toks/s]\rProcessed prompts: 100%|##########| 512/512
"""


def test_a_link_and_the_first_rollouts_are_milestones():
    """Where the run can be watched, and that its generation works; vLLM redraws its line."""
    assert milestones(LOG) == (
        "Weights & Biases has it at https://wandb.ai/lab/grpo/runs/ab12cd",
        "its first batch of rollouts is complete",
    )


def test_a_batch_that_is_not_through_is_none():
    """Half of a batch proves nothing yet."""
    assert milestones(LOG.partition("\r")[0])[1:] == ()


@pytest.mark.parametrize("size", [0, 10, 100_000, 131_072, 400_000])
def test_the_beginning_of_a_long_log_is_read_too(tmp_path, size):
    """The link stands in the first lines; whole lines only, and none is read twice."""
    log = tmp_path / "run.log"
    log.write_text("first\n" + "".join(f"{n:09}\n" for n in range(size // 10)) + "last")
    lines = ends_of(log, Redactor()).split("\n")
    numbers = [int(line) for line in lines[1:-1]]
    assert (lines[0], lines[-1], numbers) == ("first", "last", sorted(set(numbers)))
    assert len(numbers) >= min(size // 10, 13_000)


def test_milestones_of_a_run_are_noted_once(tmp_path):
    """A person who left it alone finds the link in the journal, however often the log was looked at."""
    made = create(tmp_path / "RL")
    session = Campaign(where=made.root)
    shell = f"printf %s {shlex.quote(LOG)}"
    settings = {"launcher": {"type": "local"}, "command": ["sh", "-c", shell], "verdict": {"policy": "greedy"}}
    session.write(session.draft(PlanRequest(str(made.recipe), "1 experiment", "night", settings)))
    session.run(approved_by="Ada", poll_s=0.05)
    events = map(json.loads, session.paths().journal.read_text().splitlines())
    noted = [event["text"] for event in events if event["kind"] == "noted"]
    runs = {run.run_id for run in session.runs(1)}
    assert sorted(noted) == sorted(f"{run_id}: {told}" for run_id in runs for told in milestones(LOG))
