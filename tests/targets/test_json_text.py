"""Overrides of a JSON configuration: the value changes, every other byte stays."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.errors import RecipeError
from autoresearch.targets.recipe.json_text import edit_text, put, remove

SPACES = st.sampled_from(["", " ", "\n  ", "\r\n\t", "   "])
NUMBERS = ["1", "-0", "0.10", "1e-4", "3.0E+2", "12345678901234567890", "1.000"]
KEYS = st.text('abcdé "\\/.=0', max_size=4)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


@dataclass
class Document:
    """A JSON text with one place in it: what stands before it, in it and behind it."""

    before: str
    inside: str
    behind: str
    steps: tuple[str | int, ...]


@st.composite
def scalars(draw):
    """A value as somebody may have spelled it."""
    return draw(st.sampled_from([*NUMBERS, "null", "true", '"\\u00e9\\n"', '"[{,:"', "{}", "[ ]"]))


@st.composite
def texts(draw, depth=2):
    """Any JSON text, laid out in any way."""
    kind = draw(st.sampled_from("vvoa" if depth else "v"))
    if kind == "v":
        return draw(scalars())
    inner = draw(st.lists(texts(depth - 1), max_size=3))
    gap = draw(SPACES)
    if kind == "a":
        return f"[{gap}{f'{draw(SPACES)},{gap}'.join(inner)}{draw(SPACES)}]"
    keys = draw(st.lists(KEYS, min_size=len(inner), max_size=len(inner), unique=True))
    colon = draw(st.sampled_from([":", ": ", " : "]))
    members = [f"{json.dumps(key)}{colon}{value}" for key, value in zip(keys, inner, strict=True)]
    return f"{{{gap}{f'{draw(SPACES)},{gap}'.join(members)}{draw(SPACES)}}}"


@st.composite
def documents(draw):
    """A document, and a place at most three levels down in it."""
    inside, steps = draw(texts(1)), ()
    before = behind = ""
    for _ in range(draw(st.integers(1, 3))):
        gap, end = draw(SPACES), draw(SPACES)
        above, below = draw(st.lists(scalars(), max_size=2)), draw(st.lists(scalars(), max_size=2))
        if steps and draw(st.booleans()):
            steps = (len(above), *steps)
            before = f"[{gap}{''.join(f'{one},{gap}' for one in above)}{before}"
            behind = f"{behind}{''.join(f',{gap}{one}' for one in below)}{end}]"
            continue
        keys = draw(st.lists(KEYS, min_size=len(above) + len(below) + 1, max_size=5, unique=True))
        key, first, last = keys[0], keys[1 : len(above) + 1], keys[len(above) + 1 :]
        steps = (key, *steps)
        before = (
            "".join(f"{json.dumps(k)}: {v},{gap}" for k, v in zip(first, above, strict=True))
            + f"{json.dumps(key)}: {before}"
        )
        before = f"{{{gap}{before}"
        behind += "".join(f",{gap}{json.dumps(k)}: {v}" for k, v in zip(last, below, strict=False)) + end + "}"
    return Document(draw(SPACES) + before, inside, behind + draw(SPACES), steps)


def at(document: Any, steps: tuple[str | int, ...]) -> Any:
    """What stands at a place."""
    for step in steps:
        document = document[step]
    return document


def plain(document: Any) -> str:
    """A document in one spelling, so that 1, 1.0 and true differ."""
    return json.dumps(document, sort_keys=True)


def with_value(text: str, steps: tuple[str | int, ...], value: Any) -> Any:
    """What the document should mean afterwards, by the standard library alone."""
    document = json.loads(text)
    at(document, steps[:-1])[steps[-1]] = value
    return document


@given(documents(), VALUES)
def test_a_value_changes_and_every_other_byte_stays(document, value):
    """Whatever the layout, the depth and the value; the text means what was asked for."""
    text = document.before + document.inside + document.behind
    after = put(text, document.steps, value)
    assert plain(json.loads(after)) == plain(with_value(text, document.steps, value))
    assert after.startswith(document.before)
    assert after.endswith(document.behind)
    assert put(after, document.steps, value) == after


@given(documents(), KEYS.filter(lambda key: len(key) == 4), VALUES)
def test_a_key_is_added_and_taken_away_again(document, key, value):
    """The new member stands in its object, and without it the text is what it was."""
    text = document.before + '{"a": 1}' + document.behind
    grown = put(text, (*document.steps, key), value)
    assert at(json.loads(grown), document.steps) == {"a": 1, key: value}
    assert remove(grown, (*document.steps, key)) == text


@given(documents())
def test_what_is_deleted_is_all_that_goes(document):
    """The object lacks the member, everything else means the same."""
    text = document.before + document.inside + document.behind
    steps = document.steps if isinstance(document.steps[-1], str) else document.steps[: len(document.steps) - 1]
    while not isinstance(steps[-1], str):
        steps = steps[:-1]
    wanted = json.loads(text)
    del at(wanted, steps[:-1])[steps[-1]]
    assert json.loads(remove(text, steps)) == wanted


TEXT = '{\r\n\t"lr" : 1.0e-4,  "steps":[10, {"at": 2.50}],\n\n  "name": "caf\\u00e9",\n    "net": { }\n}\n\n'


@pytest.mark.parametrize(
    ("override", "old", "new"),
    [
        ("lr=3e-4", "1.0e-4", "3e-4"),
        ("lr=0.0001", "", ""),
        ("steps.0=20", "[10", "[20"),
        ("steps.1.at=3", "2.50", "3"),
        ("steps=[10, {at: 3.5}]", "2.50", "3.5"),
        ("steps=[]", '[10, {"at": 2.50}]', "[]"),
        ("name=x", '"caf\\u00e9"', '"x"'),
        ("name=é", '"caf\\u00e9"', '"\\u00e9"'),
        ("+net.depth=4", "{ }", '{"depth": 4 }'),
        ("+net.a.b=true", "{ }", '{"a": {"b": true} }'),
        ("+more=1e-3", '"net": { }', '"net": { },\n    "more": 1e-3'),
        ("~name", '"name": "caf\\u00e9",\n    ', ""),
        ("~net", ',\n    "net": { }', ""),
    ],
)
def test_an_override_is_one_small_edit(override, old, new):
    """Numbers are written as the override spells them; tabs, line ends and escapes stay as somebody wrote them."""
    assert edit_text(TEXT, [override]) == TEXT.replace(old, new, 1)


@pytest.mark.parametrize(
    "override",
    ["wd=1", "net.depth=1", "lr.x=1", "+lr.x=1", "steps.2=1", "+steps.2=1", "~wd", "~steps.0", "lr", "~lr=1", ".=1",
     "lr=.nan", "lr=2026-01-01", "lr={", "=1", "lr..x=1"],
)  # fmt: skip
def test_what_does_not_fit_is_refused(override):
    """A key that is not there, a value that JSON cannot hold, an item that a list lacks: one clear error each."""
    with pytest.raises(RecipeError, match=r"^'"):
        edit_text(TEXT, [override])


def test_of_a_key_written_twice_the_one_that_counts_is_changed():
    """Parsers take the last; deleted, both are gone."""
    assert edit_text('{"a": 1, "a": 2}', ["a=3"]) == '{"a": 1, "a": 3}'
    assert edit_text('{"a": 1, "b": 0, "a": 2}', ["~a"]) == '{"b": 0}'
