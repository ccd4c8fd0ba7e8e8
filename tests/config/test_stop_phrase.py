"""What the words of a stop rule mean, and that anything else is refused."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.config.duration import exact, seconds
from autoresearch.config.stop_phrase import describe, parse
from autoresearch.config.stop_rule import DEFAULT, Comparison, StopRule, TargetValue, WallTime
from autoresearch.errors import CampaignError

HOUR = 3600.0


def rule(count=None, total=None, each=None, until=None, gpu_hours=None, asks=False, runs=None, stall=None) -> StopRule:
    return StopRule(
        words="",
        target_experiment_count=count,
        total_s=total,
        deadline_at=until,
        per_experiment_timeout_s=each,
        target=None,
        gpu_hours=gpu_hours,
        asks=asks,
        target_run_count=runs,
        stalled_experiment_count=stall,
    )


def target(metric, comparison, value) -> StopRule:
    return StopRule(target=TargetValue(metric, Comparison(comparison), value))


UNDERSTOOD = {
    "50 experiments": rule(50),
    "Do 50 experiments.": rule(50),
    "at most 20 experiments": rule(20),
    "up to 20 ideas in total": rule(21),
    "20 tries": rule(21),
    "twenty trials or 10h": rule(21, 10 * HOUR),
    "20 attempts": rule(20),
    "max 20 experiments": rule(20),
    "three experiments": rule(3),
    "twenty-four experiments": rule(24),
    "a dozen experiments": rule(12),
    "baseline plus 3 experiments": rule(4),
    "baseline and 3 ideas": rule(4),
    "4 experiments, then summarise and ask": rule(4, asks=True),
    "50 experiments or 10h total, 1h each": rule(50, 10 * HOUR, HOUR),
    "50 experiments, 10h total and 1h each": rule(50, 10 * HOUR, HOUR),
    "either 50 experiments or 10h, whichever comes first": rule(50, 10 * HOUR),
    "24 experiments or 12 hours, 45 min each": rule(24, 12 * HOUR, 2700.0),
    "50 experiments in 10h": rule(50, 10 * HOUR),
    "50 experiments of 45 min each": rule(50, None, 2700.0),
    "stop after 10h or after 50 experiments": rule(50, 10 * HOUR),
    "10h total, 1h each": rule(None, 10 * HOUR, HOUR),
    "1h each, 10h": rule(None, 10 * HOUR, HOUR),
    "total 10h. Each 1h.": rule(None, 10 * HOUR, HOUR),
    "10h total and each run at most 45 minutes": rule(None, 10 * HOUR, 2700.0),
    "10h total, per-run timeout 45m": rule(None, 10 * HOUR, 2700.0),
    "10h total with a cap of 45m per experiment": rule(None, 10 * HOUR, 2700.0),
    "10 hours total; 1h/run": rule(None, 10 * HOUR, HOUR),
    "10h": rule(None, 10 * HOUR),
    "within 10h": rule(None, 10 * HOUR),
    "2 days": rule(None, 48 * HOUR),
    "half a day, half an hour each": rule(None, 12 * HOUR, 1800.0),
    "1h30m total": rule(None, 5400.0),
    "1 hr 30 min total": rule(None, 5400.0),
    "30 runs": rule(runs=30),
    "stop after 1 run": rule(runs=1),
    "at most thirty runs in total, 1h each": rule(each=HOUR, runs=30),
    "12 experiments or 40 runs": rule(12, runs=40),
    "10 experiments without a keep": rule(stall=10),
    "50 experiments or after eight ideas in a row without improvement": rule(50, stall=8),
    "no improvement for 5 experiments": rule(stall=5),
    "stop when there is no keep in 5 tries": rule(stall=5),
    "20 ideas or nothing kept for 5 ideas": rule(21, stall=5),
    "100 GPU-hours": rule(gpu_hours=100.0),
    "100 gpu hours total": rule(gpu_hours=100.0),
    "2 gpu-days": rule(gpu_hours=48.0),
    "until 07:00": rule(until=WallTime(7, 0)),
    "stop at 23:30": rule(until=WallTime(23, 30)),
    "until 7 am": rule(until=WallTime(7, 0)),
    "by 12:15am": rule(until=WallTime(0, 15)),
    "until 2026-11-24 07:30": rule(until=WallTime(7, 30, date(2026, 11, 24))),
    "until 2026-11-24T07:30Z": rule(until=WallTime(7, 30, date(2026, 11, 24), utc=True)),
    "until tomorrow 8am": rule(until=WallTime(8, 0, when="tomorrow")),
    "until Monday 9:00": rule(until=WallTime(9, 0, when="Monday")),
    "by 9:00 on mon": rule(until=WallTime(9, 0, when="Monday")),
    "until today at 18:00 utc": rule(until=WallTime(18, 0, utc=True, when="today")),
    "until accuracy >= 0.8": target("accuracy", ">=", 0.8),
    "stop when val:accuracy reaches 0.8": target("val:accuracy", "reaches", 0.8),
    "until validation accuracy is above .8": target("validation/accuracy", ">", 0.8),
    "until loss drops below 1e-3": target("loss", "<", 0.001),
    "until it reaches 0.8": target(None, "reaches", 0.8),
    "until the metric is at least -2": target(None, ">=", -2.0),
}


@pytest.mark.parametrize("words", UNDERSTOOD)
def test_what_people_write_is_understood(words):
    """Each phrase has exactly one meaning, and it is this one; the words themselves are kept."""
    assert parse(words) == UNDERSTOOD[words]
    assert parse(words).words == words


REFUSED = {
    "overnight": "until 07:00",
    "20 jobs": "launches of any kind",
    "0 tries": "more than zero",
    "1000000 ideas": "at most 1,000,000",
    "until Monday": "time of day",
    "till next Monday": "time of day",
    "by Monday": "time of day",
    "until tomorrow morning": "until tomorrow 8 am",
    "until Monday 9:00 Tuesday": "names two days",
    "until Monday 2026-11-24 09:00": "time of day",
    "20 runs or 30 runs": "more than one number of runs",
    "20 runs and 5 experiments": "both must be reached",
    "20 runs each": "'each'",
    "0 runs": "more than zero",
    "0 ideas without a keep": "more than zero",
    "5 ideas without a keep or 6 ideas without a gain": "more than one number of experiments without a keep",
    "20 experiments without": "'without'",
    "50": "what the number counts",
    "50 or 10h": "what the number counts",
    "1h each": "does not say when the campaign ends",
    "10h, 1h": "more than one total time",
    "10h total, 12h total": "more than one total time",
    "50 experiments or 60 experiments": "more than one number of experiments",
    "10h, 1h each, 2h each": "more than one time for each run",
    "until 07:00 or until 08:00": "more than one time to end at",
    "until loss >= 1 or kl >= 2": "more than one target",
    "1h total, 2h each": "longer than the whole campaign",
    "50 experiments and 10h": "both must be reached",
    "50 experiments + until accuracy >= 0.8": "both must be reached",
    "2 hours and 30 minutes each": "write which",
    "0 experiments": "more than zero",
    "0h": "more than zero",
    "0 gpu-hours": "more than zero",
    "99999999 experiments": "at most 1,000,000",
    "500 days": "at most 366 days",
    "-5 experiments": "'-5 experiments'",
    "2.5 experiments": "'2.5 experiments'",
    "10-20 experiments": "'10-20 experiments'",
    "1,000 experiments": "'1'",
    "at least 20 experiments": "upper limit",
    "about 10h": "exact number",
    "accuracy >= 80%": "percent",
    "accuracy = 0.8": ">=",
    "accuracy >= nan": "not understood",
    "accuracy >= 1e999": "not a number",
    "at most 20": "what the number counts",
    "until 7": "time of day",
    "until 10h": "time of day",
    "until 25:00": "no time of day",
    "until 13 pm": "time of day",
    "until 2026-02-30 07:00": "no day 2026-02-30",
    "10h timeout": "one run",
    "3 months": "days or hours",
    "5 gpu-hours each": "only time",
    "1h30": "1h30",
    "inf hours": "'inf hours'",
    "50 experiments or": "missing at its end",
    "or 50 experiments": "not understood",
    "10h each total": "'total'",
    "1h on 8 gpus": "'on 8 gpus'",
    "not 50 experiments": "not understood",
    "50 experiments unless accuracy >= 0.8": "unless",
    "50 experiments each": "'each'",
    "the best result": "'the best result'",
    "5 experiments " * 40: "too many",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_not_clear_is_refused(words):
    """Nothing is guessed: the message names the words or the contradiction, and shows what would do."""
    with pytest.raises(CampaignError) as refusal:
        parse(words)
    assert REFUSED[words] in str(refusal.value)
    assert '"50 experiments or 10h total, 1h each"' in str(refusal.value)


def test_no_words_mean_the_default():
    """Silence is the careful rule, and it has words of its own."""
    assert parse("") == parse(" \n") == parse(describe(DEFAULT)) == DEFAULT
    assert describe(DEFAULT) == "4 experiments, then ask"


UNITS = {
    "h": 3600,
    "hr": 3600,
    "hour": 3600,
    "hours": 3600,
    "min": 60,
    "m": 60,
    "minutes": 60,
    "d": 86400,
    "days": 86400,
    "s": 1,
}
BESIDES = ("ideas", "tries", "trials")
spaces = st.sampled_from(["", " "])
times = st.builds(
    lambda number, unit, gap: (f"{number}{gap}{unit}", float(number * UNITS[unit])),
    st.integers(1, 30),
    st.sampled_from(list(UNITS)),
    spaces,
)
counts = st.builds(
    lambda number, lead, noun: (f"{lead}{number} {noun}", {"target_experiment_count": number + (noun in BESIDES)}),
    st.integers(1, 9999),
    st.sampled_from(["", "do ", "at most ", "up to ", "stop after "]),
    st.sampled_from(["experiments", "experiment", "ideas", "attempts", "tries", "trials"]),
)
runs = st.builds(
    lambda number, lead, tail: (f"{lead}{number} runs{tail}", {"target_run_count": number}),
    st.integers(1, 9999),
    st.sampled_from(["", "at most ", "stop after ", "a budget of "]),
    st.sampled_from(["", " in total"]),
)
stalls = st.builds(
    lambda number, lead, tail: (f"{lead}{number} {tail}", {"stalled_experiment_count": number}),
    st.integers(1, 9999),
    st.sampled_from(["", "after ", "stop after "]),
    st.sampled_from(["experiments without a keep", "ideas in a row without improvement", "attempts without any gain"]),
)
totals = st.builds(
    lambda time, form: (form.format(time[0]), {"total_s": time[1]}),
    times,
    st.sampled_from(["{} total", "{} in total", "total {}", "{}", "for {}", "max {}"]),
)
caps = st.builds(
    lambda time, form: (form.format(time[0]), {"per_experiment_timeout_s": time[1]}),
    times,
    st.sampled_from(["{} each", "{} per run", "{}/run", "each {}", "at most {} each", "each run at most {}"]),
)
hours = st.builds(
    lambda number, form: (form.format(number), {"gpu_hours": float(number)}),
    st.integers(1, 9999),
    st.sampled_from(["{} GPU-hours", "{} gpu hours", "{} GPUh", "{} GPU hour"]),
)
walls = st.builds(
    lambda hour, minute: (f"until {hour:02d}:{minute:02d}", {"deadline_at": WallTime(hour, minute)}),
    st.integers(0, 23),
    st.integers(0, 59),
)
targets = st.builds(
    lambda name, value: (f"until {name} >= {value!r}", {"target": TargetValue(name, Comparison.AT_LEAST, value)}),
    st.sampled_from(["accuracy", "val:accuracy", "validation/reward"]),
    st.floats(allow_nan=False, allow_infinity=False),
)


@st.composite
def phrases(draw):
    kinds = draw(
        st.lists(st.sampled_from([counts, runs, stalls, totals, hours, walls, targets]), min_size=1, unique=True)
    )
    kinds = draw(st.permutations([*kinds, *([caps] if draw(st.booleans()) else [])]))
    clauses = [draw(kind) for kind in kinds]
    text = clauses[0][0]
    for said, _ in clauses[1:]:
        text += draw(st.sampled_from([" or ", ", ", "; ", ",  or ", " OR "])) + said
    meant = {name: value for _, values in clauses for name, value in values.items()}
    return draw(st.sampled_from([text, f"  {text}.", text.replace(" ", "  "), text.upper()])), meant


def contradicts(meant) -> bool:
    too_long = max(meant.get("total_s", 0), meant.get("per_experiment_timeout_s", 0)) > 366 * 86400
    return too_long or meant.get("per_experiment_timeout_s", 0) > meant.get("total_s", 1e99)


@given(phrases())
def test_clauses_mean_the_same_in_any_order(phrase):
    """Order, spacing, case, plurals and units do not change what a rule means."""
    words, meant = phrase
    if contradicts(meant):
        with pytest.raises(CampaignError):
            parse(words)
        return
    read, want = parse(words), StopRule(words="", **meant)
    if words.isupper() and want.target:
        assert read.target.metric.lower() == want.target.metric
        return
    assert read == want


@given(phrases())
def test_a_rule_can_be_said_back(phrase):
    """The canonical words mean the same rule, so what is shown for approval is what is kept."""
    words, meant = phrase
    if not contradicts(meant):
        assert parse(describe(parse(words))) == parse(words)


@given(phrases(), st.sampled_from(["maybe", "20 jobs", "roughly", "%", "not", "é", "--", "13"]), st.data())
def test_one_stray_word_spoils_a_rule(phrase, stray, data):
    """A rule with a word that has no place in it is refused, wherever the word stands."""
    words = phrase[0].strip(" .").split()
    words.insert(data.draw(st.integers(0, len(words))), stray)
    with pytest.raises(CampaignError):
        parse(" ".join(words))


FRAGMENTS = [
    "50", "1", "10h", "1h", "45 min", "each", "total", "or", "and", ",", "until", "07:00", "accuracy", ">=", "0.8", "GPU-hours",
    "experiments", "per run", "a", "half", "dozen", "-", "%", ".", "baseline", "then ask", "2026-11-24", "am", "\x00", "١٢", "²",
]  # fmt: skip


@given(st.text(max_size=60) | st.lists(st.sampled_from(FRAGMENTS), max_size=9).map(" ".join))
def test_any_text_is_a_rule_or_a_refusal(words):
    """Whatever is typed, the answer is a rule that can be said back, or a refusal of ours."""
    try:
        read = parse(words)
    except CampaignError:
        return
    assert parse(describe(read)) == read


def test_a_long_evil_text_is_refused_quickly():
    """No text makes the reader work for long."""
    for words in ["a " * 199, "1h" * 190, "until a a a " * 30, "9" * 390 + " experiments", " ," * 190]:
        with pytest.raises(CampaignError):
            parse(words)


@given(st.integers(1, 366 * 86_400_000).map(lambda ms: ms / 1000))
def test_a_length_of_time_is_printed_exactly(length):
    """What is printed reads back as the very same number."""
    assert seconds(exact(length)) == length
