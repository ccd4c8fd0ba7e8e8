"""The zero that the ledger's column needs where nothing was measured: no reader gives it back as a value."""

import io
import json
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from autoresearch.campaign.standing import judged_value
from autoresearch.cli import output
from autoresearch.experiment.history import fold
from autoresearch.experiment.outcome import Status
from autoresearch.mcp.answers import attempt
from autoresearch.records.consistency import events_of_row
from autoresearch.records.ledger import Ledger
from autoresearch.records.row import (
    COLUMNS,
    SHARED,
    Row,
    cells,
    decode,
    encode,
    from_note,
    header,
    parse_table,
    to_note,
)

ROW = Row(
    index=2, branch="autoresearch/c/idea", parent_commit="a" * 7, commit="b" * 7, recipe="r.yaml", metric_name="loss",
    metric_value=None, memory_gb=0.0, elapsed_min=1.0, launcher="local", job_id="none", command="x", log_path="l",
    status=Status.CRASH, description="an idea", runs=0,
)  # fmt: skip
words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=60)
crashes = st.builds(
    replace, st.just(ROW), status=st.just(Status.CRASH), runs=st.none() | st.integers(0, 5), reason=words,
    metric_value=st.none() | st.floats(-9, 9),
)  # fmt: skip
unmeasured = st.builds(
    replace, st.just(ROW), status=st.sampled_from([Status.DISCARD, Status.KEEP]), runs=st.integers(0, 5), reason=words
)


def emitted(value: object) -> Any:
    said = io.StringIO()
    with redirect_stdout(said):
        output.emit(value)
    return json.loads(said.getvalue())


@given(crashes | unmeasured, st.sampled_from([COLUMNS, SHARED]))
def test_no_reader_takes_it_for_a_value(row, columns):
    """File, note, JSON, MCP, a journal made from rows, and what the report and `status` show of it."""
    assert cells(row)["metric_value"] == "0.000000"
    if columns == SHARED and row.status is not Status.CRASH:
        columns = COLUMNS  # fifteen columns have no place for what tells such a row from a measured zero
    (read,) = parse_table(f"{header(columns)}\n{encode(row, columns)}\n").rows
    opened = list(events_of_row(read, 1.0))
    history = fold(opened)
    (entry,) = history.judged
    for one in (read, decode(cells(row)), from_note(to_note(row)), decode(entry.judged.row)):
        assert one.metric_value is None
        assert attempt(one).value is None
        assert emitted({"rows": [one]})["rows"][0]["metric_value"] is None
    assert judged_value(entry, history).value is None
    assert history.value_of(entry.name) is None


def test_the_ledger_on_disk_says_none(tmp_path):
    """Written and read again by the reader that everything else uses."""
    ledger = Ledger(tmp_path / "results.tsv")
    ledger.append(replace(ROW, status=Status.DISCARD, reason="the idea itself caused the failure: nan-loss"))
    assert [row.metric_value for row in ledger.rows()] == [None]
