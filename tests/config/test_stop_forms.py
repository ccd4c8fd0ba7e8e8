"""Every word a stop rule knows has a row of its own here: its meaning if it has one, its refusal if not."""

from datetime import datetime

import pytest

from autoresearch.config.duration import exact, seconds, span
from autoresearch.config.stop_phrase import as_digits, describe, parse
from autoresearch.config.stop_rule import Comparison, StopRule, TargetValue, WallTime
from autoresearch.errors import CampaignError

HOUR = 3600.0
_MOST = ("at most", "up to", "no more than", "not more than", "max", "maximum", "max of", "maximum of", "limited to",
         "limit", "limit:", "limit of", "limit of:")  # fmt: skip
_TOTAL = ("total", "in total", "overall", "altogether")
_CAP = ("timeout", "time limit", "limit", "cap", "budget", "max", "maximum")

COUNTS = [
    *(f"{lead} 20 experiments" for lead in (*_MOST, "do", "run", "try", "after", "until", "total of", "a total of")),
    *(f"{stop} {at} 20 experiments" for stop in ("stop", "end", "finish", "quit") for at in ("after", "at")),
    *(f"20 {noun}" for noun in ("experiment", "experiments", "attempt", "attempts", "more experiments",
                                "experiments attempted")),
    *(f"19 {noun}" for noun in ("idea", "ideas", "hypothesis", "hypotheses", "try", "tries", "trial", "trials",
                                "iterations", "more ideas")),
    "baseline and 19 ideas",
    *(f"20 experiments {total}" for total in _TOTAL),
    *(f"baseline{plus}19 experiments" for plus in ("+", " + ", " plus ", " and ", "+ ")),
    *(f"please {text}20 experiments" for text in ("", "either ")),
    *(f"20 experiments {which} {comes} {first}" for which in ("whichever", "whatever")
      for comes, first in (("comes", "first"), ("is", "earlier"), ("happens", "sooner"))),
]  # fmt: skip
RUNS = [
    *(f"{lead} 20 runs" for lead in (*_MOST, "stop after", "stop at", "after", "within", "a total of", "a budget of",
                                     "budget of")),
    *(f"20 runs {total}" for total in _TOTAL),
    "20 run",
]  # fmt: skip
STALLS = [
    *(f"{lead}20 ideas without a keep" for lead in ("", "after ", "stop after ", "quit at ")),
    *(f"20 {noun} in a row without any {gain}" for noun in ("experiments", "ideas", "attempts", "hypotheses")
      for gain in ("keep", "keeps", "kept one", "kept idea", "kept experiment", "improvement", "improvements", "gain", "gains")),
    *(f"20 ideas without {a}improvement" for a in ("a ", "an ", "any ", "")),
    *(f"{lead}no {a}improvement for 20 experiments" for lead in ("", "after ", "stop when ", "when there is ", "until ")
      for a in ("", "further ", "new ", "more ")),
    *(f"no {gain} {over} 20 tries" for gain in ("keep", "keeps", "gain", "gains", "progress", "improvements")
      for over in ("for", "in", "within", "over", "during", "after", "in the last")),
    *(f"{nothing} kept in 20 ideas in a row" for nothing in ("nothing", "nothing is", "nothing was")),
]  # fmt: skip
TOTALS = [
    *(f"{lead} 20h" for lead in (*_MOST, "run", "stop in", "end in", "finish in", "quit in", "for", "within", "in",
                                 "after", "a", "run for", "total time", "total time of", "total time:", "time budget",
                                 "time budget of", "total", "overall", "wallclock", "wall-clock", "wall clock",
                                 "total budget", "total limit", "overall limit of", "total at most")),
    *(f"20h {tail}" for tail in (*_TOTAL, "max", "maximum", "at most", "budget", "total max")),
]  # fmt: skip
CAPS = [
    *(f"2h {each}" for each in ("each", "apiece", "for each run", "for every idea", "each run", "every experiment",
                                "per run", "per-run", "per experiment", "per idea", "per attempt", "per hypothesis", "per trial", "per try",
                                "a run", "an idea", "/run", "/ run", "each cap", "each at most")),
    *(f"{cap} 2h each" for cap in (*_CAP, "of", "a", "cap of", "cap:", "max of")),
    *(f"2h {cap} each" for cap in _CAP),
    *(f"2h each {cap}" for cap in _CAP),
    *(f"{most} 2h each" for most in _MOST),
    *(f"{each} 2h" for each in ("each", "each run", "each experiment", "every run", "every idea", "per run",
                                "per-experiment", "each of", "each is", "each:", "each run may run", "each may take",
                                "each takes", "each limited to", "each capped at", "each for", "each at most",
                                *(f"each {cap}" for cap in _CAP))),
]  # fmt: skip
GPU = [
    *(f"20{gap}{unit}" for gap in (" ", "", "-") for unit in ("gpu-hours", "gpu hours", "gpuh", "GPU-hour", "gpus hrs",
                                                              "gpu hr")),
    *(f"{lead} 20 gpu-hours" for lead in ("stop after", "after", "within", *_MOST)),
    *(f"20 gpu-hours {total}" for total in _TOTAL),
    *(f"20 {gpu}{gap}hours" for gpu in ("H100", "A100", "L40S", "B200", "GH200", "RTX 4090", "V100") for gap in " -"),
    "$50 at $2.50 per GPU-hour", "at most $50 at 2.5 a gpu hour", "$50, at $2.50/GPU-h", "$50 at $2.50 per H100-hour",
]  # fmt: skip
DAYS = {"today": "today", "tomorrow": "tomorrow", **{
    said: day for day, ends in {"Monday": "mon", "Tuesday": "tue tues", "Wednesday": "wed", "Thursday": "thu thur thurs",
                                "Friday": "fri", "Saturday": "sat", "Sunday": "sun"}.items()
    for said in (day.lower(), *ends.split())}}  # fmt: skip
