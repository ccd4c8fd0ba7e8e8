"""Every bound of a stop rule decides at it, just below it and just above it, from the words to the end of a campaign."""

import math
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from autoresearch.config.stop_phrase import describe, parse
from autoresearch.config.stop_rule import Comparison, StopLimits, StopRule, TargetValue, WallTime
from autoresearch.errors import CampaignError
from autoresearch.run.measurement import Direction, Objective
from autoresearch.scheduling.stop_check import Spent, check, fits

START = 1_795_400_000.0
HOUR = 3600.0
ACCURACY = Objective("", "val:accuracy")
LOSS = Objective("", "val:loss", Direction.MINIMIZE)

COMPARED = {
    ">=": (">=", "≥", "is at least", "be at least", "at least"),
    "<=": ("<=", "≤", "is at most", "be at most", "at most"),
    ">": (">", "above", "is above", "goes above", "gets above", "rises above", "over", "is over", "goes over", "gets over",
          "exceeds", "greater than", "is greater than"),
    "<": ("<", "below", "is below", "goes below", "gets below", "falls below", "drops below", "under", "is under",
          "goes under", "gets under", "less than", "is less than"),
    "reaches": ("reaches", "reach", "hits", "gets to"),
}  # fmt: skip
MET = {">=": (False, True, True), "<=": (True, True, False), ">": (False, False, True), "<": (True, False, False)}
"""Whether it is met just below the value, at it, and just above it."""
WORDS = [(sign, word) for sign, words in COMPARED.items() for word in words]


def decided(words: str, objective: Objective, metric: str) -> tuple[bool, ...]:
    """Whether a campaign ends with the metric just below 0.5, at it, and just above it."""
    limits = parse(words).begin(START, UTC, objective)
    values = (math.nextafter(0.5, 0), 0.5, math.nextafter(0.5, 1))
    return tuple(check(limits, Spent(1, best={metric: value}), START).trigger == "target" for value in values)


@pytest.mark.parametrize(("sign", "word"), WORDS, ids=[word for _, word in WORDS])
def test_every_comparison_is_read_and_decides(sign, word):
    """`until loss < x` ends below x and not above it: of a metric beside the objective, where either way is allowed."""
    assert parse(f"until kl {word} 0.5").target == TargetValue("kl", Comparison(sign), 0.5)
    if sign != "reaches":
        assert decided(f"until kl {word} 0.5", ACCURACY, "val:kl") == MET[sign]


@pytest.mark.parametrize("word", COMPARED["reaches"])
def test_reaching_is_at_least_or_at_most_as_the_objective_has_it(word):
    """And the value itself counts."""
    assert decided(f"until it {word} 0.5", ACCURACY, "val:accuracy") == MET[">="]
    assert decided(f"until it {word} 0.5", LOSS, "val:loss") == MET["<="]


@pytest.mark.parametrize(("sign", "objective"), [(">=", ACCURACY), (">", ACCURACY), ("<=", LOSS), ("<", LOSS)])
def test_a_target_of_the_objective_points_its_way_and_no_other(sign, objective):
    """Its comparison is kept as it is said; the same sign for the other direction is refused in words."""
    metric = objective.metric
    assert decided(f"until it {sign} 0.5", objective, metric) == MET[sign]
    other = LOSS if objective is ACCURACY else ACCURACY
    with pytest.raises(
        CampaignError, match=f"to {other.direction} {other.metric}, but the stop rule waits for {sign} 0.5"
    ):
        parse(f"until it {sign} 0.5").begin(START, UTC, other)


def test_only_reaching_has_no_way_of_its_own():
    """Which way the others point is known from the sign."""
    assert {kind: kind.upwards for kind in Comparison} == {
        ">=": True,
        ">": True,
        "<=": False,
        "<": False,
        "reaches": None,
    }
    assert not TargetValue("kl", Comparison.REACHES, 0.5).met_by(0.5)


def test_reaching_another_metric_is_refused_with_both_ways_of_saying_it():
    """Nobody knows whether more of it is better."""
    with pytest.raises(CampaignError, match=r"unknown for kl.*objective val:accuracy: write kl >= 0.5 or kl <= 0.5"):
        parse("until kl reaches 0.5").begin(START, UTC, ACCURACY)


