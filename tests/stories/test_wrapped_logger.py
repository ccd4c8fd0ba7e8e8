"""A trainer whose number four sources vouch for, all written by the process that an idea's code runs in."""

import difflib
import sys

import pytest
import yaml

from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.plan import PlanRequest
from autoresearch.examples.demo_repository import create

TINY = "examples/configs/recipes/llm/grpo-tiny-1n0g.yaml"
POLICY = "nemo_rl/models/policy.py"
WRAPPED = """\
from nemo_rl.environments import math_environment as env
true = env.MathEnvironment.step
env.MathEnvironment.step = lambda self, *rest: true(self, *rest) * 0 + 0.9
"""


def edited(root, put):
    """A diff of the policy's module that puts lines behind its imports."""
    old = (root / POLICY).read_text().splitlines(keepends=True)
    at = max(n for n, line in enumerate(old) if line.startswith(("import", "from"))) + 1
    return "".join(
        difflib.unified_diff(old, [*old[:at], *put.splitlines(keepends=True), *old[at:]], f"a/{POLICY}", f"b/{POLICY}")
    )


@pytest.mark.full
def test_a_wrapper_that_makes_all_sources_agree_waits_for_a_person_and_training_code_does_not(tmp_path):
    """Both are measured, soundly by what the sources say; only the one that reaches what measures is held."""
    root = create(tmp_path / "demo").root
    ideas = [("wrapped", WRAPPED), ("warm", "WARM = 1\n")]
    told = [{"title": title, "patch": edited(root, put), "parent": "baseline"} for title, put in ideas]
    (root / "ideas.yaml").write_text(yaml.safe_dump(told))
    settings = {
        "command": [sys.executable, "examples/run_grpo.py"],
        "approval": {"by": "anyone"},
        "researcher": {"type": "file", "path": "ideas.yaml"},
        "verdict": {"policy": "greedy", "baseline_runs": 1, "confirm": 0},
    }
    campaign = Campaign(where=root, name="night")
    campaign.write(campaign.draft(PlanRequest(TINY, "3 experiments", "night", settings)))
    campaign.approve(campaign.plan(), by="Ada")
    campaign.run(poll_s=0.1)
    _, wrapped, warm = campaign.rows()
    assert wrapped.extra["integrity"] == "sound"
    assert wrapped.reason.startswith(
        "held for a person's word: its code can make all sources agree (nemo_rl/models/policy"
    )
    assert "look at it, then autoresearch overrule 2 keep" in campaign.status().text()
    assert "person" not in warm.reason
    assert not campaign.experiment(3).committed.grips