UNTIL = [f"{lead}{word} 07:30" for lead in ("", "run ", "stop ", "end ") for word in ("until", "till", "by", "at")]
ZONES = {"+02:00": "+02:00", "-8": "-08:00", "utc+2": "+02:00", "GMT-0330": "-03:30", "Europe/Berlin": "Europe/Berlin",
         "America/Argentina/Salta": "America/Argentina/Salta"}  # fmt: skip
ASK = [f"20 experiments, then {what}" for what in ("ask", "summarise and ask", "summarize and ask")]
ROWS = [
    *((words, StopRule(target_experiment_count=20)) for words in COUNTS),
    *((words, StopRule(target_run_count=20)) for words in RUNS),
    *((words, StopRule(stalled_experiment_count=20)) for words in STALLS),
    *((words, StopRule(total_s=20 * HOUR)) for words in TOTALS),
    *((f"9 runs, {words}", StopRule(target_run_count=9, per_experiment_timeout_s=2 * HOUR)) for words in CAPS),
    *((words, StopRule(gpu_hours=20.0)) for words in GPU),
    *((words, StopRule(deadline_at=WallTime(7, 30))) for words in UNTIL),
    *((form.format(said), StopRule(deadline_at=WallTime(7, 30, when=day))) for said, day in DAYS.items()
      for form in ("until {} 07:30", "by {} at 7:30 am", "till {}, 07:30", "until on {} 07:30", "until 07:30 {}",
                   "until 07:30 on {}")),
    *((f"until 07:30 {said}", StopRule(deadline_at=WallTime(7, 30, zone=zone))) for said, zone in ZONES.items()),
    *((f"until {said}", StopRule(deadline_at=WallTime(7, 30, utc=True))) for said in ("07:30 UTC", "7:30 am gmt", "07:30Z")),
    ("until noon", StopRule(deadline_at=WallTime(12, 0))),
    ("until tomorrow noon", StopRule(deadline_at=WallTime(12, 0, when="tomorrow"))),
    ("until midnight or 9 runs", StopRule(deadline_at=WallTime(0, 0), target_run_count=9)),
    *((words, StopRule(target_experiment_count=20, asks=True)) for words in ASK),
    *((f"2 {unit}", StopRule(gpu_hours=48.0)) for unit in ("gpu-days", "gpu-day", "gpu d")),
    *((f"10h total{join}1h each", StopRule(total_s=10 * HOUR, per_experiment_timeout_s=HOUR))
      for join in (", ", "; ", ". ", " or ", " and ", " plus ", " but ", " with ", " + ", " & ", " ")),
]  # fmt: skip


