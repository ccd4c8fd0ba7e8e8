"""A brief as Markdown: bounded, readable by a person, and safe to hand to an agent.

Areas of ideas that have given nothing for a while, and where to look next, are among what it tells (R114-R116).
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from autoresearch.experiment.experiment import Experiment, trial_of
from autoresearch.experiment.history import History
from autoresearch.experiment.hypothesis import AREAS, Brief, Curve, Tried
from autoresearch.experiment.outcome import BASELINE, Status
from autoresearch.run.measurement import Series, thinned
from autoresearch.run.symptom import clean

SETTLED = 4
"""Settled ideas of one area in a row without a keep that make a plateau."""

_WIDTH = 240
_MOST_VALUES = 60
_MOST_TRIED = 120
_MOST_REASONS = 20
_MOST_STEERING = 20
_MOST_GLOBS = 80
_MOST_CURVES, _MOST_POINTS, _MOST_WHY, _MOST_BELIEF = 8, 12, 8, 2000
_LEARNING = re.compile(
    r"reward|\bkl\b|kl_|entropy|loss|grad_norm|accuracy|length|clip|truncat|(?:^|/)lr$|learning_rate|advantage|score",
    re.IGNORECASE,
)
"""Curves worth a line: how a training went that learns from rewards."""
_LOW_RISK = (
    "Nobody gave a budget for more, so propose a low-risk idea only: a few keys or lines, no new dependency, no other "
    "algorithm, and no run that costs clearly more than the baseline's."
)
_SPACE = re.compile(r"\s+")
_TELLING = re.compile(
    r"(^|[._])(lr|learning_rate|weight_decay|warmup\w*|betas|eps|clip\w*|max_grad_norm|kl\w*|\w*penalty\w*|ratio\w*|"
    r"advantage\w*|\w*baseline|normalize\w*|num_prompts\w*|num_generations\w*|\w*batch_size|max_num_steps|"
    r"max_new_tokens|max_\w*length|temperature|top_[pk]|precision|dtype|\w*parallel_size|\w*packing|\w*checkpointing|"
    r"async\w*|colocated|gpu_memory_utilization|reward\w*|scale\w*|prompt\w*|num_nodes|gpus_per_node|model_name)"
    r"([._].*)?$"
)


@dataclass(frozen=True)
class Plateau:
    """An area to leave alone for now.

    Attributes:
        area: Its name.
        ideas: The experiments settled in it since its last keep, oldest first.
    """

    area: str
    ideas: tuple[str, ...]


def plateaus(history: History) -> tuple[Plateau, ...]:
    """Areas at a plateau, in the order they came up.

    Only ideas that were tested count: one that was refused or could not be run says nothing about its area. A keep in
    the area ends the plateau.
    """
    dry: dict[str, list[str]] = {}
    for area, name, kept in history.each(_tested):
        names = dry.setdefault(area, [])
        names.append(name)
        if kept:
            names.clear()
    return tuple(Plateau(area, tuple(names)) for area, names in dry.items() if len(names) >= SETTLED)


def _tested(history: History, entry: Experiment) -> tuple[str, str, bool] | None:
    """Area and name of an idea that was tested and judged, and whether it was kept."""
    name = entry.name
    if not entry.judged or name == BASELINE or not history.runs_of(name) or history.untested(name):
        return None
    return entry.hypothesis.area, name, _kept(entry)


def tried_of(history: History, entry: Experiment) -> Tried | None:
    """An experiment as researchers are told of it, without where it crashed; None before it has a commit."""
    verdict, committed = entry.verdict, entry.committed
    if committed is None:
        return None
    return Tried(
        index=entry.index,
        name=entry.name,
        title=entry.hypothesis.title,
        area=entry.hypothesis.area,
        overrides=entry.hypothesis.overrides,
        config=committed.config,
        status=_status(history, entry),
        value=history.value_of(entry.name),
        effect=verdict.effect if verdict else None,
        source=entry.hypothesis.source,
        reason=verdict.reason if verdict else "",
        low=verdict.low if verdict else None,
        high=verdict.high if verdict else None,
        files=committed.files,
        runs=history.runs_behind(entry.name),
        rationale=entry.hypothesis.rationale,
        branch=entry.branch,
        partial=_ended_early(history, entry.name),
    )


def _ended_early(history: History, arm: str) -> bool:
    runs = [trial_of(run) for run in history.current_runs(arm) if run.value is not None]
    return bool(runs) and all(trial.partial for trial in runs)


def _status(history: History, entry: Experiment) -> str:
    """The verdict's word; an idea that could not be tested is no crash to learn from."""
    if entry.verdict is None:
        return ""
    return "untested" if history.untested(entry.name) else entry.verdict.status


