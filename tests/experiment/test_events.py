"""The journal's lines: every event there is survives being written and read."""

import json
from dataclasses import fields

from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.errors import LedgerError
from autoresearch.experiment import events as happened
from autoresearch.records.journal import dump, load

KINDS = [
    made
    for made in vars(happened).values()
    if isinstance(made, type) and any(f.name == "kind" for f in getattr(made, "__dataclass_fields__", {}).values())
]


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=200), st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_survives_on_one_line(text, at):
    """Line breaks, quotes, control characters and lone surrogates stay inside their event."""
    event = happened.Steered(at, text, "ada")
    line = dump(event)
    assert "\n" not in line
    assert load(line) == event


@settings(deadline=None, max_examples=100)
@given(
    st.text(max_size=60)
    | st.dictionaries(st.sampled_from(["v", "at", "kind", "text"]), st.integers() | st.text(max_size=5)).map(json.dumps)
)
def test_any_other_line_is_a_ledger_error(line):
    """A damaged line is told as such; nothing else is raised."""
    try:
        load(line)
    except LedgerError:
        pass


def test_every_event_is_dated_and_named():
    """Each kind once, each with the time at which it happened."""
    kinds = [next(f.default for f in fields(made) if f.name == "kind") for made in KINDS]
    assert len(kinds) == len(set(kinds)) > 15
    assert all(fields(made)[0].name == "at" for made in KINDS)
