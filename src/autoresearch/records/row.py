"""One ledger line ⇄ one row of values: columns, cell formats, and a reader that no file can upset.

The file is UTF-8, tab-separated, with a header. Its first fifteen columns are those that NeMo-RL's research skill
asks for, in its order; seven columns of autoresearch follow. A cell never holds a tab, a line break or a control
character. A cell that begins with `"` or `#` is quoted as in spreadsheets, so that text is never taken for a comment, a
torn line or a quoted cell. Hashes are shortened to seven characters, times are UTC to the second.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autoresearch.errors import LedgerError
from autoresearch.experiment.outcome import Status
from autoresearch.records.cell import CellReader, clean, decimal, quote, split, stamp, tenths

SHARED = (
    "index", "branch", "parent_commit", "commit", "recipe", "metric_name", "metric_value", "memory_gb",
    "elapsed_min", "launcher", "job_id", "command", "log_path", "status", "description",
)  # fmt: skip
"""The fifteen columns any person or agent following the skill writes (R76)."""

COLUMNS = (*SHARED, "started_at", "finished_at", "runs", "effect", "effect_low", "effect_high", "reason")
"""All columns of a ledger of ours, in file order."""

PLACES = ("checkpoint_path", "artifacts_path", "cache_root")
"""Columns after those, in a ledger with experiments whose heavy files lie on a volume (R202); absolute paths."""

INTEGRITY = "integrity"
"""Column after those: whether the numbers behind a row may be believed, `sound`, `unverified` or `contradicted`."""

TORN = "#torn"
"""Last cell of a line whose writer died halfway; readers skip the line."""

NOTE_VERSION = 1
HASH_LENGTH = 7


@dataclass(frozen=True, kw_only=True)
class Row:
    """One attempted experiment, as the ledger tells it.

    Attributes:
        index: Number of the attempt, from 1; 0 when a foreign row does not say.
        branch: Full branch name, shared prefix included.
        parent_commit: Commit compared against.
        commit: The experiment's commit.
        recipe: Repository-relative recipe, or configuration file of another target; `none` where there is none.
        metric_name: The authoritative metric in the recipe's spelling.
        metric_value: Its value, None when there is no valid one (written `0.000000`). An idea that ran in bundles alone
            has the mean of the bundles that hold it; what it adds is `effect`.
        memory_gb: Peak memory in GB, 0 when unknown; of a run that a GPU was too small for, what its log says it had.
        elapsed_min: Wall-clock minutes of its runs; those of a bundle are divided among its ideas.
        launcher: Where it ran.
        job_id: The launcher's id, or `none`.
        command: The exact training command or the submitted script's path; `none` when no run was begun.
        log_path: The durable run log; the experiment's folder when no run was begun.
        status: The verdict.
        description: The hypothesis in a few words.
        started_at: UTC Unix seconds, None when unknown.
        finished_at: UTC Unix seconds, None when unknown.
        runs: Runs the verdict rests on, 0 without a value, of a crash those that were made; None when a foreign row
            does not say.
        effect: Estimated gain against the parent in the better direction, None without a comparison.
        effect_low: Lower end of its 90 % interval.
        effect_high: Upper end of its 90 % interval.
        reason: Why the verdict is what it is.
        extra: Cells of columns that are not ours, by column.
    """

    index: int
    branch: str
    parent_commit: str
    commit: str
    recipe: str
    metric_name: str
    metric_value: float | None
    memory_gb: float
    elapsed_min: float
    launcher: str
    job_id: str
    command: str
    log_path: str
    status: Status
    description: str
    started_at: float | None = None
    finished_at: float | None = None
    runs: int | None = None
    effect: float | None = None
    effect_low: float | None = None
    effect_high: float | None = None
    reason: str = ""
    extra: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Problem:
    """Something odd about a line; `raw` is the whole line, so nothing is lost by noting it."""

    line: int
    raw: str
    text: str


@dataclass(frozen=True)
class Table:
    """What a ledger's text says.

    Attributes:
        columns: Columns of its header, empty when none was found.
        rows: Every row that names its branch and its status, in file order.
        problems: Lines that are no row, and rows with a cell that could not be read.
        branches: Branches of all lines, also of those that are no row.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    problems: tuple[Problem, ...] = ()
    branches: frozenset[str] = frozenset()


