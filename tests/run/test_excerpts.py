"""Ends that people met: excerpts of public threads, and whose doing they were as decided before the judge was asked."""

import csv
from pathlib import Path

import pytest

from autoresearch.run.ending import Account, Ending, Follows, Who, judge
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.measurement import Completion
from autoresearch.run.post_mortem import Change, crash_symptoms, post_mortem

EXCERPTS = Path(__file__).parent / "excerpts"
TABLE = list(csv.DictReader((EXCERPTS / "answers.tsv").read_text().splitlines(), delimiter="\t"))
FAILED = JobStatus(state=JobState.FAILED, exit_code=1, reason="exited with code 1")
CHANGES = {"": Change(("lr=2.0",), ("config.json",)), "memory": Change(("micro_batch=64",), ("config.json",))}


def judged(name: str, change: Change) -> Ending:
    log = (EXCERPTS / f"{name}.log").read_text()
    symptoms = post_mortem(crash_symptoms(log), FAILED, log)
    return judge(
        Account(status=FAILED, completion=Completion.CRASHED, symptoms=symptoms, log=log, change=change, tree="/r/t")
    )


MISSED = {"ninja-build", "mlflow-pool", "event-queue", "ranks-remove", "triton-permitted", "not-updated"}
"""What is not named rightly today; nobody is accused for it."""


def tried(row):
    marks = [pytest.mark.xfail(strict=True, reason="not named")] if row["excerpt"] in MISSED else []
    return pytest.param(row, id=row["excerpt"], marks=marks)


@pytest.mark.parametrize("row", [tried(row) for row in TABLE])
def test_it_is_told_whose_doing_it_was(row):
    """Who, what, and that nobody but the idea pays: all else is run again, and the row says that it was not tested."""
    found = judged(row["excerpt"], CHANGES.get(row["changed"]) or Change((), (row["changed"],), own_files=True))
    assert found.who in row["who"].split("|")
    assert found.what == row["what"]
    assert found.excused == (found.who is not Who.IDEA)


@pytest.mark.parametrize("row", TABLE, ids=[row["excerpt"] for row in TABLE])
def test_no_change_of_a_learning_rate_is_accused(row):
    """Whatever a log says: nothing in it ties to an optimiser's number."""
    found = judged(row["excerpt"], CHANGES[""])
    assert found.who is not Who.IDEA
    assert found.follows is Follows.AGAIN


def test_every_excerpt_has_an_answer():
    """And every answer an excerpt."""
    assert {path.stem for path in EXCERPTS.glob("*.log")} == {row["excerpt"] for row in TABLE}
