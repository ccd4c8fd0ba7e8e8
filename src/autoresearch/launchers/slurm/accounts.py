"""The site's own accounts (sacct): asked what the queue has forgotten, and who caused an end that we did not cause."""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from autoresearch.errors import LauncherError
from autoresearch.launchers.job_files import Record
from autoresearch.launchers.slurm import commands
from autoresearch.launchers.slurm.commands import QueueLine
from autoresearch.launchers.slurm.status import unexplained
from autoresearch.machine.processes import CommandError
from autoresearch.run.job import JobState

_LATE_S = 10.0
_SKEW_S = 300.0
"""How far the scheduler's clock may be behind ours."""


class Accounts:
    """sacct, for as long as the site turns out to keep any."""

    def __init__(self) -> None:
        self.kept = True
        """Whether the site keeps accounts, as far as is known."""
        self._told: dict[str, QueueLine] = {}
        self._asked: dict[str, float] = {}

    def ask(
        self,
        ids: Collection[str] = (),
        name: str = "",
        since: str = "",
        ours: Callable[[QueueLine], bool] = lambda _: True,
    ) -> Mapping[str, QueueLine]:
        """Rows by job id; none where no accounts are kept.

        Raises:
            LauncherError: They are kept, and nobody answers.
        """
        if not self.kept:
            return {}
        argv = commands.sacct(ids, name, since)
        try:
            return commands.parse_sacct(commands.ask(argv, "ask").text, ours)
        except LauncherError as error:
            if isinstance(error.__cause__, CommandError) and commands.disabled(error.__cause__.stderr):
                self.kept = False
                return {}
            raise

    def explain(
        self,
        found: Mapping[str, QueueLine | None],
        records: Collection[Record],
        ends: Mapping[str, Mapping[str, Any] | None],
    ) -> dict[str, QueueLine | None]:
        """What squeue says of runs, and what the accounts say of those that it cannot explain; each is asked once.

        Only they know who cancelled a job, and what became of one that ended while nobody looked: the same end has the
        same word whether it was watched or not.

        Args:
            found: What squeue says, by job id.
            records: The runs.
            ends: Their exit files, by run id.

        Raises:
            LauncherError: Accounts are kept, and nobody answers.
        """
        by_id = {str(record.job_id): record for record in records}
        told = dict(found)
        asked = {one for one, record in by_id.items() if _is_open(found[one], ends[record.run_id], record)}
        unknown = {one for one in asked if by_id[one].token not in self._told}
        if unknown:
            answers = self.ask(unknown, ours=lambda row: row.job_id in by_id and may_be_ours(row, by_id[row.job_id]))
            told |= {one: row for one, row in answers.items() if one in told and told[one] is None}
            self._told |= {by_id[one].token: row for one, row in answers.items() if one in by_id and row.state.ended}
            for one in unknown:
                if self.kept and found[one] and not (one in answers and answers[one].state.ended):
                    told[one] = self._late(found[one], by_id[one])
        for one in asked:
            if row := self._told.get(by_id[one].token):
                before = found[one]
                told[one] = row._replace(reason=before.reason) if before else row
        return told

    def set_aside(self, row: QueueLine) -> str:
        """How a job's node was set aside in the moment in which it ended, in Slurm's words; empty where it was not.

        A failed Prolog drains its node, and what looks after nodes at a site may have it back before anybody asks.

        Raises:
            LauncherError: Accounts are kept, and nobody answers.
        """
        if not self.kept or row.ended_at is None:
            return ""
        return commands.set_aside(row.node, row.started_at or row.ended_at, row.ended_at)

    def _late(self, row: QueueLine | None, record: Record) -> QueueLine | None:
        """An end that the accounts have not heard of yet is no end for some seconds: they are a little late."""
        since = self._asked.setdefault(record.token, time.monotonic())
        return row._replace(word="COMPLETING") if row and time.monotonic() - since < _LATE_S else row


def _is_open(row: QueueLine | None, ended: Mapping[str, Any] | None, record: Record) -> bool:
    """Whether the accounts may know more of an end than the queue and the run's own files."""
    if row is None:
        return ended is None or (record.cancelled_at is None and unexplained(ended))
    return row.state is JobState.CANCELLED and record.cancelled_at is None and " by " not in row.word


def is_ours(row: QueueLine, record: Record) -> bool:
    """Whether a job carries this run's name and token."""
    return row.name == record.name and row.comment == f"autoresearch:{record.token}"


def may_be_ours(row: QueueLine, record: Record) -> bool:
    """Whether a job of a run's id is that run's: it carries its token, or where none is kept its name and time."""
    if row.comment.startswith("autoresearch:"):
        return row.comment == f"autoresearch:{record.token}"
    same = not row.name or row.name == record.name
    return same and (row.submitted_at is None or row.submitted_at >= record.asked_at - _SKEW_S)
