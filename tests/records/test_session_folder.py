"""Session memory on disk: found again, never torn, no secrets."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from autoresearch.errors import StorageError
from autoresearch.records.session_folder import SessionMemory, sessions
from autoresearch.records.session_memory import MemoryState, TimelineEntry
from autoresearch.secrets.redactor import Redactor

NOW = datetime(2026, 11, 23, 22, 15, tzinfo=UTC).timestamp()
TOKEN = "hf_" + "AbC4" * 8
STATE = MemoryState(goal="raise accuracy", campaign="tiny", branch="main", repo="/repo", head="9f86d08")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "a folder" / "session"


def opened(root, campaign="tiny", now=NOW) -> SessionMemory:
    return SessionMemory.open(root, campaign, now, Redactor(["known-secret"]), UTC)


def test_a_session_is_a_folder_named_after_local_time(root):
    """Made at once, so that the record stands before the first branch."""
    made = opened(root)
    assert (made.folder.name, made.resumed) == ("20261123_221500", False)
    made.checkpoint(STATE, NOW, TimelineEntry(result="begun"))
    assert sorted(path.name for path in made.folder.iterdir()) == [
        "files.md", "handoff.md", "session_state.md", "timeline.md",
    ]  # fmt: skip


@contextmanager
def counted_waits():
    """How often the disk is really waited for meanwhile, in a list of its own."""
    waits = []
    before = sys.getprofile()
    sys.setprofile(lambda _, event, called: waits.append(called) if event == "c_call" and called is os.fsync else None)
    try:
        yield waits
    finally:
        sys.setprofile(before)


def test_only_what_lasts_waits_for_the_disk(root):
    """What the journal has is written as whole, and nobody waits until a power cut could not take them."""
    made = opened(root)
    made.checkpoint(STATE, NOW, TimelineEntry(result="begun"))
    with counted_waits() as waits:
        made.checkpoint(STATE, NOW, TimelineEntry(result="on the way"), lasting=False)
        assert waits == []
        made.checkpoint(STATE, NOW, TimelineEntry(result="judged"))
        assert len(waits) == 5  # the timeline, three files, and once their folder
    assert "on the way" in made.recover()


def test_without_a_zone_it_is_the_machines_own_time(root):
    """The folder's name is what the clock on the wall shows."""
    made = SessionMemory.open(root, "tiny", NOW, Redactor())
    assert made.folder.name == datetime.fromtimestamp(NOW).strftime("%Y%m%d_%H%M%S")  # noqa: DTZ006


def test_a_campaign_finds_its_own_session_again(root):
    """Also when others began later, and when nothing but the beginning was written."""
    first = opened(root)
    other = opened(root, "other", NOW + 60)
    again = opened(root, now=NOW + 7200)
    assert (again.folder, again.resumed) == (first.folder, True)
    assert sessions(root) == (other.folder, first.folder)


def test_two_sessions_of_one_second_do_not_mix(root):
    """The second one takes the next free name."""
    assert [opened(root, name).folder.name for name in "ab"] == ["20261123_221500", "20261123_221501"]


def test_other_things_in_the_folder_are_left_alone(root):
    """Only session folders count as sessions."""
    for name in ("notes", "2026", "20261123_221500x"):
        (root / name).mkdir(parents=True)
    (root / "20261123_000000").write_text("a file")
    assert sessions(root) == sessions(root / "missing") == ()
    assert opened(root).resumed is False


def test_the_timeline_only_grows(root):
    """Every entry stays to the letter; other files say only what is true now."""
    made = opened(root)
    before = b""
    for number in range(5):
        made.checkpoint(STATE, NOW + number, TimelineEntry(result=f"run {number}"))
        after = (made.folder / "timeline.md").read_bytes()
        assert after.startswith(before)
        before = after
    assert before.startswith(b"# Timeline\n\n## 2026-11-23 22:15:00 +0000\n- Result: run 0\n")
    assert before.count(b"\n## ") == 5


def test_a_torn_entry_does_not_swallow_the_next(root):
    """After a crash in the middle of a line the next entry begins on its own."""
    made = opened(root)
    made.checkpoint(STATE, NOW, TimelineEntry(result="run 1"))
    with (made.folder / "timeline.md").open("ab") as stream:
        stream.write(b"\n## 2026-11-23 22:1")
    made.checkpoint(STATE, NOW, TimelineEntry(result="run 2"))
    assert "22:1\n\n## 2026-11-23 22:15:00 +0000\n- Result: run 2\n" in (made.folder / "timeline.md").read_text()


