"""A search space: what a person writes, and how points lie on its cube."""

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autoresearch.errors import CampaignError

np = pytest.importorskip("numpy")
from autoresearch.researchers.override_forms import canonical, effective, text  # noqa: E402 - only where numpy is
from autoresearch.researchers.search.space import read_space  # noqa: E402 - only where numpy is

numbers = st.floats(1e-9, 1e9)
ranges = st.tuples(numbers, numbers).filter(lambda ends: ends[1] > ends[0] * 1.01)
knobs = st.one_of(
    st.builds(lambda ends, log: {"type": "float", "low": ends[0], "high": ends[1], "log": log}, ranges, st.booleans()),
    st.builds(lambda low, more, log: {"type": "int", "low": low, "high": low + more, "log": log},
              st.integers(1, 10_000), st.integers(1, 5_000), st.booleans()),
    st.lists(st.one_of(st.text("abc", min_size=1), st.booleans()), min_size=3, max_size=6, unique_by=str),
    st.lists(st.integers(-100, 100), min_size=3, max_size=6, unique=True),
)  # fmt: skip
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["float", "int", "categorical", "a"])
listed = st.lists(plain, max_size=4)
named = st.sampled_from(["type", "low", "high", "log", "choices", "x"])
foreign = plain | listed | st.dictionaries(named, plain | listed, max_size=5)


@given(st.dictionaries(st.sampled_from("abcd"), knobs, min_size=1), st.floats(0, 1))
@example({"a": {"type": "float", "low": 771133060.0, "high": 779160636.0, "log": False}}, 0.5)
@example({"a": {"type": "float", "low": 0.995, "high": 0.9999, "log": True}}, 0.3)
@example({"a": {"type": "int", "low": 1, "high": 1001, "log": True}}, 0.04)
def test_every_place_is_a_point_and_every_point_has_its_place(document, share):
    """Whatever is drawn on the cube is a value within its range that lies where it came from, and stays the same."""
    space = read_space(document)
    drawn = space.snapped(np.full((1, len(space.owners)), share))[0]
    point = space.point(drawn)
    again = space.place(point)
    assert space.point(again) == point
    for key, knob in space.items():
        assert point[key] in knob.choices if knob.choices else knob.low <= point[key] <= knob.high
        if knob.type == "float":
            assert knob.place(point[key])[0] == pytest.approx(share, abs=0.00051)


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("ends", [(0.995, 0.9999), (1.0, 1.02), (1e-6, 1e-4), (771133060.0, 779160636.0), (1e-9, 1e9)])
def test_a_range_has_a_thousand_values_however_narrow_it_is(ends, log):
    """Digits are kept that tell two places of the range apart, also in the override and in the memory of what ran."""
    knob = read_space({"x": {"low": ends[0], "high": ends[1], "log": log}})["x"]
    values = {knob.value(np.array([share])) for share in np.linspace(0, 1, 1001)}
    assert len(values) == len({canonical(text(value)) for value in values}) == 1001


@pytest.mark.parametrize(
    ("spec", "share", "said"),
    [
        ({"low": 1e-6, "high": 1e-4, "log": True}, 0.5, "1.0e-05"),
        ({"low": 1e-8, "high": 1.0, "log": True}, 0.1, "6.31e-08"),
        ({"low": 0.2, "high": 0.4}, 1 / 3, "0.2667"),
        ({"low": 0.995, "high": 0.9999}, 0.5, "0.99745"),
        ({"low": 0.0, "high": 100.0}, 1 / 3, "33.3"),
    ],
)
def test_a_value_is_as_short_as_its_range_allows(spec, share, said):
    """Nobody has to read digits that the range has no use for."""
    assert text(read_space({"x": spec})["x"].value(np.array([share]))) == said


@given(st.dictionaries(st.text(max_size=5), foreign, min_size=1, max_size=3))
def test_any_document_is_a_space_or_a_refusal(document):
    """Whatever a file holds, the answer is a space whose middle is a point, or a refusal of ours."""
    try:
        space = read_space(document)
    except CampaignError:
        return
    middle = space.point(np.full(len(space.owners), 0.5))
    assert space.place(middle) is not None


def test_choices_that_are_numbers_keep_their_order():
    """Eight lies between four and sixteen; names have no order and are equally far apart."""
    space = read_space({"n": [16, 4, 8], "mode": ["a", "b", "c"]})
    places = {n: space.place({"n": n, "mode": "a"})[0] for n in (4, 8, 16)}
    assert places == {4: 0.0, 8: 0.5, 16: 1.0}
    assert [space.distance("mode", one, other) for one, other in ("ab", "bc", "ac")] == pytest.approx([1.0] * 3)


def test_a_recipes_own_value_has_a_place_though_it_is_no_choice():
    """Six lies between four and eight, and a name that is not offered lies as far from each that is."""
    space = read_space({"n": [4, 8, 16], "mode": ["a", "b", "c"]})
    assert space["n"].place(6) == pytest.approx([0.25])
    assert [space.distance("mode", "z", other) for other in "abc"] == pytest.approx([math.sqrt(0.5)] * 3)
    assert space["n"].place("${other}") is None


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"type": "float", "low": 2.0, "high": 1.0}, "low < high"),
        ({"type": "float", "low": 0.0, "high": 1.0, "log": True}, "low > 0"),
        ({"low": 1e9, "high": 1e9 + 1e-6}, "too close"),
        ({"low": -1e308, "high": 1e308}, "too far apart"),
        ({"low": 1e-308, "high": 1e308, "log": True}, "too far apart"),
        ({"type": "int", "low": 1.2, "high": 2.3}, "two whole numbers"),
        ({"type": "categorical", "choices": [1]}, "two choices"),
        ({"type": "gaussian", "low": 0, "high": 1}, "none of float"),
        ({"low": 0, "high": 1, "step": 2}, "unknown key 'step'"),
        (3, "3 is not understood; write a mapping"),
    ],
)
def test_a_space_that_is_not_understood_is_refused(spec, words):
    """The message names the knob and shows how to write one."""
    with pytest.raises(CampaignError, match=rf"search space, lr: .*{words}.*write for example"):
        read_space({"lr": spec})


def test_settings_that_differ_in_the_last_digits_are_two_settings():
    """A million steps and a million and one were once the same; arithmetic's own crumbs still are."""
    assert effective(["n=1000001"]) != effective(["n=1000002"])
    assert effective(["lr=0.3"]) == effective([f"lr={text(0.1 + 0.2)}"]) == effective([f"lr={0.1 + 0.2!r}"])