def test_without_an_objective_a_target_stays_as_it_was_said():
    """Only `reaches` needs one; the refusal names what was to be reached."""
    assert parse("until kl < 0.5").begin(START).target_metric == TargetValue("kl", Comparison.BELOW, 0.5)
    for said, named in (("it", "the objective"), ("kl", "kl")):
        with pytest.raises(CampaignError, match=f"until {named} reaches 0.5, and without an objective"):
            parse(f"until {said} reaches 0.5").begin(START)


BOUNDS = [
    ("20 experiments", "count", lambda n: (Spent(attempted=19 + n), START)),
    ("20 runs", "runs", lambda n: (Spent(runs=19 + n), START)),
    ("20 ideas without a keep", "stall", lambda n: (Spent(stalled=19 + n), START)),
    ("10h", "deadline", lambda n: (Spent(), START + 10 * HOUR + (n - 1) * 0.001)),
    ("20 gpu-hours", "gpu-hours", lambda n: (Spent(gpu_hours=20 + (n - 1) * 1e-6), START)),
]


@pytest.mark.parametrize(("words", "trigger", "spent"), BOUNDS, ids=[trigger for _, trigger, _ in BOUNDS])
def test_a_limit_is_reached_at_its_value_and_not_before(words, trigger, spent):
    """One less goes on; the value itself and one more end it, and `met` says so."""
    limits = parse(words).begin(START, UTC, ACCURACY)
    states = [check(limits, *spent(n)) for n in range(3)]
    assert [state.trigger for state in states] == ["", trigger, trigger]
    assert [state.met for state in states] == [False, True, True]
    assert [bool(state.reason) for state in states] == [False, True, True]


@pytest.mark.parametrize(("left", "open_"), [(HOUR + 0.001, True), (HOUR, True), (HOUR - 0.001, False), (0.0, False)])
def test_the_last_run_may_end_with_the_deadline_itself(left, open_):
    """A full run that ends at the very moment still fits."""
    limits = parse("10h total, 1h each").begin(START, UTC, ACCURACY)
    assert (fits(limits, START + 10 * HOUR - left, HOUR) is None) is open_
    assert check(limits, Spent(), START + 10 * HOUR - left).met is not open_


@pytest.mark.parametrize(("wanted", "open_"), [(3.999, True), (4.0, True), (4.001, False), (None, True)])
def test_the_last_gpu_hours_may_be_spent_to_the_last_one(wanted, open_):
    """A run that costs exactly what is left still fits; one of unknown cost is not held up."""
    limits = parse("20 gpu-hours").begin(START, UTC, ACCURACY)
    assert (fits(limits, START, None, gpu_hours=wanted, spent_gpu_hours=16.0) is None) is open_
    assert check(limits, Spent(gpu_hours=16.0), START, next_gpu_hours=wanted).met is not open_


def test_without_a_limit_everything_fits():
    """A count says nothing of time or money."""
    limits = parse("20 experiments").begin(START, UTC, ACCURACY)
    assert fits(limits, START + 1e9, 1e9, gpu_hours=1e9, spent_gpu_hours=1e9) is None
    state = check(limits, Spent(3), START)
    assert (state.remaining_experiments, state.remaining_s, state.remaining_gpu_hours) == (17, None, None)


def test_a_shorter_next_run_is_held_against_its_own_length():
    """And none given means a full one, the cap of each run."""
    limits = parse("10h total, 1h each").begin(START, UTC, ACCURACY)
    late = START + 10 * HOUR - 60
    assert check(limits, Spent(), late, next_run_s=60.0).met is False
    assert check(limits, Spent(), late, next_run_s=0.0).met is False
    assert check(limits, Spent(), late).met is True


def test_what_is_left_is_never_less_than_nothing():
    """Also when more was spent than allowed."""
    limits = parse("5 experiments or 10h or 20 gpu-hours").begin(START, UTC, ACCURACY)
    state = check(limits, Spent(7, gpu_hours=30), START + 11 * HOUR)
    assert (state.remaining_experiments, state.remaining_s, state.remaining_gpu_hours) == (0, 0.0, 0.0)
    assert check(limits, Spent(2, gpu_hours=5.5), START + HOUR).remaining_gpu_hours == 14.5


