"""Ideas screened many at a time: odd boards have an answer too."""

from autoresearch.experiment.board import Board, Bundle, Combine, Idea, Trial
from autoresearch.experiment.outcome import Purpose
from autoresearch.run.objective import Objective
from autoresearch.verdict.policies import policy


def board(ideas: str, rows: tuple[Bundle, ...], values: dict[str, float]):
    """Three baseline runs with a noise of 0.02, one more among the rows, and the rows as given."""
    base = [
        Trial(arm="baseline", seed=42 + n, purpose=Purpose.BASELINE, value=1 + 0.02 * (n - 1), order=n)
        for n in range(3)
    ]
    seen = {**values, "baseline": 1.0}
    runs = [
        Trial(arm=arm, seed=50 + n, purpose=Purpose.SCREEN, value=v, order=9 + n)
        for n, (arm, v) in enumerate(seen.items())
    ]
    named = tuple(Idea(name=name, parent="baseline") for name in ideas)
    return Board(
        objective=Objective("more", "score"), ideas=named, trials=(*base, *runs), bundles=rows, may_explore=False
    )


def test_a_wild_number_in_an_array_is_judged():
    """A row at 1e300 whose ideas no other row tells apart has an answer, and not a division by zero."""
    both = Bundle("screen-1-1", ("a", "b"), "baseline")
    wild = board("ab", (both,), {"screen-1-1": 1e300})
    assert isinstance(policy("screening").advise(wild), Combine)


def test_a_bundle_may_hold_an_idea_that_the_board_does_not_list():
    """An array is read to its end although one of its ideas has no entry."""
    rows = tuple(Bundle(f"screen-1-{n}", tuple(pair), "baseline") for n, pair in enumerate(("ab", "bc", "ac"), 1))
    short = board("ab", rows, {"screen-1-1": 1.5, "screen-1-2": 1.0, "screen-1-3": 1.1})
    advice = policy("screening").advise(short)
    assert isinstance(advice, Combine)
