"""A run that cannot catch up is ended before its last step, by the real loop."""

import time

import yaml

from autoresearch.campaign import beginning, opening
from autoresearch.engine.loop import Loop

CLIMB = "score: 0.2\nscore: 0.3\nscore: 0.4\nscore: {value}\n"
STUCK = "score: 0.01\nscore: 0.01\nscore: 0.01\n"
SCRIPT = {
    "*baseline*": {"value": [0.50, 0.51, 0.49], "log": CLIMB},
    "*raise-the*": {"states": ["running"], "value": [0.0], "log": STUCK},
    "*": {"value": [0.50], "log": CLIMB},
}


def work(lab):
    """Run the lab's campaign here, looking at every run's files whenever its state is asked for."""
    verdict = {"policy": "sequential", "baseline_runs": 3}
    launcher = {"type": "scripted", "script": SCRIPT}
    lab.write(stop="2 experiments", launcher=launcher, verdict=verdict)
    beginning.begin_campaign(opening.open_campaign(lab.root), "Ada", time.time)
    Loop(ctx=beginning.make_context(opening.open_campaign(lab.root)), poll_s=0.01, health_s=0.0).run()
    return lab.rows()[1]


def test_a_run_that_cannot_catch_up_is_ended_and_discarded(lab):
    """It would run for ever: past half of its steps it is cancelled, and its row says how far behind it was."""
    row = work(lab)
    assert row.status.value == "discard"
    assert "hopeless: at value 3 of 4 it was at 0.01 where its parent was at 0.4" in row.reason
    assert len(lab.rows()) == 2


LEVELS = {"one": 0.5, "two": 0.42, "three": 0.55, "four": 0.47, "five": 0.44, "six": 0.52, "seven": 0.3, "eight": 0.51}


def climb(level):
    """The log of a run that gains a quarter of its level at each of four validations."""
    return "".join(f"score: {level * part / 4}\n" for part in (1, 2, 3)) + "score: {value}\n"


def test_a_race_ends_what_a_fresh_idea_is_the_better_use_of_steps_than(lab):
    """Six ideas ended as they stood at a quarter; the seventh stands low there and is ended, the eighth goes on."""
    ideas = [
        {"title": name, "area": "optimizer", "overrides": [f"lr={number}"]} for number, name in enumerate(LEVELS, 2)
    ]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    script = {f"*-{name}-*": {"value": [level], "log": climb(level)} for name, level in LEVELS.items()}
    script["*-seven-*"] = {"states": ["running"], "value": [0.0], "log": "score: 0.075\n"}
    script["*baseline*"] = {"value": [0.50, 0.51, 0.49], "log": climb(0.5)}
    lab.write(
        stop="9 experiments",
        launcher={"type": "scripted", "script": script},
        verdict={"policy": "greedy", "baseline_runs": 3, "confirm": 0},
        run={"early_kill": "race"},
    )
    beginning.begin_campaign(opening.open_campaign(lab.root), "Ada", time.time)
    Loop(ctx=beginning.make_context(opening.open_campaign(lab.root)), poll_s=0.01, health_s=0.0).run()
    rows = {row.description: row for row in lab.rows()}
    assert "by this campaign's curves the steps of a run bring" in rows["seven"].reason
    assert (rows["seven"].status.value, rows["eight"].runs) == ("discard", 1)


def test_a_race_that_no_noise_lets_run_says_so_once(lab):
    """Three baseline runs gave one number: nothing is told in noises then, and whoever asked for a race reads it."""
    script = {
        "*baseline*": {"value": [0.5], "log": CLIMB},
        "*": {"states": ["running", "running", "succeeded"], "value": [0.4], "log": STUCK},
    }
    lab.write(
        stop="3 experiments",
        launcher={"type": "scripted", "script": script},
        verdict={"policy": "sequential", "baseline_runs": 3, "confirm": 0},
        run={"early_kill": "race"},
    )
    beginning.begin_campaign(opening.open_campaign(lab.root), "Ada", time.time)
    Loop(ctx=beginning.make_context(opening.open_campaign(lab.root)), poll_s=0.01, health_s=0.0).run()
    told = [event["text"] for event in lab.journal("noted") if "early_kill" in event["text"]]
    assert [text.partition(":")[0] for text in told] == ["run.early_kill ends no run for its curve"]
    assert "no seed has changed a number" in told[0]