def next_area(worn: Collection[str]) -> str:
    """The area that deserves attention first (R115) among those not at a plateau; empty when none is left."""
    return next((area for area in AREAS if area not in worn), "")


def _kept(entry: Experiment) -> bool:
    return entry.verdict is not None and entry.verdict.status is Status.KEEP


def brief_text(brief: Brief) -> str:
    """The whole brief, as it is kept beside the experiment."""
    title = f"# Brief for attempt {brief.index} of {plain(brief.campaign)}"
    return "\n\n".join([title, *(text for text in sections(brief).values() if text)]) + "\n"


def sections(brief: Brief) -> dict[str, str]:
    """The brief in named parts, in reading order; a part with nothing to say is empty.

    Returns:
        Markdown by name: `objective`, `steering`, `recipe`, `runs`, `symptoms`, `insights`, `tried`, `more`, `scope`.
    """
    return {
        "objective": _objective(brief),
        "steering": _section("What the user asked for", _newest(map(plain, brief.steering), _MOST_STEERING)),
        "recipe": _recipe(brief),
        "runs": _runs(brief),
        "symptoms": _section("Symptoms of the parent's runs", [_symptom(brief, s.name) for s in brief.symptoms]),
        "insights": _insights(brief),
        "tried": _digest(brief) + brief.earlier,
        "more": _more(brief),
        "scope": _scope(brief),
    }


def plain(text: str, width: int = _WIDTH) -> str:
    """Any text as one line of prose that cannot be mistaken for structure."""
    return _short(_one_line(text).lstrip("#>-*+=|~ "), width)


def code(text: str, width: int = _WIDTH) -> str:
    """Any text as one line of inline code, to the letter: a glob keeps its stars and an override its plus sign."""
    return f"`{_short(_one_line(text), width)}`"


def _one_line(text: str) -> str:
    line = _SPACE.sub(" ", clean(" ".join(text.splitlines()))).strip().replace("`", "'")
    return line if line.isprintable() else "".join(filter(str.isprintable, line))


def _short(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: width - 3]}..."


def _objective(brief: Brief) -> str:
    goal = brief.objective
    meaning = f" It is {plain(goal.meaning)}." if goal.meaning else ""
    return (
        f"## Objective\n\n{plain(goal.goal)}: {goal.direction} {code(goal.metric)}.{meaning}\n"
        f"{_levels(brief)}{_noise(brief)}"
        f"Budget: {plain(brief.stop_sentence)}." + (f"\n{_LOW_RISK}" if brief.low_risk else "")
    )


def _levels(brief: Brief) -> str:
    """Where the metric stands, an arm once: baseline, parent, best."""
    labels: dict[str, list[str]] = {}
    for one in brief.levels:
        labels.setdefault(one.arm, []).append(one.label)
    known = {one.arm: one for one in brief.levels}
    told = [
        f"{', '.join(words)}: {known[arm].value:.5g} ({code(arm)}, {known[arm].runs} run{'s' * (known[arm].runs != 1)})"
        for arm, words in labels.items()
    ]
    return f"Level: {'; '.join(told)}.\n" if told else ""


def _noise(brief: Brief) -> str:
    if brief.noise is None:
        return "Noise: not measured yet.\n"
    count = f"{brief.repeats} repeat{'s' * (brief.repeats > 1)}"
    source = count if brief.repeats else brief.lender or "validation sampling only; nothing was repeated"
    seen = "" if brief.smallest is None else f" A single run can detect a gain of {brief.smallest:.3g} or more."
    return f"Noise: a single run varies by {brief.noise:.3g} (standard deviation, from {source}).{seen}\n"


def _recipe(brief: Brief) -> str:
    lines = [f"Start: the experiment {code(brief.parent)}, whose code is checked out in your working directory."]
    if brief.recipe:
        lines.insert(0, f"Recipe: {code(brief.recipe)}.")
    if len(brief.lineage) > 1:
        lines.append(f"It inherits from: {', '.join(map(code, brief.lineage[1:]))}.")
    if brief.facts.traits:
        lines.append(f"Traits: {', '.join(sorted(brief.facts.traits))}; {brief.facts.gpus or 'no'} GPUs per run.")
    values = [f"- {code(key)} = {code(str(value), 80)}" for key, value in _telling(brief)]
    return "\n".join(["## Recipe", "", *lines, *([""] if values else []), *values])


