"""Plans and experiments driven by hand, as `--json` and people see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoresearch.report.plain_text import number

if TYPE_CHECKING:
    from autoresearch.campaign.by_hand_state import DrivenExperiment
    from autoresearch.campaign.plan import Plan
    from autoresearch.config.schema import CampaignConfig


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
