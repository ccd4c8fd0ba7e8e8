"""Plans and statuses in words, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoresearch.cli.output import cut, duration, entry, number, table, wrapped

if TYPE_CHECKING:
    from autoresearch.campaign.by_hand_state import DrivenExperiment
    from autoresearch.campaign.planning import Plan
    from autoresearch.campaign.status import CampaignStatus, Judged, RunningRun
    from autoresearch.config.schema import CampaignConfig


def plan_text(plan: Plan, width: int | None = None) -> str:
    """The plan as a person approves it, its lines broken to `width` characters; None: never."""
    campaign, survey = plan.campaign, plan.survey
    objective = survey.objective
    rows = [
        ("campaign", campaign.campaign),
        ("repository", f"{plan.root} on {plan.branch or 'a detached HEAD'}, from commit {plan.base_commit[:7]}"),
        ("local changes", _changes(plan)),
        ("recipe", " <- ".join(survey.lineage) or campaign.recipe or "none"),
        ("objective", f"{objective.goal}: {objective.direction} {objective.metric}"),
        ("", objective.meaning),
        ("command", " ".join(survey.command)),
        ("one run", _run(plan)),
        ("whole campaign", _whole(plan)),
        ("sensitivity", _power(plan)),
        ("launcher", f"{campaign.launcher.type}, {campaign.launcher.parallel} at a time"),
        ("", _place(plan)),
        ("heavy files", f"{plan.storage.files} ({plan.storage.why})" if plan.storage.files else ""),
        ("", f"shared caches in {plan.storage.caches}" if plan.storage.caches else ""),
        ("researchers", ", then ".join(spec.type for spec in campaign.researcher)),
        ("verdicts", f"{campaign.verdict.policy}: {plan.cost}"),
        ("stop", plan.rule.words or "default: the baseline and three experiments, then ask"),
        ("", _limits(plan)),
        ("branches", f"autoresearch/{campaign.campaign}/... (all are kept)"),
    ]
    rows += [("warning", text) for text in plan.warnings]
    return "\n".join(entry(f"{label}:" if label else "", text, width) for label, text in rows if text)


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
    told = [f"{least} to {most} runs", f"{_span(least * hours / parallel, most * hours / parallel)}"]
    told += [f"{least * hours * gpus:.0f} to {most * hours * gpus:.0f} GPU-hours"] if gpus else []
    told += [f"start-up is {_span(least * start / parallel, most * start / parallel)} of it"] if start else []
    fit, total = plan.runs_that_fit, plan.rule.total_s
    if fit is not None and total is not None and fit < most:
        left = f" and {fit * hours * gpus:.0f} GPU-hours" if gpus else ""
        told.append(f"the stop rule allows about {fit} runs{left}")
    return "; ".join(told)


def _span(low: float, high: float) -> str:
    return f"{duration(round(low * 3600))} to {duration(round(high * 3600))}"


def _minutes(minutes: float) -> str:
    return duration(minutes * 60)


def _power(plan: Plan) -> str:
    error, metric = plan.survey.standard_error, plan.survey.objective.metric
    if error is None:
        from autoresearch.verdict.policies import policy  # noqa: PLC0415 - `--help` can do without

        repeats = policy(plan.campaign.verdict.policy).baseline_runs(plan.campaign.settings()) > 1
        how = "repeats of the baseline measure it" if repeats else "a single baseline run does not measure it"
        return f"the recipe does not say the noise of {metric}; {how}"
    alone = f"one validation has standard error {error:.3g}"
    return f"{alone}; two single runs are distinguishable from about {2.8 * error:.2g}"


def _place(plan: Plan) -> str:
    found = plan.recommendation
    advice = f"recommended: {found.launcher}, {found.why}" if found.launcher else f"no recommendation: {found.why}"
    return "; ".join([advice, *(f"{name} would be refused: {why}" for name, why in found.refused)])


def _limits(plan: Plan) -> str:
    rule = plan.rule
    parts = []
    if rule.target_experiment_count:
        parts.append(f"{rule.target_experiment_count} attempts, the baseline included")
    if rule.target_run_count:
        parts.append(f"{rule.target_run_count} runs, repeats and fresh seeds included")
    if rule.stalled_experiment_count:
        parts.append(f"{rule.stalled_experiment_count} experiments in a row without a keep")
    if rule.total_s:
        parts.append(f"{duration(rule.total_s)} in total")
    if rule.deadline_at:
        parts.append(f"until {rule.deadline_at}")
    if rule.per_experiment_timeout_s:
        parts.append(f"each run limited to {duration(rule.per_experiment_timeout_s)}")
    if rule.gpu_hours:
        parts.append(f"{rule.gpu_hours:g} GPU-hours")
    if rule.target:
        target = rule.target
        parts.append(f"until {target.metric or plan.survey.objective.metric} {target.comparison} {target.value:g}")
    return "; ".join(parts)


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan for `--json`."""
    survey = plan.survey
    return {
        "campaign": campaign_document(plan.campaign),
        "root": plan.root,
        "branch": plan.branch,
        "base_commit": plan.base_commit,
        "changes": plan.changes,
        "objective": survey.objective,
        "lineage": survey.lineage,
        "command": survey.command,
        "resources": survey.resources,
        "minutes": survey.minutes,
        "setup_minutes": survey.setup_minutes,
        "steps": survey.steps,
        "gpu_hours_per_run": plan.gpu_hours_per_run,
        "standard_error": survey.standard_error,
        "plumbing": survey.plumbing,
        "protect": survey.protect,
        "protect_keys": survey.protect_keys,
        "stop": plan.rule,
        "cost": plan.cost,
        "runs": plan.runs,
        "hours_per_run": plan.hours_per_run,
        "runs_that_fit": plan.runs_that_fit,
        "recommendation": plan.recommendation,
        "storage": plan.storage,
        "warnings": plan.warnings,
    }


