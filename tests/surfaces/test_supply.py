"""A plan knows who could propose what: with nobody, and with ideas that cannot be applied, it is none."""

import pytest
import yaml

PLAN = (
    "plan",
    "--name",
    "c",
    "--target",
    "command",
    "--command",
    "python3 train.py",
    "--metric",
    "score",
    "--stop",
    "3 experiments",
)
CONFIG = ("--set", "target.config=config.json")


def test_a_command_without_a_recipe_is_a_script_of_ones_own(lab):
    """Nothing else could be meant, so nobody is asked to say `--target command` as well."""
    said = [word for word in PLAN if word not in {"--target", "command"}]
    assert lab.cli(*said, *CONFIG, "--dry-run").stdout == lab.cli(*PLAN, *CONFIG, "--dry-run").stdout


def test_without_a_list_the_keys_of_the_configuration_are_searched(lab):
    """The plan says over what, and the campaign file holds the space for a person to correct."""
    pytest.importorskip("numpy")
    done = lab.cli(*PLAN, *CONFIG)
    assert done.returncode == 0, done.stderr
    written = yaml.safe_load((lab.root / "reports/auto_research/c/campaign.yaml").read_text())["researcher"]
    assert (written["type"], "lr" in written["space"]) == ("search", True)
    assert "researchers:      search (" in done.stdout


@pytest.mark.parametrize(
    "words", [(), ("--researcher", "playbook"), ("--researcher", "playbook", "--researcher", "file")]
)
def test_a_plan_in_which_nobody_could_propose_anything_is_refused(lab, words):
    """Three baselines and an end is no campaign; what is driven by hand says so."""
    (lab.root / "empty.yaml").write_text("[]")
    ideas = ("--ideas", "empty.yaml") if "file" in words else ()
    words = words[:2] if ideas else words
    assert "nobody could propose anything here" in lab.refused(*PLAN, *words, *ideas)
    assert lab.cli(*PLAN, "--set", "researcher=[]").returncode == 0


def test_a_search_without_a_space_is_refused_at_once(lab):
    """It would wait for ever; a key that the file does not have is named."""
    pytest.importorskip("numpy")
    assert "there is nothing to search" in lab.refused(*PLAN, "--researcher", "search")
    space = ("--set", "target.space={lrr: [0.1, 0.2]}", "--researcher", "search")
    assert "nothing to search" in lab.refused(*PLAN, *CONFIG, *space)


def test_a_list_that_is_not_there_is_refused(lab):
    """Not at three in the morning."""
    assert "no-such.yaml cannot be read" in lab.refused(*PLAN, *CONFIG, "--ideas", "no-such.yaml")


@pytest.mark.parametrize(("stop", "why"), [
    ("until accuracy >= 0.9 or 5 experiments", "it waits for accuracy, and score alone is measured"),
    ("8 gpu hours", "it counts GPU-hours alone, and a run takes no GPU"),
])  # fmt: skip
def test_a_stop_rule_that_can_never_be_met_is_refused(lab, stop, why):
    """By the plan, and by `run` where the file was written by hand."""
    assert why in lab.refused(*PLAN[:-1], stop, *CONFIG, "--ideas", "ideas.yaml")
    lab.write(stop=stop)
    assert why in lab.refused("run", "--yes")


def test_listed_ideas_are_applied_dry(lab):
    """Those that fail are told with the nearest that would do; where all fail, there is no plan. Nothing is left."""
    ideas = [{"title": "good", "overrides": ["lr=0.5"]}, {"title": "misspelt", "overrides": ["lrr=0.5"]}]
    (lab.root / "some.yaml").write_text(yaml.safe_dump(ideas))
    told = lab.cli(*PLAN, *CONFIG, "--ideas", "some.yaml", "--dry-run").stdout
    assert told.count("a listed idea cannot be applied: 'lrr=0.5'") == 1
    assert "file (2 listed)" in told
    (lab.root / "none.yaml").write_text(yaml.safe_dump(ideas[1:]))
    assert "none of the 1 listed ideas can be applied" in lab.refused(*PLAN, *CONFIG, "--ideas", "none.yaml")
    assert not list((lab.root / ".autoresearch").glob("worktrees/dry/*"))


def test_a_search_without_a_space_in_a_file_written_by_hand_begins_nothing(lab):
    """`run` refuses it too."""
    pytest.importorskip("numpy")
    lab.write(researcher={"type": "search"}, target={"type": "command", "source": "stdout"})
    assert "there is nothing to search" in lab.refused("run", "--yes")
    assert lab.journal() == []


def test_a_researcher_that_never_can_is_waited_for_by_nobody(lab):
    """With the list at its end the campaign ends, and says what the search said."""
    pytest.importorskip("numpy")
    one = [{"title": "good", "overrides": ["lr=0.5"]}]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(one))
    search = {"type": "search", "space": {"no_such_key": [0.1, 0.2]}}
    lab.write(researcher=[{"type": "file", "path": "ideas.yaml"}, search], stop="5 experiments")
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert "the recipe has no key no_such_key" in done.stdout
    assert "ended" in lab.cli("status").stdout
