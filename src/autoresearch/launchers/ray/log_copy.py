"""Copies of the logs of jobs whose files stay on the head: fetched bit by bit, one job's trouble its own.

A running job's log is asked for by its last lines, which are joined to what is here already; whole it is asked for when
they do not join, where the head does not offer them, and once when the job is over.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoresearch.errors import LauncherError
from autoresearch.launchers.job_files import Record
from autoresearch.launchers.ray.head import Head, read_returned_files

_LINES = 2000
_ANCHOR = 4000


class LogCopies:
    """The logs of one launcher's jobs."""

    def __init__(self) -> None:
        self._whole: set[str] = set()
        self.trouble: dict[str, str] = {}
        """Why the log of a job could not be had the last time, by job id."""

    def fetch(self, head: Head, job: Mapping[str, Any], record: Record, *, over: bool) -> None:
        """Bring the copy of what a job has printed up to date; what goes wrong is kept as this job's trouble."""
        job_id = str(record.job_id)
        if job_id in self._whole:
            return
        try:
            if over or not _continue(head, job_id, str(job.get("driver_node_id") or ""), Path(record.log)):
                text = head.log(job_id)
                if text is not None:
                    _write(text, record)
            if over:
                self._whole.add(job_id)
            self.trouble.pop(job_id, None)
        except LauncherError as error:
            self.trouble[job_id] = f"its log could not be fetched: {error}"


def _continue(head: Head, job_id: str, node: str, place: Path) -> bool:
    """Whether the copy could be continued by the log's last lines."""
    known = _end_of(place)
    tail = head.log_tail(job_id, node, _LINES) if known and node else None
    more = None if tail is None else continuation(known, tail)
    if more:
        with place.open("a", encoding="utf-8", errors="surrogateescape") as file:
            file.write(more)
    return more is not None


def continuation(known: str, tail: str) -> str | None:
    """What the end of a log adds to what is known of it; None when the two cannot be joined.

    They are joined where the last characters known come exactly once, and not where that is a short piece. A log that
    prints the same four thousand characters over and over may be joined at a wrong place; it is right at the run's end.
    """
    anchor = known[-_ANCHOR:]
    if len(anchor) == _ANCHOR and tail.count(anchor) == 1:
        return tail[tail.index(anchor) + len(anchor) :]
    return None


def _end_of(place: Path) -> str:
    try:
        with place.open("rb") as file:
            file.seek(max(0, place.stat().st_size - 4 * _ANCHOR))
            # It may begin in the middle of a character.
            return file.read().lstrip(bytes(range(0x80, 0xC0))).decode("utf-8", "surrogateescape")
    except OSError:
        return ""


def _write(text: str, record: Record) -> None:
    Path(record.log).write_text(text, encoding="utf-8", errors="surrogateescape")
    for name, content in read_returned_files(text):
        Path(record.folder, name).write_text(content, encoding="utf-8", errors="surrogateescape")
