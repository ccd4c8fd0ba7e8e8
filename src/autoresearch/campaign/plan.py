"""What a person asked for, and the plan made of it: what they read before they approve anything.

What may be corrected in a plan that has begun: its launcher, where that has measured nothing.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoresearch.campaign import surroundings
from autoresearch.config.schema import CampaignConfig, LauncherConfig, RunConfig
from autoresearch.config.stop_rule import DEFAULT_WORDS, StopRule
from autoresearch.errors import UsageError
from autoresearch.experiment.history import History
from autoresearch.git.refs import Changes
from autoresearch.ports import plugins
from autoresearch.ports.launcher import Routable
from autoresearch.ports.target import Survey
from autoresearch.records.paths import Layout
from autoresearch.records.volume import Storage
from autoresearch.report import plain_text
from autoresearch.report.plain_text import duration, entry, span_of
from autoresearch.run.placement import Recommendation
from autoresearch.scheduling.race import early_ends
from autoresearch.scheduling.stop_check import in_turn
from autoresearch.verdict.evidence import PILOT
from autoresearch.verdict.policies import policy


@dataclass(frozen=True)
class PlanRequest:
    """What a person asked `plan` for; everything else is detected.

    Attributes:
        recipe: Path of the recipe, relative to where the person stands; empty for the `command` target.
        stop: Stop rule in words.
        name: Campaign name, empty to have one made.
        settings: Further keys of the campaign file, as given on the command line.
    """

    recipe: str = ""
    stop: str | None = None
    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


def request(
    recipe: str = "",
    *,
    stop: str | None = None,
    name: str = "",
    goal: str | None = None,
    metric: str | None = None,
    direction: str | None = None,
    target: str | None = None,
    command: str | Sequence[str] = (),
    launcher: str | None = None,
    parallel: int | None = None,
    site: str | None = None,
    researcher: Sequence[str | Mapping[str, Any]] = (),
    ideas: str | None = None,
    policy: str | None = None,
    worth: float | None = None,
    base: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> PlanRequest:
    """Put what a person says, on a command line or in a script, where the campaign file has it.

    What is None or empty was not said; a command without a recipe is a script of one's own. `settings` has further keys
    of the file, dotted or not; they win.

    Raises:
        UsageError: A command in one string has a quote that is not closed.
    """
    found: dict[str, Any] = {
        "objective": _said(goal=goal, metric=metric, direction=direction),
        "launcher": _said(type=launcher, parallel=parallel),
        "verdict": _said(policy=policy, worth=worth),
        "site": _said(type=site),
        "target": target,
        "base": base,
        "command": _words(command),
        "researcher": _researchers(researcher, ideas),
    }
    found = {key: value for key, value in found.items() if value}
    if command and not recipe:
        found.setdefault("target", "command")
    for key, value in (settings or {}).items():
        _put(found, key, value)
    return PlanRequest(recipe, stop, name, found)


def _words(command: str | Sequence[str]) -> tuple[str, ...]:
    """A command in one string is split as a shell would, but nothing in it is expanded."""
    try:
        return tuple(shlex.split(command) if isinstance(command, str) else command)
    except ValueError as error:
        raise UsageError(f"command {command!r} is not valid shell quoting: {error}") from None


def _said(**values: object) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}


def _researchers(asked: Sequence[str | Mapping[str, Any]], ideas: str | None) -> list[str | Mapping[str, Any]]:
    """A list of ideas brings the researcher that reads it, first unless it is asked for at another place."""
    if not ideas:
        return list(asked)
    listed: dict[str, Mapping[str, Any]] = {"file": {"type": "file", "path": ideas}}
    missing = [name for name in listed if name not in asked]
    return [listed.get(one, one) if isinstance(one, str) else one for one in (*missing, *asked)]


def _put(found: dict[str, Any], key: str, value: object) -> None:
    """`verdict.confirm`: an adapter's name that stands in the way becomes its `type`."""
    *above, last = key.split(".")
    if above == ["target"]:
        found.setdefault("target", {"type": CampaignConfig.model_fields["target"].default.type})
    place = found
    for part in above:
        below = place.setdefault(part, {})
        place[part] = place = below if isinstance(below, dict) else {"type": below}
    place[last] = value


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A campaign that has not begun, and everything a person should see before it does.

    Attributes:
        campaign: The campaign file as it would be written.
        root: The repository.
        base_commit: Full hash the baseline is made from.
        branch: The user's current branch, None when detached.
        changes: Uncommitted work in the checkout; it is never touched and never part of a run.
        survey: The recipe as the target understands it.
        rule: The stop rule, parsed.
        cost: How many runs the verdict policy will want, in words.
        runs: The fewest and the most of them.
        recommendation: Where such runs should happen, by what was found on this machine.
        storage: Where heavy files would go.
        researchers: Who proposes, in order, with what each has.
        warnings: What a careful colleague would point out.
        rehearsed: Whether a rehearsal goes before the baseline.
        offer: What the target's own evaluation would be and cost where the file has none; empty where there is none.
        at: Unix seconds at which it was made, None once the campaign has begun; never part of what is approved.
    """

    campaign: CampaignConfig
    root: Path
    base_commit: str
    branch: str | None
    changes: Changes
    survey: Survey
    rule: StopRule
    cost: str
    recommendation: Recommendation
    storage: Storage
    researchers: str = ""
    warnings: tuple[str, ...] = ()
    runs: tuple[int, int] = (0, 0)
    rehearsed: bool = False
    offer: str = ""
    at: float | None = field(default=None, compare=False)

    @property
    def hours_per_run(self) -> float | None:
        """Hours of one run at most: as the target expects, or until its time limit; None when neither is known."""
        expected = None if self.survey.minutes is None else self.survey.minutes / 60
        cap = self.rule.per_experiment_timeout_s
        known = [hours for hours in (expected, None if cap is None else cap / 3600) if hours is not None]
        return min(known, default=None)

    @property
    def runs_that_fit(self) -> int | None:
        """Runs that time and GPU-hours leave room for, as they are scheduled; None when nothing known limits them."""
        typical, rule, gpus = self.hours_per_run, self.rule, self.survey.resources.gpus
        if not typical:
            return None
        full = typical if rule.per_experiment_timeout_s is None else rule.per_experiment_timeout_s / 3600
        fits: list[int] = []
        if (left := self.seconds) is not None:
            fits.append(in_turn(left / 3600, full, typical) * self.campaign.launcher.parallel)
        if rule.gpu_hours is not None and gpus:
            fits.append(in_turn(rule.gpu_hours, full * gpus, typical * gpus))
        return min(fits, default=None)

    @property
    def ends_at(self) -> float | None:
        """Unix seconds of the time of day that the stop rule names; None without one, or once it has begun."""
        return self.rule.deadline_at.after(self.at, None) if self.rule.deadline_at and self.at is not None else None

    @property
    def seconds(self) -> float | None:
        """Seconds that the stop rule leaves from a start now; None where it names no time."""
        until = None if self.ends_at is None or self.at is None else self.ends_at - self.at
        return min((left for left in (self.rule.total_s, until) if left is not None), default=None)

    @property
    def gpu_hours_per_run(self) -> float | None:
        """Expected GPU-hours of one run, None when unknown."""
        return None if self.hours_per_run is None else self.hours_per_run * self.survey.resources.gpus

    @property
    def name(self) -> str:
        """The campaign's name."""
        return self.campaign.campaign

    @property
    def file(self) -> Path:
        """Where the campaign file is, once it is written."""
        return Layout(self.root).campaign(self.name).campaign_file

    def text(self, width: int | None = None) -> str:
        """The plan as a person approves it, its lines broken to `width` characters; None: never."""
        return _text(self, width)

    def __str__(self) -> str:
        """The plan as a person approves it."""
        return self.text()

    def _repr_html_(self) -> str:
        return plain_text.as_html(self.text())