def test_the_most_telling_limit_is_named_when_several_are_reached():
    """The target first, then counts, then time and money."""
    words = "until accuracy >= 0.5 or 2 experiments or 3 runs or 1 idea without a keep or 1h or 4 gpu-hours"
    limits = parse(words).begin(START, UTC, ACCURACY)
    spent = {"best": {"val:accuracy": 0.5}, "attempted": 2, "runs": 3, "stalled": 1}
    told = []
    for name in [None, *spent]:
        spent.pop(name, None)
        told.append(check(limits, Spent(gpu_hours=4, **spent), START + HOUR).trigger)
    told.append(check(limits, Spent(gpu_hours=4), START).trigger)
    assert told == ["target", "count", "runs", "stall", "deadline", "gpu-hours"]


def test_the_reasons_and_the_open_sentence_have_every_number():
    """What is counted in the rule is told beside what is spent."""
    words = "until accuracy >= 0.5 or 5 experiments or 6 runs or 7 ideas without a keep or 10h or 20 gpu-hours"
    limits = parse(words).begin(START, UTC, ACCURACY)
    spent = Spent(2, 3.25, {"val:accuracy": 0.25}, 4, 1)
    said = "2/5 attempted, 4/6 runs, 1/7 in a row without a keep, 9h00m remaining, 3.25/20 GPU-hours spent"
    assert check(limits, spent, START + HOUR).sentence == (
        f"stop condition not yet met: {said}, val:accuracy 0.25, wanted >= 0.5"
    )
    assert check(limits, Spent(best={"val:accuracy": 0.5}), START).reason == "val:accuracy 0.5 >= 0.5"
    assert check(limits, Spent(gpu_hours=20), START).reason == "20/20 GPU-hours spent, 0/5 attempted"
    plain = parse("1 gpu-hour").begin(START)
    assert check(plain, Spent(3), START).sentence == "stop condition not yet met: 3 attempted, 0/1 GPU-hours spent"


def test_nothing_is_spent_at_the_beginning():
    """The first check of a campaign finds every count at zero."""
    assert Spent() == Spent(0, 0.0, {}, 0, 0)


def test_a_person_is_asked_once_it_is_over_and_only_if_the_words_say_so():
    """The question names the best and where to go on from; the branch is left out where there is none."""
    limits = parse("4 experiments, then ask").begin(START, UTC, ACCURACY)
    over, going = check(limits, Spent(4), START), check(limits, Spent(3), START)
    assert over.question("a", "x/a") == (
        "go on? The best is a; more of this campaign: autoresearch extend '12 experiments'; a further one: "
        "autoresearch plan RECIPE --base x/a --stop '12 experiments'"
    )
    assert "--base" not in over.question("baseline", "")
    assert going.question("a", "x/a") == ""
    assert check(parse("4 experiments").begin(START), Spent(4), START).question("a", "x/a") == ""


@pytest.mark.parametrize(("name", "found"), [
    ("val:kl", 0.6), ("val_kl", 0.6), ("kl", None), ("reward", 0.7), ("entropy", None), ("loss", None),
])  # fmt: skip
def test_a_target_is_held_against_the_one_metric_of_its_name(name, found):
    """Its exact name, or the only one that answers to it; of two, of none and of what diverged nothing is known."""
    best = {"val:kl": 0.6, "train:kl": 0.9, "val:reward": 0.7, "val:loss": math.nan}
    limits = StopLimits(started_at=START, target_metric=TargetValue(name, Comparison.AT_LEAST, 0.1))
    assert check(limits, Spent(best=best), START).met is (found is not None)
    told = "not measured yet" if found is None else f"{found}"
    assert f"{name} {told}, wanted >= 1" in check(StopLimits(started_at=START, target_metric=TargetValue(name, Comparison.AT_LEAST, 1)),
                                                  Spent(best=best), START).sentence  # fmt: skip


def test_a_target_without_a_name_is_held_against_the_only_metric():
    """Before a campaign's objective is known there is no other to mean."""
    limits = StopLimits(started_at=START, target_metric=TargetValue(None, Comparison.AT_LEAST, 0.5))
    assert check(limits, Spent(best={"score": 0.5}), START).reason == "objective 0.5 >= 0.5"
    assert not check(limits, Spent(best={"score": 0.5, "other": 0.5}), START).met


