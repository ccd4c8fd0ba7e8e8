"""`adopt`: what was kept, as one clean branch."""

import json
import subprocess

import pytest
import yaml
from tests.conftest import PROVEN, Lab, commit_all
from tests.repositories import copied

from autoresearch.testing.user_files import Snapshot, difference

TWO = [
    {
        "title": "raise the learning rate",
        "area": "optimizer",
        "overrides": ["lr=0.2"],
        "rationale": "It learns slowly.",
    },
    {"title": "weight decay", "area": "optimizer", "overrides": ["wd=0.1"]},
]
SCRIPT = {
    "*baseline*": {"value": [0.50, 0.51, 0.49, 0.50]},
    "*raise-the*": {"value": [0.70, 0.71, 0.69, 0.70]},
    "*weight*": {"value": [0.90, 0.91, 0.89, 0.90]},
}
BRANCH = "autoresearch/adopted/night"


def git(lab, *words: str) -> str:
    return subprocess.run(("git", *words), cwd=lab.root, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def ended_on_two(make_lab):
    """A finished campaign whose best is two kept changes, one on the other, confirmed on fresh seeds; to be copied."""
    lab = make_lab()
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(TWO))
    commit_all(lab.root)
    lab.write(launcher={"type": "scripted", "script": SCRIPT}, stop="12 experiments", verdict=PROVEN)
    done = lab.run()
    assert done.returncode == 0, done.stderr
    return lab


@pytest.fixture
def stacked(ended_on_two, tmp_path):
    """The same, in a copy of its own."""
    return Lab(copied(ended_on_two.root, tmp_path / "my repo"))


def test_the_branch_has_a_signed_off_commit_for_each_kept_change_and_the_measured_files(stacked):
    """In order, on the commit the campaign began on, each with its reasoning and what was measured; nothing else."""
    done = stacked.cli("adopt")
    assert done.returncode == 0, done.stderr
    subjects = git(stacked, "log", "--reverse", "--format=%s", f"main..{BRANCH}").splitlines()
    assert subjects == ["optimizer: raise the learning rate", "optimizer: weight decay"]
    assert git(stacked, "diff", "autoresearch/night/weight-decay", BRANCH) == ""
    first = git(stacked, "log", "-1", "--format=%B", f"{BRANCH}^")
    assert "It learns slowly." in first
    assert "Measured: +" in first
    assert "Signed-off-by: " in first
    assert f"git merge {BRANCH}" in done.stdout


def test_adopting_touches_no_file_of_the_user_and_the_same_result_is_the_same_branch(stacked):
    """The checkout is byte for byte as before; a second call finds the branch of the first."""
    before = Snapshot.take(stacked.root)
    first, second = (json.loads(stacked.cli("adopt", "--json").stdout) for _ in range(2))
    assert difference(before, Snapshot.take(stacked.root)) == ()
    assert (first["branch"], first["commit"]) == (second["branch"], second["commit"])


def test_what_it_would_conflict_with_is_told_before_anybody_merges(stacked):
    """The user has changed the same line meanwhile."""
    (stacked.root / "config.json").write_text('{"lr": 0.7, "wd": 0.0}\n')
    commit_all(stacked.root)
    made = json.loads(stacked.cli("adopt", "--json").stdout)
    assert (made["onto"], made["conflicts"]) == ("main", ["config.json"])


def test_the_text_of_a_pull_request_has_the_table_and_the_keys(stacked):
    """What changed, what each change measured, and how it is made again."""
    made = json.loads(stacked.cli("adopt", "--json").stdout)
    text = (stacked.folder / "pull-request.md").read_text()
    assert made["text"] == str(stacked.folder / "pull-request.md")
    assert "# raise the learning rate; weight decay" in text
    assert "| #3 | weight decay | +" in text
    assert "lr=0.2\nwd=0.1" in text
    assert "autoresearch reproduce 3 --campaign night" in text


def test_what_is_not_the_best_is_not_taken_home_with_the_words_for_the_best(stacked):
    """The first of two changes alone: neither answer nor text repeat what both together gained on fresh seeds."""
    best = stacked.cli("adopt")
    part = stacked.cli("adopt", "2")
    text = (stacked.folder / "pull-request.md").read_text()
    assert "is unverified: by the runs' own word alone" in " ".join(best.stdout.split())
    assert "This is not the best of the campaign (weight-decay)" in " ".join(part.stdout.split())
    assert "This is not the best of the campaign (weight-decay)" in text
    assert "It was judged keep: " in text
    assert "- best: " not in text
    assert "#3" not in text


