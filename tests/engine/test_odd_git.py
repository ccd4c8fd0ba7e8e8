"""What git does not take of one idea costs that idea at most."""

import subprocess

import pytest
import yaml
from tests.conftest import IDEAS, commit_all

from autoresearch.errors import RepositoryError
from autoresearch.git.diffs import apply_patch

ADDS = "diff --git a/{name} b/{name}\nnew file mode 100644\n--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+{text}\n"
SHORT = {"stop": "4 experiments", "verdict": {"policy": "greedy", "baseline_runs": 1, "confirm": 0}}


def git(root, *words: str):
    return subprocess.run(("git", *words), cwd=root, check=True, capture_output=True, text=True).stdout


def words(lab):
    return {row.description: (row.status.value, row.branch.rpartition("/")[2]) for row in lab.rows()}


def test_a_name_that_git_or_the_disk_holds_is_left_alone_and_the_next_taken(lab):
    """A branch file that a crash left empty, and a file where an experiment's folder goes: both ideas run."""
    lab.write(**SHORT)
    broken = lab.root / ".git" / "refs" / "heads" / "autoresearch" / "night" / "raise-the-learning-rate"
    broken.parent.mkdir(parents=True)
    broken.write_text("")
    (lab.folder / "weight-decay").write_text("mine")
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert words(lab)["raise the learning rate"] == ("keep", "raise-the-learning-rate-2")
    assert words(lab)["weight decay"] == ("discard", "weight-decay-2")
    assert (lab.folder / "weight-decay").read_text() == "mine"


@pytest.mark.parametrize("side", ["clean", "smudge"])
def test_an_idea_that_git_cannot_take_is_a_row_and_the_others_run(lab, side):
    """A filter that its own `.gitattributes` asks for and that fails, on the way into git or out of it."""
    git(lab.root, "config", f"filter.boom.{side}", "false")
    git(lab.root, "config", "filter.boom.required", "true")
    odd = {
        "title": "odd",
        "patch": ADDS.format(name=".gitattributes", text="*.json filter=boom") + ADDS.format(name="b.json", text="1"),
    }
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([odd, *IDEAS[:2]]))
    lab.write(**SHORT)
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert words(lab)["odd"][0] in {"crash", "discard"}
    assert "filter" in next(row.reason for row in lab.rows() if row.description == "odd")
    assert words(lab)["raise the learning rate"][0] == "keep"


def test_a_note_that_git_does_not_take_is_told_and_ends_nothing(lab):
    """The row stands in ledger and journal; `ledger check` says what is missing."""
    lab.write(**SHORT)
    git(lab.root, "update-ref", "refs/notes/autoresearch/mine", "HEAD")
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert len(lab.rows()) == 4
    assert any("git note" in note["text"] for note in lab.journal("noted"))
    git(lab.root, "update-ref", "-d", "refs/notes/autoresearch/mine")


PATCH = "--- a/x.txt\n+++ b/x.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+zwei\n three\n"


@pytest.mark.parametrize("setting", ["", "true"])
@pytest.mark.parametrize("patched", ["\n", "\r\n"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_patch_applies_whatever_its_line_ends_and_a_file_keeps_its_own(repo, ends, patched, setting):
    """Whatever the user's git makes of line ends elsewhere."""
    (repo / "x.txt").write_bytes(f"one{ends}two{ends}three{ends}".encode())
    commit_all(repo)
    if setting:
        git(repo, "config", "core.autocrlf", setting)
    apply_patch(repo, PATCH.replace("\n", patched))
    assert (repo / "x.txt").read_bytes() == f"one{ends}zwei{ends}three{ends}".encode()


def test_a_patch_that_does_not_fit_says_so(repo):
    """Line ends are no excuse for another text."""
    (repo / "x.txt").write_bytes(b"one\r\nthree\r\n")
    with pytest.raises(RepositoryError, match="line ends of the files"):
        apply_patch(repo, PATCH)
