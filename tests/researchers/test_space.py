"""A search space: what a person writes, and how points lie on its cube."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.errors import CampaignError

np = pytest.importorskip("numpy")
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


@given(st.dictionaries(st.sampled_from("abcd"), knobs, min_size=1), st.data())
def test_every_place_is_a_point_and_every_point_has_its_place(document, data):
    """Whatever is drawn on the cube is a value within its range, and that value lies where it came from."""
    space = read_space(document)
    axes = len(space.owners)
    drawn = np.array([data.draw(st.lists(st.floats(0, 1), min_size=axes, max_size=axes))])
    place = space.snapped(drawn)[0]
    point = space.point(place)
    again = space.place(point)
    assert again is not None
    assert np.allclose(again, place, atol=0.01)
    assert space.point(again) == space.point(space.place(space.point(again)))
    for key, knob in space.items():
        inside = point[key] in knob.choices if knob.choices else knob.low <= point[key] <= knob.high
        assert inside


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
        ({"type": "int", "low": 1.2, "high": 2.3}, "two whole numbers"),
        ({"type": "categorical", "choices": [1]}, "two choices"),
        ({"type": "gaussian", "low": 0, "high": 1}, "none of float"),
        ({"low": 0, "high": 1, "step": 2}, "Extra inputs"),
        (3, "valid dictionary"),
    ],
)
def test_a_space_that_is_not_understood_is_refused(spec, words):
    """The message names the knob and shows how to write one."""
    with pytest.raises(CampaignError, match=rf"search space, lr: .*{words}.*write for example"):
        read_space({"lr": spec})
