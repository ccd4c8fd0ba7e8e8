"""Agents that think beside the loop: several at once, while runs end, until somebody ends them."""

import os
import signal
import time

import pytest
from tests.agents.conftest import alive, needs_bwrap
from tests.conftest import commit_all

from autoresearch.engine.asking import enough

pytestmark = needs_bwrap
TRAIN = """\
import json, pathlib, time
lr = json.load(open("config.json"))["lr"]
while lr == 0.7 and not pathlib.Path({gate!r}).exists():
    time.sleep(0.02)
print(f"score: {{lr}}")
"""
THINK = """\
sleep {mark} &
echo > began
while ! test -e "{answers}"; do sleep 0.05; done
kill %1
rm began
echo "{{\\"lr\\": {lr}}}" > config.json
echo '{{"title": "another rate", "area": "optimizer"}}' > "$AUTORESEARCH_ANSWER"
"""
LIST = {"type": "file", "path": "ideas.yaml", "limit": 1}
MARK = f"86400.{os.getpid()}"


def plan(lab, stop: str, *first: object, lr: str = '0.$(basename "$PWD")', gate: str = "") -> None:
    """A campaign whose agents think until `answers` is there, and whose idea of the list runs until the gate is."""
    (lab.root / "train.py").write_text(TRAIN.format(gate=str(lab.gate)))
    (lab.root / "ideas.yaml").write_text("[{title: raise the rate, overrides: [lr=0.7]}]\n")
    commit_all(lab.root)
    think = THINK.format(answers=f"{answers(lab)}{gate}", lr=lr, mark=MARK)
    agent = {"type": "agent", "agent": "command", "command": ["bash", "-c", think], "tries": 1, "grace": 0.3}
    lab.write(researcher=[*first, agent], stop=stop, launcher={"type": "local", "parallel": 2})


def answers(lab):
    """Agents answer as soon as it is there."""
    return lab.root / ".git" / "answers"


def thinking(lab) -> int:
    return len(list(lab.root.glob(".autoresearch/worktrees/*/*/began")))


def test_two_think_at_once_and_a_run_that_ends_meanwhile_is_taken_in(lab):
    """The list's idea is judged while both agents still think; then each gives an idea of its own."""
    plan(lab, "4 experiments", LIST)
    working = lab.start()
    lab.until(lambda: thinking(lab) == 2, "two agents at once")
    lab.gate.touch()
    lab.until(lambda: len(lab.rows()) == 2, "the row of the list's idea")
    assert thinking(lab) == 2
    told = " ".join(lab.cli("status").stdout.split())
    assert "a researcher thinks of #3, #4 since" in told
    assert "stop condition met as soon as 2 experiments under way had a verdict: 4/4 attempted" in told
    answers(lab).touch()
    out, err = working.communicate(timeout=200)
    assert working.returncode == 0, out + err
    assert sorted(row.metric_value for row in lab.rows()) == [0.1, 0.3, 0.4, 0.7]
    assert len(lab.journal("researcher_asked")) == 2


def test_more_think_than_there_are_slots_where_thinking_takes_longer_than_a_run():
    """As many as keep the slots filled, twice as many at most; as many as slots while nothing is known."""
    assert [enough(4, [12.0], [15.0]), enough(2, [8.0, 8.1, 90.0], [5.0, 5.1])] == [4, 4]
    assert [enough(4, [40.0], [5.0]), enough(4, [], [5.0]), enough(4, [8.0], [])] == [8, 4, 4]


@pytest.mark.full
def test_slow_agents_think_in_larger_numbers_from_then_on(lab):
    """Two slots: after two ideas that took longer than a run four are asked together, so that no slot waits for two."""
    plan(lab, "19 experiments", gate='-$(basename "$PWD")')
    working = lab.start()
    lab.until(lambda: thinking(lab) == 2, "two agents at once")
    (baseline,) = [one["status"] for one in lab.journal("run_ended")]
    took = baseline["ended_at"] - baseline["started_at"]
    lab.until(lambda: time.time() - lab.journal("experiment_opened")[-1]["at"] > 6 * took, "thoughts of some length")
    for index in (2, 3):
        answers(lab).with_name(f"answers-{index}").touch()
    lab.until(lambda: thinking(lab) == 4, "four agents at once")
    assert lab.cli("stop", "--now").returncode == 0
    out, err = working.communicate(timeout=200)
    assert working.returncode == 0, out + err


@pytest.mark.full
def test_an_idea_equal_to_one_that_came_meanwhile_is_dropped_without_a_row(lab):
    """Two agents have the same idea at once: one is run, the other is an event that names it."""
    plan(lab, "3 experiments", lr="0.2")
    working = lab.start()
    lab.until(lambda: thinking(lab) == 2, "two agents at once")
    answers(lab).touch()
    reasons = lab.until(lambda: [str(one["reason"]) for one in lab.journal("experiment_abandoned")], "a dropped idea")
    assert "'another rate' was dropped: #" in reasons[0]
    assert lab.cli("stop", "--now").returncode == 0
    out, _ = working.communicate(timeout=200)
    assert "is no experiment: 'another rate' was dropped" in out
    assert len([row for row in lab.rows() if row.description.startswith("another rate")]) <= 1


@pytest.mark.full
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_agents_of_a_controller_that_ends_end_and_their_attempts_go_on(lab, number):
    """Killed or interrupted while two think: no agent stays, and the next controller asks for the same two."""
    plan(lab, "3 experiments")
    working = lab.start()
    lab.until(lambda: thinking(lab) == 2, "two agents at once")
    os.kill(working.pid, number)
    working.communicate(timeout=200)
    lab.until(lambda: not alive(MARK), "the end of all agents")
    answers(lab).touch()
    assert lab.run().returncode == 0
    assert sorted(row.index for row in lab.rows()) == [1, 2, 3]
    assert len(lab.journal("experiment_opened")) == 3


@pytest.mark.full
def test_stopped_at_once_agents_are_ended_and_their_attempts_given_up(lab):
    """What their calls have cost is written down; a later controller begins others."""
    plan(lab, "3 experiments")
    working = lab.start()
    lab.until(lambda: thinking(lab) == 2, "two agents at once")
    assert lab.cli("stop", "--now").returncode == 0
    working.communicate(timeout=200)
    assert working.returncode == 0
    assert not alive(MARK)
    assert [one["outcome"] for one in lab.journal("researcher_asked")] == ["tried again"] * 2
    assert [one["dropped"] for one in lab.journal("experiment_abandoned")] == [True, True]
    assert len(lab.rows()) == 1