def campaign_document(campaign: CampaignConfig) -> dict[str, Any]:
    """The campaign file for `--json`."""
    return campaign.model_dump(mode="json")


def status_text(status: CampaignStatus, last: int = 8, width: int | None = None) -> str:
    """Where a campaign stands.

    Args:
        status: What to show.
        last: How many verdicts, newest last.
        width: Verdicts are cut to so many characters, and the first line is broken there; None: neither.
    """
    head = f"{status.campaign}: {status.state}{f' ({status.reason})' if status.reason else ''}"
    lines = [
        wrapped(head, width),
        f"  {aim(status)}",
        f"  {status.stop}" if status.stop else None,
        f"  {status.keep} kept, {status.discard} discarded, {status.crash} crashed"
        + (f"; {status.gpu_hours:.1f} GPU-hours" if status.gpu_hours else ""),
        f"  baseline {number(status.baseline)}, best {number(status.best) or '-'} ({best_from(status)})"
        if status.baseline is not None
        else "  no baseline yet",
    ]
    lines += [f"  {text}" for text in (*status.waiting, status.question) if text]
    if status.running:
        lines += ["", running_table(status.running)]
    if status.by_hand:
        lines += ["", driven_table(status.by_hand)]
    if status.verdicts:
        lines += ["", verdict_table(status.verdicts[-last:], width)]
    return "\n".join(line for line in lines if line is not None)


def best_from(status: CampaignStatus) -> str:
    """Whose value `best` is, and on what it rests: `idea, 3 fresh seeds`, `idea, selection runs`, `baseline`."""
    from autoresearch.experiment.outcome import BASELINE  # noqa: PLC0415 - `--help` can do without

    if status.incumbent == BASELINE:
        return status.incumbent
    fresh = f"{status.best_fresh} fresh seed{'s' * (status.best_fresh != 1)}"
    return f"{status.incumbent}, {fresh if status.best_fresh else 'selection runs'}"


def progress(status: CampaignStatus) -> str:
    """How far the campaign has come, in one line: stop rule with numbers, latest and best result, branch, runs."""
    last = next((one for one in status.verdicts if one.index == status.latest), None)
    parts = [
        status.stop,
        f"latest: #{last.index} {last.name} {last.status}" if last else "no verdict yet",
        f"best: {number(status.best)} ({best_from(status)})" if status.best is not None else "",
        f"current branch {status.branch}" if status.branch else "",
        *(f"{run.experiment} seed {run.seed} {run.state} for {duration(run.elapsed_s)}" for run in status.running[:3]),
        f"{len(status.running) - 3} more runs" if len(status.running) > 3 else "",
    ]
    return "; ".join(part for part in parts if part)


def aim(status: CampaignStatus) -> str:
    """Goal and objective, as `raise the score: maximize score`; before the start the recipe may still decide both."""
    if status.metric == "auto":
        return status.goal
    return f"{status.goal}: {status.metric if status.direction == 'auto' else f'{status.direction} {status.metric}'}"


def running_table(running: tuple[RunningRun, ...]) -> str:
    """Runs in flight."""
    rows = [(run.experiment, run.purpose, run.seed, run.state, duration(run.elapsed_s)) for run in running]
    return table(("running", "purpose", "seed", "state", "for"), rows)


def verdict_table(verdicts: tuple[Judged, ...], width: int | None = None) -> str:
    """Experiments with their verdicts; the effect is a column, so the reason goes without it."""
    title = None if width is None else width // 4
    rows = [
        (one.index, one.status, number(one.value), effect(one), one.runs, one.area, cut(one.title, title), _why(one))
        for one in verdicts
    ]
    return table(("#", "verdict", "value", "effect", "runs", "area", "hypothesis", "why"), rows, width)


def _why(one: Judged) -> str:
    return one.reason.removeprefix(effect(one)).strip()


def driven_table(found: tuple[DrivenExperiment, ...]) -> str:
    """Experiments that are driven by hand."""
    rows = [(one.index, one.state, one.runs, number(one.value), one.by, one.title, one.next) for one in found]
    return table(("#", "by hand", "runs", "value", "by", "hypothesis", "next"), rows)


def driven_text(one: DrivenExperiment) -> str:
    """One of them, with everything needed to go on."""
    edited = {"editing": "edit the files there", "crashed": "fix the crash there"}.get(one.state, "")
    rows = [
        ("experiment", f"#{one.index} {one.name}: {one.area}: {one.title}"),
        ("branch", f"{one.branch}{f' at {one.commit[:7]}' if one.commit else ''}, from {one.parent}"),
        ("worktree", one.worktree if edited else ""),
        ("brief", one.brief),
        ("state", f"{one.state}{f': {one.reason}' if one.reason else ''}"),
        ("runs", f"{one.runs}{f', mean {number(one.value)}' if one.value is not None else ''}" if one.runs else ""),
        ("next", ", then: ".join(part for part in (edited, one.next) if part)),
    ]
    return "\n".join(f"{label + ':':12}{text}" for label, text in rows if text)


def judged_text(one: Judged) -> str:
    """A verdict in one line."""
    return f"#{one.index} {one.name}: {one.status}: {one.reason} (by {one.by})"


def effect(one: Judged) -> str:
    """Effect with its interval, as `+0.004 [-0.011, +0.019]`."""
    if one.effect is None:
        return ""
    interval = "" if one.low is None or one.high is None else f" [{one.low:+.3g}, {one.high:+.3g}]"
    return f"{one.effect:+.3g}{interval}"
