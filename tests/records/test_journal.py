"""The journal on disk: what was acknowledged is there, what was torn is taken out, what is damaged is named."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autoresearch.errors import LedgerError
from autoresearch.experiment.events import Noted, Paused, RunSubmitted, Steered
from autoresearch.machine import processes
from autoresearch.records.journal import Journal, dump

GOLDEN = Path(__file__).parents[1] / "golden" / "journal_v1.jsonl"
WRITER = """
import sys
from pathlib import Path
from autoresearch.experiment.events import Steered
from autoresearch.records.journal import Journal
journal = Journal(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    journal.append(Steered(at=float(number), text="größer", by=sys.argv[2]))
"""


def said(text: str) -> Steered:
    return Steered(at=1.0, text=text, by="anna")


def write(path: Path, by: str, count: int, fault: str = "") -> processes.Completed:
    argv = [sys.executable, "-c", WRITER, str(path), by, str(count)]
    return processes.run(argv, env={**os.environ, "AUTORESEARCH_FAULT": fault}, check=False)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "campaign" / "journal.jsonl")


def test_events_are_read_in_the_order_they_were_written(journal: Journal):
    """Each gets the number of its line; a journal that does not exist is empty."""
    assert journal.read() == ()
    assert [journal.append(said(text)) for text in "abc"] == [1, 2, 3]
    assert journal.read() == tuple(said(text) for text in "abc")


def test_the_controller_sees_what_a_command_beside_it_wrote(journal: Journal):
    """`steer` and `pause` run in other processes; `tail` gives their events once."""
    journal.append(said("mine"))
    _, offset = journal.tail(0)
    other = Journal(journal.path)
    assert other.append(Paused(at=2.0, reason="lunch", by="anna")) == 2
    assert journal.append(said("mine again")) == 3
    events, offset = journal.tail(offset)
    assert events == (Paused(at=2.0, reason="lunch", by="anna"), said("mine again"))
    assert journal.tail(offset) == ((), offset)


@pytest.mark.full
def test_writers_at_once_lose_nothing(journal: Journal):
    """Three processes of twenty events each: sixty whole lines, each writer's own in its order."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda by: write(journal.path, by, 20), "abc"))
    events = journal.read()
    for by in "abc":
        assert [event.at for event in events if isinstance(event, Steered) and event.by == by] == list(range(20))


@given(cut=st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_a_torn_last_line_is_taken_out_and_told(tmp_path_factory: pytest.TempPathFactory, cut: int):
    """Wherever its writer died the rest reads; the next append leaves a journal of whole lines and says what it did."""
    journal = Journal(tmp_path_factory.mktemp("torn") / "journal.jsonl")
    line = dump(said("größer")).encode()
    journal.path.write_bytes(line + b"\n" + line[: len(line) - cut])
    assert journal.read() == (said("größer"),)
    assert journal.append(said("next")) == 3
    first, note, last = journal.read()
    assert (first, last) == (said("größer"), said("next"))
    assert isinstance(note, Noted)
    assert note.details["raw"].startswith('{"v":1'[: len(line) - cut])


def test_zeros_left_by_a_power_cut_are_a_torn_line(journal: Journal):
    """File systems may have made the file longer before they wrote the bytes."""
    journal.append(said("a"))
    with journal.path.open("ab") as file:
        file.write(b"\0" * 300)
    assert journal.read() == (said("a"),)
    journal.append(said("b"))
    assert b"\0" not in journal.path.read_bytes()


def test_a_last_line_without_newline_is_whole_when_it_reads(journal: Journal):
    """An editor dropped the newline: the event counts, once, and the next one starts a line of its own."""
    journal.append(said("a"))
    journal.path.write_bytes(journal.path.read_bytes().rstrip(b"\n"))
    events, offset = journal.tail(0)
    assert events == (said("a"),)
    assert journal.append(said("b")) == 2
    assert journal.tail(offset)[0] == (said("b"),)
    assert journal.read() == (said("a"), said("b"))


@pytest.mark.parametrize("fault", ["before#2=kill", "write#2=kill", "write#2=torn", "sync#2=kill", "after#2=kill"])
def test_a_writer_killed_anywhere_leaves_whole_events(journal: Journal, fault: str):
    """SIGKILL before, in and after the second event: the first is there, the second is or is not, the third follows."""
    assert write(journal.path, "a", 3, f"journal.append.{fault}").code == -9
    journal.append(said("after"))
    events = journal.read()
    assert events[0] == Steered(at=0.0, text="größer", by="a")
    assert events[-1] == said("after")
    assert sum(isinstance(event, Steered) and event.by == "a" for event in events) in (1, 2)


@pytest.mark.parametrize("fault", ["write=enospc", "write=eio", "sync=eio"])
def test_a_disk_that_refuses_leaves_the_journal_as_it_was(journal: Journal, fault: str):
    """The event is not there, not even in part, and the error is one of ours."""
    write(journal.path, "a", 1)
    before = journal.path.read_bytes()
    assert b"StorageError: cannot append to" in write(journal.path, "a", 1, f"journal.append.{fault}").stderr
    assert journal.path.read_bytes() == before


def test_what_could_not_be_read_again_is_not_written(journal: Journal):
    """A field of the wrong type is an error of whoever made the event; the journal stays as it was, and goes on."""
    journal.append(said("before"))
    with pytest.raises(LedgerError, match="job_id"):
        journal.append(RunSubmitted(at=2.0, run_id="run-1", job_id=None))
    journal.append(said("after"))
    assert journal.read() == (said("before"), said("after"))


@pytest.mark.parametrize("damage", [b"garbage", b"[]", b'{"v":1}', b'{"v":1,"at":1.0,"kind":"dreamt"}', b"\xff\xfe"])
def test_a_damaged_line_is_named(journal: Journal, damage: bytes):
    """A state replayed without it would be another state: nothing is skipped in silence."""
    journal.append(said("a"))
    offset = journal.path.stat().st_size
    with journal.path.open("ab") as file:
        file.write(damage + b"\n")
    for look in (journal.read, lambda: journal.tail(offset), journal.read):
        with pytest.raises(LedgerError, match="line 2 is damaged"):
            look()


def test_a_long_or_secret_damaged_line_is_not_repeated_whole(journal: Journal):
    """The message shows how the line begins and how much more there is; a secret pasted into it stays unsaid."""
    token = "hf_" + "Ab3dEf6hIj9k" * 3
    journal.path.parent.mkdir()
    journal.path.write_text(f'{{"v":1,"token":"{token}" {"x" * 5000}\n')
    with pytest.raises(LedgerError, match="line 1 is damaged") as caught:
        journal.read()
    assert '{"v":1,"token":' in str(caught.value)
    assert token[:10] not in str(caught.value)
    assert "more characters; set it aside" in str(caught.value)
    assert len(str(caught.value)) < len(str(journal.path)) + 300


def test_salvage_sets_damage_aside_and_keeps_it(journal: Journal):
    """The file as it was is kept, the damaged line stands in a remark, and the journal reads again."""
    mine = Noted(at=1.0, text="b")
    journal.append(said("a"))
    before = journal.path.read_bytes() + b"garb\xffage\n" + dump(mine).encode() + b"\n"
    journal.path.write_bytes(before)
    kept = journal.salvage()
    assert kept is not None
    assert kept.read_bytes() == before
    first, note, last = journal.read()
    assert (first, last) == (said("a"), mine)
    assert isinstance(note, Noted)
    assert note.details["raw"] == "garb\\xffage"
    assert journal.salvage() is None


def test_a_newer_versions_line_is_not_damage(journal: Journal):
    """The way out is another one: upgrade. Salvage leaves it alone, too."""
    journal.append(said("a"))
    with journal.path.open("a") as file:
        file.write('{"v":2,"at":1.0,"kind":"dreamt"}\n')
    before = journal.path.read_bytes()
    for act in (journal.read, journal.salvage):
        with pytest.raises(LedgerError, match="newer version"):
            act()
    assert journal.path.read_bytes() == before


def test_a_journal_that_shrank_is_not_read_on(journal: Journal):
    """Somebody put an older copy in place while the controller ran."""
    journal.append(said("a"))
    with pytest.raises(LedgerError, match="shorter than it was"):
        journal.tail(journal.path.stat().st_size + 1)


@given(content=st.binary(max_size=300))
@example(content=b"\x0b")
@settings(max_examples=60, deadline=None)
def test_any_bytes_read_or_fail_in_our_words(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    """Whatever is in the file: events, or a LedgerError; after salvage always events."""
    journal = Journal(tmp_path_factory.mktemp("any") / "journal.jsonl")
    journal.path.write_bytes(content)
    try:
        journal.read()
    except LedgerError:
        journal.salvage()
    journal.read()
    journal.append(said("on"))
    assert journal.read()[-1] == said("on")


def test_version_one_reads_for_ever():
    """This file was written by the first version of the format; it never changes, and every line must stay readable."""
    events = Journal(GOLDEN).read()
    assert len(events) == len(GOLDEN.read_text(encoding="utf-8").splitlines())
    assert [events[0].kind, events[4].kind, events[9].kind] == ["campaign_started", "run_planned", "experiment_judged"]
    assert said("try prompts\nfirst").text in {event.text for event in events if isinstance(event, Steered)}
