"""A journal that was touched is found out, and says where; one that was lost comes back from git."""

import pytest

from autoresearch.experiment.events import Noted, RunSubmitted, Steered
from autoresearch.records import mirror
from autoresearch.records.journal import DISOWNED, Journal, dump
from autoresearch.records.links import broken
from autoresearch.records.paths import Layout


def said(text: str) -> Noted:
    return Noted(at=1.0, text=text)


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path / "journal.jsonl")
    for text in "abcdefgh":
        made.append(said(text))
    return made


TOUCHED = {
    "deleted": (lambda lines: [*lines[:3], *lines[4:]], 4, "lost the 1 line"),
    "two deleted": (lambda lines: [*lines[:3], *lines[5:]], 4, "lost the 2 line"),
    "changed": (lambda lines: [*lines[:3], lines[3].replace(b'"d"', b'"x"'), *lines[4:]], 4, "was changed"),
    "swapped": (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], 4, "moved"),
    "doubled": (lambda lines: [*lines[:4], lines[3], *lines[4:]], 5, "line 4 a second time"),
    "line ends": (lambda lines: [line + b"\r" for line in lines], 1, "CRLF"),
    "put in": (lambda lines: [*lines[:3], dump(said("x")).encode(), *lines[3:]], 4, "not written by autoresearch"),
    "appended": (lambda lines: [*lines, dump(said("x")).encode()], 9, "not written by autoresearch"),
}


@pytest.mark.parametrize("how", TOUCHED)
def test_a_touched_line_is_named(journal, how):
    """Its number, and what was done."""
    change, number, why = TOUCHED[how]
    found = list(broken(change(journal.lines())))
    assert found[0][0] == number
    assert why in found[0][1]
    assert list(broken(journal.lines())) == []


def test_the_copy_in_git_knows_the_end_as_well(journal):
    """What follows no line any more is known from there alone."""
    copy = journal.lines()
    assert next(broken(copy[:-1], copy))[0] == 7
    assert next(broken([*copy[:-1], copy[-1].replace(b'"h"', b'"x"')], copy)) == (
        8,
        "says something else than the copy in git",
    )
    assert list(broken(copy, copy[:5])) == []


def test_an_old_journal_is_read_and_chained_from_then_on(tmp_path):
    """Lines of earlier versions have no place in them; those that follow do."""
    journal = Journal(tmp_path / "journal.jsonl")
    journal.path.write_text("".join(f"{dump(said(text))}\n" for text in "ab"))
    assert journal.append(said("c")) == 3
    assert Journal(journal.path).append(said("d")) == 4
    assert journal.read() == tuple(said(text) for text in "abcd")
    lines = journal.lines()
    assert list(broken(lines)) == []
    assert [number for number, _ in broken([lines[0], lines[1].replace(b'"b"', b'"x"'), *lines[2:]])] == [2]


def test_a_torn_last_line_is_a_repair_and_no_tampering(journal):
    """A writer that was killed leaves half a line; the next one takes it out, and the chain goes on."""
    with journal.path.open("ab") as file:
        file.write(b'{"v":1,"n":9,"prev":"ab')
    journal.append(said("next"))
    assert list(broken(journal.lines())) == []
    assert len(journal.read()) == 10


def test_a_damaged_line_set_aside_keeps_the_chain(journal):
    """`ledger rebuild` is no tampering either, and the line says what it was."""
    journal.path.write_bytes(journal.path.read_bytes().replace(b'"text":"d"', b'"text":garbage'))
    journal.salvage()
    journal.append(said("next"))
    assert list(broken(journal.lines())) == []
    assert len(journal.read()) == 9


def test_a_line_from_another_hand_is_no_persons_word(journal):
    """A run can write the file; what it writes there steers nobody."""
    with journal.path.open("ab") as file:
        file.write(dump(Steered(at=2.0, text="give it more GPUs", by="ada")).encode() + b"\n")
    last = Journal(journal.path).read()[-1]
    assert isinstance(last, Noted)
    assert "does not count" in last.text
    journal.append(Steered(at=3.0, text="ours", by="ada"))
    assert isinstance(Journal(journal.path).read()[-1], Steered)


def test_a_line_from_another_hand_is_no_runs_end_either(journal):
    """Nor a number: what has no place in the chain says nothing of a run, and a person reads that it was there."""
    with journal.path.open("ab") as file:
        file.write(dump(RunSubmitted(2.0, "ar-night--idea--1", "7")).encode() + b"\n")
    last = Journal(journal.path).read()[-1]
    assert isinstance(last, Noted)
    assert "says 'run_submitted'; it does not count" in last.text


def test_a_line_that_a_controller_disowns_is_not_read_and_nobody_else_can_disown_one(tmp_path):
    """Whoever writes such a note in its name is found as well, and then the note is none."""
    journal = Journal(tmp_path / "journal.jsonl")
    for text in ("true", "forged", "more"):
        journal.append(said(text))
    true, forged = journal.digests(0)[:2]
    journal.append(Noted(2.0, "forged: not theirs", {DISOWNED: true}))
    journal.append(Noted(3.0, "ours", {DISOWNED: journal.digests(0)[-1]}))
    journal.append(Noted(4.0, "ours", {DISOWNED: forged}))
    read = Journal(journal.path).read()
    assert [event.text for event in read] == ["true", "more", "ours", "ours"]


def test_journal_and_campaign_file_come_back_from_git(repo):
    """After `git clean -fdx`, a stash or a removed folder; what is there is never overwritten."""
    paths = Layout(repo).campaign("night")
    paths.folder.mkdir(parents=True)
    paths.campaign_file.write_text("campaign: night\n")
    journal = Journal(paths.journal)
    journal.append(said("a"))
    mirror.save(paths)
    kept = paths.journal.read_bytes()
    paths.journal.unlink()
    paths.campaign_file.write_text("campaign: night  # edited\n")
    assert mirror.names(repo) == ("night",)
    assert mirror.restore(paths)
    assert paths.journal.read_bytes() == kept
    assert "edited" in paths.campaign_file.read_text()
    assert mirror.lines(repo, "night") == journal.lines()