def test_the_goal_stays_until_it_is_replaced(root):
    """Later steering is added; only an explicit new goal takes the old one's place."""
    made = opened(root)
    made.checkpoint(STATE, NOW)
    steered = MemoryState(goal="lower the loss instead", campaign="tiny")
    made.checkpoint(steered, NOW + 1)
    assert made.goal == "raise accuracy"
    assert "- Also asked: lower the loss instead" in (made.folder / "session_state.md").read_text()
    made.checkpoint(steered, NOW + 2, new_goal=True)
    assert made.goal == "lower the loss instead"


def test_the_beginning_is_remembered(root):
    """Started stays, Updated moves, also across a restart."""
    opened(root).checkpoint(STATE, NOW)
    opened(root, now=NOW + 3600).checkpoint(STATE, NOW + 3600)
    text = (opened(root).folder / "session_state.md").read_text()
    assert "- Started: 2026-11-23 22:15:00 +0000\n- Updated: 2026-11-23 23:15:00 +0000\n" in text


def test_a_checkpoint_is_due_every_half_hour(root):
    """And at once in a process that has not written one, or whose clock was set back."""
    made = opened(root)
    assert made.due(NOW)
    made.checkpoint(STATE, NOW)
    assert [made.due(NOW + later) for later in (0, 1799, 1800, -5)] == [False, False, True, True]


def test_no_secret_reaches_a_file(root):
    """Not known ones, not recognisable ones, not even where a long text is cut."""
    made = opened(root)
    text = f"{'x' * 380} {TOKEN} known-secret"
    made.checkpoint(
        MemoryState(goal=text, campaign="tiny", blockers=(text,), next_actions=(f"export HF_TOKEN={TOKEN}",)),
        NOW,
        TimelineEntry(context=text),
    )
    written = "".join(path.read_text() for path in made.folder.iterdir())
    assert "known-secret" not in written
    assert TOKEN[:12] not in written


def test_recovery_reads_in_order_and_is_noted(root):
    """Handoff, state, timeline on one page; the recovery and what did not agree stand in the timeline."""
    opened(root).checkpoint(STATE, NOW, TimelineEntry(result="run 1"))
    again = opened(root, now=NOW + 60)
    page = again.recover()
    assert page.index("# Handoff") < page.index("# Session State") < page.index("- Result: run 1")
    again.note_recovery(NOW + 60, again.mismatches("other", "9f86d081884c"))
    assert "- Result: recovered; the notes say branch main, git says other" in again.recover()


def test_recovery_of_ruined_notes_does_not_fail(root):
    """Notes help; without them the journal still knows everything."""
    made = opened(root)
    for name in ("handoff.md", "timeline.md"):
        (made.folder / name).write_bytes(b"\xff\x00## \n## \n")
    (made.folder / "session_state.md").unlink()
    assert isinstance(made.recover(), str)
    assert made.goal == ""
    assert opened(root, now=NOW + 9).resumed is False


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    """One clear line instead of a trace."""
    (tmp_path / "session").write_text("a file in the way")
    with pytest.raises(StorageError, match="make a session folder"):
        opened(tmp_path / "session")


SCRIPT = """
import sys
from pathlib import Path
from autoresearch.records.session_memory import MemoryState, TimelineEntry
from autoresearch.secrets.redactor import Redactor
from autoresearch.records.session_folder import SessionMemory
made = SessionMemory.open(Path(sys.argv[1]), "tiny", 1e9, Redactor())
made.checkpoint(MemoryState(goal="second", campaign="tiny"), 1e9 + 9, TimelineEntry(result="second"))
"""


@pytest.mark.parametrize(
    "fault",
    ["memory.append.write=torn", "memory.append.sync=kill", "file.replace.write#1=torn", "file.replace.rename#2=kill"],
)
def test_killed_in_a_checkpoint_every_file_is_whole(root, fault):
    """Old or new, never a mixture; and the campaign finds its session again."""
    opened(root).checkpoint(STATE, NOW, TimelineEntry(result="first"))
    before = opened(root).folder
    env = {**os.environ, "AUTORESEARCH_FAULT": fault}
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(root)], env=env, check=False)
    assert done.returncode == -signal.SIGKILL
    again = opened(root)
    assert (again.folder, again.goal) == (before, "raise accuracy")
    assert all(
        (again.folder / name).read_text().endswith("\n") for name in ("handoff.md", "session_state.md", "files.md")
    )
    assert "- Result: first\n" in again.recover()
