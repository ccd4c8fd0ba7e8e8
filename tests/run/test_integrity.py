"""When a run made again counts as reproduced."""

import pytest

from autoresearch.run.integrity import Agreement


@pytest.mark.parametrize(
    ("recorded", "again", "noise", "holds", "word"),
    [
        (0.7, 0.7, None, True, "the same value"),
        (0.70, 0.72, 0.01, True, "within what chance explains (±0.02772)"),
        (0.70, 0.73, 0.01, False, "beyond what chance explains"),
        (0.70, 0.70001, None, False, "no noise was measured"),
        (0.70, None, 0.01, False, "gave no value this time"),
        (None, 0.70, 0.01, False, "the recorded run gave none"),
        (None, None, 0.01, True, "gave no value, as before"),
        (-3.0, -3.0, 0.0, True, "the same value"),
    ],
)
def test_an_outcome_is_told_in_words_and_judged_by_the_noise(recorded, again, noise, holds, word):
    """Two runs of one configuration differ by less than 1.96 sqrt(2) sd in 95 of 100."""
    found = Agreement(recorded, again, noise)
    assert found.holds is holds
    assert word in found.sentence