@pytest.mark.parametrize(("words", "meant"), ROWS, ids=[words for words, _ in ROWS])
def test_every_form_of_a_clause_has_its_meaning(words, meant):
    """Also in capitals; and what is shown for approval means the same."""
    assert parse(words) == parse(words.upper()) == meant
    assert parse(describe(meant)) == meant


LEADS = ("", "until ", "till ", "when ", "once ", "if ", "as soon as ", "stop when ", "end once ", "until the ")


@pytest.mark.parametrize("lead", LEADS)
def test_a_target_is_led_in_by_any_of_these_words(lead):
    """The value that is waited for is the same."""
    assert parse(f"{lead}loss < 0.5").target == TargetValue("loss", Comparison.BELOW, 0.5)


@pytest.mark.parametrize(("said", "name"), [
    ("it", None), ("objective", None), ("the metric", None), ("Metric", None), ("validation loss", "validation/loss"),
    ("val loss", "val/loss"), ("train loss", "train/loss"), ("training loss", "training/loss"), ("test loss", "test/loss"),
    ("eval loss", "eval/loss"), ("val:pass@1", "val:pass@1"), ("val/acc.mean", "val/acc.mean"), ("pass-1", "pass-1"),
])  # fmt: skip
def test_a_target_names_its_metric_or_the_objective(said, name):
    """`it`, `objective` and `metric` are the campaign's own; two words are a room and a metric in it."""
    assert parse(f"until {said} is below 0.5").target == TargetValue(name, Comparison.BELOW, 0.5)


@pytest.mark.parametrize(("said", "value"), [
    ("7", 7), ("0.5", 0.5), (".5", 0.5), ("-0.5", -0.5), ("+2", 2), ("1e-3", 0.001), ("2.5E+2", 250), ("1e10", 1e10),
    ("9" * 20, 1e20), ("0." + "3" * 30, 1 / 3),
])  # fmt: skip
def test_a_value_is_read_as_it_is_written(said, value):
    """With sign, fraction and exponent."""
    assert parse(f"until it >= {said}").target.value == pytest.approx(value, rel=1e-15)


_NO_METRICS = (
    "a all an and any at baseline budget but by cost days do each either every experiment experiments for gpu hours if in is it "
    "job jobs max minutes no not of or per run runs stop than then till time total trial trials until when with within without"
)


@pytest.mark.parametrize("word", [w for w in _NO_METRICS.split() if w not in {"it", "is"}])
def test_a_word_of_the_rule_itself_is_no_metric(word):
    """`until runs >= 3` is not about a metric called runs."""
    for words in (f"until {word} >= 3", f"until {word} above 3"):
        with pytest.raises(CampaignError, match="is not understood"):
            parse(words)


UNITS = {
    604800: ("w", "wk", "wks", "week", "weeks"), 86400: ("d", "day", "days"), 3600: ("h", "hr", "hrs", "hour", "hours"),
    60: ("m", "min", "mins", "minute", "minutes"), 1: ("s", "sec", "secs", "second", "seconds"),
}  # fmt: skip


@pytest.mark.parametrize(("unit", "length"), [(unit, length) for length, units in UNITS.items() for unit in units])
def test_every_unit_of_time_has_its_length(unit, length):
    """With a space, a hyphen or nothing between the number and the unit, and with a fraction."""
    for said, times in ((f"2{unit}", 2), (f"2 {unit}", 2), (f"2-{unit}", 2), (f"1.5{unit}", 1.5)):
        assert seconds(said) == times * length
        assert parse(f"{said} total").total_s == times * length


