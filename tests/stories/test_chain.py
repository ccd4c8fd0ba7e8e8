"""Who is asked next over a whole campaign: refusals, lists that grow, areas that give nothing."""

import pytest
import yaml

FLAT = {"*": {"value": [0.5]}}
BREAKS = 'echo $RANDOM >> train.py; echo \'{"title": "rewrite the exam"}\' > "$AUTORESEARCH_ANSWER"'
AGENT = {"type": "agent", "agent": "command", "command": ["bash", "-c", BREAKS], "tries": 1}
FILE = {"type": "file", "path": "ideas.yaml"}
PATCH = """--- a/train.py
+++ b/train.py
@@ -1 +1 @@
-print('score: 0')
+print('score: NUMBER')
"""
PLAN = {"launcher": {"type": "scripted", "script": FLAT}, "scope": {"protect": ["train.py"]}}


@pytest.mark.full
def test_an_agent_that_is_refused_again_and_again_rests_and_the_others_go_on(lab):
    """Three refused rows, a note that says so, then the list's ideas until it is through."""
    lab.write(researcher=[AGENT, FILE], stop="9 experiments", **PLAN)
    done = lab.run()
    assert done.returncode == 0, done.stderr
    ideas = ["raise the learning rate", "weight decay", "far too high"]
    assert [row.description for row in lab.rows()][1:] == ["rewrite the exam"] * 3 + ideas
    notes = [str(event["text"]) for event in lab.journal("noted")]
    assert any("researcher agent rests: its last 3 proposals were refused or none" in note for note in notes)


def test_with_nobody_left_to_ask_the_campaign_ends_and_says_why(lab):
    """Not twenty refused rows: three, and a reason a person can act on."""
    lab.write(researcher=AGENT, stop="20 experiments", **PLAN)
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert len(lab.rows()) == 4
    assert "agent rests after 3 refused proposals in a row" in str(lab.journal("campaign_ended")[-1]["reason"])
    assert "agent rests after 3 refused proposals in a row" in done.stdout


def test_a_list_is_worked_through_whatever_is_refused_of_it(lab):
    """Four ideas outside the scope, then a good one: five rows, the good one was run."""
    ideas = [{"title": f"exam {n}", "patch": PATCH.replace("NUMBER", str(n))} for n in range(4)]
    ideas.append({"title": "raise the rate", "overrides": ["lr=0.3"]})
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    lab.write(researcher=FILE, stop="9 experiments", **PLAN)
    assert lab.run().returncode == 0
    assert [row.description for row in lab.rows()][1:] == [idea["title"] for idea in ideas]
    assert lab.rows()[-1].runs


@pytest.mark.full
def test_two_researchers_of_one_kind_are_told_apart(lab):
    """Two agents that take turns: rows and shares know which of them it was, and one resting leaves the other alone."""
    good = 'sed -i "s/0.1/0.$RANDOM/" config.json; echo \'{"title": "another rate"}\' > "$AUTORESEARCH_ANSWER"'
    other = AGENT | {"command": ["bash", "-c", good], "share": 1}
    lab.write(researcher=[AGENT | {"share": 1}, other], stop="7 experiments", **PLAN)
    assert lab.run().returncode == 0
    sources = [event["hypothesis"]["source"] for event in lab.journal("experiment_committed")][1:]
    assert sources == ["agent", "agent-2", "agent", "agent-2", "agent", "agent-2"]
    assert any("researcher agent rests" in str(event["text"]) for event in lab.journal("noted"))


def test_who_had_no_idea_is_asked_again_after_the_next_verdict(lab):
    """The list grows while its only idea still runs: asked once in vain, not over and over, and then once more."""
    ideas = yaml.safe_load((lab.root / "ideas.yaml").read_text())
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas[:1]))
    slow = {"states": ["running"] * 60 + ["succeeded"], "value": [0.5]}
    launcher = {"type": "scripted", "parallel": 2, "script": {"*raise*": slow, **FLAT}}
    lab.write(stop="3 experiments", launcher=launcher)
    child = lab.start_stepwise()
    lab.step(child, lambda: lab.journal("experiment_abandoned"), "the list to have no more")
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas[:2]))
    lab.let_go()
    out, err = child.communicate(timeout=200)
    assert child.returncode == 0, err
    assert [row.description for row in lab.rows()][1:] == ["raise the learning rate", "weight decay"], out
    assert len(lab.journal("experiment_abandoned")) == 1


