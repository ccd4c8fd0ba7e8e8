"""Who is asked next."""

from hypothesis import given
from hypothesis import strategies as st

from autoresearch.scheduling.exploration import PATIENCE, Turn, order, patience, why_nobody


def test_without_shares_researchers_are_asked_in_the_order_written():
    """An agent first, then the playbook when it has no idea."""
    assert order([Turn(5), Turn(0)]) == (0, 1)


def test_shares_are_kept_over_time():
    """Three to one: after eight proposals six and two were asked first."""
    counts = [0, 0]
    for _ in range(8):
        counts[order([Turn(counts[0], share=3), Turn(counts[1], share=1)])[0]] += 1
    assert counts == [6, 2]


def test_a_researcher_at_its_limit_is_not_asked():
    """A limit is a limit."""
    assert order([Turn(2, limit=2), Turn(0)]) == (1,)


def test_a_researcher_rests_after_three_refused_proposals_in_a_row():
    """The others go on; whoever reads why nobody proposed learns who rests."""
    turns = [Turn(5, refused=PATIENCE), Turn(0, refused=PATIENCE - 1)]
    assert order(turns) == (1,)
    assert why_nobody(["agent", "file"], turns) == (
        "no researcher has another idea; agent rests after 3 refused proposals in a row"
    )
    assert why_nobody(["agent"], turns[:1]) == "agent rests after 3 refused proposals in a row"


def test_a_list_is_never_sent_to_rest_unless_the_file_says_so():
    """Each of its ideas comes once: three refused in a row say nothing about the fourth."""
    assert patience(None, finite=True) is None
    assert patience(None, finite=False) == PATIENCE
    assert patience(2, finite=True) == 2
    assert order([Turn(5, refused=50, patience=None)]) == (0,)


TURNS = st.builds(
    Turn,
    st.integers(0, 50),
    st.none() | st.floats(0.1, 9, allow_nan=False),
    st.none() | st.integers(1, 9),
    st.integers(0, 2 * PATIENCE),
)


@given(st.lists(TURNS, max_size=6))
def test_nobody_is_asked_twice_and_nobody_able_is_forgotten(turns):
    """Every researcher below its limit and not at rest stands in the order exactly once."""
    able = {
        place
        for place, turn in enumerate(turns)
        if (turn.limit is None or turn.proposed < turn.limit) and turn.refused < PATIENCE
    }
    found = order(turns)
    assert len(found) == len(set(found))
    assert set(found) == able
