"""Words, numbers and tables as plain text, for a terminal, a notebook and a log alike."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING

from autoresearch.experiment.attendance import bills
from autoresearch.experiment.outcome import BASELINE, Purpose

if TYPE_CHECKING:
    from autoresearch.experiment.experiment import Experiment, Run
    from autoresearch.experiment.history import History
    from autoresearch.run.measurement import Objective
    from autoresearch.verdict.claims import Claim

_LABEL = 18
"""Characters of the column that labels stand in."""

_LEAST_ROOM = 24
"""Characters that a column needs to be read when it is broken below itself."""

_VERBS = {
    "proven": "is proven",
    "measured": "is measured to be",
    "likely": "is likely",
    "refuted": "is not",
    "implausible": "may look",
}
_ADVICE = " Stay with the baseline: the chance that this is better is below 80 %."
_UNSEEN = " Stay with the baseline until fresh seeds confirm it."


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], width: int | None = None, *, folds: bool = False
) -> str:
    """A plain aligned table; the last column is never padded, so that it may be long.

    Args:
        columns: Their headings.
        rows: One cell per column; None is empty, line breaks are spaces.
        width: Longer lines are cut to so many characters; None: never.
        folds: The last column is broken below itself instead, and nothing is cut.
    """
    body = [["" if cell is None else " ".join(str(cell).splitlines()) for cell in row] for row in rows]
    widths = [max(len(line[place]) for line in [list(columns), *body]) for place in range(len(columns) - 1)]
    lines = [list(columns), *body]
    if folds and width is not None:
        return "\n".join(_folded(line, widths, width) for line in lines)
    return "\n".join(cut(_line(line, widths), width) for line in lines)


def _folded(cells: Sequence[str], widths: Sequence[int], width: int) -> str:
    """A line whose last cell goes on below itself, or below the whole line where there is little room beside it."""
    whole, lead = _line(cells, widths), _line([*cells[:-1], "."], widths)[:-1]
    if len(whole) <= width:
        return whole
    if width - len(lead) >= _LEAST_ROOM:
        return wrapped(cells[-1], width, lead, " " * len(lead))
    return f"{lead.rstrip()}\n{wrapped(cells[-1], width, '    ', '    ')}"


def cut(text: str, most: int | None) -> str:
    """At most so many characters, the last one a sign that more follows; None: all of them."""
    return text if most is None or len(text) <= most else f"{text[: most - 1]}…"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return "  ".join([*padded, cells[-1]]).rstrip()


def number(value: float | None, form: str = ".4g") -> str:
    """A number as tables show it, empty for none."""
    return "" if value is None else format(value, form)


def duration(seconds: float | None) -> str:
    """Seconds as `6h12m`, `45m` or `8s`, empty for none."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def span_of(low: object, high: object) -> str:
    """`12 to 40`, or the one of them where they are the same."""
    return str(high) if low == high else f"{low} to {high}"


def clock(at: float) -> str:
    """A time of day, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S UTC")


def entry(label: str, text: str, width: int | None = None, column: int = _LABEL) -> str:
    """A label and its text in a column of its own, broken to `width` characters; None: one line."""
    return wrapped(text, width, f"{label:{column - 1}} ", " " * column)


def entries(rows: Iterable[tuple[str, str]], width: int | None = None, column: int = 14) -> str:
    """Labels and their texts, a line each or as many as `width` asks for; what has no text is left out."""
    lines = [
        entry(f"{label}:" if first and label else "", line, width, column)
        for label, text in rows
        if text
        for first, line in zip((True, *(False,) * text.count("\n")), text.split("\n"), strict=True)
    ]
    return "\n".join(lines)


def wrapped(text: str, width: int | None, first: str = "", others: str = "    ") -> str:
    """Text behind an indent, broken to `width` characters between words; None: one line."""
    if width is None or len(first) + len(text) <= width:
        return first + text
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )


def as_html(text: str) -> str:
    """Plain text as a notebook shows it: as it is."""
    return f"<pre>{escape(text)}</pre>"


def safe(text: str) -> str:
    """Text as HTML and SVG can hold it: control characters, which have no place there, become spaces."""
    return escape("".join(char if char.isprintable() else " " for char in text))


def baseline_figure(history: History) -> tuple[float | None, str]:
    """The baseline's value and what it rests on, with the figure of its row where that is another.

    Beside an incumbent on fresh seeds stands the baseline on the same: their difference is what is claimed.
    """
    entry = history.baseline
    if entry is None:
        return None, ""
    compared = history.incumbent != BASELINE and history.fresh_values(history.incumbent)
    fresh = _baseline_beside(history) if compared else []
    value = sum(fresh) / len(fresh) if fresh else history.value_of(BASELINE)
    basis = _counted(len(fresh), "fresh seed") if fresh else _counted(history.runs_behind(BASELINE), "run")
    row = entry.verdict.value if entry.verdict else None
    other = row is not None and value is not None and not math.isclose(row, value, rel_tol=1e-9)
    told = f"; {row:.4g} in its row, over {_counted(entry.row_runs, 'run')}" if other else ""
    return value, f"{basis}{told}"


def _baseline_beside(history: History) -> list[float]:
    """Its values on the incumbent's fresh seeds; on all of its own while one of those is missing."""
    ours, theirs = (
        [(run.planned.seed, value) for run in history.current_runs(arm) if (value := _fresh_value(run)) is not None]
        for arm in (history.incumbent, BASELINE)
    )
    wanted = {seed for seed, _ in ours}
    both = wanted <= {seed for seed, _ in theirs}
    return [value for seed, value in theirs if seed in wanted or not both]