def test_an_area_without_a_keep_is_recorded_and_every_brief_says_where_to_look(lab):
    """Four settled ideas of one area: one event with them and the next area, and a line in the next brief (R115)."""
    ideas = [{"title": f"rate {n}", "area": "optimizer", "overrides": [f"lr=0.{n}"]} for n in range(2, 8)]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    lab.write(researcher=FILE, stop="7 experiments", **PLAN)
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert "area optimizer is at a plateau after 4 settled ideas; next: backend" in done.stdout
    reached = lab.journal("plateau_reached")
    assert [(event["area"], event["ideas"], event["next_area"]) for event in reached] == [
        ("optimizer", ["rate-2", "rate-3", "rate-4", "rate-5"], "backend")
    ]
    assert "At a plateau" not in (lab.folder / "rate-5" / "brief.md").read_text()
    assert "Look at `backend` first" in (lab.folder / "rate-6" / "brief.md").read_text()


def test_the_brief_says_the_noise_that_was_measured(lab):
    """From two runs of the baseline: how one run scatters, and the smallest gain a run can show."""
    script = {"*baseline*": {"value": [0.50, 0.52]}, "*": {"value": [0.5]}}
    verdict = {"policy": "greedy", "baseline_runs": 2}
    lab.write(stop="2 experiments", launcher={"type": "scripted", "script": script}, verdict=verdict)
    assert lab.run().returncode == 0
    brief = (lab.folder / "raise-the-learning-rate" / "brief.md").read_text()
    assert "a single run varies by 0.0141 (standard deviation, from 1 repeat)" in brief
    assert "can detect a gain of 0.109 or more" in brief


EDITS = """grep -A3 'What a model of all runs expects' "$AUTORESEARCH_BRIEF" > /dev/null && heard=-heard
rate=0.0$((RANDOM % 9000 + 1000))
echo "{\\"lr\\": $rate, \\"wd\\": 0.01}" > config.json
echo "{\\"title\\": \\"rate $rate$heard\\"}" > "$AUTORESEARCH_ANSWER"
"""


WORSE = {"*rate*": {"value": [0.4]}, "*better-1*": {"value": [0.6]}, "*better-2*": {"value": [0.7]},
         "*better-3*": {"value": [0.8]}, "*": {"value": [0.5]}}  # fmt: skip


@pytest.mark.full
def test_search_and_agent_share_one_belief(lab):
    """The agent's brief holds the surface, and the values that it edited are points of it."""
    agent = {**AGENT, "command": ["bash", "-c", EDITS], "share": 1}
    search = {"type": "search", "space": {"lr": [0.001, 0.9]}, "share": 1}
    lab.write(researcher=[agent, search], stop="6 experiments", launcher={"type": "scripted", "script": WORSE})
    assert lab.run().returncode == 0
    edits = [one for one in lab.journal("experiment_committed") if one["hypothesis"]["source"] == "agent"]
    assert all(any(word.startswith("lr=0.0") for word in one["config"]) for one in edits)
    assert str(edits[-1]["hypothesis"]["title"]).endswith("heard")


@pytest.mark.full
def test_a_useless_partner_is_asked_last_and_why_is_told_in_numbers(lab):
    """Three of three listed ideas are kept and none of the agent's: it is dropped, and the list is worked through."""
    ideas = [{"title": f"better {n}", "overrides": [f"lr={n}"]} for n in (1, 2, 3)]
    ideas += [{"title": f"same {n}", "overrides": [f"lr={n}"]} for n in (4, 5, 6)]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    agent = {**AGENT, "command": ["bash", "-c", EDITS], "share": 1}
    lab.write(
        researcher=[agent, {**FILE, "share": 1}], stop="9 experiments", launcher={"type": "scripted", "script": WORSE}
    )
    done = lab.run()
    (dropped,) = lab.journal("researcher_dropped")
    assert dropped["researcher"] == "agent"
    assert "tested ideas was kept, of the others' " in dropped["reason"]
    assert "researcher agent is asked last from now on" in done.stdout
    told = [one["hypothesis"]["source"] for one in lab.journal("experiment_committed") if one["at"] > dropped["at"]]
    assert "agent" not in told
