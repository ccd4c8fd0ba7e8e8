"""Campaigns in repositories that are not as tidy as a laboratory's."""

import os
import shutil
import subprocess

import pytest
from tests.conftest import WORK, Lab, commit_all, make_repository

from autoresearch.campaign.campaign import Campaign
from autoresearch.git import refs
from autoresearch.records import notes
from autoresearch.records.paths import EXCLUDED
from autoresearch.testing.user_files import Snapshot, difference

POLICY = {"policy": "greedy", "baseline_runs": 1, "confirm": 0}


def in_order(lab, name="night"):
    """Whether a campaign has come to its end with a keep, a discard and a crash, and everything written agrees."""
    rows = [row for row in lab.rows() if f"/{name}/" in row.branch]
    assert [row.status.value for row in rows] == ["keep", "keep", "discard", "crash"], rows
    assert Campaign(where=lab.root, name=name).check() == []


def test_two_campaigns_at_once_share_a_repository(lab):
    """One ledger, one notes ref, one exclude file: every row and every note of both is there, and each resumes alone."""
    lab.write(verdict=POLICY)
    other = Lab(lab.root, "noon")
    other.write(verdict=POLICY)
    before = Snapshot.take(lab.root)
    both = [lab.start(*WORK, "--campaign", name) for name in ("night", "noon")]
    for controller in both:
        _, told = controller.communicate(timeout=240)
        assert controller.returncode == 0, told
    assert difference(before, Snapshot.take(lab.root)) == ()
    for name in ("night", "noon"):
        in_order(lab, name)
    assert len(notes.all(lab.root)) == 8


def test_a_linked_worktree_has_campaigns_of_its_own(lab):
    """The user works in `git worktree add`: records lie there, branches in the one repository, the main checkout rests."""
    linked = lab.root.parent / "linked"
    subprocess.run(("git", "worktree", "add", "-q", "-b", "side", linked), cwd=lab.root, check=True)
    side = Lab(linked, "aside")
    side.write(verdict=POLICY)
    before = Snapshot.take(lab.root), Snapshot.take(linked)
    done = side.run()
    assert done.returncode == 0, done.stderr
    assert (difference(before[0], Snapshot.take(lab.root)), difference(before[1], Snapshot.take(linked))) == ((), ())
    in_order(side, "aside")
    assert not lab.ledger.exists()
    assert refs.branches(lab.root, "autoresearch/aside")


def test_a_subdirectory_is_as_good_as_the_top(lab):
    """Every command finds the repository from below, and files lie where they always do."""
    lab.write(verdict=POLICY)
    below = lab.root / "deep" / "down"
    below.mkdir(parents=True)
    assert Lab(below).run().returncode == 0
    in_order(lab)
    assert sorted(below.parent.rglob("*")) == [below]
    assert "4/4 attempted" in Lab(below).cli("status").stdout


ODD = ["a\nb", 'it\'s "quoted"', "mäße 日本 \U0001f600", "$(touch x) `id`; #", " edge "]


@pytest.mark.parametrize("name", [
    " ".join(ODD), "-n $(touch x) `id`; #", *(pytest.param(name, marks=pytest.mark.full) for name in ODD),
])  # fmt: skip
def test_any_name_of_the_folder_will_do(place, tmp_path, name):
    """Line breaks, quotes, other scripts, what a shell would run, spaces at both ends: real processes get through."""
    odd = Lab(make_repository(place / os.urandom(4).hex() / name))
    try:
        (odd.root / "train.py").write_text("import json\nprint('score:', json.load(open('config.json'))['lr'])\n")
        commit_all(odd.root)
        odd.write(launcher="local", verdict=POLICY, stop="2 experiments")
        done = odd.run()
        assert done.returncode == 0, done.stderr
        assert [row.metric_value for row in odd.rows()] == [0.1, 0.2]
        assert Campaign(where=odd.root).check() == []
        assert not (odd.root / "x").exists()
    finally:
        shutil.rmtree(odd.root.parent)


KINDS = {
    "shallow": ("clone", "-q", "--depth", "1", "file://{source}", "{clone}"),
    "shared": ("clone", "-q", "--shared", "{source}", "{clone}"),
    "without blobs": ("clone", "-q", "--filter=blob:none", "file://{source}", "{clone}"),
    "sparse": ("clone", "-q", "--sparse", "{source}", "{clone}"),
    "with its git folder elsewhere": ("clone", "-q", "--separate-git-dir", "{clone}.elsewhere", "{source}", "{clone}"),
    "submodule": ("-C", "{above}", "submodule", "--quiet", "add", "{source}", "below"),
}


