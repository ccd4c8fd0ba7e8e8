"""The campaign that is proposed for somebody's own script: made of a rehearsal, and asked where only a person knows."""

import math
import posixpath
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoresearch.campaign.own_script.findings import Findings, reaches_seed
from autoresearch.campaign.own_script.found_numbers import FoundNumber
from autoresearch.campaign.own_script.rehearsal import (
    RehearsedRun,
    agreement,
    kept_here,
    measured,
    writes_beside,
)
from autoresearch.campaign.plan import PlanRequest
from autoresearch.campaign.plan import request as plan_request
from autoresearch.config.duration import exact
from autoresearch.config.stop_phrase import parse
from autoresearch.config.stop_rule import never_met
from autoresearch.errors import CampaignError, UsageError
from autoresearch.metrics import KEPT_HERE
from autoresearch.ports import plugins
from autoresearch.report.plain_text import number as told
from autoresearch.report.plain_text import wrapped
from autoresearch.run.known_metrics import SAY_DIRECTION, against_goal, direction_of, why_unknown
from autoresearch.run.measurement import Direction, Objective

_MOST_SHOWN = 25
_SEARCH: Mapping[str, Any] = {"type": "search", "knobs": 2}
_PLAYS = [{"type": "playbook", "share": 1}, {**_SEARCH, "share": 1}]


def check_stop(words: str, metric: str | None) -> None:
    """Refuse a stop rule before anything is rehearsed: words that are none, and a wait for another metric.

    Raises:
        CampaignError: It is one of these.
    """
    rule = parse(words)
    if metric and (told := never_met(rule, Objective("", metric), 1)):
        raise CampaignError(f"the stop rule {words!r} can never be met: {told}")


def direction(name: str, said: str | None, goal: str | None = None) -> Direction:
    """Which way is better: as a person says, or as the name of the metric does.

    Args:
        name: The metric.
        said: What a person or a dialect says.
        goal: What it is for, where no person said a direction: its verb may go the other way.

    Raises:
        UsageError: Neither says it, or the goal says the other way.
    """
    known = Direction(said) if said else direction_of(name)
    if known is None:
        raise UsageError(why_unknown(name))
    if against := against_goal(goal or "", name, known):
        raise UsageError(f"{against}, by its name: {SAY_DIRECTION}")
    return known


@dataclass(frozen=True, kw_only=True)
class ProposedCampaign:
    """What is to be written.

    Attributes:
        request: As `plan` would have been asked for it.
        notes: What the file says above its keys, by dotted key.
        values: What a campaign would have measured of the rehearsed runs, in their order; empty for unfinished ones.
    """

    request: PlanRequest
    notes: Mapping[str, str]
    values: tuple[float, ...]


def propose(
    found: Findings,
    chosen: FoundNumber,
    better: Direction,
    *,
    stop: str | None = None,
    name: str = "",
    goal: str | None = None,
    worth: float | None = None,
    ideas: str | None = None,
    researcher: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
) -> ProposedCampaign:
    """The campaign file for what was found; what is said here wins.

    Raises:
        CampaignError: A campaign could not measure the number, or nothing could be tried.
    """
    finder, first = plugins.knob_finder(), found.runs[0]
    options = _options(found, chosen)
    values = _values(found, chosen, better, options)
    spoken = found.spoken
    space = dict(spoken.space) if spoken and not spoken.own else finder.space_of(found.knobs)
    if not space and not ideas and not researcher:
        if files := finder.beyond_reach(found.tree, found.argv, found.directory):
            raise CampaignError(
                f"the settings stand in {', '.join(files)}, and overrides can edit YAML, JSON and TOML only: "
                "read them from one of those, name ideas that are patches with --ideas FILE, or say --researcher agent"
            )
        raise CampaignError(
            "no knob of the command was found that is worth a search (a flag, a constant, a key of its configuration "
            "with a value): name ideas with --ideas FILE, or somebody who has them with --researcher agent"
        )
    if space:
        options["space"] = space
    each = _each(first)
    asked = plan_request(
        stop=stop or f"20 experiments or 8h total{f', {exact(each)} each' if each else ''}",
        name=name,
        goal=goal or f"{'raise' if better is Direction.MAXIMIZE else 'lower'} {chosen.name}",
        metric=chosen.name,
        direction=str(better),
        target="command",
        command=found.argv,
        worth=worth,
        researcher=researcher or ([] if ideas else _PLAYS if spoken else [_SEARCH]),
        ideas=ideas,
        settings={**{f"target.{key}": value for key, value in options.items()}, **(settings or {})},
    )
    return ProposedCampaign(request=asked, notes=_notes(found, chosen, better, values, each), values=values)