@pytest.mark.parametrize(("said", "length"), [
    ("1w2d3h4m5s", 604800 + 2 * 86400 + 3 * 3600 + 4 * 60 + 5), ("1 hr 30 min", 5400), ("1d 12h", 129600),
    ("0.0015s", 0.002), ("999999999s", 999999999), ("1.000001h", 3600.004),
])  # fmt: skip
def test_units_are_added_up(said, length):
    """From the largest to the smallest, exact to the millisecond."""
    assert seconds(said) == length


@pytest.mark.parametrize(("length", "said"), [
    (0, "0s"), (1, "1s"), (59, "59s"), (60, "1m"), (61, "1m1s"), (3600, "1h"), (3599.5, "59m59.5s"), (86400, "1d"),
    (90061.001, "1d1h1m1.001s"), (604800, "7d"), (0.001, "0.001s"), (100, "1m40s"),
])  # fmt: skip
def test_an_exact_length_names_only_what_is_not_zero(length, said):
    """Days, hours, minutes, and seconds to the millisecond."""
    assert exact(length) == said


@pytest.mark.parametrize(("length", "said"), [
    (0.9, "0s"), (1, "1s"), (59.999, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h00m"), (3660, "1h01m"),
    (86399, "23h59m"), (86400, "1d00h"), (90000, "1d01h"), (172800, "2d00h"),
])  # fmt: skip
def test_a_span_changes_its_units_at_a_minute_an_hour_and_a_day(length, said):
    """What is smaller than the smaller unit is cut off."""
    assert span(length) == said


_ONES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SPELT = {
    **dict(zip([*_ONES, *_TEENS], range(1, 20), strict=True)),
    **{ten: 20 + 10 * n for n, ten in enumerate(_TENS)},
    **{
        f"{ten}{gap}{one}": 20 + 10 * n + m
        for n, ten in enumerate(_TENS)
        for m, one in enumerate(_ONES, 1)
        for gap in "- "
    },
}


@pytest.mark.parametrize("word", SPELT)
def test_numbers_up_to_ninety_nine_may_be_spelt_out(word):
    """With a hyphen or a space, in any case."""
    assert parse(f"{word} experiments").target_experiment_count == SPELT[word]
    assert as_digits(f"{word.capitalize()} ideas") == f"{SPELT[word]} ideas"


@pytest.mark.parametrize(("text", "read"), [
    ("half an hour", "30 minutes"), ("half a day", "12 hours"), ("a dozen ideas", "12 ideas"), ("a hundred runs", "100 runs"),
    ("one hundred runs", "100 runs"), ("an hour", "1 hour"), ("a minute", "1 minute"), ("a day", "1 day"), ("a week", "1 week"),
    ("a metric", "a metric"), ("zero ideas", "0 ideas"), ("two-day", "2-day"), ("ten-hour", "10-hour"), ("five-minute", "5-minute"),
    ("two-gpu", "2-gpu"), ("one-off", "one-off"), ("loss_one", "loss_one"), ("val:one", "val:one"), ("one/two", "one/two"),
    ("pass@one", "pass@one"), ("no-one", "no-one"), ("a dozens", "a dozens"), ("twenty-one-off", "twenty-one-off"),
    ("one:two", "one:two"), ("one@x", "one@x"), ("half an hour-long", "30 minutes-long"), ("ones", "ones"), ("x.one", "x.one"),
    ("two hundred", "2 hundred"), ("phase-twenty one", "phase-twenty 1"), ("twenty one:x", "20 one:x"),
])  # fmt: skip
def test_only_numbers_on_their_own_are_read(text, read):
    """A number word inside a metric's name stays what it is."""
    assert as_digits(text) == read


@pytest.mark.parametrize(("words", "hour", "minute"), [
    ("until 0:00", 0, 0), ("until 23:59", 23, 59), ("until 12 am", 0, 0), ("until 1 am", 1, 0), ("until 11:59am", 11, 59),
    ("until 12 pm", 12, 0), ("until 1 pm", 13, 0), ("until 11 pm", 23, 0), ("until 07:05", 7, 5),
])  # fmt: skip
def test_a_time_of_day_has_its_bounds(words, hour, minute):
    """Of the clock with 24 hours and of the one with twelve."""
    assert parse(words).deadline_at == WallTime(hour, minute)


@pytest.mark.parametrize("words", ["until 24:00", "until 23:60", "until 0 am", "until 13 am", "until 0 pm", "until 12"])
def test_a_time_the_clock_never_shows_is_refused(words):
    """One past either end."""
    with pytest.raises(CampaignError, match=r"no time of day|is not understood"):
        parse(words)


@pytest.mark.parametrize(("words", "utc"), [
    ("until 07:00", False), ("until 07:00 UTC", True), ("until 07:00z", True), ("until 2026-11-24T07:00 utc", True),
])  # fmt: skip
def test_only_what_says_utc_is_utc(words, utc):
    """Everything else is the clock on the wall."""
    assert parse(words).deadline_at.utc is utc


BOUNDS = [
    ("1000000 experiments", "1000001 experiments"), ("1000000 runs", "1000001 runs"), ("366 days", "8784.001 hours"),
    ("1000000 ideas without a keep", "1000001 ideas without a keep"), ("41666666 gpu-days", "41666667 gpu-days"),
    ("9 runs, 366 days each", "9 runs, 31622400.001s each"), ("1 experiment", "0 experiments"), ("1 run", "0 runs"),
    ("0.001s", "0.0004s"), ("0.000001 gpu-hours", "0.0 gpu-hours"), ("2h total, 2h each", "2h total, 2.001h each"),
    ("9 runs, 0.001s each", "9 runs, 0s each"), ("until it >= 1e308", "until it >= 1e309"),
    (f"20 ideas{' ' * 500}or 3h", f"20 ideas or {'a' * 389}"), (f"{'0' * 8}1 runs", f"{'0' * 9}1 runs"),
]  # fmt: skip


@pytest.mark.parametrize(("fits", "too_much"), BOUNDS)
def test_each_number_has_its_bounds(fits, too_much):
    """The last one that is taken, and the first one that is refused."""
    parse(fits)
    with pytest.raises(CampaignError):
        parse(too_much)


def test_a_rule_of_four_hundred_characters_is_read_to_its_end():
    """One more, and it is refused for its length alone."""
    longest = "20 ideas or until " + "a" * 377 + " > 12"
    assert parse(longest).target.value == 12
    with pytest.raises(CampaignError, match="has 401 characters"):
        parse(longest + "3")


@pytest.mark.parametrize(("words", "cure"), [
    ("$50", "$50 at $2.50 per GPU-hour"), ("50 dollars", "money needs a price"), ("at most 50 USD", "money needs a price"),
    ("until 07:00 PST", "several places"), ("until 7am CET", "America/Los_Angeles"), ("until 07:00 Berlin/Europe", "no time zone"),
    ("until 07:00 +25", "no time zone"), ("until next Tuesday 18:30", 'leave "next" out'), ("$50 at $0 per GPU-hour", "nothing"),
    ("until tomorrow midnight", "is not understood"),
])  # fmt: skip
def test_what_could_mean_two_things_is_refused_with_what_to_write(words, cure):
    """Money without a price, short names of zones, a place that is none, the next of a day."""
    with pytest.raises(CampaignError) as refused:
        parse(words)
    assert cure in str(refused.value)


def test_a_place_has_its_own_clock_in_summer_and_in_winter():
    """The moment meant, counted from a start at noon UTC; and what is shown reads back."""
    for start, said, meant in (
        ("2026-07-01T12:00+00:00", "until 15:00 Europe/Berlin", "2026-07-01T13:00+00:00"),
        ("2026-12-01T12:00+00:00", "until 15:00 Europe/Berlin", "2026-12-01T14:00+00:00"),
        ("2026-12-01T12:00+00:00", "until Monday 9:00 -08:00", "2026-12-07T17:00+00:00"),
    ):
        rule = parse(said)
        assert (
            rule.deadline_at.after(datetime.fromisoformat(start).timestamp(), None)
            == datetime.fromisoformat(meant).timestamp()
        )
        assert parse(describe(rule)).deadline_at == rule.deadline_at