def _text(plan: Plan, width: int | None) -> str:
    campaign, survey = plan.campaign, plan.survey
    objective = survey.objective
    rows = [
        ("campaign", campaign.campaign),
        ("repository", f"{plan.root}{_whence(plan)}"),
        ("local changes", _changes(plan)),
        ("recipe", " <- ".join(survey.lineage) or campaign.recipe or "none"),
        ("objective", f"{objective.goal}: {objective.direction} {objective.metric}"),
        ("", objective.meaning),
        ("command", " ".join(survey.command)),
        *surroundings.rows(campaign, survey),
        ("evaluation", surroundings.told_of_evaluation(plan.campaign, plan.base_commit, plan.runs, plan.offer)),
        ("one run", _run(plan)),
        ("whole campaign", _whole(plan)),
        ("sensitivity", _power(plan)),
        ("launcher", f"{campaign.launcher.type}, {campaign.launcher.parallel} at a time"),
        ("", _place(plan)),
        ("heavy files", f"{plan.storage.files} ({plan.storage.why})" if plan.storage.files else ""),
        ("", f"shared caches in {plan.storage.caches}" if plan.storage.caches else ""),
        ("checkpoints", plan.storage.saves),
        ("rehearsal", _REHEARSAL if plan.rehearsed else ""),
        ("researchers", plan.researchers),
        ("verdicts", f"{campaign.verdict.policy}: {plan.cost}"),
        ("worth having", _worth(plan)),
        ("stop", plan.rule.words or DEFAULT_WORDS),
        ("", plan.rule.told(plan.survey.objective.metric, plan.at)),
        ("hangs", _hangs(campaign.run)),
        ("early ends", early_ends(campaign.run.early_kill)),
        ("branches", f"autoresearch/{campaign.campaign}/... (all are kept)"),
    ]
    rows += [("warning", text) for text in plan.warnings]
    return "\n".join(entry(f"{label}:" if label else "", text, width) for label, text in rows if text)