def telling_curves(found: Mapping[str, Series], own: Collection[str]) -> tuple[Curve, ...]:
    """The curves that say how a run went, each thinned to a few points; the objective's own first.

    Args:
        found: Series by tag.
        own: Spellings of the objective.
    """
    named = sorted((tag for tag in found if tag not in own and _LEARNING.search(tag)), key=lambda tag: (len(tag), tag))
    tags = [*[tag for tag in own if tag in found][:1], *named]
    curves = (Curve(tag, thinned(found[tag].points(), _MOST_POINTS)) for tag in tags[:_MOST_CURVES])
    return tuple(curve for curve in curves if curve.points)


def _runs(brief: Brief) -> str:
    """What a run is and takes, and how the parent's went."""
    if not brief.running and not brief.curves:
        return ""
    lines = ["## A run, and how the last one of your start went", ""]
    lines += [f"- {_short(_SPACE.sub(' ', clean(text)), 400)}" for text in brief.running]
    for curve in brief.curves:
        points = ", ".join(f"{step}: {value:.4g}" for step, value in curve.points)
        lines.append(f"- {code(curve.tag, 80)} by step: {points}")
    return "\n".join(lines)


def _insights(brief: Brief) -> str:
    """What was learned, here and in earlier campaigns; the lines are clean already."""
    lines = [f"- {line}" for line in brief.lessons]
    earlier = ["### Confirmed by earlier campaigns of this repository", "", *lines] if lines else []
    model = f"### What a model of all runs expects\n\n{brief.belief[:_MOST_BELIEF]}" if brief.belief else ""
    parts = [part for part in (brief.insights, model, "\n".join(earlier)) if part]
    return "\n\n".join(["## What was learned", *parts]) if parts else ""


def _more(brief: Brief) -> str:
    """Where the rest of the campaign lies: in git, and nowhere else."""
    told = [f"- {code(text)}" for text in brief.read_more if text]
    head = "Each experiment is one commit on its branch, with its reasons in the message. Read no other records."
    return "\n".join(["## To read more", "", head, "", *told]) if told else ""


CROSS_EVERY, SIMPLIFY_EVERY, SIMPLIFY_FROM = 4, 6, 3
"""Every so many attempts two kept lines are crossed where there are two, or so many kept ideas are made simpler."""


def task_of(brief: Brief) -> str:
    """What this attempt is for, by the name of its template: `explain`, `cross`, `simplify`, or empty for one idea."""
    held = sum(item.status == "keep" for item in brief.tried if item.area != "baseline") - len(brief.beside)
    if brief.worn and not brief.next_area:
        return "explain"
    if brief.beside and brief.index % CROSS_EVERY == 0:
        return "cross"
    return "simplify" if held >= SIMPLIFY_FROM and brief.index % SIMPLIFY_EVERY == 0 else ""


def failure_text(text: str, most: int = 20) -> str:
    """The last lines of a cleaned traceback as a fenced block; empty for none."""
    lines = [_short(clean(line).rstrip().replace("`", "'"), 200) for line in text.splitlines()[-most:]]
    return "\n".join(["```text", *lines, "```"]) if lines else ""


def _telling(brief: Brief) -> list[tuple[str, object]]:
    """Values worth knowing: those of the search space, then those with a telling name; of a small recipe all."""
    values: Mapping[str, object] = brief.facts.values
    if len(values) <= _MOST_VALUES:
        return sorted(values.items())
    first = [key for key in values if key in brief.facts.space]
    named = [key for key in values if key not in brief.facts.space and _TELLING.search(key)]
    return [(key, values[key]) for key in sorted((first + named)[:_MOST_VALUES])]


def _symptom(brief: Brief, name: str) -> str:
    found = next(symptom for symptom in brief.symptoms if symptom.name == name)
    advice = f" Advice: {plain(found.advice)}" if found.advice else ""
    return f"{plain(found.name)} ({found.severity}): {plain(found.evidence)}{advice}"


def _digest(brief: Brief) -> str:
    shown = [item for item in brief.tried if item.area != "baseline"][-_MOST_TRIED:]
    if not shown:
        return "## Already tried\n\nNothing yet but the unmodified recipe."
    lines = ["## Already tried", "", "A change that equals one of these, in code or in configuration, is refused."]
    left_out = len([item for item in brief.tried if item.area != "baseline"]) - len(shown)
    if left_out:
        lines.append(f"{left_out} older ones are not shown.")
    lines += _plateau(brief)
    telling = {item.index for item in shown[-_MOST_REASONS:]} | {item.index for item in shown if item.status == "keep"}
    for area in _areas(shown):
        lines += ["", f"### {plain(area)}", ""]
        lines += [f"- {_tried(item, full=item.index in telling)}" for item in shown if item.area == area]
    return "\n".join([*lines, *_why(shown)])


