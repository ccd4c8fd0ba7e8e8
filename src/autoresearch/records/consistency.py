"""Three records of one truth: the ledger is read, the journal resumed from, the notes travel. Do they agree?

First what compares and translates, values in, values out, but for `mend_ledger` and `mend_journal`, which keep a
backup; what a git note says enters as `notes`, commit → text, as `records.notes` reads it. Then what reads the three of
a campaign, and makes each again from the others.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoresearch.errors import CampaignError, LedgerError, StorageError
from autoresearch.experiment import names
from autoresearch.experiment.events import (
    Event,
    ExperimentCommitted,
    ExperimentJudged,
    ExperimentOpened,
    ExperimentRepaired,
    Noted,
    RunMeasured,
    RunPlanned,
)
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import Verdict
from autoresearch.git import refs
from autoresearch.machine import disk
from autoresearch.machine.lock import file_lock
from autoresearch.records import finding, links, mirror, notes
from autoresearch.records import journal as event_line
from autoresearch.records import row as record
from autoresearch.records.journal import Journal
from autoresearch.records.ledger import Ledger
from autoresearch.records.paths import EXCLUDED, MEASUREMENT, CampaignPaths, Layout
from autoresearch.records.row import Row


@dataclass(frozen=True)
class Disagreement:
    """One thing that two records do not say alike.

    Attributes:
        branch: The experiment's branch, or the commit of a note that names none.
        where: The record that is wrong or lacks something: `ledger`, `journal` or `notes`.
        text: What is the matter, in one sentence.
    """

    branch: str
    where: str
    text: str


def check(
    ledger_rows: Sequence[Row], events: Sequence[Event], notes: Mapping[str, str], prefix: str = ""
) -> tuple[Disagreement, ...]:
    """Everything the three records do not say alike about experiments whose branch begins with `prefix`.

    The journal is believed first, then the ledger. An experiment that is not yet judged has no row anywhere: that is
    no disagreement.
    """
    ledger = _by_branch(row for row in ledger_rows if row.branch.startswith(prefix))
    journal = _by_branch(row for row in rows_of_events(events) if row.branch.startswith(prefix))
    read, unread = _read_notes(notes)
    noted = _by_branch(row for row in read if row.branch.startswith(prefix))
    found = [*_doubled(ledger_rows, prefix), *unread]
    for branch in dict.fromkeys((*journal, *ledger, *noted)):
        found.extend(_compared(branch, ledger.get(branch), journal.get(branch), noted.get(branch)))
    return tuple(found)


def rows_of_events(events: Iterable[Event]) -> tuple[Row, ...]:
    """The ledger as the journal tells it, in the order of judgement.

    Raises:
        LedgerError: A judgement holds no readable row.
    """
    return tuple(record.decode(event.row) for event in events if isinstance(event, ExperimentJudged))


def rows_of_notes(notes: Mapping[str, str]) -> tuple[Row, ...]:
    """The ledger as the notes tell it, by time of finishing, then by index; notes that are not ours are passed over."""
    return tuple(sorted(_read_notes(notes)[0], key=lambda row: (row.finished_at or 0.0, row.index, row.branch)))


def notes_of_events(events: Iterable[Event]) -> dict[str, str]:
    """The notes as the journal tells them: full commit → text, for every judged experiment whose commit is recorded."""
    commits: dict[str, str] = {}
    notes: dict[str, str] = {}
    for event in events:
        if isinstance(event, ExperimentCommitted | ExperimentRepaired):
            commits[event.name] = event.commit
        elif isinstance(event, ExperimentJudged) and event.name in commits:
            notes[commits[event.name]] = record.to_note(record.decode(event.row))
    return notes


def events_of_rows(rows: Sequence[Row], at: float, source: str) -> tuple[Event, ...]:
    """A journal that knows what rows know: each experiment opened, committed and judged; single runs are not in a row.

    Args:
        rows: Rows of one campaign.
        at: Now, UTC Unix seconds, for the remark that opens it and for times that a row lacks.
        source: Where the rows come from, for that remark: `ledger` or `notes`.
    """
    remark = Noted(at=at, text=f"this journal was rebuilt from the {source}; its single runs are not known")
    return (remark, *(event for row in rows for event in events_of_row(row, at)))


def mend_ledger(path: Path, rows: Sequence[Row]) -> Path | None:
    """Make the ledger say `rows`, and leave every other line as it is; returns the backup, see `Ledger.rebuild`."""
    return Ledger(path).rebuild(rows)


def mend_journal(path: Path, events: Sequence[Event]) -> Path | None:
    """Put a journal of these events in place of the one there is; returns the backup of that, None when there was none.

    Raises:
        StorageError: The disk refused; the journal is as it was.
    """
    with file_lock(path):
        kept = disk.backup(path) if disk.read(path) else None
        disk.replace(path, "".join(f"{event_line.dump(event)}\n" for event in events))
    return kept


def _by_branch(rows: Iterable[Row]) -> dict[str, Row]:
    """The first row of each branch."""
    found: dict[str, Row] = {}
    for row in rows:
        found.setdefault(row.branch, row)
    return found


def _read_notes(notes: Mapping[str, str]) -> tuple[list[Row], list[Disagreement]]:
    rows: list[Row] = []
    unread: list[Disagreement] = []
    for commit, text in notes.items():
        try:
            rows.append(record.from_note(text))
        except LedgerError as error:
            unread.append(Disagreement(commit, "notes", f"the note on {commit[:7]} cannot be read: {error}"))
    return rows, unread


def _doubled(rows: Sequence[Row], prefix: str) -> Iterator[Disagreement]:
    seen: set[str] = set()
    for row in rows:
        if row.branch in seen and row.branch.startswith(prefix):
            yield Disagreement(row.branch, "ledger", "the ledger has more than one row of this branch")
        seen.add(row.branch)


def _compared(branch: str, ledger: Row | None, journal: Row | None, noted: Row | None) -> Iterator[Disagreement]:
    truth, source = (journal, "journal") if journal else (ledger, "ledger") if ledger else (noted, "notes")
    for where, row in (("journal", journal), ("ledger", ledger), ("notes", noted)):
        if row is None:
            yield Disagreement(branch, where, f"its result is missing in the {where}; it is in the {source}")
        elif truth is not None:
            yield from (Disagreement(branch, where, text) for text in _differences(row, where, truth, source))


def _differences(row: Row, where: str, truth: Row, source: str) -> Iterator[str]:
    said, meant = record.cells(row), record.cells(truth)
    for column in record.COLUMNS:
        if said[column] != meant[column]:
            yield f"{column} is {said[column]!r} in the {where}, {meant[column]!r} in the {source}"


def events_of_row(row: Row, at: float) -> tuple[Event, ...]:
    """What a row tells of a journal that is gone; `at` stands for times that it does not have."""
    name = row.branch.rpartition("/")[2]
    began, ended = row.started_at or at, row.finished_at or at
    verdict = Verdict(
        status=row.status,
        reason=row.reason,
        value=row.metric_value,
        effect=row.effect,
        low=row.effect_low,
        high=row.effect_high,
        runs=row.runs or 0,
    )
    return (
        ExperimentOpened(at=began, index=row.index, parent="", parent_commit=row.parent_commit),
        ExperimentCommitted(
            at=began,
            index=row.index,
            name=name,
            branch=row.branch,
            commit=row.commit,
            hypothesis=Hypothesis(title=row.description),
        ),
        ExperimentJudged(at=ended, name=name, verdict=verdict, row=record.cells(row)),
    )


def disagreements(paths: CampaignPaths, journal: Journal) -> list[str]:
    """What the three records do not say alike, one sentence each.

    Raises:
        CampaignError: None of them knows anything of the campaign.
    """
    events = journal.read()
    wrong = [
        f"journal line {number} {why}"
        for number, why in links.broken(journal.lines(), mirror.lines(paths.root, paths.name))
    ]
    table, noted = Ledger(paths.ledger).table(), notes.all(paths.root)
    if not events and not _own_rows(paths)[0]:
        raise finding.not_begun(paths)
    lost = {word for event in events if isinstance(event, Noted) for word in event.details}
    compared = check(table.rows, events, noted, names.campaign_prefix(paths.name))
    found = [one for one in compared if one.where != "journal" or one.branch not in lost]
    lines = [f"ledger line {one.line}: {one.text}" for one in table.problems]
    told = [*wrong, *measured(paths, events), *lines, *(f"{one.branch}: {one.where}: {one.text}" for one in found)]
    doubt = mirror.doubt(paths)
    return [*told, doubt or _cure(paths, mends=bool(found))] if told or doubt else []


def _cure(paths: CampaignPaths, *, mends: bool) -> str:
    """What to do about records that disagree where the journal is not in doubt."""
    if mends:
        return (
            f"let ledger and notes say what the journal does with: autoresearch ledger rebuild --campaign {paths.name}"
        )
    return "no other record can mend this: a person has to look at it"


def measured(paths: CampaignPaths, events: Iterable[Event]) -> Iterator[str]:
    """Numbers that the journal has otherwise than the runs' own measurement files, where those are there still."""
    runs: dict[str, RunPlanned] = {}
    for event in events:
        if isinstance(event, RunPlanned):
            runs[event.run_id] = event
        elif isinstance(event, RunMeasured) and event.run_id in runs:
            try:
                run = runs[event.run_id]
                said = json.loads(disk.read(paths.measurement(run.experiment, run.number)))["value"]
            except (StorageError, ValueError, KeyError, TypeError):
                continue
            if isinstance(said, float | int) and said != event.measurement.value:
                yield f"journal: {event.run_id} measured {event.measurement.value}, and its {MEASUREMENT} says {said}"


