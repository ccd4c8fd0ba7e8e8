"""Ledger, journal and notes tell one truth: whether they do, and each made again from the others."""

from autoresearch.campaign.opening import Opened
from autoresearch.errors import CampaignError
from autoresearch.experiment import names
from autoresearch.experiment.events import Event
from autoresearch.git import refs
from autoresearch.records import consistency, notes
from autoresearch.records.journal import Journal
from autoresearch.records.ledger import Ledger
from autoresearch.records.paths import EXCLUDED, CampaignPaths, Layout
from autoresearch.records.row import Row


def check(opened: Opened) -> list[str]:
    """What the three records do not say alike, one sentence each.

    Raises:
        CampaignError: None of them knows anything of the campaign.
    """
    paths, events = opened.paths, opened.journal.read()
    table, noted = Ledger(paths.ledger).table(), notes.all(paths.root)
    if not events and not _rows(paths)[0]:
        raise _not_begun(paths)
    found = consistency.check(table.rows, events, noted, names.campaign_prefix(paths.name))
    lines = [f"ledger line {one.line}: {one.text}" for one in table.problems]
    return [*lines, *(f"{one.branch}: {one.where}: {one.text}" for one in found)]


def rebuild(paths: CampaignPaths, now: float) -> str:
    """Make ledger and notes say what the journal says, a lost journal what they say; returns what was done.

    Damaged lines of the journal are set aside first, into notes of its own that hold them. A file that is replaced is
    kept beside the new one; an older note stays in the history of the notes' ref.

    Raises:
        CampaignError: None of the records knows anything of the campaign.
        LedgerError: A line of the journal is of a newer version, or the ledger is something else than one.
    """
    journal = Journal(paths.journal)
    aside = journal.salvage()
    told = [f"set damaged lines of {paths.journal} aside, the old one is {aside}"] if aside else []
    events = journal.read()
    if not any(event.kind != "noted" for event in events):
        told.append(_rebuild_journal(paths, now))
        events = journal.read()
    return "; ".join([*told, _rebuild_ledger(paths, events), *_rebuild_notes(paths, events)])


def rebuild_ledger_from_notes(place: Layout) -> str:
    """The ledger as the notes of a clone tell it; returns what was done.

    Raises:
        CampaignError: There are no notes of ours.
    """
    rows = consistency.rows_of_notes(notes.all(place.root))
    if not rows:
        raise CampaignError(
            f"{place.root} has neither a campaign nor notes of one; fetch the notes with: "
            f"git fetch origin {notes.REF}:{notes.REF}"
        )
    refs.exclude(place.root, EXCLUDED)
    consistency.mend_ledger(place.ledger, rows)
    return f"rebuilt {place.ledger} from the notes on {len(rows)} commits"


def _rebuild_journal(paths: CampaignPaths, now: float) -> str:
    rows, source = _rows(paths)
    if not rows:
        raise _not_begun(paths)
    kept = consistency.mend_journal(paths.journal, consistency.events_of_rows(rows, now, source))
    return (
        f"rebuilt {paths.journal} from the {source}: {len(rows)} experiments, which can be looked at; the campaign "
        f"cannot go on without the journal it had" + (f"; the old one is {kept}" if kept else "")
    )


def _rows(paths: CampaignPaths) -> tuple[tuple[Row, ...], str]:
    """The campaign's rows, from the ledger or else from the notes, and from which of them."""
    prefix = names.campaign_prefix(paths.name)
    rows = Ledger(paths.ledger).rows(prefix)
    noted = consistency.rows_of_notes(notes.all(paths.root)) if not rows else ()
    return (rows, "ledger") if rows else (tuple(row for row in noted if row.branch.startswith(prefix)), "notes")


def _rebuild_ledger(paths: CampaignPaths, events: tuple[Event, ...]) -> str:
    kept = consistency.mend_ledger(paths.ledger, consistency.rows_of_events(events))
    return f"rebuilt {paths.ledger}" + (f"; the old one is {kept}" if kept else "; nothing had to change")


def _rebuild_notes(paths: CampaignPaths, events: tuple[Event, ...]) -> list[str]:
    """Only under full hashes: a journal made from rows knows them shortened, and adds no note."""
    noted = notes.all(paths.root)
    meant = {commit: text for commit, text in consistency.notes_of_events(events).items() if len(commit) >= 40}
    wrong = {commit: text for commit, text in meant.items() if noted.get(commit, "").rstrip("\n") != text}
    for commit, text in wrong.items():
        notes.write(paths.root, commit, text)
    return [f"rebuilt the notes on {len(wrong)} commits"] if wrong else []


def _not_begun(paths: CampaignPaths) -> CampaignError:
    return CampaignError(f"campaign {paths.name} has not started; start it with: autoresearch run")