def test_a_text_that_somebody_edited_stays_and_a_branch_in_the_way_is_named(stacked):
    """The text of a pull request is a person's once it is written; git's own words about a clash help nobody."""
    assert stacked.cli("adopt").returncode == 0
    text = stacked.folder / "pull-request.md"
    text.write_text("mine\n")
    assert "pull-request-1.md" in stacked.cli("adopt").stdout
    assert (stacked.folder / "pull-request-1.md").read_text() == "mine\n"
    assert text.read_text().startswith("# raise the learning rate; weight decay\n")
    git(stacked, "branch", "-m", BRANCH, f"{BRANCH}/of-mine")
    assert f"{BRANCH}-2 at" in stacked.cli("adopt").stdout
    for name in (f"{BRANCH}/of-mine", f"{BRANCH}-2"):
        git(stacked, "branch", "-D", name)
    git(stacked, "branch", "autoresearch/adopted")
    assert "git branch -m autoresearch/adopted NAME" in stacked.refused("adopt")


def test_what_fresh_seeds_do_not_speak_for_is_adopted_only_by_its_number(finished):
    """A number that a person types is their own decision; without one only a confirmed result is taken."""
    lab = finished
    lab.cli("overrule", "2", "discard", "--reason", "one lucky seed")
    assert "To adopt an experiment all the same, name it: autoresearch adopt N" in lab.refused("adopt")
    assert lab.cli("adopt", "2").returncode == 0
    assert git(lab, "log", "--format=%s", f"main..{BRANCH}") == "optimizer: raise the learning rate\n"
    said = (lab.folder / "pull-request.md").read_text()
    assert " overruled keep (" in said
    assert "): discard, one lucky seed" in said
    assert "It was judged" not in said
    assert "A person's word: " in git(lab, "log", "-1", "--format=%B", BRANCH)
    assert "is the baseline itself" in lab.refused("adopt", "1")
    assert "there is no experiment 9" in lab.refused("adopt", "9")


def test_changes_that_were_merged_come_as_one_commit_each_and_with_the_files_of_the_merge(lab):
    """Two ideas that ran side by side and were kept together: nobody ever ran one on top of the other."""
    two = [{**TWO[0]}, {**TWO[1], "overrides": ["wd=0.1"]}]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(two))
    commit_all(lab.root)
    script = {**SCRIPT, "*weight*": {"value": [0.80, 0.81, 0.79, 0.80]}, "*merge*": {"value": [0.9, 0.91, 0.89, 0.9]}}
    launcher = {"type": "scripted", "script": script, "parallel": 2}
    lab.write(launcher=launcher, stop="16 experiments", verdict=PROVEN)
    assert lab.run().returncode == 0
    made = json.loads(lab.cli("adopt", "--json").stdout)
    assert made["measured"] == "autoresearch/night/merge-1"
    assert git(lab, "diff", made["measured"], made["branch"]) == ""
    assert len(git(lab, "log", "--format=%s", f"main..{made['branch']}").splitlines()) == 2 - bool(made["together"])


def test_what_is_taken_home_holds_no_control_characters_and_no_secret(lab):
    """Colours and bells of a title would speak to other terminals; a token in a reason would travel with the branch."""
    token = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
    idea = TWO[0] | {"title": "raise \x1b[31mthe\x07 rate", "rationale": f"Found with {token}.\x1b]0;x\x07"}
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([idea]))
    commit_all(lab.root)
    lab.write(launcher={"type": "scripted", "script": SCRIPT | {"*raise*": SCRIPT["*raise-the*"]}}, verdict=PROVEN)
    assert lab.run().returncode == 0
    assert lab.cli("adopt", "2").returncode == 0
    for text in (git(lab, "log", "--format=%B", f"main..{BRANCH}"), (lab.folder / "pull-request.md").read_text()):
        assert token not in text
        assert all(one == "\n" or one.isprintable() for one in text)


def test_status_says_what_fresh_seeds_say_in_the_words_of_the_report(stacked):
    """The column of effects has what was judged, by runs that chose; the sentence below has the report's number."""
    told = json.loads(stacked.cli("status", "--json").stdout)["claimed"]
    assert told in " ".join(stacked.cli("status").stdout.split())
    whole = told.partition("on fresh seeds: all that was kept ")[2].partition("]")[0]
    assert whole.startswith("+0.4 [")
    stacked.cli("report")
    assert f"{whole}]" in (stacked.folder / "report.md").read_text()


def test_a_test_script_is_written_only_where_the_target_has_a_suite(finished):
    """Somebody's own script has none: that is said, and no branch is made."""
    assert "a target command has no test suite" in finished.refused("adopt", "--test-suite")
    assert git(finished, "branch", "--list", BRANCH) == ""