_REHEARSAL = "a short run with a validation goes before the baseline, and is judged by nobody (run.rehearsal)"


def _whence(plan: Plan) -> str:
    """Where the campaign begins; what is checked out has no part in one that goes on from another."""
    if plan.campaign.follows:
        return f", from commit {plan.base_commit[:7]}, by which it goes on from {plan.campaign.follows}"
    return f" on {plan.branch or 'a detached HEAD'}, from commit {plan.base_commit[:7]}"


def _changes(plan: Plan) -> str:
    changes = plan.changes
    counts = {
        "staged": changes.staged, "unstaged": changes.unstaged,
        "untracked": changes.untracked, "conflicted": changes.conflicted,
    }  # fmt: skip
    told = [f"{len(paths)} {kind}" for kind, paths in counts.items() if paths]
    return f"{', '.join(told)}: left untouched, not part of any run" if told else "none"


def _run(plan: Plan) -> str:
    survey, resources = plan.survey, plan.survey.resources
    where = f"{resources.nodes} node(s) x {resources.gpus_per_node} GPU" if resources.gpus else "CPU only"
    steps = f", {survey.steps} steps" if survey.steps else ""
    hours = f", {plan.gpu_hours_per_run:.1f} GPU-hours" if plan.gpu_hours_per_run else ""
    start = (survey.setup_minutes or 0) * 60
    setup = f", including {duration(start)} of start-up" if start >= 1 else ""
    return f"{where}{steps}{_length(plan)}{hours}{setup}"


def _length(plan: Plan) -> str:
    hours, minutes = plan.hours_per_run, plan.survey.minutes
    if minutes is not None:
        limited = hours is not None and hours * 60 < minutes
        return f", about {_minutes(minutes)}" + (f", limited to {duration(hours * 3600)}" if limited and hours else "")
    return f", at most {duration(hours * 3600)}" if hours else ", length not known"


def _whole(plan: Plan) -> str:
    """Time and GPU-hours of the campaign, start-up apart, and what of it the stop rule leaves room for."""
    hours, (least, most) = plan.hours_per_run, plan.runs
    if not hours or not most:
        return ""
    gpus, parallel = plan.survey.resources.gpus, plan.campaign.launcher.parallel
    start = (plan.survey.setup_minutes or 0) / 60
    told = [f"{span_of(least, most)} runs", f"{_span(least * hours / parallel, most * hours / parallel)}"]
    told += [f"{span_of(f'{least * hours * gpus:.0f}', f'{most * hours * gpus:.0f}')} GPU-hours"] if gpus else []
    told += [f"start-up is {_span(least * start / parallel, most * start / parallel)} of it"] if start else []
    fit = plan.runs_that_fit
    if fit is not None and fit < most:
        left = f" and {fit * hours * gpus:.0f} GPU-hours" if gpus else ""
        told.append(f"the stop rule allows about {fit} runs{left}")
    return "; ".join(told)


