"""When an area is left, and where to look instead."""

from hypothesis import given
from hypothesis import strategies as st
from tests.experiment.test_history import ran

from autoresearch.experiment import events as happened
from autoresearch.experiment.briefing import SETTLED, Plateau, next_area, plateaus
from autoresearch.experiment.history import fold
from autoresearch.experiment.hypothesis import AREAS, Hypothesis
from autoresearch.experiment.outcome import Status, Verdict


def settled(ideas):
    """A campaign of (area, status, whether it was run), settled one after the other."""
    events = []
    for index, (area, status, tested) in enumerate(ideas, start=2):
        name, commit = f"e{index}", f"{index:040x}"
        events += [
            happened.ExperimentOpened(at=index, index=index, parent="baseline", parent_commit="0" * 40),
            happened.ExperimentCommitted(
                at=index,
                index=index,
                name=name,
                branch=f"b/{name}",
                commit=commit,
                hypothesis=Hypothesis(title=name, area=area),
            ),
            *(ran(name, 1, 0.5) if tested else []),
            happened.ExperimentJudged(at=index, name=name, verdict=Verdict(status=status, reason="x"), row={}),
        ]
    return fold(events)


def test_four_settled_ideas_without_a_keep_make_a_plateau():
    """Discards and crashes of runs alike; three are not enough."""
    dry = [("optimizer", Status.DISCARD, True)] * 3
    assert plateaus(settled(dry)) == ()
    found = plateaus(settled([*dry, ("optimizer", Status.CRASH, True)]))
    assert found == (Plateau("optimizer", ("e2", "e3", "e4", "e5")),)


def test_a_keep_in_the_area_ends_it_and_one_elsewhere_does_not():
    """The count begins anew with the area's own keep."""
    dry = [("optimizer", Status.DISCARD, True)] * SETTLED
    assert plateaus(settled([*dry, ("optimizer", Status.KEEP, True)])) == ()
    assert len(plateaus(settled([*dry, ("reward", Status.KEEP, True)]))) == 1


def test_what_was_never_run_says_nothing_about_its_area():
    """A breach or a duplicate is no evidence that the area is empty."""
    assert plateaus(settled([("optimizer", Status.CRASH, False)] * 9)) == ()


def test_attention_goes_to_areas_in_their_documented_order():
    """Correctness first, then prompt, batch, ...; past the last one there is no advice."""
    assert next_area({"optimizer"}) == "backend"
    assert next_area({"backend", "prompt"}) == "batch"
    assert next_area(AREAS) == ""


OUTCOMES = st.tuples(st.sampled_from(AREAS[:3]), st.sampled_from(list(Status)), st.booleans())


@given(st.lists(OUTCOMES, max_size=24))
def test_a_plateau_never_holds_a_keep_and_is_never_short(ideas):
    """Whatever the order of areas and outcomes."""
    history = settled(ideas)
    for found in plateaus(history):
        verdicts = [history.experiment(name).verdict.status for name in found.ideas]
        assert len(verdicts) >= SETTLED
        assert Status.KEEP not in verdicts