def _options(found: Findings, chosen: FoundNumber) -> dict[str, Any]:
    finder = plugins.knob_finder()
    source = dict(chosen.source)
    options: dict[str, Any] = {"source": source["type"] if set(source) == {"type"} else source}
    options |= {key: value for key, value in finder.offered(found.knobs).items() if key != "space"}
    options |= found.spoken.options if found.spoken else {}
    if found.seed is not None and found.seed.place == "env" and found.seed.at != "SEED":
        options["seed_env"] = found.seed.at
    if variables := kept_here(str(source["type"])) if source["type"] in KEPT_HERE else {}:
        options["env"] = {**options.get("env", {}), **variables}
    placed = found.seed if found.seed and found.seed.place in {"constant", "key"} else None
    if placed:
        options["seed_at"] = finder.options_of([placed])[placed.name]
    if found.inputs:
        options["inputs"] = dict(found.inputs)
    if placed or found.inputs or writes_beside(found.runs[0].folder):
        options["start_in"] = "folder"
    if found.directory:
        options["directory"] = found.directory
    if found.runs[0].whole:
        options["minutes"] = float(f"{max(found.runs[0].seconds, 0.6) / 60:.2g}")
    turned = {knob.file for knob in found.knobs if knob.place == "constant" and not knob.fixed}
    named = [(found.directory + "/" if found.directory else "") + word for word in found.argv if word.endswith(".py")]
    scripts = [path for path in named if (found.tree / path).is_file()]
    if scripts and not turned.intersection(scripts):
        options["protect"] = scripts
    if data := _data(found):
        options["protect"] = [*options.get("protect", ()), *data]
    return options


def _data(found: Findings) -> list[str]:
    """Files of the commit that settings name as data: read, not written, and with nothing in them that is turned."""
    first, near = found.runs[0], found.directory
    named = [value for knob in found.knobs if knob.fixed for value in (knob.default, *knob.choices)]
    paths = dict.fromkeys(posixpath.normpath(posixpath.join(near, one)) for one in named if isinstance(one, str))
    used = [*first.altered, *(knob.file for knob in found.knobs if knob.file and not knob.fixed)]
    used += [posixpath.join(near, word) for word in found.argv]
    loose = [path for path in paths if first.whole and not path.startswith((".", "/")) and not path.endswith(".py")]
    free = [path for path in loose if not any(one == path or one.startswith(f"{path}/") for one in used)]
    there = [(path, found.tree / path) for path in free]
    return [f"{path}/**" if place.is_dir() else path for path, place in there if place.exists()]


def _values(found: Findings, chosen: FoundNumber, better: Direction, options: Mapping[str, Any]) -> tuple[float, ...]:
    """What a campaign measures of the runs that came to their end.

    Raises:
        CampaignError: It would measure nothing, or nothing twice.
    """
    objective, values = {"metric": chosen.name, "direction": str(better)}, []
    for run in found.runs:
        if run.whole:
            one = measured(run, found.argv, objective, options)
            if one.value is None:
                raise CampaignError(f"a campaign could not measure {chosen.name}: {one.note}")
            values.append(one.value)
    return tuple(values)


def _each(run: RehearsedRun) -> float | None:
    """A time limit for a run: four times what one took, at least half a minute."""
    if not run.whole:
        return None
    limit = max(30.0, 4 * run.seconds)
    unit = 10 if limit < 300 else 60
    return float(math.ceil(limit / unit) * unit)