NOW = datetime(2026, 11, 24, 7, 30, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(("now", "wait"), [(NOW - 1, 1), (NOW, 86400), (NOW + 1, 86399)])
def test_a_time_of_day_is_the_next_one_the_clock_shows(now, wait):
    """A second before it, it is today's; at it and after it, tomorrow's."""
    assert WallTime(7, 30).after(now, UTC) - now == wait


@pytest.mark.parametrize(("now", "passed"), [(NOW - 1, False), (NOW, True), (NOW + 1, True)])
def test_a_date_that_is_now_has_passed(now, passed):
    """A deadline at the very beginning would leave nothing to do."""
    when = WallTime(7, 30, date(2026, 11, 24))
    if passed:
        with pytest.raises(CampaignError, match="until 2026-11-24 07:30, which has passed"):
            when.after(now, UTC)
    else:
        assert when.after(now, UTC) == NOW


@pytest.mark.parametrize(("when", "now", "days"), [
    ("tomorrow", NOW - 1, 1), ("tomorrow", NOW + 1, 1), ("today", NOW - 1, 0), ("Tuesday", NOW - 1, 0),
    ("Tuesday", NOW, 7), ("Wednesday", NOW + 1, 1), ("Monday", NOW - 1, 6),
])  # fmt: skip
def test_a_day_is_counted_from_the_start(when, now, days):
    """The 24th is a Tuesday: a day of the week is the first one whose moment is still to come."""
    assert WallTime(7, 30, when=when).after(now, UTC) == NOW + days * 86400


def test_today_may_have_passed():
    """Then it is not tomorrow that is meant."""
    with pytest.raises(CampaignError, match="until today 07:30, which has passed"):
        WallTime(7, 30, when="today").after(NOW, UTC)


def test_utc_is_utc_wherever_the_clock_hangs():
    """And every other time is the zone's own."""
    tokyo = timezone(timedelta(hours=9))
    assert WallTime(7, 30, date(2026, 11, 24), utc=True).after(NOW - 1, tokyo) == NOW
    assert WallTime(7, 30, date(2026, 11, 24)).after(NOW - 86400, tokyo) == NOW - 9 * HOUR


def test_a_rule_begins_with_every_one_of_its_parts():
    """What a campaign is held to is all that was said, in absolute values."""
    rule = StopRule(
        words="",
        target_experiment_count=5,
        total_s=10 * HOUR,
        deadline_at=None,
        per_experiment_timeout_s=HOUR,
        target=TargetValue("kl", Comparison.BELOW, 0.5),
        gpu_hours=20.0,
        asks=True,
        target_run_count=6,
        stalled_experiment_count=7,
    )
    assert rule.begin(START, UTC, ACCURACY) == StopLimits(
        started_at=START,
        target_experiment_count=5,
        campaign_deadline=START + 10 * HOUR,
        per_experiment_timeout=HOUR,
        target_metric=TargetValue("kl", Comparison.BELOW, 0.5),
        gpu_hours=20.0,
        asks=True,
        target_run_count=6,
        stalled_experiment_count=7,
    )


@pytest.mark.parametrize(("rule", "words"), [
    (StopRule(target_experiment_count=1), "1 experiment"), (StopRule(target_experiment_count=2), "2 experiments"),
    (StopRule(target_run_count=1), "1 run"), (StopRule(target_run_count=2), "2 runs"),
    (StopRule(stalled_experiment_count=1), "1 experiment without a keep"),
    (StopRule(stalled_experiment_count=2), "2 experiments without a keep"), (StopRule(total_s=5400.0), "1h30m total"),
    (StopRule(deadline_at=WallTime(7, 5)), "until 07:05"), (StopRule(gpu_hours=100.0), "100 GPU-hours"),
    (StopRule(deadline_at=WallTime(7, 5, date(2026, 1, 2), utc=True)), "until 2026-01-02 07:05 UTC"),
    (StopRule(gpu_hours=7.5), "7.5 GPU-hours"), (StopRule(gpu_hours=0.000001), "0.000001 GPU-hours"),
    (StopRule(target=TargetValue(None, Comparison.REACHES, 0.8)), "until objective reaches 0.8"),
    (StopRule(target=TargetValue("val/kl", Comparison.BELOW, 0.1)), "until val/kl < 0.1"),
    (StopRule(words="", target_experiment_count=5, total_s=3600.0, deadline_at=None, per_experiment_timeout_s=60.0, target=None, gpu_hours=2.0, asks=True, target_run_count=6, stalled_experiment_count=7),
     "5 experiments or 6 runs or 7 experiments without a keep or 1h total or 2 GPU-hours, 1m each, then ask"),
])  # fmt: skip
def test_a_rule_is_said_in_one_way(rule, words):
    """Triggers joined by or, then the cap, then whether to ask; and it reads back."""
    assert describe(rule) == words
    assert parse(words) == rule


@pytest.mark.parametrize(("rule", "words"), [
    (StopRule(target_experiment_count=1), "1 attempt: the baseline and no idea"),
    (StopRule(target_experiment_count=2), "2 attempts: the baseline and 1 idea"),
    (StopRule(target_experiment_count=3), "3 attempts: the baseline and 2 ideas"),
    (StopRule(target_run_count=1), "1 run, repeats and fresh seeds included"),
    (StopRule(target_run_count=2, gpu_hours=7.5), "2 runs, repeats and fresh seeds included; 7.5 GPU-hours"),
    (StopRule(stalled_experiment_count=1), "1 experiment in a row without a keep"),
    (StopRule(stalled_experiment_count=2, total_s=5400.0), "2 experiments in a row without a keep; 1h30m in total"),
    (StopRule(deadline_at=WallTime(7, 5), per_experiment_timeout_s=60.0), "until 07:05; each run limited to 1m"),
    (StopRule(target=TargetValue(None, Comparison.REACHES, 0.8)), "until val:accuracy reaches 0.8"),
    (StopRule(target=TargetValue("val/kl", Comparison.BELOW, 0.1)), "until val/kl < 0.1"), (StopRule(), ""),
])  # fmt: skip
def test_the_plan_tells_every_limit_for_itself(rule, words):
    """What an attempt is and what a run is, where a person approves them."""
    assert rule.told("val:accuracy") == words


HINTED = {
    "say when it ends": ("overnight", "tonight", "over the weekend", "10h or this morning", "until tomorrow"),
    "for launches of any kind": ("20 jobs", "3 jobs"),
    "a stop rule is an upper limit": ("at least 5 ideas", "minimum 5 ideas", "5 ideas, no less"),
    "give the exact number": ("about 5 ideas", "around 5 ideas", "approx 5 ideas", "roughly 5 ideas", "~5 ideas"),
    "a metric in percent": ("loss < 5%",),
    "hardly ever equal": ("loss = 5", "loss == 5"),
    "say whether it holds for one run": ("1h timeout",),
    "write a time of day as": ("until 7", "till 7", "by 7", "at 7"),
    "give days or hours": ("1 month", "2 months", "a year", "2 years"),
    "say what the number counts": ("5", "5 or 10h", "5 , 10h"),
    "only time can be capped": ("5 ideas each", "5 ideas per run"),
}


@pytest.mark.parametrize(("hint", "words"), [(hint, words) for hint, said in HINTED.items() for words in said])
def test_a_refusal_says_what_to_write_instead(hint, words):
    """Each habit that is not understood has its own advice."""
    with pytest.raises(CampaignError, match=hint):
        parse(words)


@pytest.mark.parametrize(("words", "why"), [
    ("10h, 1h", 'more than one total time: write "total" behind one'), ("1 run, 2 runs", "more than one number of runs\\."),
    ("loss >= 1, kl >= 2", "more than one target value"), ("5 ideas, then ask, then ask", 'more than one "then ask"'),
    ("1 gpu-hour, 2 gpu-hours", "more than one number of GPU-hours"), ("2h and 30m each", 'mean "2h total, 30m each"'),
    ("5 ideas and 10h", '"and" between two limits'), ("5 ideas plus 10h", '"plus" between'), ("5 ideas & 10h", '"&" between'),
    ("5 ideas + 10h", '"\\+" between'), ("until 2026-02-30 07:00", "no day 2026-02-30"), ("3h each", "when the campaign ends"),
    ("1h total, 61m each", "one run may take 1h1m, longer than the whole campaign of 1h"),
])  # fmt: skip
def test_a_contradiction_is_named(words, why):
    """So that one reads what to change."""
    with pytest.raises(CampaignError, match=why):
        parse(words)


@pytest.mark.parametrize(
    "words", ["2h total and 30m each", "30m each and 2h", "5 ideas and 30m each", "5 ideas and then ask"]
)
def test_and_may_add_a_cap_or_the_question(words):
    """Neither can be mistaken for a second condition."""
    assert parse(words)
