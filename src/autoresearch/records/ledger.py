"""The ledger on disk: one row per attempted experiment, written once, whoever else writes to the file.

Rows are appended under a lock with fsync; the file is read anew each time and never rewritten, with one exception: a
file that lacks some of our columns (a person or an agent wrote it with the fifteen of R76, or no row had paths on a
volume so far) has its header line widened once, before our first row goes in. All its other bytes stay, and the file as
it was is kept beside it as `<name>.bak-<time>`. Narrowing our rows to its header instead would lose the evidence of
every verdict.
"""

from collections.abc import Sequence
from pathlib import Path

from autoresearch.errors import LedgerError
from autoresearch.experiment.attendance import CELLS
from autoresearch.machine import disk, fault_points
from autoresearch.machine.lock import file_lock
from autoresearch.records import row as record
from autoresearch.records.cell import clean
from autoresearch.records.row import Row, Table

_POINT = "ledger.append"
_HEAD_BYTES = 1 << 16


class Ledger:
    """A ledger file, which need not exist yet.

    Args:
        path: The TSV, by default `reports/auto_research_results.tsv` in the user's repository.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamped, self._data, self._table = (-1, 0, 0), b"", Table()

    def append(self, row: Row) -> bool:
        """Add a row, on the disk when this returns. False: a row of its branch is there already, nothing is written.

        A half-written last line of a dead writer is completed when it is the beginning of this very row; otherwise it
        is ended with a `#torn` cell, which readers skip.

        Raises:
            StorageError: The disk refused; the file is as it was.
            LedgerError: The file is something else than a ledger; it is left alone.
        """
        fault_points.point(f"{_POINT}.before")
        with file_lock(self.path):
            data = disk.read(self.path)
            written = self._append(data, row)
        fault_points.point(f"{_POINT}.after")
        return written

    def table(self) -> Table:
        """Everything the file says now, with the problems of its lines; an empty table when there is no file.

        Raises:
            StorageError: It exists and cannot be read.
        """
        stamp = self._stamp()
        if stamp != self._stamped:
            data = disk.read(self.path)
            self._table = _parsed(data, self._data, self._table)
            self._stamped, self._data = stamp, data
        return self._table

    def rows(self, prefix: str = "") -> tuple[Row, ...]:
        """The rows in file order, those whose branch begins with `prefix`; also rows that others wrote count."""
        return tuple(row for row in self.table().rows if row.branch.startswith(prefix))

    def branches(self, prefix: str) -> frozenset[str]:
        """Branches of all ended lines, readable as rows or not, that begin with `prefix`; other lines cost nothing.

        Raises:
            StorageError: The file exists and cannot be read.
        """
        data, name = disk.read(self.path), clean(prefix).encode()
        columns, whole = _header(data)[1], data[: data.rfind(b"\n") + 1]
        found = b"\n".join(line for line in whole.split(b"\n") if name in line)
        return frozenset(branch for branch in _lines(found, columns).branches if branch.startswith(prefix))

    def begun(self) -> str:
        """Branch of an unfinished last line, empty when there is none; its row may yet be completed."""
        data = disk.read(self.path)
        return _branch(data[data.rfind(b"\n") + 1 :], _header(data)[1])

    def follow(self, seen: int) -> tuple[tuple[Row, ...], int]:
        """The rows after the first `seen` ones, and how many there are now; costs one `stat` while nothing changes."""
        rows = self.table().rows
        return rows[seen:], len(rows)

    def rebuild(self, rows: Sequence[Row]) -> Path | None:
        """Make the file say `rows`: each replaces the row of its branch, or is added at the end.

        Every other line stays byte for byte: rows of other campaigns, comments, lines that are no rows. Of several rows
        of one branch one is left.

        Returns:
            The backup of the file as it was, None when there was none or nothing had to change.

        Raises:
            StorageError: The disk refused; the file is as it was.
            LedgerError: The file is something else than a ledger; it is left alone.
        """
        with file_lock(self.path):
            data = disk.read(self.path)
            columns = self._columns(data) if data.strip() else _wider((), *rows)
            wide = _widened(data, columns, *rows) if data.strip() else (record.header(columns) + "\n").encode()
            content = _replaced(wide, rows)
            if content == data:
                return None
            kept = disk.backup(self.path) if data else None
            disk.replace(self.path, content)
        return kept

    def _append(self, data: bytes, row: Row) -> bool:
        first = _wider((), row)
        fresh = f"{record.header(first)}\n{record.encode(row, first)}\n".encode()
        if b"\n" not in data and fresh.startswith(data):
            disk.append(self.path, fresh[len(data) :], _POINT)
            return True
        columns = self._columns(data)
        body, tail = _torn(data, columns)
        if rest := _cut(data, record.encode(row, columns).encode()):
            disk.append(self.path, rest, _POINT)
            return True
        if _holds(body, columns, row.branch):
            return False
        wider = _wider(columns, row)
        addition = _completed(tail, record.encode(row, wider).encode(), data)
        if wider == columns:
            disk.append(self.path, addition, _POINT)
        else:
            disk.backup(self.path)
            disk.replace(self.path, _widened(data, columns, row) + addition)
        return True

    def _columns(self, data: bytes) -> tuple[str, ...]:
        """The columns of a file that has some content. Raises LedgerError when it is no ledger."""
        columns = _header(data)[1]
        if not columns or data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise LedgerError(
                f"{self.path} is not a ledger (UTF-8, tab-separated, with columns `branch` and `status`); "
                f"move it away, and the next row starts a new one"
            )
        return columns

    def _stamp(self) -> tuple[int, int, int]:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return 0, 0, 0
        return found.st_ino, found.st_size, found.st_mtime_ns


def _parsed(data: bytes, before: bytes, known: Table) -> Table:
    """The table of `data`; what is `known` of an earlier content that it only continues is not read again."""
    if known.columns and before.endswith(b"\n") and data.startswith(before):
        return record.more(known, _text(data[len(before) :]), before.count(b"\n") + 1)
    return record.parse_table(_text(data))


def _text(data: bytes) -> str:
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    return data.decode("utf-16" if utf16 else "utf-8", "replace")


def _header(data: bytes) -> tuple[int, tuple[str, ...]]:
    lines = data[:_HEAD_BYTES].decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    return record.find_header(lines)


def _wider(columns: Sequence[str], *rows: Row) -> tuple[str, ...]:
    """The columns with those of ours that they lack, and those that only some rows have where a row has them."""
    extra = (name for row in rows for name in (*record.PLACES, record.INTEGRITY, *CELLS) if name in row.extra)
    return tuple(dict.fromkeys((*columns, *record.COLUMNS, *extra)))


def _widened(data: bytes, columns: Sequence[str], *rows: Row) -> bytes:
    """The file's content with a header that has all columns, the missing ones last; nothing else is changed."""
    wide = _wider(columns, *rows)
    missing = wide[len(columns) :]
    start = _header(data)[0]
    lines = data.split(b"\n")
    if start == 0 or "branch" not in lines[start - 1].decode("utf-8", "replace").lower():
        lines.insert(start, record.header(wide).encode())
    elif missing:
        before = lines[start - 1]
        bare = before.removesuffix(b"\r")
        lines[start - 1] = b"\t".join([bare, *(name.encode() for name in missing)]) + before[len(bare) :]
    return b"\n".join(lines)


