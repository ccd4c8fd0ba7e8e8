"""The page of insights: each line with its experiments and interval, and nothing that later evidence contradicts."""

from dataclasses import replace

import pytest

from autoresearch.experiment.attendance import Lesson, ResearcherAsked
from autoresearch.experiment.briefing import brief_text
from autoresearch.experiment.hypothesis import Brief, Tried
from autoresearch.experiment.insights import NEVER, REFUSED, STRUCK, UNRESOLVED, confirmed, insights, text, vetted
from autoresearch.run.measurement import Objective

ORIGIN = {"lr": 0.1, "wd": 0.0}


def idea(index, override, effect, spread=0.01, status="discard"):
    """One judged idea; `spread` is half its interval."""
    said = (override,) if override else ()
    return Tried(
        index=index, name=f"idea-{index}", title=f"idea {index}", area="optimizer" if said else "code", overrides=said,
        status=status, effect=effect, low=effect - spread, high=effect + spread, runs=2,
    )  # fmt: skip


def kinds(found):
    return [(one.kind, one.ideas) for one in found]


def test_what_helped_what_never_did_and_what_is_open():
    """A kept gain, a key that only lost when turned one way, a near miss; numbers and intervals stand in each line."""
    tried = [
        idea(2, "wd=0.1", 0.03, status="keep"),
        idea(3, "lr=0.2", -0.02),
        idea(4, "lr=0.5", -0.04),
        idea(5, "lr=0.05", 0.005, 0.02),
        idea(6, "", -0.001, 0.02),
    ]
    found = insights(tried, 5, origin=ORIGIN, standing={"idea-2": "proven"}, shown=("proven",))
    assert kinds(found) == [("helped", (2,)), (NEVER, (3, 4)), (UNRESOLVED, (5,)), (UNRESOLVED, (6,))]
    page = text(found)
    assert "- #2 idea 2 `wd=0.1`: +0.03 [+0.02, +0.04] over 2 runs, proven" in page
    assert "- `lr` raised: 2 ideas, none kept (#3, #4), together -0.03 [-0.0371, -0.0229]" in page
    assert confirmed(found) == (found[0].text, found[1].text)


def test_it_is_renewed_every_so_many_verdicts():
    """Between two renewals it says the same; crashes are no verdict on an idea."""
    tried = [idea(number, "lr=0.2", -0.02) for number in (2, 3, 4)]
    assert insights(tried[:1], 2, origin=ORIGIN) == ()
    assert kinds(insights(tried, 2, origin=ORIGIN)) == [(NEVER, (2, 3))]
    crash = idea(9, "lr=9", 0.0, status="crash")
    assert insights([tried[0], crash], 2, origin=ORIGIN) == ()
    assert insights(tried, 0, origin=ORIGIN) == ()


def test_a_line_that_later_evidence_contradicts_is_struck():
    """What never helped and then did, and what was kept and fell, are told with what speaks against them."""
    tried = [idea(2, "lr=0.2", -0.02), idea(3, "lr=0.3", -0.01, 0.02), idea(4, "wd=1", 0.05, status="keep")]
    tried += [idea(5, "lr=0.4", 0.06, status="keep")]
    found = insights(tried, 2, origin=ORIGIN, fallen={"idea-4": "fresh runs lost"})
    assert kinds(found) == [("helped", (5,)), (UNRESOLVED, (3,)), (STRUCK, (4,)), (STRUCK, (2, 3, 5))]
    assert "~~`lr` raised never helped (#2, #3)~~ #5 idea 5 `lr=0.4` did: +0.06 [+0.05, +0.07]" in text(found)
    assert "~~#4 idea 4 `wd=1` helped: +0.05 [+0.04, +0.06] over 2 runs~~ fresh runs lost" in text(found)


def test_what_is_only_likely_is_no_lesson_for_another_campaign():
    """Neither a gain that fresh seeds did not show, nor a loss whose interval holds a gain."""
    tried = [idea(2, "wd=1", 0.05, status="keep"), idea(3, "lr=0.2", -0.01, 0.03), idea(4, "lr=0.3", -0.01, 0.03)]
    found = insights(tried, 3, origin=ORIGIN, standing={"idea-2": "likely"}, shown=("proven", "measured"))
    assert kinds(found) == [("helped", (2,)), (NEVER, (3, 4))]
    assert confirmed(found) == ()


def test_a_loss_that_a_single_run_shows_is_no_lesson_for_another_campaign():
    """It may have had bad luck; one more run like it, or a number that no seed changes, is told."""
    single = [replace(idea(number, "lr=0.2", -0.05), runs=1) for number in (2, 3)]
    assert confirmed(insights(single[:1], 1, origin=ORIGIN)) == ()
    unknown = replace(single[1], low=None, high=None)
    assert confirmed(insights([single[0], unknown], 1, origin=ORIGIN)) == ()
    assert len(confirmed(insights(single, 1, origin=ORIGIN))) == 1
    assert len(confirmed(insights([replace(single[0], low=-0.05, high=-0.05)], 1, origin=ORIGIN))) == 1


