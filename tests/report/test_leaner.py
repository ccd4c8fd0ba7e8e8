"""What fresh seeds say for the best without one of its members."""

from dataclasses import replace

from autoresearch.experiment import events
from autoresearch.experiment.history import fold
from autoresearch.experiment.outcome import BASELINE, Purpose
from autoresearch.report.plain_text import leaner
from autoresearch.run.measurement import Direction, Objective
from autoresearch.testing.trackers import IDEA, a_campaign

SCORE = Objective("more", "accuracy")


def campaign(whole, without):
    """A best of two ideas, and the second alone, on a fresh seed each; None: no number."""
    told = a_campaign()[:-3]
    first = {kind: next(one for one in told[5:] if isinstance(one, kind)) for kind in map(type, told[5:])}
    commit, judged = first[events.ExperimentCommitted], first[events.ExperimentJudged]
    more = [
        events.ExperimentOpened(at=20.0, index=3, parent=IDEA, parent_commit="c" * 40),
        replace(commit, at=21.0, index=3, name="second", parent=IDEA),
        replace(judged, at=22.0, name="second", incumbent="second"),
        events.BundleMade(
            at=23.0, name="without-1", branch="refs/without", commit="d" * 40, ideas=("second",), parent=BASELINE
        ),
    ]
    for arm, value, purpose in (("second", whole, Purpose.CONFIRM), ("without-1", without, Purpose.ABLATE)):
        planned, measured = first[events.RunPlanned], first[events.RunMeasured]
        more += [
            replace(planned, at=24.0, run_id=arm, experiment=arm, seed=90, purpose=purpose),
            replace(measured, at=25.0, run_id=arm, measurement=replace(measured.measurement, value=value)),
        ]
    return fold([*told, *more])


def test_a_member_that_fresh_seeds_do_not_support_is_named_with_what_the_rest_measured():
    """And with the branch that leaves it out."""
    arm, told = leaner(campaign(0.7, 0.8), SCORE)
    assert arm == "without-1"
    assert told.startswith("without #2 Raise the learning rate the rest gave 0.8 on 1 fresh seed, the whole 0.7")
    assert told.endswith("do not support #2; autoresearch adopt takes the rest, refs/without")


def test_a_member_that_helps_is_not_named():
    """Neither where the whole is better, whichever way is up, nor where nothing was compared."""
    assert leaner(campaign(0.8, 0.7), SCORE) == ("", "")
    assert leaner(campaign(0.7, 0.8), replace(SCORE, direction=Direction.MINIMIZE)) == ("", "")
    assert leaner(campaign(0.7, None), SCORE) == ("", "")
    assert leaner(fold(a_campaign()), SCORE) == ("", "")
