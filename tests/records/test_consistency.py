"""Ledger, journal and notes: where they disagree is said, and each is rebuilt from another, never without a backup."""

from pathlib import Path

import pytest

from autoresearch.experiment.events import (
    Event,
    ExperimentCommitted,
    ExperimentJudged,
    ExperimentOpened,
    ExperimentRepaired,
)
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import Status, Verdict
from autoresearch.records import consistency
from autoresearch.records.consistency import check
from autoresearch.records.journal import Journal
from autoresearch.records.ledger import Ledger
from autoresearch.records.row import Row, cells, decode, to_note

NAMES = ("baseline", "lr", "crashed")


def row(name: str, **more: str) -> Row:
    status = "crash" if name == "crashed" else "keep"
    said = {
        "index": str(NAMES.index(name) + 1), "branch": f"autoresearch/c/{name}", "status": status,
        "commit": f"{NAMES.index(name)}234567", "metric_value": "0.500000", "description": f"about {name}",
        "started_at": f"2026-11-23T2{NAMES.index(name)}:00:00Z", "finished_at": f"2026-11-23T2{NAMES.index(name)}:30:00Z",
    }  # fmt: skip
    return decode({**said, **more})


ROWS = tuple(row(name) for name in NAMES)


def events_of(found: Row) -> tuple[Event, ...]:
    name, commit = found.branch.rpartition("/")[2], found.commit + "0" * 33
    return (
        ExperimentOpened(at=1.0, index=found.index, parent="", parent_commit="base"),
        ExperimentCommitted(
            at=2.0,
            index=found.index,
            name=name,
            branch=found.branch,
            commit=commit,
            hypothesis=Hypothesis(title=found.description),
        ),
        ExperimentJudged(
            at=3.0, name=name, verdict=Verdict(status=found.status, reason=found.reason), row=cells(found)
        ),
    )


EVENTS = tuple(event for found in ROWS for event in events_of(found))
NOTES = {found.commit + "0" * 33: to_note(found) for found in ROWS}


def said(*parts: object) -> list[tuple[str, str, str]]:
    return [(found.branch.rpartition("/")[2], found.where, found.text) for found in check(*parts)]  # type: ignore[arg-type]


def test_three_records_of_one_truth_agree():
    """Nothing to say; an experiment that is not judged yet has no row anywhere."""
    open_one = ExperimentOpened(at=9.0, index=4, parent="", parent_commit="base")
    assert check(ROWS, (*EVENTS, open_one), NOTES) == ()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_missing_is_named(name: str):
    """The ledger lost a row, the journal an event, the notes a note."""
    rest = tuple(found for found in ROWS if not found.branch.endswith(name))
    events = tuple(event for found in rest for event in events_of(found))
    notes = {found.commit + "0" * 33: to_note(found) for found in rest}
    assert said(rest, EVENTS, NOTES) == [(name, "ledger", "its result is missing in the ledger; it is in the journal")]
    assert said(ROWS, events, NOTES) == [(name, "journal", "its result is missing in the journal; it is in the ledger")]
    assert said(ROWS, EVENTS, notes) == [(name, "notes", "its result is missing in the notes; it is in the journal")]


def test_a_changed_cell_is_named_with_both_readings():
    """Somebody turned a discard into a keep by hand."""
    changed = (row("baseline", status="discard"), *ROWS[1:])
    expected = "status is 'discard' in the ledger, 'keep' in the journal"
    assert said(changed, EVENTS, NOTES) == [("baseline", "ledger", expected)]


def test_a_doubled_row_and_a_foreign_note_are_named():
    """Neither is passed over."""
    found = said((*ROWS, ROWS[0]), EVENTS, {**NOTES, "f" * 40: "not ours"})
    assert [(where, text.split(":")[0]) for _, where, text in found] == [
        ("ledger", "the ledger has more than one row of this branch"),
        ("notes", "the note on fffffff cannot be read"),
    ]


def test_other_campaigns_are_left_out():
    """The ledger holds all campaigns, a journal only one."""
    other = row("lr", branch="autoresearch/other/x")
    assert check((*ROWS, other), EVENTS, NOTES, prefix="autoresearch/c/") == ()
    assert len(check((*ROWS, other), EVENTS, NOTES)) == 2


def test_the_ledger_is_rebuilt_from_the_journal_and_from_the_notes(tmp_path: Path):
    """The same bytes each time: row for row what was lost."""
    first, second, third = (Ledger(tmp_path / name) for name in ("first", "second", "third"))
    for found in ROWS:
        first.append(found)
    assert consistency.mend_ledger(second.path, consistency.rows_of_events(EVENTS)) is None
    assert consistency.mend_ledger(third.path, consistency.rows_of_notes(dict(reversed(NOTES.items())))) is None
    assert first.path.read_bytes() == second.path.read_bytes() == third.path.read_bytes()


def test_a_damaged_ledger_is_mended_and_kept(tmp_path: Path):
    """A row lost, one changed, one by hand: the first two are mended, the third stays, the old file is there."""
    ledger = Ledger(tmp_path / "ledger.tsv")
    by_hand = row("lr", branch="autoresearch/hand/made")
    for found in (row("baseline", status="discard"), by_hand, ROWS[2]):
        ledger.append(found)
    before = ledger.path.read_bytes()
    kept = consistency.mend_ledger(ledger.path, consistency.rows_of_events(EVENTS))
    assert kept is not None
    assert kept.read_bytes() == before
    assert ledger.rows() == (ROWS[0], by_hand, ROWS[2], ROWS[1])
    assert check(ledger.rows(), EVENTS, NOTES, prefix="autoresearch/c/") == ()


@pytest.mark.parametrize("source", ["ledger", "notes"])
def test_the_journal_is_rebuilt_from_rows(tmp_path: Path, source: str):
    """It knows every experiment and verdict again, says that it was rebuilt, and agrees with the others."""
    journal = Journal(tmp_path / "journal.jsonl")
    journal.path.write_text("garbage\n")
    rows = ROWS if source == "ledger" else consistency.rows_of_notes(NOTES)
    kept = consistency.mend_journal(journal.path, consistency.events_of_rows(rows, 5.0, source))
    events = journal.read()
    assert kept is not None
    assert kept.read_text() == "garbage\n"
    assert source in events[0].text  # type: ignore[union-attr]
    assert check(ROWS, events, NOTES) == ()
    verdicts = [event.verdict.status for event in events if isinstance(event, ExperimentJudged)]
    assert verdicts == [Status.KEEP, Status.KEEP, Status.CRASH]


def test_the_notes_are_rebuilt_from_the_journal():
    """Under the full hashes, which only the journal knows."""
    assert consistency.notes_of_events(EVENTS) == NOTES


def test_the_note_of_a_mended_experiment_is_for_the_mended_commit():
    """A repair moved its branch before it was judged."""
    found, fixed = ROWS[1], "f" * 40
    opened, committed, judged = events_of(found)
    events = (
        opened,
        committed,
        ExperimentRepaired(at=2.5, name=committed.name, commit=fixed, reason="NameError"),
        judged,
    )
    assert consistency.notes_of_events(events) == {fixed: to_note(found)}
