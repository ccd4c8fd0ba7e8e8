"""Some runs are ended over the head of their supervisor."""

from hypothesis import given
from hypothesis import strategies as st

from autoresearch.scheduling.overtime import RunWatched, overtime

seconds = st.floats(0.0, 1e6)


@given(seconds, seconds, seconds, st.sampled_from(["", "its supervisor is stopped"]))
def test_nothing_is_ended_within_limit_and_grace(ran_s, limit_s, grace_s, deaf):
    """Whatever is the matter with the supervisor."""
    if ran_s <= limit_s + grace_s:
        assert overtime(RunWatched(ran_s=ran_s, limit_s=limit_s, grace_s=grace_s, deaf=deaf)) is None


@given(seconds, seconds, st.sampled_from(["", "its supervisor is stopped"]))
def test_some_time_is_too_long_for_every_limit(limit_s, grace_s, deaf):
    """Three minutes beyond limit and grace no run is left alone."""
    late = overtime(RunWatched(ran_s=limit_s + grace_s + 180, limit_s=limit_s, grace_s=grace_s, deaf=deaf))
    assert late is not None
    assert late.ending == "timed-out"


def test_a_stopped_supervisor_gets_five_seconds():
    """And one that lives a minute and a half, for its machine may be busy."""
    late = RunWatched(ran_s=15.6, limit_s=5.0, grace_s=5.0, deaf="its supervisor is stopped")
    found = overtime(late)
    assert found is not None
    assert found.reason == ("timed out: still running after 5 s; its supervisor is stopped, so the controller ended it")
    assert overtime(RunWatched(ran_s=15.6, limit_s=5.0, grace_s=5.0)) is None


def test_what_was_told_to_end_ends_without_a_limit_too():
    """`stop --now` holds for a run that made its supervisor deaf."""
    told = RunWatched(ran_s=9.0, limit_s=None, grace_s=1.0, cancelled_s=6.1, deaf="its supervisor is stopped")
    found = overtime(told)
    assert found is not None
    assert found.ending == "cancelled"
    assert overtime(RunWatched(ran_s=1e9, limit_s=None, grace_s=1.0)) is None