def _notes(
    found: Findings, chosen: FoundNumber, better: Direction, values: Sequence[float], each: float | None
) -> dict[str, str]:
    others = [f"{one.name} ({one.where})" for one in found.candidates if one.name != chosen.name]
    took = found.runs[0].seconds
    memory = found.runs[0].status.peak_memory_gb
    fixed = any(knob.fixed for knob in found.knobs)
    unread = [knob.name for knob in found.knobs if knob.unread][:8]
    why = "as its name says" if found.way(chosen.name) == better else "as you said"
    return {
        "objective": f"{chosen.name}, {chosen.where}: {told(chosen.last)} in the rehearsal. {better}, {why}."
        + (f"\nOther results that were found: {', '.join(others[:8])}." if others else ""),
        "command": f"Rehearsed at {found.commit[:7]}: {agreement(values)}",
        "target.dialect": found.spoken.dialect.told if found.spoken else "",
        "target.source": "Where the number is read.",
        "target.knobs": "What overrides may turn; of flags and variables, a commit's `autoresearch.knobs` holds it."
        + ("\nWhat is `fixed` names a file or folder: take the word out to allow it." if fixed else ""),
        "target.config": "Overrides change the keys of this file.",
        "target.space": "Where the search looks: correct the ranges, take out what you would not turn."
        + (f"\nLeft out, for no code here names it: {', '.join(unread)}." if unread else ""),
        "target.protect": "No idea may edit these: they measure. Take them out for ideas that change the script; "
        "a gain of theirs waits for your word (verdict.unverified: keep: it does not).",
        "target.env": "The tracker writes where the run is, not to an account; take it out to have it as you had it.",
        "target.start_in": "A run starts in a folder of its own, among links: there it writes, or has its seed.",
        "target.seed_at": "Where the seed stands; each run has its own.",
        "target.inputs": "Data that git ignores; each run has links to them, and may not write to them.",
        "target.directory": "Where the command starts.",
        "target.minutes": f"One run took {took:.1f} s" + (f" and {memory:.2g} GB of memory." if memory else "."),
        "stop": "" if each else "The rehearsal did not see a run end: say how long one may take, as in ', 2h each'.",
    }


def text(found: Findings, chosen: FoundNumber | None = None, said: str | None = None, width: int | None = None) -> str:
    """What was found, for a person, broken to `width` characters; `said` is the direction given for the number."""
    first = found.runs[0]
    memory = f", {first.status.peak_memory_gb:.2g} GB" if first.status.peak_memory_gb else ""
    took = f"{len(found.runs)} run{'s' if len(found.runs) > 1 else ''}"
    ended = "" if first.whole else ", ended by the time limit of the rehearsal"
    lines = [
        f"rehearsed:  {shlex.join(found.argv)}",
        f"            {took} of {found.commit[:7]}, {first.seconds:.1f} s each{memory}{ended}",
        "numbers:",
    ]
    shown = sorted(first.numbers, key=lambda one: (one is not chosen, found.way(one.name) is None, one.where, one.name))
    ways = {one.name: said if one is chosen and said else found.way(one.name) for one in shown[_MOST_SHOWN::-1]}
    lines += [f"  {_line(one, one is chosen, ways[one.name])}" for one in shown[:_MOST_SHOWN]]
    lines += [f"  and {len(shown) - _MOST_SHOWN} more"] if len(shown) > _MOST_SHOWN else []
    said_of = [knob for knob in found.knobs if knob.default is not None]
    knobs = [f"{knob.name}={knob.default}" for knob in said_of if not knob.fixed]
    fixed = [f"{knob.name}={knob.default}" for knob in said_of if knob.fixed]
    unknown = [knob.name for knob in found.knobs if knob.default is None]
    lines.append(
        f"knobs:      {', '.join(knobs[:20]) or 'none'}{f' and {len(knobs) - 20} more' if len(knobs) > 20 else ''}"
    )
    if fixed:
        lines.append(f"            not turned, as they name files or folders: {', '.join(fixed[:10])}")
    if unknown:
        lines.append(
            f"            no default is told for {', '.join(unknown[:10])}: give them in the command to turn them"
        )
    if found.secrets:
        lines.append(f"            not turned, as they look like secrets: {', '.join(found.secrets[:10])}")
    lines.append(f"seed:       {_seed_told(found)}")
    if found.inputs:
        lines.append(f"data:       git does not have {', '.join(found.inputs)}; each run gets links (target.inputs)")
    if first.altered:
        lines.append(f"note:       it writes to files of the repository: {', '.join(first.altered[:5])}")
    lines += [f"note:       {one}" for one in first.foreign]
    return "\n".join(wrapped(line, width, others=" " * 12) for line in lines)


def _seed_told(found: Findings) -> str:
    seed = found.seed
    of = f" in a copy of {seed.file}" if seed and seed.file else ""
    if reaches_seed(found.argv, seed):
        return f"each run has its own, by {seed.at if seed else 'the command'}{of}"
    return (
        "the same in every run: no flag, variable, constant or key of that name was found; "
        "let the script read the variable SEED, and repeats tell its noise"
    )


def _line(one: FoundNumber, chosen: bool, way: str | None) -> str:
    many = f", {one.points} values" if one.points > 1 else ""
    step = f" to step {one.step}" if one.step is not None else ""
    mark = f"  [{'proposed, ' if chosen else ''}{way or 'direction not known'}]" if chosen or way else ""
    why = f"  ({one.unclear})" if one.unclear else ""
    return f"{one.name:24} {told(one.last):>12}  {one.where}{many}{step}{mark}{why}"
