"""A laptop that was closed: told once, and no error."""

from types import SimpleNamespace

import pytest

from autoresearch.engine.night_watch import Wakefulness


@pytest.mark.parametrize(("here", "words"), [(True, "runs on it were paused"), (False, "runs went on")])
def test_a_machine_that_slept_says_so_once(here, words):
    """With how long, and what became of its runs; the drift of two clocks is no sleep."""
    told, asleep = [], iter([100.0, 100.01, 7300.01, 7300.01, 7300.02])
    ctx = SimpleNamespace(launcher=SimpleNamespace(here=here), note=told.append)
    watch = Wakefulness(ctx, lambda: next(asleep))
    for _ in range(4):
        watch.look()
    assert [words in text and "slept for 2h00m" in text for text in told] == [True]
