"""Ideas that change what measures, where that is the campaign's subject: compared like with like, or not at all."""

import pytest
import yaml
from tests.conftest import commit_all

TRAIN = """\
import exam, sys, yaml
config = yaml.safe_load(open("config.yaml"))
print("score:", exam.FACTOR * config["questions"] * config["lr"] + int(sys.argv[1]) / 1000)
"""
UP = {"title": "faster", "overrides": ["lr=0.2"]}
BOTH = {"title": "faster on an easier exam", "overrides": ["lr=0.3", "questions=10"]}
PATCH = "--- a/exam.py\n+++ b/exam.py\n@@ -1 +1 @@\n-FACTOR = 1\n+FACTOR = 5\n"
EXAM = {"title": "another exam", "patch": PATCH}
CODE = {**BOTH, "title": "both by hand", "overrides": ["lr=0.3"], "patch": PATCH}
SCOPE = {"protect": ["exam.py"], "protect_keys": ["questions"], "subject": ["exam.py", "questions"]}


def prepare(lab, ideas):
    """A campaign over some ideas, with real processes and two seeds of everything that is compared."""
    (lab.root / "train.py").write_text(TRAIN)
    (lab.root / "exam.py").write_text("FACTOR = 1\n")
    (lab.root / "config.yaml").write_text("lr: 0.1\nquestions: 1\n")
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(list(ideas), sort_keys=False))
    commit_all(lab.root)
    lab.write(
        target={"type": "command", "config": "config.yaml", "source": {"type": "stdout"}},
        command=["python3", "train.py", "{seed}"],
        launcher={"type": "local"},
        verdict={"policy": "greedy", "baseline_runs": 2, "confirm": 0},
        stop=f"{len(ideas) + 1} experiments",
        scope=SCOPE,
    )


@pytest.fixture
def night(lab, request):
    """Such a campaign at its end."""
    prepare(lab, request.param)
    done = lab.run()
    assert done.returncode == 0, done.stdout + done.stderr
    return lab


def runs(lab, arm):
    """Seeds and values of an arm's runs, in order."""
    measured = {event["run_id"]: event["measurement"]["value"] for event in lab.journal("run_measured")}
    planned = [event for event in lab.journal("run_planned") if event["experiment"] == arm]
    return [(event["seed"], measured[event["run_id"]]) for event in planned]


@pytest.mark.parametrize("night", [(UP, BOTH, {"title": "decay", "overrides": ["lr=0.15"]})], indirect=True)
def test_parent_and_baseline_are_measured_again_with_the_new_yardstick(night):
    """The gain is that of the learning rate under the easier exam; the exam's own tenfold is nobody's gain."""
    _, up, both, last = night.rows()
    assert up.status.value == "keep"
    assert (both.status.value, both.runs) == ("discard", 2)
    assert both.effect == pytest.approx(3.0 - 2.0)
    assert "with its own yardstick (questions)" in both.reason
    assert "faster measures 2.04" in both.reason
    assert "baseline measures 1.04" in both.reason
    assert runs(night, "yardstick-3-parent") == [(42, pytest.approx(2.042)), (43, pytest.approx(2.043))]
    assert [seed for seed, _ in runs(night, "yardstick-3-baseline")] == [42, 43]
    assert last.parent_commit == up.commit


@pytest.mark.full
@pytest.mark.parametrize("night", [(UP, EXAM)], indirect=True)
def test_a_change_of_the_yardstick_alone_claims_nothing(night):
    """It is its parent measured again: no effect, the level of both beside it, and the incumbent stays."""
    _, _, exam = night.rows()
    assert (exam.status.value, exam.effect) == ("discard", None)
    assert "changes nothing but the evaluation (exam.py), so no gain can be claimed" in exam.reason
    assert "baseline measures 0.54" in exam.reason
    assert "faster measures 1.04" in exam.reason
    assert runs(night, "yardstick-3-parent") == []


@pytest.mark.parametrize("night", [(CODE, {**UP, "parent": "both-by-hand"})], indirect=True)
def test_nothing_is_built_on_a_yardstick_of_its_own(night):
    """Whoever asks for such a parent gets the incumbent, and a note says why."""
    _, both, up = night.rows()
    assert both.effect == pytest.approx(1.5 - 0.5)
    assert up.status.value == "keep"
    assert up.parent_commit == both.parent_commit
    assert any("yardstick of its own" in note["text"] for note in night.journal("noted"))


@pytest.mark.full
def test_a_death_in_between_makes_nothing_twice(lab):
    """The branch of what is measured again stands, the journal has not heard of it: the campaign goes on from there."""
    prepare(lab, (BOTH,))
    assert lab.run(fault="propose.bundle.yardstick=kill@1").returncode != 0
    assert lab.run().returncode == 0
    _, both = lab.rows()
    assert both.effect == pytest.approx(3.0 - 1.0)
    assert [event["name"] for event in lab.journal("bundle_made")] == ["yardstick-2-parent"]


def test_the_plan_says_what_such_an_idea_costs(lab):
    """Before anything is started."""
    settings = ("--set", "scope.subject=[questions]", "--set", "target.source={type: stdout}", "--policy", "greedy")
    aim = (
        "--target",
        "command",
        "--command",
        "python3 train.py",
        "--metric",
        "score",
        "--stop",
        "4 experiments",
        "--set",
        "target.config=config.json",
    )
    told = lab.cli("plan", *aim, *settings, "--dry-run").stdout
    assert "an idea that changes what measures (scope.subject: questions) is compared with its parent" in told
