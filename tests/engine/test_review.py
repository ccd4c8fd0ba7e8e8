"""An experiment's fault is a row of its own: nothing an idea does may stop the campaign or slip past the guards."""

import subprocess

import pytest
import yaml

PROTECT = {"protect_keys": ["wd"], "protect": ["train.py"]}


def git(lab, *words: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.invalid")
    return subprocess.run(("git", *identity, *words), cwd=lab.root, capture_output=True, text=True, check=True).stdout


def ideas(lab, *entries: dict[str, object], **settings: object) -> None:
    """Let the campaign try these, one after the other."""
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(list(entries), sort_keys=False))
    lab.write(stop=f"{len(entries) + 1} experiments", **settings)


def verdicts(lab) -> list[str]:
    """Run to the end, and what each row says after the baseline's."""
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert [row.index for row in lab.rows()] == list(range(1, len(lab.rows()) + 1))
    return [f"{row.status.value}: {row.reason}" for row in lab.rows()[1:]]


def agent(script: str) -> dict[str, object]:
    """A coding agent that is a shell script."""
    answer = (
        """cat > "$AUTORESEARCH_ANSWER" <<'END'\n{"title": "an idea", "area": "code", "rationale": "why not"}\nEND\n"""
    )
    command = ["bash", "-c", f"{script}\n{answer}"]
    return {"type": "agent", "agent": "command", "command": command, "sandbox": "none", "tries": 1, "limit": 1}


def test_a_child_of_a_refused_idea_does_not_inherit_what_was_refused(lab):
    """A protected key changed by an idea that was refused cannot be run by building on that idea."""
    first = {"title": "touch what measures", "overrides": ["wd=9"]}
    second = {"title": "stand on its shoulders", "overrides": ["lr=0.3"], "parent": "touch-what-measures"}
    ideas(lab, first, second, scope=PROTECT)
    verdicts(lab)
    assert '"wd": 9' not in git(lab, "show", f"{lab.rows()[2].branch}:config.json")


def test_a_child_of_an_unreadable_recipe_is_a_row(lab):
    """An idea that asks for a parent whose recipe cannot be read starts from another one."""
    broken = '--- a/config.json\n+++ b/config.json\n@@ -1 +1 @@\n-{"lr": 0.1, "wd": 0.0}\n+{"lr": \n'
    first = {"title": "break it", "patch": broken}
    second = {"title": "child of the broken", "overrides": ["lr=0.3"], "parent": "break-it"}
    ideas(lab, first, second)
    assert len(verdicts(lab)) == 2


@pytest.mark.parametrize("value", ["2026-01-01", "2026-13-45", "&a [*a]"])
def test_a_value_that_no_configuration_can_hold_is_a_row(lab, value):
    """Whatever an override says, it is refused in a row."""
    ideas(lab, {"title": "odd value", "overrides": [f"lr={value}"]}, {"title": "weight", "overrides": ["lr=0.3"]})
    first, second = verdicts(lab)
    assert first.startswith("crash: no run was possible")
    assert not second.startswith("crash")


def test_a_file_name_that_utf8_cannot_hold_is_a_row(lab):
    """An agent may name a file in any bytes."""
    lab.write(stop="2 experiments", researcher=agent("touch $'caf\\xe9.txt'; sed -i s/0.1/0.2/ config.json"))
    assert len(verdicts(lab)) == 1


def test_a_repository_inside_the_worktree_is_a_row(lab):
    """What an agent cloned into its worktree cannot be committed; the attempt is refused and the campaign goes on."""
    script = "git init -q sub; touch sub/x; git -C sub add x; git -C sub -c user.name=a -c user.email=b commit -qm x; sed -i s/0.1/0.2/ config.json"
    lab.write(stop="2 experiments", researcher=agent(script))
    (told,) = verdicts(lab)
    assert "sub/" in told


def test_what_only_lies_in_the_worktree_is_no_part_of_the_recipe(lab):
    """A recipe that needs a file which git ignores is refused: the commit does not hold it."""
    (lab.root / ".gitignore").write_text("*.local.sh\n")
    git(lab, "add", ".gitignore")
    git(lab, "commit", "-qm", "ignore")
    lab.write(
        stop="3 experiments",
        researcher=[
            agent("rm config.json; echo '{\"lr\": 0.5}' > c.local.sh; ln -s c.local.sh config.json"),
            {"type": "file", "path": "ideas.yaml"},
        ],
    )
    first, _second = verdicts(lab)
    assert first.startswith("crash")


def test_a_branch_of_the_users_with_our_name_is_left_alone(lab):
    """An experiment whose branch name is taken gets the next free one; a longer name below it counts as taken too."""
    git(lab, "branch", "autoresearch/night/raise-the-learning-rate")
    git(lab, "branch", "autoresearch/night/weight-decay/mine")
    assert len(verdicts(lab)) == 3
    assert lab.rows()[1].branch == "autoresearch/night/raise-the-learning-rate-2"
    assert lab.rows()[2].branch == "autoresearch/night/weight-decay-2"


def test_another_name_in_git_after_a_crash_is_no_obstacle(lab):
    """The person changes `user.name` while an attempt is half committed."""
    lab.run(fault="propose.branch=kill@1")
    git(lab, "config", "user.name", "Somebody Else")
    git(lab, "config", "user.email", "else@example.invalid")
    assert len(verdicts(lab)) == 3


@pytest.mark.parametrize("branch", ["autoresearch", "autoresearch/night", "autoresearch/night/baseline"])
def test_a_campaign_whose_branches_cannot_be_made_is_refused_before_it_begins(lab, branch):
    """One line that names the branch in the way, and nothing is frozen."""
    git(lab, "branch", branch)
    assert branch in lab.refused("run", "--yes", "--plain")
    assert lab.journal() == []


def test_an_idea_that_goes_back_to_the_baseline_is_a_duplicate(lab):
    """Code and configuration equal the baseline's: no run is spent on it."""
    up = {"title": "raise the learning rate", "overrides": ["lr=0.2"]}
    ideas(lab, up, {"title": "back again", "overrides": ["lr=0.1"]})
    assert "duplicate" in verdicts(lab)[1]


def test_ideas_that_say_the_same_words_with_other_patches_are_all_tried(lab):
    """The title alone does not make two ideas one."""

    def patch(value: str) -> str:
        return f'--- a/config.json\n+++ b/config.json\n@@ -1 +1 @@\n-{{"lr": 0.1, "wd": 0.0}}\n+{{"lr": {value}, "wd": 0.0}}\n'

    ideas(
        lab,
        {"title": "tune", "patch": patch("0.3"), "parent": "baseline"},
        {"title": "tune", "patch": patch("0.4"), "parent": "baseline"},
    )
    assert len(verdicts(lab)) == 2


def test_new_ideas_after_the_end_of_the_list_are_tried(lab):
    """A list that was at its end is longer now: `run` goes on with it."""
    lab.write(stop="10 experiments")
    assert len(verdicts(lab)) == 3
    entries = yaml.safe_load((lab.root / "ideas.yaml").read_text())
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([*entries, {"title": "late", "overrides": ["lr=0.7"]}]))
    assert len(verdicts(lab)) == 4
