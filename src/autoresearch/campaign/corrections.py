"""What may be corrected in the file of a campaign that has begun: its launcher, where that has measured nothing."""

from autoresearch.config.schema import CampaignConfig, LauncherConfig
from autoresearch.experiment.history import History
from autoresearch.ports import plugins
from autoresearch.ports.launcher import Routable


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
