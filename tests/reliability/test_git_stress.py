"""Campaigns in repositories that are worked in, cleaned, damaged, shallow, large, or full of hooks."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from autoresearch.git import refs as ours
from autoresearch.testing.user_files import Snapshot, difference

pytestmark = pytest.mark.full

SHORT = {"stop": "3 experiments", "verdict": {"policy": "greedy", "baseline_runs": 1, "confirm": 0}}
SAID = [(1, "keep"), (2, "keep"), (3, "discard")]
AS_ADA = ("-c", "user.name=Ada", "-c", "user.email=ada@example.invalid")


def git(lab, *words: str) -> str:
    return subprocess.run(("git", *AS_ADA, *words), cwd=lab.root, capture_output=True, text=True, check=True).stdout


def verdicts(lab):
    return [(row.index, row.status.value) for row in lab.rows()]


@pytest.fixture
def short(lab):
    """A laboratory whose campaign is over soon."""
    lab.write(**SHORT)
    return lab


def meanwhile(lab, *doings: Callable[[], object]) -> None:
    """Run the campaign, and do something beside a move of it each time its journal has grown."""
    controller = lab.start_stepwise()
    seen = 0
    for doing in doings:
        lab.step(controller, lambda: len(lab.journal()) > seen, "a journal that grew")  # noqa: B023 - called at once
        seen = len(lab.journal()) + 3
        lab.turnstile.touch()
        doing()
    lab.let_go()
    _, trouble = controller.communicate(timeout=200)
    assert controller.returncode == 0, trouble


def test_a_locked_index_of_the_users_is_no_hindrance(short):
    """Somebody sits in `git commit` all night: we never need their index, and leave their lock."""
    (short.root / ".git" / "index.lock").write_text("held")
    before = Snapshot.take(short.root)
    assert short.run().returncode == 0
    assert verdicts(short) == SAID
    assert difference(before, Snapshot.take(short.root)) == ()


def test_git_gc_during_a_campaign_takes_nothing_away(short):
    """Packing refs and objects while branches, notes and worktrees come and go; git may find that too lively itself."""
    meanwhile(short, *[lambda: subprocess.run(("git", "gc", "-q"), cwd=short.root, check=False)] * 3)
    assert verdicts(short) == SAID
    assert short.cli("ledger", "check").returncode == 0
    git(short, "fsck", "--no-dangling")


def test_the_user_may_work_on(short):
    """Commits, switches and deleted branches of the user's own change neither the campaign nor are changed by it."""
    base = git(short, "rev-parse", "HEAD").strip()

    def work() -> None:
        (short.root / "config.json").write_text('{"lr": 9, "wd": 9}\n')
        git(short, "commit", "-qam", "mine")

    steps = (work, lambda: git(short, "switch", "-qc", "other"), lambda: git(short, "branch", "-qD", "main"))
    meanwhile(short, *steps)
    assert verdicts(short) == SAID
    assert base.startswith(short.rows()[0].parent_commit)
    assert git(short, "branch", "--show-current") == "other\n"
    assert git(short, "log", "-1", "--format=%s") == "mine\n"


@pytest.mark.parametrize("events", [3, 8, 12])
def test_a_worktree_removed_by_hand_is_made_again(short, events):
    """Nothing in it was the only copy of anything: at worst git finds it gone, and the next controller goes on."""
    controller = short.start_stepwise()
    short.step(controller, lambda: len(short.journal()) > events, "a journal that grew")
    short.turnstile.touch()
    shutil.rmtree(short.root / ".autoresearch" / "worktrees", ignore_errors=True)
    short.let_go()
    _, trouble = controller.communicate(timeout=200)
    assert controller.returncode == 0 or (controller.returncode, trouble.count("\n")) == (1, 1), trouble
    assert short.run().returncode == 0
    assert verdicts(short) == SAID
    assert git(short, "worktree", "list").count("\n") == 1


def test_a_campaign_branch_deleted_by_hand_is_restored_with_a_warning(short):
    """Branches are kept for ever: the journal knows where it was."""
    short.run(fault="settle.noted#2=kill")
    before = ours.branches(short.root)
    git(short, "branch", "-D", "autoresearch/night/raise-the-learning-rate")
    done = short.run()
    assert done.returncode == 0, done.stderr
    assert "raise-the-learning-rate was gone and is restored" in done.stdout
    assert before.items() <= ours.branches(short.root).items()
    assert verdicts(short) == SAID


def test_hooks_and_monitors_of_the_users_stay_asleep(short):
    """A hook that fails, a hook that writes, a file system monitor: none is ever run by us."""
    told = short.root.parent / "told"
    for name in ("pre-commit", "commit-msg", "post-checkout", "reference-transaction", "post-index-change", "monitor"):
        hook = short.root / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho {name} >> '{told}'\nexit 1\n")
        hook.chmod(0o755)
    git(short, "config", "core.fsmonitor", ".git/hooks/monitor")
    assert short.run().returncode == 0
    assert verdicts(short) == SAID
    assert not told.exists()


def test_a_shallow_clone_is_enough(short):
    """One commit deep, as continuous integration clones: the baseline stands on what there is."""
    git(short, "commit", "-q", "--allow-empty", "-m", "second")
    deep = short.root.rename(short.root.with_name("deep"))
    clone = ("git", "clone", "-q", "--depth", "1", f"file://{deep}", str(short.root))
    subprocess.run(clone, check=True, capture_output=True)
    short.write(**SHORT)
    done = short.run()
    assert done.returncode == 0, done.stderr
    assert verdicts(short) == SAID
    assert Path(short.root, ".git", "shallow").exists()


def test_twenty_thousand_files_are_no_matter(short):
    """Ten times NeMo-RL: rows, branches and checkout as ever."""
    for number in range(20_000):
        path = short.root / "big" / f"part-{number % 100}" / f"file-{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"value = {number}\n")
    git(short, "config", "gc.auto", "0")  # the commit below would begin one, which is at work when we look
    git(short, "add", ".")
    git(short, "commit", "-qm", "big")
    before = Snapshot.take(short.root)
    assert short.run().returncode == 0
    assert verdicts(short) == SAID
    assert difference(before, Snapshot.take(short.root)) == ()