def cells(row: Row) -> dict[str, str]:
    """The row as column → cell, unquoted, in the order of `COLUMNS`, then the row's extra columns."""
    value = decimal(_valid(row.metric_value, row.status, row.runs))
    # The column needs a number; that it is none is said by a status, or by how many runs it rests on.
    silent = not value and (row.status is Status.DISCARD or (row.status is Status.KEEP and row.runs is not None))
    runs = 0 if silent else row.runs
    ours = {
        "index": str(row.index),
        "branch": row.branch,
        "parent_commit": row.parent_commit[:HASH_LENGTH],
        "commit": row.commit[:HASH_LENGTH],
        "recipe": row.recipe,
        "metric_name": row.metric_name,
        "metric_value": value or "0.000000",
        "memory_gb": tenths(row.memory_gb),
        "elapsed_min": tenths(row.elapsed_min),
        "launcher": row.launcher,
        "job_id": clean(row.job_id) or "none",
        "command": row.command,
        "log_path": row.log_path,
        "status": row.status.value,
        "description": row.description,
        "started_at": stamp(row.started_at),
        "finished_at": stamp(row.finished_at),
        "runs": "" if runs is None else str(runs),
        "effect": decimal(row.effect),
        "effect_low": decimal(row.effect_low),
        "effect_high": decimal(row.effect_high),
        "reason": row.reason,
    }
    foreign = {name: cell for name, cell in row.extra.items() if name not in ours}
    return {name: clean(cell) for name, cell in (ours | foreign).items()}


def encode(row: Row, columns: Sequence[str] = COLUMNS) -> str:
    """The row as one line without its newline, in the order of `columns`; a column it knows nothing of stays empty."""
    said = cells(row)
    return "\t".join(quote(said.get(column, "")) for column in columns)


def header(columns: Sequence[str] = COLUMNS) -> str:
    """The header line without its newline."""
    return "\t".join(columns)


def decode(said: Mapping[str, str]) -> Row:
    """Read a row from column → cell.

    Raises:
        LedgerError: A cell cannot be read; the message names each.
    """
    row, complaints = _read({name: clean(text) for name, text in said.items()})
    if row is None or complaints:
        raise LedgerError(f"not a ledger row ({'; '.join(complaints)}): {dict(said)!r:.200}")
    return row


def parse_table(text: str) -> Table:
    """Read a whole ledger, whoever wrote it. Never raises: what cannot be read is a problem with its raw line.

    Tolerates a byte-order mark, CRLF, spreadsheet quoting, reordered, missing and unknown columns, a missing header,
    comments (`#`), blank lines, short rows and a last line without its newline.
    """
    lines = _lines(text.removeprefix("\ufeff"))
    start, columns = find_header(lines)
    if not columns and any(map(_speaks, lines)):
        return Table(problems=(Problem(1, lines[0], "no header with the columns `branch` and `status`"),))
    return _table(columns, lines[start:], start + 1)


def more(table: Table, text: str, line: int) -> Table:
    """`table` with the rows of `text`, which was appended to its file and begins with line number `line` (from 1)."""
    new = _table(table.columns, _lines(text), line)
    return Table(table.columns, table.rows + new.rows, table.problems + new.problems, table.branches | new.branches)


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _table(columns: tuple[str, ...], lines: Sequence[str], first: int) -> Table:
    rows: list[Row] = []
    problems: list[Problem] = []
    branches: set[str] = set()
    for number, line in enumerate(lines, first):
        if not _speaks(line):
            continue
        said, complaints = _assign(columns, split(line, len(columns)))
        row, unread = _read(said)
        branches.add(said.get("branch", ""))
        if row is not None:
            rows.append(row)
        problems.extend(Problem(number, line, complaint) for complaint in (*complaints, *unread))
    return Table(columns, tuple(rows), tuple(problems), frozenset(branches - {""}))


def find_header(lines: Sequence[str]) -> tuple[int, tuple[str, ...]]:
    """Where the rows begin, and the columns they have.

    Returns:
        Index of the first line after the header and the header's columns. For a file without a header whose first
        line has the shape of a row: the index of that row and as many of `COLUMNS` as it has cells. For a text that
        is no ledger: its length and no columns.
    """
    for place, line in enumerate(lines):
        found = split(line.removeprefix("\ufeff"))
        names = _distinct([name.lower().lstrip("#").replace(" ", "_") for name in found])
        if {"branch", "status"} <= set(names):
            return place + 1, names
        if _speaks(line):
            return (place, COLUMNS[: len(found)]) if _row_shaped(found) else (len(lines), ())
    return len(lines), ()