def _span(low: float, high: float) -> str:
    return span_of(duration(round(low * 3600)), duration(round(high * 3600)))


def _worth(plan: Plan) -> str:
    """The smallest gain that counts, or who says it where nobody did."""
    worth, metric = plan.campaign.verdict.worth, plan.survey.objective.metric
    if worth is not None:
        return f"a gain of {worth:g} in {metric}"
    return f"not said (--worth); the typical gain of the first {PILOT} ideas will stand in for it"


def _minutes(minutes: float) -> str:
    return duration(minutes * 60)


def _power(plan: Plan) -> str:
    error, metric, evaluate = plan.survey.standard_error, plan.survey.objective.metric, plan.campaign.evaluate
    if evaluate and evaluate.alone:
        error, metric = None, evaluate.metric or metric
    if error is None:
        repeats = policy(plan.campaign.verdict.policy).baseline_runs(plan.campaign.settings()) > 1
        how = "repeats of the baseline measure it" if repeats else "a single baseline run does not measure it"
        return f"the recipe does not say the noise of {metric}; {how}"
    alone = f"one validation has standard error {error:.3g}"
    return f"{alone}; two single runs are distinguishable from about {2.8 * error:.2g}"


def _place(plan: Plan) -> str:
    found = plan.recommendation
    advice = f"recommended: {found.launcher}, {found.why}" if found.launcher else f"no recommendation: {found.why}"
    return "; ".join([advice, *(f"{name} would be refused: {why}" for name, why in found.refused)])


def _hangs(run: RunConfig) -> str:
    if run.stall_minutes == 0:
        return "a run that shows no new step goes on until its limit (run.stall_minutes: 0)"
    if run.stall_minutes is not None:
        least = f"{duration(run.stall_minutes * 60)}, or two of its parent's longest pauses,"
    else:
        least = f"{duration(run.stall_floor_minutes * 60)}, five usual steps or two of its parent's longest pauses,"
    return f"a run is ended after {least} without a new step; where runs show no steps, their limit alone ends them"


def corrected(history: History, frozen: CampaignConfig, written: CampaignConfig) -> CampaignConfig:
    """The frozen plan, with the launcher as its file has it where that may be corrected.

    While no run was ever taken, all of it may: a refused launcher has measured nothing. Later only what says who pays
    and where a run queues, as the launcher names it. What was corrected before is noted, and stands.
    """
    frozen = as_noted(history, frozen)
    before, after = frozen.launcher, written.launcher
    if before == after:
        return frozen
    if any(run.job_id is not None for run in history.runs.values()):
        routing = _routing(before.type)
        kept = {name: value for name, value in before.model_dump().items() if name not in routing}
        if kept != {name: value for name, value in after.model_dump().items() if name not in routing}:
            return frozen
    return frozen.model_copy(update={"launcher": after})


def as_noted(history: History, plan: CampaignConfig) -> CampaignConfig:
    """The plan as it was approved, with the launcher that a note says was corrected since."""
    noted = next((note.details["launcher"] for note in reversed(history.notes) if "launcher" in note.details), "")
    return plan.model_copy(update={"launcher": LauncherConfig.model_validate_json(noted)}) if noted else plan


def _routing(launcher: str) -> frozenset[str]:
    found = plugins.load("launchers", launcher)
    return frozenset(found.routing) if isinstance(found, Routable) else frozenset()


def correction(before: LauncherConfig, after: LauncherConfig) -> str:
    """What was corrected, in words; empty when nothing was."""
    old, new = before.model_dump(), after.model_dump()
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    changes = "; ".join(f"{name}: {old.get(name)!r} is now {new.get(name)!r}" for name in names)
    return f"the launcher was corrected in the campaign file: {changes}" if names else ""