def call(*lines: tuple[str, str, tuple[int, ...]], tried, verdicts=4):
    """A call that was to say what was learned of so many verdicts, its lines looked at as they came."""
    learned = vetted((Lesson(kind=kind, text=said, ideas=ideas) for kind, said, ideas in lines), tried, ORIGIN)
    return ResearcherAsked(at=1.0, index=9, researcher="agent", outcome="proposed", learned=learned, verdicts=verdicts)


def test_an_agents_line_is_taken_where_the_interval_of_what_it_names_says_the_same():
    """With their numbers, which are the program's; without an experiment, against it or with its own figures it is not."""
    tried = [
        idea(2, "wd=0.1", 0.03, status="keep"),
        idea(3, "lr=0.2", -0.02),
        idea(4, "lr=0.05", 0.001, 0.02),
        idea(5, "", 0.04, status="keep"),
    ]
    said = call(
        ("helped", "what regularises pays", (2, 5)),
        ("helped", "fast rates pay", (3,)),
        ("helped", "everything pays", ()),
        ("helped", "warm-up pays", (2, 7)),
        ("helped", "decay gains +0.5", (2,)),
        ("unresolved", "slow rates may pay", (4,)),
        ("unresolved", "decay may pay", (2,)),
        ("never", "decay never pays", (2,)),
        tried=tried,
    )
    assert [bool(line.refused) for line in said.learned] == [False, True, True, True, True, False, True, True]
    found = insights(tried, 4, origin=ORIGIN, said=(said,))
    page = text(found)
    assert "- what regularises pays (#2, #5, together +0.035 [+0.0279, +0.0421]; said by agent)" in page
    assert "- slow rates may pay (#4, together +0.001 [-0.019, +0.021]; said by agent)" in page
    assert "- fast rates pay (#3): what it names shows no gain: [-0.03, -0.01]" in page
    assert "- everything pays (no experiment): it names no experiment that was judged" in page
    assert [one.kind for one in found].count(REFUSED) == 6
    assert confirmed(insights(tried, 4, origin=ORIGIN, said=(said,))) == confirmed(insights(tried, 4, origin=ORIGIN))


@pytest.mark.parametrize("told", [
    "raises the score by 0.3", "a gain of 12", "twice: 2x", "2 \u00d7 better", "worth 0.05", "5 per cent", "5\uff05",
    "adds .3", "ten-fold, 10-fold", "3 points", "gained up to 4", "+0.5", "By About 7",
])  # fmt: skip
def test_an_effect_of_an_agents_own_is_one_in_whatever_words(told):
    """A wrong number would stand on the page beside the measured one; values of settings are none."""
    tried = [idea(2, "wd=0.1", 0.03, status="keep")]
    (line,) = call(("helped", f"decay {told}", (2,)), tried=tried).learned
    assert "an effect of its own" in line.refused
    fine = call(("helped", "decay of 0.1, lr=-1 and 2 more layers pay", (2,)), tried=tried)
    assert fine.learned[0].refused == ""


def test_an_agents_line_that_later_evidence_contradicts_is_struck():
    """By a gain of what it said never to help, and by the fall of what it said to help; the last call's lines stand."""
    tried = [idea(2, "lr=0.2", -0.02), idea(3, "lr=0.3", -0.01), idea(4, "wd=1", 0.05, status="keep")]
    first = call(("never", "fast rates fail", (2, 3)), ("helped", "decay pays", (4,)), tried=tried, verdicts=3)
    assert not any(line.refused for line in first.learned)
    tried += [idea(5, "lr=0.4", 0.06, status="keep")]
    second = call(("helped", "only very fast rates pay", (5,)), tried=tried)
    page = text(insights(tried, 2, origin=ORIGIN, fallen={"idea-4": "fresh runs lost"}, said=(first, second)))
    assert "~~fast rates fail (#2, #3)~~ #5 idea 5 `lr=0.4` did: +0.06 [+0.05, +0.07]" in page
    assert "~~decay pays (#4)~~ #4 idea 4 `wd=1`: fresh runs lost" in page
    assert "- only very fast rates pay (#5, together +0.06 [+0.05, +0.07]; said by agent)" in page


def test_a_brief_tells_it():
    """Both the campaign's own page and the lines of earlier ones; without either there is no such heading."""
    said = Brief(campaign="night", index=7, objective=Objective("raise it", "score"))
    assert "What was learned" not in brief_text(said)
    told = Brief(
        campaign="night", index=7, objective=Objective("raise it", "score"), insights="### What helped\n\n- #2",
        lessons=("first at abc1234, helped: wd",),
    )  # fmt: skip
    assert "## What was learned\n\n### What helped\n\n- #2\n\n### Confirmed by earlier" in brief_text(told)