@pytest.mark.full
@pytest.mark.parametrize("kind", KINDS)
def test_any_kind_of_clone_will_do(lab, kind):
    """What a clone lacks is fetched or made, what it shares stays as it is; two runs, one kept idea, all in agreement."""
    above = lab.root.parent / "above"
    clone = above / "below"
    subprocess.run(("git", "init", "-q", above), check=True)
    subprocess.run(("git", "config", "uploadpack.allowFilter", "true"), cwd=lab.root, check=True)
    words = [word.format(source=lab.root, clone=clone, above=above) for word in KINDS[kind]]
    subprocess.run(("git", "-c", "protocol.file.allow=always", *words), check=True, capture_output=True)
    source, made = Snapshot.take(lab.root), Lab(clone)
    made.write(verdict=POLICY, stop="2 experiments")
    before = Snapshot.take(clone)
    session = Campaign(where=clone)
    session.run(approved_by="Ada", poll_s=0.01)
    assert [row.status.value for row in made.rows()] == ["keep", "keep"]
    assert session.check() == []
    assert (difference(source, Snapshot.take(lab.root)), difference(before, Snapshot.take(clone))) == ((), ())


def test_files_of_the_user_where_ours_lie_stay_theirs(lab):
    """`reports/` and `session/` tracked already, with work in them: byte for byte as before, staged or not."""
    for path in ("reports/january.md", "session/notes.md"):
        (lab.root / path).parent.mkdir(exist_ok=True)
        (lab.root / path).write_text("mine\n")
    subprocess.run(("git", "add", "-f", "reports/january.md", "session/notes.md"), cwd=lab.root, check=True)
    commit_all(lab.root)
    (lab.root / "reports" / "january.md").write_text("mine, edited\n")
    lab.write(verdict=POLICY)
    status = ("git", "status", "--porcelain", "--untracked-files=all")
    before = subprocess.run(status, cwd=lab.root, check=True, capture_output=True).stdout
    assert lab.run().returncode == 0
    assert subprocess.run(status, cwd=lab.root, check=True, capture_output=True).stdout == before
    assert (lab.root / "reports" / "january.md").read_text() == "mine, edited\n"
    in_order(lab)


def test_a_ledger_that_is_tracked_goes_on(lab):
    """Somebody committed the TSV of an earlier campaign: rows are added to it, and only it shows as changed."""
    lab.write(verdict=POLICY, stop="1 experiment")
    assert lab.run().returncode == 0
    subprocess.run(("git", "add", "-f", "reports/auto_research_results.tsv"), cwd=lab.root, check=True)
    commit_all(lab.root)
    first = lab.ledger.read_text()
    later = Lab(lab.root, "noon")
    later.write(verdict=POLICY)
    done = later.run("--campaign", "noon")
    assert done.returncode == 0, done.stderr
    in_order(later, "noon")
    assert later.ledger.read_text().startswith(first)


@pytest.mark.parametrize("kind", ["read-only", "a file"])
def test_an_info_folder_that_cannot_be_written_is_told_in_one_line(lab, kind):
    """Nothing is begun, for what is ours would show up in the user's `git status`; with the lines in it, all is well."""
    if kind == "read-only" and os.geteuid() == 0:
        pytest.skip("root may write wherever it likes")
    lab.write()
    info = lab.root / ".git" / "info"
    shutil.rmtree(info)
    info.mkdir() if kind == "read-only" else info.write_text("")
    info.chmod(0o555)
    try:
        line = lab.refused("run", "--yes")
    finally:
        info.chmod(0o755)
    assert f"cannot write {info}/exclude" in line
    assert "/reports/auto_research/ /session/ /.autoresearch/" in line
    assert lab.journal() == []


def test_an_info_folder_that_needs_no_writing_may_be_read_only(lab):
    """Somebody else added the lines."""
    info = lab.root / ".git" / "info"
    (info / "exclude").write_text("\n".join(EXCLUDED) + "\n")
    lab.write(verdict=POLICY, stop="1 experiment")
    (info / "exclude").chmod(0o444)
    info.chmod(0o555)
    try:
        assert lab.run().returncode == 0
    finally:
        info.chmod(0o755)
    assert (info / "exclude").read_text().split() == [*EXCLUDED, "/reports/"]