def _why(shown: list[Tried]) -> list[str]:
    """The reasons and branches of what was kept and of what nearly was, and where the last crashes happened."""
    kept = [item for item in shown if item.status == "keep"][-_MOST_WHY:]
    near = [item for item in shown if item.status == "discard" and (item.effect or 0.0) > 0 and (item.high or 0.0) > 0]
    near = sorted(near, key=lambda item: item.effect or 0.0)[-_MOST_WHY // 2 :]
    lines: list[str] = []
    for head, items in (("Kept, and why each was tried", kept), ("Near misses: not shown to help, nor not to", near)):
        lines += ["", f"### {head}", ""] if items else []
        lines += [
            f"- #{item.index} {code(item.branch or item.name)}: {plain(item.rationale, 300) or 'no reason was given'}"
            for item in items
        ]
    for item in (item for item in shown if item.failure):
        lines += ["", f"#{item.index} crashed here:", "", failure_text(item.failure, 6)]
    return lines


def _plateau(brief: Brief) -> list[str]:
    """Where not to look for now, and where instead; the order is R115's."""
    if not brief.worn:
        return []
    worn = ", ".join(map(plain, brief.worn))
    instead = f"Look at `{brief.next_area}` first" if brief.next_area else "No area is left: try something bolder"
    return ["", f"At a plateau, nothing of the last {SETTLED} or more ideas was kept: {worn}. {instead}."]


def _areas(items: Iterable[Tried]) -> list[str]:
    """Areas in the order they deserve attention, others after them in the order they came up."""
    seen = list(dict.fromkeys(item.area for item in items))
    return sorted(seen, key=lambda area: AREAS.index(area) if area in AREAS else len(AREAS))


def _tried(item: Tried, *, full: bool) -> str:
    effect = "" if item.effect is None else f", effect {item.effect:+.4g}{_interval(item)}"
    said = " " + code(" ".join(_short(_one_line(one), 100) for one in item.overrides), 10_000) if item.overrides else ""
    files = "" if item.overrides or not item.files else f" in {', '.join(map(plain, item.files[:3]))}"
    reason = f". {plain(item.reason, 160)}" if full and item.reason else ""
    return f"#{item.index} {plain(item.title, 120)}{said}{files}: {item.status or 'running'}{effect}{reason}"


def _interval(item: Tried) -> str:
    return "" if item.low is None or item.high is None else f" [{item.low:+.3g}, {item.high:+.3g}]"


def _scope(brief: Brief) -> str:
    bounds = [
        f"at most {number} {what}"
        for number, what in ((brief.max_files, "files"), (brief.max_lines, "lines added and deleted together"))
        if number is not None
    ]
    return "\n\n".join(
        filter(
            None,
            [
                "## Scope",
                f"Size: {', '.join(bounds)}." if bounds else "",
                _list("These may be changed:", brief.allow),
                _list("These may not, because they belong to the evaluation or to the record:", brief.protect),
                _list("These recipe keys may not be changed:", _own_keys(brief)),
                _list("Except these, which are what this campaign is about:", brief.subject),
            ],
        )
    )


def _own_keys(brief: Brief) -> tuple[str, ...]:
    """Protected keys of what this recipe has: those of other algorithms say nothing here."""
    known = {key.partition(".")[0] for key in brief.facts.values}
    heads = {glob: glob.partition(".")[0] for glob in brief.protect_keys}
    if not known & set(heads.values()):
        return brief.protect_keys
    return tuple(glob for glob, head in heads.items() if "*" in head or head in known)


def _list(head: str, globs: tuple[str, ...]) -> str:
    lines = [f"- {code(glob)}" for glob in globs[:_MOST_GLOBS]]
    more = [f"- and {len(globs) - _MOST_GLOBS} more"] if len(globs) > _MOST_GLOBS else []
    return "\n".join([head, "", *lines, *more]) if lines else ""


def _section(title: str, items: Iterable[str]) -> str:
    lines = [f"- {item}" for item in items]
    return "\n".join([f"## {title}", "", *lines]) if lines else ""


def _newest(items: Iterable[str], most: int) -> Iterator[str]:
    every = list(items)
    if len(every) > most:
        yield f"({len(every) - most} older notes are not shown)"
    yield from every[-most:]