def _torn(data: bytes, columns: Sequence[str]) -> tuple[bytes, bytes]:
    """The whole lines, and an unfinished last one. One that only lacks its newline, as editors leave it, is whole.

    It is, when it has all its cells and the last of them reads: what else is wrong with it, a hand has done.
    """
    place = data.rfind(b"\n") + 1
    body, tail = data[:place], data[place:]
    cells = tail.split(b"\t")
    parsed, before = (_lines(b"\t".join(some), columns) for some in (cells, [*cells[:-1], b""]))
    whole = bool(parsed.rows) and len(parsed.problems) <= len(before.problems) and len(cells) >= len(columns)
    return (data, b"") if whole or not tail.strip() else (body, tail)


def _lines(text: bytes, columns: Sequence[str]) -> Table:
    """What lines say under a header of these columns."""
    return record.parse_table(f"{record.header(columns)}\n{_text(text)}")


def _cut(data: bytes, line: bytes) -> bytes:
    """What a last line lacks that was cut within the last cell of this very row, where it looks whole; else nothing."""
    last = data[data.rfind(b"\n") + 1 :]
    same_cells = last.count(b"\t") == line.count(b"\t")
    return line[len(last) :] + b"\n" if same_cells and line != last and line.startswith(last) else b""


def _completed(tail: bytes, line: bytes, data: bytes) -> bytes:
    """What to append to `data`, whose unfinished last line is `tail`, so that `line` stands there as a line."""
    if tail and line.startswith(tail):
        return line[len(tail) :] + b"\n"
    end = b"\t" + record.TORN.encode() + b"\n" if tail else b""
    return (end or (b"" if data.endswith(b"\n") else b"\n")) + line + b"\n"


def _holds(data: bytes, columns: Sequence[str], branch: str) -> bool:
    """Whether some line, readable as a row or not, bears the branch; only lines with its name in them are looked at."""
    name = clean(branch).encode()
    return name in data and any(_branch(line, columns).encode() == name for line in data.split(b"\n") if name in line)


def _replaced(data: bytes, rows: Sequence[Row]) -> bytes:
    start, columns = _header(data)
    due = {clean(row.branch): record.encode(row, columns).encode() for row in rows}
    done: set[str] = set()
    lines = data.split(b"\n")
    kept = lines[:start]
    for line in lines[start:]:
        branch = _branch(line, columns)
        if branch not in due:
            kept.append(line)
        elif branch not in done:
            kept.append(due[branch])
            done.add(branch)
    while kept and not kept[-1].strip():
        kept.pop()
    added = [line for branch, line in due.items() if branch not in done]
    return b"\n".join([*kept, *added]) + b"\n"


def _branch(line: bytes, columns: Sequence[str]) -> str:
    return next(iter(_lines(line, columns).branches), "")