def _fresh_value(run: Run) -> float | None:
    """The metric of a run on a fresh seed; None for any other, and without a valid one."""
    return run.value if run.planned.purpose is Purpose.CONFIRM else None


def proposals(history: History) -> Sequence[tuple[float, str]]:
    """When each idea came and from whom: Unix seconds and the researcher's name, by index."""
    return history.each(_proposal)


def _proposal(_: History, entry: Experiment) -> tuple[float, str] | None:
    made = entry.committed
    return (made.at, made.hypothesis.source) if made and entry.name != BASELINE else None


def researchers_told(history: History) -> tuple[str, ...]:
    """What each researcher with costs of its own took and gained, a sentence for each program and model.

    What is gained is of a researcher, whichever model it used: the last line of each says it.
    """
    found = bills(history.attendance.asked)
    last = {bill.researcher: place for place, bill in enumerate(found)}
    return tuple(
        "; ".join(
            filter(None, [bill.sentence, _gained(history, bill.researcher) if last[bill.researcher] == place else ""])
        )
        for place, bill in enumerate(found)
    )


def _gained(history: History, name: str) -> str:
    """The effects of its kept ideas together, and that per USD and per hour of its calls and runs."""
    own = [entry for entry in history.kept if entry.hypothesis.source == name and entry.verdict]
    known = [(v.effect, v.low, v.high) for entry in own if (v := entry.verdict) and v.effect is not None]
    if not known:
        return ""
    gain = sum(effect for effect, _, _ in known)
    half = [(high - low) / 2 for _, low, high in known if low is not None and high is not None]
    wide = math.sqrt(sum(one * one for one in half)) if len(half) == len(known) else None
    calls = [one for one in history.attendance.asked if one.researcher == name]
    tried = (entry.name for entry in history.judged if entry.hypothesis.source == name)
    runs = sum(run.wall_s or 0.0 for arm in tried for run in history.runs_of(arm))
    costs = [one.cost_usd for one in calls if one.cost_usd is not None]
    per = [("hour of its calls and runs", (sum(one.seconds for one in calls) + runs) / 3600)]
    per += [("USD", sum(costs))] if len(costs) == len([one for one in calls if one.tokens_in or one.tokens_out]) else []
    rates = [f"{_around(gain / much, wide and wide / much)} per {what}" for what, much in per if much > 0]
    return f"kept ideas gained {_around(gain, wide)} together" + "".join(f", {rate}" for rate in rates)


def _around(value: float, half: float | None) -> str:
    return f"{value:+.3g}" + ("" if half is None else f" [{value - half:+.3g}, {value + half:+.3g}]")


def _counted(count: int, kind: str) -> str:
    return f"{count} {kind}{'s' * (count != 1)}"


def interval(effect: float | None, low: float | None, high: float | None) -> str:
    """`+0.004 [-0.011, +0.019]`, without brackets when there is no interval, empty without an effect."""
    if effect is None:
        return ""
    return f"{effect:+.3g}" + ("" if low is None or high is None or low == high else f" [{low:+.3g}, {high:+.3g}]")