def rebuild_records(paths: CampaignPaths, now: float) -> str:
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
    gone = not any(event.kind == "campaign_started" for event in events)
    if (gone or mirror.parted(paths)) and (brought := _bring_back(paths, now)):
        told.append(brought)
        events = journal.read()
    if not any(event.kind != "noted" for event in events):
        told.append(_rebuild_journal(paths, now))
        events = journal.read()
    told += _write_off(paths, journal, now)
    return "; ".join([*told, _rebuild_ledger(paths, events), *_rebuild_notes(paths, events)])


def rebuild_ledger_from_notes(place: Layout) -> str:
    """The ledger as the notes of a clone tell it; returns what was done.

    Raises:
        CampaignError: There are no notes of ours.
    """
    rows = rows_of_notes(notes.all(place.root))
    if not rows:
        raise CampaignError(
            f"{place.root} has neither a campaign nor notes of one; fetch the notes with: "
            f"git fetch origin {notes.REF}:{notes.REF}"
        )
    refs.exclude(place.root, EXCLUDED)
    mend_ledger(place.ledger, rows)
    return f"rebuilt {place.ledger} from the notes on {len(rows)} commits"


def _bring_back(paths: CampaignPaths, now: float) -> str:
    """Put git's copy in place of a journal that has parted from it; what was done, empty where git has no copy."""
    if not mirror.lines(paths.root, paths.name):
        return ""
    with file_lock(paths.journal):
        kept = disk.backup(paths.journal) if disk.read(paths.journal) else None
        paths.journal.unlink(missing_ok=True)
        mirror.restore(paths)
    remark = "the journal was gone, or rewritten, and was made anew from its copy in git; what came since is not in it"
    Journal(paths.journal).append(Noted(at=now, text=remark))
    return f"brought {paths.journal} back from its copy in git" + (f"; the old one is {kept}" if kept else "")


