"""Ideas screened many at a time: arrays, what they tell of each idea, and the winners run as a whole."""

from dataclasses import replace

from tests.verdict.boards import board, idea, runs

from autoresearch.experiment.board import Board, Bundle, Combine, Idea, Measure, Trial
from autoresearch.experiment.outcome import Purpose, Status, Verdict
from autoresearch.verdict.evidence import Evidence
from autoresearch.verdict.policies import policy
from autoresearch.verdict.policies.composed import bundle_name
from autoresearch.verdict.policies.screening_array import _parts, arrays, row_to_run

LOST = Verdict(status=Status.DISCARD, reason="")
ROWS = tuple(Bundle(f"screen-1-{n}", tuple(pair), "baseline") for n, pair in enumerate(("ab", "bc", "ac"), 1))
GAINS = {"screen-1-1": 1.5, "screen-1-2": 1.0, "screen-1-3": 1.1, "baseline": 1.0}
"""In a four-run array a and b gain, and c loses."""


def screened(
    *more: Bundle, ideas: str = "abc", rows: tuple[Bundle, ...] = ROWS, values: dict[str, float] = GAINS
) -> Board:
    """An array of which every row ran."""
    seen = [
        Trial(arm=arm, seed=50 + n, purpose=Purpose.SCREEN, value=value, order=9 + n)
        for n, (arm, value) in enumerate(values.items())
    ]
    return board(*seen, ideas=tuple(map(idea, ideas)), bundles=(*rows, *more), may_explore=False)


def judged(shown: Board, *names: str) -> Board:
    """The board with these ideas discarded."""
    return replace(shown, ideas=tuple(replace(i, verdict=LOST) if i.name in names else i for i in shown.ideas))


def advise(shown: Board):
    return policy("screening").advise(shown)


def test_a_wild_number_in_an_array_is_judged():
    """A row at 1e300 whose ideas no other row tells apart has an answer, and not a division by zero."""
    both = (Bundle("screen-1-1", ("a", "b"), "baseline"),)
    assert isinstance(advise(screened(ideas="ab", rows=both, values={"screen-1-1": 1e300, "baseline": 1.0})), Combine)


def test_a_bundle_may_hold_an_idea_that_the_board_does_not_list():
    """An array is read to its end although one of its ideas has no entry."""
    assert isinstance(advise(screened(ideas="ab")), Combine)


def test_ideas_that_share_a_key_do_not_wait_for_an_array_for_ever():
    """Eleven ideas on one key cannot be bundled: they run singly, oldest first, before a twelfth is asked for."""
    alike = tuple(replace(idea(f"i{n}"), keys=frozenset({"lr"})) for n in range(11))
    advice = advise(board(ideas=alike, runs_left=60, runs_total=63))
    assert (advice.arm, advice.purpose) == ("i0", Purpose.EXPLORE)


def test_a_winning_set_is_run_as_a_whole():
    """The loser is dropped, then the winners are merged, strongest first, and run together, once if that is clear."""
    lost = advise(screened())
    assert (lost.idea, lost.verdict.status) == ("c", Status.DISCARD)
    assert advise(judged(screened(), "c")).ideas == ("a", "b")
    made = judged(screened(Bundle("set-1", ("a", "b"), "baseline")), "c")
    assert advise(made).arm == "set-1"
    clear = replace(made, trials=(*made.trials, *runs("set-1", 1.5, seed=70)))
    kept = advise(clear)
    assert (kept.idea, kept.verdict.status, kept.incumbent) == ("a", Status.KEEP, "set-1")
    doubtful = replace(made, trials=(*made.trials, *runs("set-1", 1.0, seed=70)))
    assert advise(doubtful) == Measure("set-1", 71, Purpose.SCREEN, "the winners together, once more")


def test_nothing_is_decided_while_the_winners_run():
    """Their run is waited for; another idea may be asked for meanwhile, if there may be one."""
    made = judged(screened(Bundle("set-1", ("a", "b"), "baseline")), "c")
    running = replace(made, trials=(*made.trials, Trial(arm="set-1", seed=70, pending=True)))
    assert advise(running).why == "waiting for runs of open ideas"


def test_a_winning_set_that_cannot_be_merged_loses_its_weakest_idea_only():
    """A conflict between two winners costs one of them, and its row says why."""
    torn = judged(screened(Bundle("set-1", ("a", "b"), "baseline", "b conflicts in config.json")), "c")
    again = advise(torn)
    assert (again.name, again.ideas) == ("set-1-2", ("a",))
    lost = advise(replace(torn, bundles=(*torn.bundles, Bundle(again.name, again.ideas, "baseline"))))
    assert (lost.idea, lost.verdict.status) == ("b", Status.DISCARD)
    assert "cannot be merged" in lost.verdict.reason


def test_a_winner_that_cannot_even_be_merged_alone_is_discarded():
    """Nothing is left to leave out, and its row says what was in the way."""
    torn = judged(screened(Bundle("set-1", ("a",), "baseline", "config.json changed")), "b", "c")
    lost = advise(torn)
    assert (lost.idea, lost.verdict.status) == ("a", Status.DISCARD)
    assert lost.verdict.reason.endswith("but the winners of the array cannot be merged: config.json changed")


def test_rows_share_a_new_seed_where_common_seeds_tell_more():
    """From a measured seed correlation on, every row of an array runs on the first one's seed; else each on its own."""
    lifts = (0.0, 0.3, -0.2, 0.5, -0.4, 0.1)
    alike = tuple(
        Trial(arm=arm, seed=80 + n, value=level + lift)
        for arm, level in (("baseline", 1.0), ("x", 0.5))
        for n, lift in enumerate(lifts)
    )
    begun = (Trial(arm="screen-1-1", seed=90, purpose=Purpose.SCREEN, value=1.0),)
    ideas = tuple(Idea(name=name, parent="baseline", verdict=LOST if name == "x" else None) for name in "abcx")
    for trials, seed in ((begun, 91), ((*alike, *begun), 90)):
        seen = Evidence(board(*trials, ideas=ideas, bundles=ROWS))
        assert row_to_run(seen, arrays(seen)[0]).seed == seed


def test_a_new_bundle_has_a_name_of_its_own():
    """Counted by the bundles there are, and on past a name that is taken."""
    taken = board(ideas=(idea("merge-2"),), bundles=(Bundle("screen-1-1", ("a",), "baseline"),))
    assert bundle_name(Evidence(board()), "merge") == "merge-1"
    assert bundle_name(Evidence(taken), "merge") == "merge-3"


def test_a_row_without_the_guilty_runs_in_no_other_way():
    """One that holds them runs without them; one that could not be merged in two halves."""
    row = Bundle(name="row", ideas=("a", "b", "c"), parent="baseline")
    assert (_parts(row, frozenset({"z"})), _parts(row, frozenset({"b"}))) == ((), (("a", "c"),))
    assert _parts(replace(row, conflict="they touch one line"), frozenset()) == (("a",), ("b", "c"))
