"""A campaign that goes on from another's confirmed best: planned as that one was, unless a person says otherwise."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoresearch.config.schema import CampaignConfig
from autoresearch.config.stop_rule import StopLimits
from autoresearch.engine.supply import predecessor_of
from autoresearch.errors import AutoresearchError, CampaignError
from autoresearch.experiment.history import History, fold
from autoresearch.experiment.outcome import BASELINE
from autoresearch.ports.target import Survey
from autoresearch.records import finding
from autoresearch.records.journal import Journal
from autoresearch.records.paths import Layout
from autoresearch.report.plain_text import leaner
from autoresearch.run.measurement import Objective
from autoresearch.scheduling import next_move
from autoresearch.scheduling.stop_check import outlook
from autoresearch.verdict.claims import Standing, claims

_OWN = ("campaign", "base", "stop", "site", "follows")
"""What a plan does not take over: its name, where it begins, how much it may take, and what was found on a machine."""
_SPEAKS = frozenset({Standing.PROVEN, Standing.UNVERIFIED, Standing.LIKELY})


def gone_on(root: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, on top of the plan of the campaign that they name under `follows`; without one just these.

    Raises:
        CampaignError: There is no such campaign, it has not begun, or fresh seeds do not speak for its best and no
            other commit is named as `base`.
    """
    name = settings.get("follows")
    if not name:
        return dict(settings)
    history = fold(Journal(finding.find(root, str(name)).journal).read())
    if history.started is None or history.started.objective is None:
        raise CampaignError(f"campaign {name} has not begun, so there is nothing to go on from; leave --from out")
    frozen = CampaignConfig.of(dict(history.started.plan), f"journal of {name}")
    plan = {key: value for key, value in frozen.model_dump(exclude_defaults=True).items() if key not in _OWN}
    begun = {} if "base" in settings else {"base": _best(history, frozen, history.started.objective)}
    return _over(plan, {**begun, **settings})


def _best(history: History, campaign: CampaignConfig, objective: Objective) -> str:
    """The branch of the best, or of that without a member that fresh seeds do not support."""
    name, branch = campaign.campaign, history.incumbent_branch
    if not history.baseline or history.incumbent == BASELINE:
        raise CampaignError(f"campaign {name} kept nothing, so it has no best to go on from; leave --from out")
    view = outlook(history, campaign, StopLimits.load(history.limits), objective, history.last_at)
    whole = claims(next_move.board(history, campaign, objective, view)).campaign
    if whole is None or not (whole.standing is Standing.MEASURED or (whole.fresh and whole.standing in _SPEAKS)):
        raise CampaignError(
            f"the best of campaign {name} is not confirmed on fresh seeds, so none is begun from it; to go on from it "
            f"all the same, name its branch: --base {branch}"
        )
    arm, _ = leaner(history, objective)
    return history.arm_branch(arm) if arm else branch


def _over(plan: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """One document with what is said on top; another type of adapter brings its own options."""
    found = dict(plan)
    for key, value in said.items():
        before = found.get(key)
        if (
            isinstance(before, Mapping)
            and isinstance(value, Mapping)
            and value.get("type") in {None, before.get("type")}
        ):
            found[key] = _over(before, value)
        else:
            found[key] = value
    return found


def told(root: Path, campaign: CampaignConfig, survey: Survey) -> str:
    """What it has of the campaign that it goes on from, as the end of a sentence; empty without one."""
    if not campaign.follows:
        return ""
    try:
        found = predecessor_of(Layout(root).campaign(campaign.follows), campaign, survey)
    except (AutoresearchError, OSError):
        found = None
    if found is None:
        return f"; nothing is taken from {campaign.follows}, which cannot be read or measured something else"
    noise = f"{found.noise.sigma:.3g} from {found.repeats}, until runs are repeated here" if found.noise.sigma else ""
    ideas = f"{len(found.ideas)} idea{'s' * (len(found.ideas) != 1)} that {found.name} tried are told, not begun with"
    return f"; {ideas}" + (f"; its noise is {noise}" if noise else "")
