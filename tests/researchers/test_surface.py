"""The surface: between what was measured, nearer to what was measured more often, and unsure elsewhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

np = pytest.importorskip("numpy")
from autoresearch.researchers.search.surface import Observed, Surface  # noqa: E402 - only where numpy is

LINE = np.linspace(0, 1, 7)[:, None]


def surface(levels, *, places=LINE, runs=None, noise=0.01):
    count = len(levels)
    many = np.ones(count) if runs is None else np.array(runs, dtype=float)
    owners = tuple(range(places.shape[1]))
    seen = Observed(
        places=places, levels=np.array(levels, dtype=float), runs=many, owners=owners, noise=noise, freedom=20
    )
    return Surface(seen, np.random.default_rng(0))


def test_a_smooth_curve_is_followed_between_its_points():
    """A parabola measured at seven points is known to a few percent of its height between them."""
    found = surface(-((LINE[:, 0] - 0.4) ** 2), noise=0.001)
    between = np.linspace(0.05, 0.95, 10)[:, None]
    assert np.allclose(found.level(between), -((between[:, 0] - 0.4) ** 2), atol=0.02)


def test_the_level_is_in_the_metrics_own_unit():
    """A metric a thousand times as large, and moved, gives levels a thousand times as large, and moved."""
    levels = np.array([0.1, 0.4, 0.5, 0.2, 0.3, 0.6, 0.2])
    small, large = surface(levels, noise=0.1), surface(1000 * levels - 7, noise=100.0)
    assert large.level(LINE) == pytest.approx(1000 * small.level(LINE) - 7)
    assert large.improvement(LINE, LINE) == pytest.approx(1000 * small.improvement(LINE, LINE))


def test_what_was_repeated_is_believed_more():
    """A lucky single run is drawn towards its neighbours; the mean of fifty runs is taken at its word."""
    levels = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    once = surface(levels, noise=0.5).level(LINE)[3]
    often = surface(levels, runs=[1, 1, 1, 50, 1, 1, 1], noise=0.5).level(LINE)[3]
    assert once < 0.6
    assert often > 0.8


def test_a_knob_that_does_nothing_is_found_out():
    """Where levels follow one of two knobs, moving the other changes what is expected far less."""
    dice = np.random.default_rng(3)
    places = dice.random((25, 2))
    found = surface(places[:, 0], places=places)
    levels = found.level(np.array([[0.5, 0.1], [0.5, 0.9], [0.1, 0.5], [0.9, 0.5]]))
    assert abs(levels[1] - levels[0]) < 0.1 * abs(levels[3] - levels[2])


def test_improvement_is_hoped_for_where_little_is_known():
    """Beside a known best there is little to gain, far from everything there is more."""
    found = surface([0.0, 0.1, 0.0], places=np.array([[0.0], [0.05], [0.1]]), noise=0.01)
    known, unknown = found.improvement(np.array([[0.05], [0.6]]), np.array([[0.05]]))
    assert 0 <= known < unknown


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8), st.floats(0, 1e6), st.data())
def test_any_measurements_give_finite_answers(levels, noise, data):
    """Equal places, equal levels, no noise: nothing of it makes the surface undefined."""
    places = np.array(data.draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=len(levels), max_size=len(levels))))
    found = surface(levels, places=places[:, None], noise=noise or None)
    assert np.isfinite(found.level(LINE)).all()
    hopes = found.improvement(LINE, places[:, None])
    assert np.isfinite(hopes).all()
    assert (hopes >= -1e-6 * (1 + abs(hopes).max())).all()