def branch_words(changes: Sequence[tuple[int, str]], name: str) -> str:
    """What a branch is made of: the title of its one change or the numbers of several; its name without any.

    Args:
        changes: Number and title of each experiment that it holds.
        name: Its arm.
    """
    *first, last = [f"#{number}" for number, _ in changes] or [""]
    if not last:
        return name
    return f"The branch with {', '.join(first)} and {last}" if first else f"{last} {changes[0][1]}"


def told_unverified(rows: Iterable[tuple[int, str]]) -> str:
    """Which rows have numbers that nothing but the runs themselves vouches for, in a sentence; empty for none.

    Args:
        rows: Number and finding of each.
    """
    known = [(index, finding) for index, finding in rows if finding]
    alone = [f"#{index}" for index, finding in known if finding == "unverified"]
    if not alone:
        return ""
    which = "all rows" if len(alone) == len(known) > 1 else ", ".join(alone)
    return f"unverified, by the runs' own word alone: {which}"


def leaner(history: History, objective: Objective) -> tuple[str, str]:
    """The best without one of its members, where fresh seeds speak for that, and their words; both empty otherwise."""
    kept, whole = history.lineage(history.incumbent), _on_fresh_seeds(history, history.incumbent)
    found: list[tuple[float, str, str]] = []
    for bundle in history.bundles.values():
        left = [idea for idea in kept if idea not in bundle.ideas]
        if bundle.parent != BASELINE or bundle.yardstick or len(left) != 1 or len(bundle.ideas) != len(kept) - 1:
            continue
        part = _on_fresh_seeds(history, bundle.name)
        if common := [seed for seed in part if seed in whole]:
            ours, theirs = (sum(one[seed] for seed in common) / len(common) for one in (part, whole))
            member = history.experiment(left[0])
            without = f"without #{member.index} {member.hypothesis.title} the rest gave {number(ours)}"
            on = f"on {len(common)} fresh seed{'s' * (len(common) > 1)}, the whole {number(theirs)} on the same"
            take = f"autoresearch adopt takes the rest, {bundle.branch}"
            told = f"{without} {on}: fresh seeds do not support #{member.index}; {take}"
            found.append((objective.gain(ours, theirs), bundle.name, told))
    gain, arm, told = max(found, default=(0.0, "", ""))
    return (arm, told) if gain > 0 else ("", "")


def _on_fresh_seeds(history: History, arm: str) -> dict[int, float]:
    fresh = [run for run in history.current_runs(arm) if run.planned.purpose in {Purpose.CONFIRM, Purpose.ABLATE}]
    return {run.planned.seed: value for run in fresh if (value := run.value) is not None}


def claim_sentence(whole: Claim, best: str, chosen: Claim | None, *, measured_by: str, reach: str, over: bool) -> str:
    """What is claimed of the best branch, and what to do where that is too little.

    Args:
        whole: The claim of the campaign, the best branch against the baseline.
        best: What the best branch is, in words.
        chosen: What the runs say by which it was chosen: of its one idea, of several ideas the difference of the two
            figures that stand below; None where nothing is known.
        measured_by: How the numbers were measured, in words; empty where that adds nothing.
        reach: How far it goes beyond what was tried, as a sentence; empty for none.
        over: Whether the campaign has ended, so that nothing more will be measured.
    """
    gain = interval(whole.effect, whole.low, whole.high)
    on = f"on {_counted(whole.runs, 'fresh seed')}" if whole.fresh else "not yet confirmed on fresh seeds"
    on = "the same on each seed" if whole.unmoved else on
    if whole.why:
        return f"{best}: {whole.why}. It measures {gain or 'no gain'}, {on}."
    if whole.standing == "unverified":
        return f"{best} is unverified: by the runs' own word alone it is better than the baseline: {gain}, {on}."
    verb = _VERBS.get(whole.standing, "may or may not be")
    verb += f", {measured_by}," if measured_by and whole.standing in {"proven", "measured", "likely"} else ""
    found = f"{best} {verb} better than the baseline: {gain or _chosen_by(chosen)}, {on}."
    unsure = _ADVICE if whole.fresh else _UNSEEN if over and not whole.unmoved else ""
    return found + (unsure if whole.standing in {"unresolved", "refuted"} else "") + reach


def _chosen_by(chosen: Claim | None) -> str:
    said = chosen and interval(chosen.effect, chosen.low, chosen.high)
    return f"the runs that chose it say {said}" if said else "gain not measured"
