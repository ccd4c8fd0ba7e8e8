"""What an earlier campaign tells a later one is a prior: ordered by its evidence, and doubted when runs here differ."""

import pytest

from autoresearch.experiment.hypothesis import Brief, Tried
from autoresearch.experiment.insights import HELPED, NEVER, Insight
from autoresearch.run.measurement import Objective
from autoresearch.scheduling.predecessor import Predecessor, by_evidence, doubt, told_of
from autoresearch.verdict.statistics import Noise

WEIGHT_DECAY = Tried(
    index=3, name="wd", title="weight decay", status="discard", overrides=("wd=0.1", "+lr=2"), effect=-0.1
)


@pytest.mark.parametrize(
    ("own", "there", "differs"),
    [
        (Noise(sigma=0.05, freedom=2), Noise(sigma=0.01, freedom=9), True),
        (Noise(sigma=0.01, freedom=9), Noise(sigma=0.05, freedom=9), True),
        (Noise(sigma=0.02, freedom=2), Noise(sigma=0.01, freedom=9), False),
        (Noise(sigma=0.05, freedom=1), Noise(sigma=0.01, freedom=1), False),
        (Noise(sigma=0.05, freedom=4), Noise(sigma=0.0, freedom=4), True),
        (Noise(), Noise(sigma=0.01, freedom=9), False),
    ],
    ids=["wider", "quieter", "as like as not", "two repeats say little", "none there", "not known here"],
)
def test_a_noise_that_does_not_hold_here_is_told(own, there, differs):
    """From where chance alone would seldom do it; the repeats of both sides count."""
    said = doubt(own, Predecessor(name="night", noise=there))
    assert said.startswith("the noise of night does not hold here") if differs else not said


def test_lessons_stand_in_the_order_of_their_evidence():
    """Whichever campaign they are from; what is not confirmed is not told."""
    strong, weak = (
        Insight(kind=HELPED, text=text, ideas=(2,), confirmed=True, weight=w) for text, w in (("lr", 9), ("wd", 2))
    )
    never = Insight(kind=NEVER, text="clip", ideas=(3,), confirmed=True, weight=4)
    unsure = Insight(kind=HELPED, text="kl", ideas=(4,), weight=99)
    told = by_evidence(
        [Predecessor(name="a", base="abc", findings=(weak, never, unsure)), Predecessor(name="b", findings=(strong,))]
    )
    assert [line.rpartition(": ")[2] for line in told] == ["lr", "clip", "wd"]
    assert told[1] == "a at abc, never: clip"


def test_what_was_tried_before_is_listed_and_known_again():
    """By its overrides, in whatever order; a part of them is another idea."""
    assert "### Tried in night" in told_of(Predecessor(name="night", ideas=(WEIGHT_DECAY,)))
    assert told_of(Predecessor(name="night")) == ""
    brief = Brief(campaign="day", index=2, objective=Objective("", "score"), before=(WEIGHT_DECAY,))
    assert brief.repeats_earlier(["lr=2", "wd=0.1"])
    assert not brief.repeats_earlier(["wd=0.1"])