def _write_off(paths: CampaignPaths, journal: Journal, now: float) -> list[str]:
    """Say in the journal which rows and runs it does not know, once: it goes on without them, and they stay."""
    lost = mirror.unknown(disk.read(paths.journal), mirror.witnesses(paths))
    if not lost:
        return []
    told = f"what the journal knew of {mirror.listed(tuple(lost.values()))} is lost"
    journal.append(Noted(at=now, text=f"{told}; ledger and folders still have what they have", details=lost))
    return [told]


def _rebuild_journal(paths: CampaignPaths, now: float) -> str:
    rows, source = _own_rows(paths)
    if not rows:
        raise finding.not_begun(paths)
    kept = mend_journal(paths.journal, events_of_rows(rows, now, source))
    return (
        f"rebuilt {paths.journal} from the {source}: {len(rows)} experiments, which can be looked at; the campaign "
        f"cannot go on without the journal it had" + (f"; the old one is {kept}" if kept else "")
    )


def _own_rows(paths: CampaignPaths) -> tuple[tuple[Row, ...], str]:
    """The campaign's rows, from the ledger or else from the notes, and from which of them."""
    prefix = names.campaign_prefix(paths.name)
    rows = Ledger(paths.ledger).rows(prefix)
    noted = rows_of_notes(notes.all(paths.root)) if not rows else ()
    return (rows, "ledger") if rows else (tuple(row for row in noted if row.branch.startswith(prefix)), "notes")


def _rebuild_ledger(paths: CampaignPaths, events: tuple[Event, ...]) -> str:
    kept = mend_ledger(paths.ledger, rows_of_events(events))
    return f"rebuilt {paths.ledger}" + (f"; the old one is {kept}" if kept else "; nothing had to change")


def _rebuild_notes(paths: CampaignPaths, events: tuple[Event, ...]) -> list[str]:
    """Only under full hashes: a journal made from rows knows them shortened, and adds no note."""
    noted = notes.all(paths.root)
    meant = {commit: text for commit, text in notes_of_events(events).items() if len(commit) >= 40}
    wrong = {commit: text for commit, text in meant.items() if noted.get(commit, "").rstrip("\n") != text}
    for commit, text in wrong.items():
        notes.write(paths.root, commit, text)
    return [f"rebuilt the notes on {len(wrong)} commits"] if wrong else []