def to_note(row: Row) -> str:
    """The row as one line of compact JSON, to be kept as a git note on the experiment's commit."""
    return json.dumps({"v": NOTE_VERSION, **cells(row)}, ensure_ascii=False, separators=(",", ":"))


def from_note(text: str) -> Row:
    """Read a note. Of several lines (notes merge by concatenation) the last that is a row counts.

    Raises:
        LedgerError: No line is one of ours.
    """
    for line in reversed(text.splitlines()):
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict) and "branch" in said:
            return decode({str(name): str(cell) for name, cell in said.items() if name != "v"})
    raise LedgerError(f"not a result of an experiment: {text[:120]!r}")


def _valid(value: float | None, status: Status, runs: int | None) -> float | None:
    """A metric as far as it is one: a crash has none (R112), nor has a verdict that rests on no run."""
    return None if status is Status.CRASH or runs == 0 else value


_NO_NUMBER = ("the idea itself caused the failure", "launch denied")
"""Reasons of discards without a number, in ledgers whose rows did not say so by their runs."""


def _measured(value: float | None, status: Status, reason: str) -> float | None:
    """The value as read, None for the zero that earlier versions wrote where nothing was measured."""
    sentinel = value == 0 and status is Status.DISCARD and reason.startswith(_NO_NUMBER)
    return None if sentinel else value


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Names without repetition: the first column of a name keeps it, a later one is known by its place as well."""
    return tuple(f"{name}.{place}" if name in names[:place] else name for place, name in enumerate(names))


def _speaks(line: str) -> bool:
    """Whether a line says something: not blank, no comment, not torn."""
    return bool(line.strip()) and not line.startswith("#") and line.rstrip().rpartition("\t")[2] != TORN


def _row_shaped(found: Sequence[str]) -> bool:
    place = COLUMNS.index("status")
    return place < len(found) <= len(COLUMNS) and found[place].lower() in set(Status)


def _assign(columns: Sequence[str], found: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Cells by column, and what is wrong with their number."""
    said = dict(zip(columns, found, strict=False))
    missing = [name for name in columns[len(found) :] if name in SHARED]
    complaints = [f"short row: no {', '.join(missing)}"] if missing else []
    if any(found[len(columns) :]):
        complaints.append(f"{len(found)} cells under {len(columns)} columns")
    return said, complaints


def _read(said: Mapping[str, str]) -> tuple[Row | None, tuple[str, ...]]:
    """The row, None when branch or status is missing, and a complaint per cell that could not be read."""
    complaints: list[str] = []
    reader = CellReader(said, complaints)
    status = reader.status()
    branch = reader.text("branch")
    if not branch:
        complaints.append("no branch")
    runs = reader.whole("runs")
    if status is None or not branch:
        return None, tuple(complaints)
    row = Row(
        index=reader.whole("index") or 0,
        branch=branch,
        parent_commit=reader.text("parent_commit")[:HASH_LENGTH],
        commit=reader.text("commit")[:HASH_LENGTH],
        recipe=reader.text("recipe"),
        metric_name=reader.text("metric_name"),
        metric_value=_measured(_valid(reader.number("metric_value"), status, runs), status, reader.text("reason")),
        memory_gb=reader.number("memory_gb") or 0.0,
        elapsed_min=reader.number("elapsed_min") or 0.0,
        launcher=reader.text("launcher"),
        job_id=reader.text("job_id") or "none",
        command=reader.text("command"),
        log_path=reader.text("log_path"),
        status=status,
        description=reader.text("description"),
        started_at=reader.time("started_at"),
        finished_at=reader.time("finished_at"),
        runs=runs,
        effect=reader.number("effect"),
        effect_low=reader.number("effect_low"),
        effect_high=reader.number("effect_high"),
        reason=reader.text("reason"),
        extra={} if said.keys() <= _OURS else {name: said[name] for name in said if name not in _OURS},
    )
    return row, tuple(complaints)


_OURS = frozenset(COLUMNS)
