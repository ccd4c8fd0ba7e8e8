"""The words of a stop rule: read, or refused; never guessed.

A rule is a row of clauses: a count of experiments, of runs, or of experiments without a keep, a total time, a wall
time, GPU-hours, a target value, and a cap on each run.
Every word must belong to a clause or join two; one that does neither is an error that names it.

Numbers spelt out in English, as people write small ones.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from math import isfinite

from autoresearch.config.duration import DURATION, exact, seconds
from autoresearch.config.stop_rule import DEFAULT, Comparison, StopRule, TargetValue, WallTime, named_day, zone_named
from autoresearch.errors import CampaignError

_ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_NUMBERS = {word: number for number, word in enumerate(_ONES)} | {
    word: 10 * tens for tens, word in enumerate(_TENS, start=2)
}
_COMPOUND = re.compile(rf"(?<![\w-])({'|'.join(_TENS)})[ -]({'|'.join(_ONES[1:10])})(?![\w:/.@-])", re.IGNORECASE)
_SINGLE = re.compile(rf"(?<![\w:/.@-])({'|'.join(_NUMBERS)})(?![\w:/.@])(?!-(?!gpu|hour|day|minute))", re.IGNORECASE)
_IDIOMS = {
    r"half an hour": "30 minutes",
    r"half a day": "12 hours",
    r"an?(?= (?:hour|minute|day|week|dozen|hundred)\b)": "1",
    r"1 dozen": "12",
    r"1 hundred": "100",
    r"(?<=until )noon|(?<=tomorrow )noon": "12:00",
    r"(?<=until )midnight(?= *(?:[,;]|or\b|$))": "00:00",
}
_IDIOM_PATTERNS = [
    (re.compile(rf"(?<![\w:/.@-]){sign}(?![\w])", re.IGNORECASE), said) for sign, said in _IDIOMS.items()
]


def as_digits(text: str) -> str:
    """The text with `three` as 3, `twenty-four` as 24, `half an hour` as 30 minutes; everything else untouched."""
    text = _COMPOUND.sub(lambda found: str(_NUMBERS[found[1].lower()] + _NUMBERS[found[2].lower()]), text)
    text = _SINGLE.sub(lambda found: str(_NUMBERS[found[1].lower()]), text)
    for pattern, said in _IDIOM_PATTERNS:
        text = pattern.sub(said, text)
    return text


EXAMPLES = (
    '"50 experiments or 10h total, 1h each", "until 07:00, 45 min each", "100 GPU-hours or until accuracy >= 0.8"'
)

_LONGEST_S = 366 * 86400.0
_MOST_EXPERIMENTS = 1_000_000
_MOST_RUNS = 1_000_000
_MOST_GPU_HOURS = 1e9

_MOST = r"(?:(?:at most|up to|no more than|not more than|max(?:imum)?(?: of)?|limited to|limit(?: of)?:?) )?"
_STOP = r"(?:(?:stop|end|finish|quit) )"
_RUN = r"(?:run|experiment|idea|attempt|hypothesis|trial|try)"
_NOUN = r"(?:experiments?|ideas?|attempts?|hypothes[ie]s|tries|try|trials?|iterations?)"
_BESIDES = ("idea", "hypothes", "tr", "iter")
"""How words begin that count what is tried, and the baseline is not; an experiment or attempt may be the baseline."""
_BETTER = r"(?:keeps?|kept (?:1|idea|experiment)|improvements?|gains?)"
_DAYS = (
    r"today|tomorrow|mon(?:day)?|tue(?:s|sday)?|wed(?:nesday)?|thu(?:r|rs|rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"
)
_GPU = r"(?:gpus?|(?:gh|gb|rtx ?|mi|[abhlvt])[0-9]{1,4}[a-z]{0,2})"
"""Any GPU, or one by its name: the hours are counted of those that the runs take."""
_ZONE = r"(?:utc|gmt)?[+-][0-9]{1,2}(?::?[0-9]{2})?|utc|gmt|z|[a-z]+(?:/[a-z_+-]+){1,2}"
_MONEY = r"[0-9]{1,9}(?:\.[0-9]{1,4})?"
_TIME = rf"(?=[0-9])(?P<time>{DURATION})"
_TOTAL = r"(?:in total|total|overall|altogether)"
_CAP = r"(?:timeout|time limit|limit|cap|budget|max(?:imum)?)"
_WHOLE = r"(?:total time|time budget|total|overall|wall[- ]?clock)(?: budget| limit)?(?: of|:)? "
_VALUE = r"(?P<value>[-+]?(?:[0-9]{1,20}(?:\.[0-9]{1,30})?|\.[0-9]{1,30})(?:e[-+]?[0-9]{1,3})?)(?![\w%])"
_NAME = r"[a-z_][\w:/.@-]*"

_COMPARISONS = {
    Comparison.AT_LEAST: r">=|≥|(?:is |be )?at least",
    Comparison.AT_MOST: r"<=|≤|(?:is |be )?at most",
    Comparison.ABOVE: r">|(?:is |goes |gets |rises )?above|(?:is |goes |gets )?over|exceeds|(?:is )?greater than",
    Comparison.BELOW: r"<|(?:is |goes |gets |falls |drops )?below|(?:is |goes |gets )?under|(?:is )?less than",
    Comparison.REACHES: r"reaches|reach|hits|gets to",
}
_COMPARE = "|".join(f"(?P<{kind.name}>{words})" for kind, words in _COMPARISONS.items())

_CLAUSES = {
    "count": rf"(?:{_STOP}(?:after|at) |after |until )?(?:(?:do|run|try) )?{_MOST}(?:(?:a )?total of )?"
    rf"(?P<base>baseline ?(?:\+|plus|and) ?)?(?P<count>[0-9]{{1,9}}) (?:more )?"
    rf"(?P<noun>{_NOUN})(?: {_TOTAL}| attempted)?",
    "runs": rf"(?:{_STOP}(?:after|at) |after |within )?{_MOST}(?:(?:a )?(?:total|budget) of )?"
    rf"(?P<runs>[0-9]{{1,9}}) runs?(?: {_TOTAL})?",
    "stall": rf"(?:{_STOP}(?:after|at) |after )?(?P<stall>[0-9]{{1,9}}) {_NOUN}(?: in a row)? without "
    rf"(?:a |an |any )?{_BETTER}",
    "stall_first": rf"(?:{_STOP})?(?:(?:after|when|if|once|until) )?(?:there (?:is|are|was) )?"
    rf"(?:(?:no|without) (?:a |an |any |further |new |more )?(?:{_BETTER}|progress)|nothing (?:is |was )?kept) "
    rf"(?:for|in|within|over|during|after) (?:the last )?(?P<stall>[0-9]{{1,9}}) {_NOUN}(?: in a row)?",
    "total": rf"(?:(?:run|stop|end|finish|quit) )?(?:(?:for|within|in|after) )?{_MOST}(?:a )?"
    rf"(?P<whole>{_WHOLE})?{_MOST}{_TIME}(?P<sum> {_TOTAL})?"
    r"(?: max(?:imum)?| at most| budget)?",
    "each": rf"(?:of |a )?(?:{_CAP}(?: of|:)? )?{_MOST}{_TIME}(?: {_CAP})?"
    rf"(?: ?/ ?{_RUN}| (?:(?:for )?(?:each|every) {_RUN}|each|apiece|per[ -]{_RUN}|an? {_RUN}))"
    rf"(?: {_CAP})?(?: at most)?",
    "each_first": rf"(?:each(?: {_RUN})?|every {_RUN}|per[ -]{_RUN})(?: {_CAP})?(?: of| is|:)?"
    rf"(?: may (?:run|take)| takes| limited to| capped at)?(?: for)? {_MOST}{_TIME}",
    "gpu": rf"(?:{_STOP}after |after |within )?{_MOST}(?P<gpu>[0-9]{{1,9}}(?:\.[0-9]{{1,6}})?)[ -]?{_GPU}[ -]?"
    rf"(?P<gpu_unit>hours?|hrs?|h|days?|d)(?: {_TOTAL})?",
    "money": rf"(?:{_STOP}after |after |within )?{_MOST}\$(?P<money>{_MONEY}),? (?:at|with) "
    rf"\$?(?P<price>{_MONEY}) ?\$?(?: ?/ ?| (?:per|an?|for each|each) ){_GPU}[ -]?h(?:ou)?r?",
    "until": rf"(?:run |{_STOP})?(?:until|till|by|at) (?:(?P<day>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?: |t(?=[0-9]))|"
    rf"(?:on )?(?P<when>{_DAYS})(?:,? at|,)? )?(?P<hour>[0-9]{{1,2}})(?::(?P<minute>[0-9]{{2}}))?"
    rf"(?: ?(?P<half>am|pm)(?![a-z]))?(?: ?(?P<zone>{_ZONE}))?(?: (?:on )?(?P<later>{_DAYS}))?",
    "target": rf"(?:{_STOP}?(?:as soon as|when|once|if|until|till) )?(?:the )?"
    rf"(?:it |(?P<metric>(?:(?:validation|val|train(?:ing)?|test|eval) )?{_NAME}) ?)(?:{_COMPARE}) ?{_VALUE}",
    "ask": r"then (?:summari[sz]e and )?ask",
}
_PATTERNS = {kind: re.compile(words + r"(?![\w%:]|\.[0-9])", re.IGNORECASE) for kind, words in _CLAUSES.items()}
_JOIN = re.compile(r"[ ,;.]*(?:(?P<word>or|and|plus|but|with|[+&])(?![\w]))?[ ,;]*", re.IGNORECASE)
_EDGES = re.compile(
    r"^(?:please )?(?:either )?|[ ,;]*(?:whichever|whatever) (?:comes|is|happens) (?:first|earlier|sooner)$",
    re.IGNORECASE,
)

_HINTS = {
    r"overnight|tonight|weekend|morning|tomorrow": 'say when it ends: "until 07:00", "until tomorrow 8 am" or "10h"',
    rf"next (?:{_DAYS})": "it may be this week or the one after: "
    'leave "next" out and give the time of day, or write the date',
    rf"(?:until|till|by) (?:on )?(?:{_DAYS})": 'give the time of day too: "until Monday 09:00"',
    r"[$€£]|\b(?:dollars?|euros?|usd|eur)\b": 'money needs a price: "$50 at $2.50 per GPU-hour"; or give the GPU-hours',
    r"^[a-z]{1,3}[sde]t$": "a short name of a time zone means several places: write a place or an offset, "
    '"until 07:00 America/Los_Angeles" or "until 07:00 -08:00"',
    r"[0-9] ?jobs": 'write "20 ideas" for what is tried, or "20 runs" for launches of any kind, '
    "repeats and fresh seeds included",
    r"at least|minimum|no less": "a stop rule is an upper limit: write the number alone",
    r"about|around|approx|roughly|~": "give the exact number",
    r"%": "a metric in percent may be logged as 0.8 or as 80: write the number as it is logged",
    r"(?<![<>])==?": 'a measured value is hardly ever equal to a number: write ">=" or "<="',
    r"timeout": 'say whether it holds for one run ("45 min each") or for the campaign ("10h total")',
    r"(?:until|till|by|at) [0-9]": 'write a time of day as "until 07:00" or "until 7 am", a length as "10h total"',
    r"months?|years?": "give days or hours",
    r"[0-9] ?(?:or|and|,|$)": "say what the number counts: experiments, hours, GPU-hours",
    r"each|per ": "only time can be capped for each run",
}


@dataclass(frozen=True)
class _Clause:
    kind: str
    match: re.Match[str]
    joined_by: str

    @property
    def bare(self) -> bool:
        """A time that does not say whether it is a total."""
        return self.kind == "total" and not (self.match["whole"] or self.match["sum"])


def parse(words: str) -> StopRule:
    """The stop rule that the words mean.

    Triggers are alternatives: the first one reached ends the campaign, however they are joined. A time without
    "total" or "each" is the total (R97), and there may be one such time only.

    Args:
        words: What the owner wrote; nothing at all means `DEFAULT`.

    Raises:
        CampaignError: Words that are not understood, that can be read in two ways, or that contradict each other.
    """
    text = re.sub(r"\s+", " ", words).strip(" .!")
    if not text:
        return DEFAULT.with_words(words)
    if len(text) > 400:
        raise CampaignError(f"the stop rule has {len(text)} characters, too many for one: write for example {EXAMPLES}")
    clauses = _clauses(_EDGES.sub("", as_digits(text)), words)
    _refuse_all_of(clauses, words)
    rule = StopRule(words=words)
    for clause in clauses:
        rule = _READERS[clause.kind](rule, clause.match, words)
    return _sound(rule, words)


def describe(rule: StopRule) -> str:
    """The rule in canonical words; `parse` reads them back as an equal rule."""
    count, target = rule.target_experiment_count, rule.target
    triggers = [f"{count} experiment{'' if count == 1 else 's'}"] if count is not None else []
    runs = rule.target_run_count
    triggers += [f"{runs} run{'' if runs == 1 else 's'}"] if runs is not None else []
    stalled = rule.stalled_experiment_count
    triggers += [f"{stalled} experiment{'' if stalled == 1 else 's'} without a keep"] if stalled is not None else []
    triggers += [f"{exact(rule.total_s)} total"] if rule.total_s is not None else []
    triggers += [f"until {rule.deadline_at}"] if rule.deadline_at else []
    triggers += [f"{rule.gpu_hours:.6f}".rstrip("0").rstrip(".") + " GPU-hours"] if rule.gpu_hours is not None else []
    triggers += [f"until {target.metric or 'objective'} {target.comparison} {target.value!r}"] if target else []
    cap = [f"{exact(rule.per_experiment_timeout_s)} each"] if rule.per_experiment_timeout_s is not None else []
    return ", ".join([" or ".join(triggers), *cap, *(["then ask"] if rule.asks else [])])


def _clauses(text: str, words: str) -> list[_Clause]:
    found: list[_Clause] = []
    at, joined_by = 0, ""
    while True:
        kind, match = _longest(text, at)
        if match is None:
            raise _not_understood(text[at:], words)
        found.append(_Clause(kind, match, joined_by))
        join = _JOIN.match(text, match.end())
        at, joined_by = (join.end(), (join["word"] or "").lower()) if join else (match.end(), "")
        if at == len(text) and not joined_by:
            return found


def _longest(text: str, at: int) -> tuple[str, re.Match[str] | None]:
    matches = [(kind, match) for kind, pattern in _PATTERNS.items() if (match := pattern.match(text, at))]
    return max(matches, key=lambda found: found[1].end(), default=("", None))


def _not_understood(rest: str, words: str) -> CampaignError:
    if not rest:
        return _refusal(words, "something is missing at its end")
    piece = re.split(r",|;| or | and ", rest)[0].strip() or rest.strip()
    hint = next((advice for sign, advice in _HINTS.items() if re.search(sign, piece, re.IGNORECASE)), "")
    return _refusal(words, f"{piece!r} is not understood{': ' + hint if hint else ''}")


def _refusal(words: str, why: str) -> CampaignError:
    return CampaignError(f"stop rule {words.strip()!r}: {why}. Write for example {EXAMPLES}")


def _refuse_all_of(clauses: list[_Clause], words: str) -> None:
    """Two triggers joined by "and" might mean both; only a cap on each run may be added with it."""
    for before, after in pairwise(clauses):
        if after.joined_by not in {"and", "plus", "+", "&"} or after.kind == "ask":
            continue
        caps = {before.kind, after.kind} & {"each", "each_first"}
        if not caps:
            raise _refusal(
                words,
                f'"{after.joined_by}" between two limits may mean that both must be reached: '
                'join them with "or", the first one reached ends the campaign',
            )
        if before.bare and after.kind == "each":
            time, each = before.match.group().strip(), after.match.group().strip()
            raise _refusal(words, f'may mean "{time} total, {each}" or one cap of both times: write which')


def _read_count(rule: StopRule, match: re.Match[str], words: str) -> StopRule:
    said = int(match["count"])
    _bounded("target_experiment_count", said, _MOST_EXPERIMENTS, "1,000,000", words)
    besides = match["base"] or match["noun"].lower().startswith(_BESIDES)
    return _set(rule, "target_experiment_count", said + 1 if besides else said, words)


def _read_runs(rule: StopRule, match: re.Match[str], words: str) -> StopRule:
    return _set(rule, "target_run_count", int(match["runs"]), words)


def _read_stall(rule: StopRule, match: re.Match[str], words: str) -> StopRule:
    return _set(rule, "stalled_experiment_count", int(match["stall"]), words)


def _read_total(rule: StopRule, match: re.Match[str], words: str) -> StopRule:
    return _set(rule, "total_s", seconds(match["time"].lower()), words)


def _read_each(rule: StopRule, match: re.Match[str], words: str) -> StopRule:
    return _set(rule, "per_experiment_timeout_s", seconds(match["time"].lower()), words)


def _read_gpu(rule: StopRule, match: re.Match[str], words: str) -> StopRule:
    factor = 24 if match["gpu_unit"].lower().startswith("d") else 1
    return _set(rule, "gpu_hours", round(float(match["gpu"]) * factor, 6), words)


def _read_money(rule: StopRule, match: re.Match[str], words: str) -> StopRule:
    if not float(match["price"]):
        raise _refusal(words, "a GPU-hour that costs nothing never uses the money up")
    return _set(rule, "gpu_hours", round(float(match["money"]) / float(match["price"]), 6), words)


def _read_until(rule: StopRule, match: re.Match[str], words: str) -> StopRule:
    hour, half = int(match["hour"]), (match["half"] or "").lower()
    if not (half or match["minute"]) or (half and not 1 <= hour <= 12):
        raise _not_understood(match.group(), words)
    hour = hour % 12 + (12 if half == "pm" else 0) if half else hour
    minute = int(match["minute"] or 0)
    if hour > 23 or minute > 59:
        raise _refusal(words, f"there is no time of day {match.group()!r}")
    if match["later"] and (match["day"] or match["when"]):
        raise _refusal(words, f"{match.group()!r} names two days")
    day, when = _day(match["day"], words), named_day(match["when"] or match["later"] or "")
    zone = zone_named(match["zone"] or "")
    if match["zone"] and not zone:
        raise _refusal(words, f"there is no time zone {match['zone']!r}: write a place as Europe/Berlin, or +02:00")
    return _set(rule, "deadline_at", WallTime(hour, minute, day, zone == "UTC", when, zone.removeprefix("UTC")), words)


def _day(text: str | None, words: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise _refusal(words, f"there is no day {text}") from None


def _read_target(rule: StopRule, match: re.Match[str], words: str) -> StopRule:
    comparison = next(kind for kind in Comparison if match[kind.name])
    name = match["metric"] or "objective"
    if _RESERVED.search(name):
        raise _not_understood(match.group(), words)
    ours = name.lower() in {"objective", "metric"}
    return _set(
        rule, "target", TargetValue(None if ours else "/".join(name.split()), comparison, float(match["value"])), words
    )


def _read_ask(rule: StopRule, _: re.Match[str], words: str) -> StopRule:
    return _set(rule, "asks", True, words)


_READERS: dict[str, Callable[[StopRule, re.Match[str], str], StopRule]] = {
    "count": _read_count,
    "runs": _read_runs,
    "stall": _read_stall,
    "stall_first": _read_stall,
    "total": _read_total,
    "each": _read_each,
    "each_first": _read_each,
    "gpu": _read_gpu,
    "money": _read_money,
    "until": _read_until,
    "target": _read_target,
    "ask": _read_ask,
}

_RESERVED = re.compile(
    r"(?:^|\s)(?:a|all|an|and|any|at|baseline|budget|but|by|cost|days|do|each|either|every|experiments?|for|gpu|hours|if|in|is|it|"
    r"jobs?|max|minutes|no|not|of|or|per|runs?|stop|than|then|till|time|total|trials?|until|when|with|within|without)(?:\s|$)",
    re.IGNORECASE,
)

_SAID = {
    "target_experiment_count": "number of experiments",
    "target_run_count": "number of runs",
    "stalled_experiment_count": "number of experiments without a keep",
    "total_s": "total time",
    "per_experiment_timeout_s": "time for each run",
    "deadline_at": "time to end at",
    "gpu_hours": "number of GPU-hours",
    "target": "target value",
    "asks": '"then ask"',
}


def _set(rule: StopRule, name: str, value: object, words: str) -> StopRule:
    if getattr(rule, name) != getattr(_NOTHING, name):
        why = f"it gives more than one {_SAID[name]}"
        raise _refusal(
            words, why + (': write "total" behind one and "each" behind the other' if name == "total_s" else "")
        )
    changed: StopRule = replace(rule, **{name: value})  # type: ignore[arg-type]
    return changed


_NOTHING = StopRule()


def _sound(rule: StopRule, words: str) -> StopRule:
    """The rule, unless it cannot be kept or contradicts itself."""
    triggers = (
        rule.target_experiment_count, rule.target_run_count, rule.stalled_experiment_count, rule.total_s,
        rule.deadline_at, rule.gpu_hours, rule.target,
    )  # fmt: skip
    if all(trigger is None for trigger in triggers):
        raise _refusal(words, "it does not say when the campaign ends")
    _bounded("target_experiment_count", rule.target_experiment_count, _MOST_EXPERIMENTS, "1,000,000", words)
    _bounded("target_run_count", rule.target_run_count, _MOST_RUNS, "1,000,000", words)
    _bounded("stalled_experiment_count", rule.stalled_experiment_count, _MOST_EXPERIMENTS, "1,000,000", words)
    _bounded("total_s", rule.total_s, _LONGEST_S, "366 days", words)
    _bounded("per_experiment_timeout_s", rule.per_experiment_timeout_s, _LONGEST_S, "366 days", words)
    _bounded("gpu_hours", rule.gpu_hours, _MOST_GPU_HOURS, "1e9", words)
    if rule.target and not isfinite(rule.target.value):
        raise _refusal(words, "the target value is not a number one can reach")
    cap, total = rule.per_experiment_timeout_s, rule.total_s
    if cap is not None and total is not None and cap > total:
        raise _refusal(words, f"one run may take {exact(cap)}, longer than the whole campaign of {exact(total)}")
    return rule


def _bounded(name: str, value: float | None, most: float, said: str, words: str) -> None:
    if value is not None and not 0 < value <= most:
        raise _refusal(words, f"the {_SAID[name]} must be more than zero and at most {said}")
