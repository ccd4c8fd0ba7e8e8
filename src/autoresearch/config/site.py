"""Where heavy files go, decided from what is there (R36, R186-R213). Never a Brev layout away from Brev (R213)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from autoresearch.config.schema import FOLDER_NAME, SiteConfig
from autoresearch.errors import CampaignError

BREV, PLAIN = "brev", "plain"

_LOGINS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


@dataclass(frozen=True)
class Ground:
    """What was found where a Brev machine has its checkout and its volume.

    Attributes:
        checkout: Whether the known checkout is there, and is one of git.
        volume: Whether the volume's folder is there.
        apart: Whether it lies on another disk than the checkout: a folder of that name alone is no volume.
    """

    checkout: bool = False
    volume: bool = False
    apart: bool = False


@dataclass(frozen=True)
class Site:
    """What was decided.

    Attributes:
        type: `brev` or `plain`.
        why: The reason, in one clause.
    """

    type: str
    why: str


def choose(spec: SiteConfig, launcher: str, ground: Ground, *, here: bool) -> Site:
    """Decide where the heavy files of a campaign go.

    Args:
        spec: What the campaign file says.
        launcher: What the launcher is called.
        ground: What was found.
        here: Whether its runs see the disks of this machine.

    Raises:
        CampaignError: The volume was asked for and the runs would not see it.
    """
    if spec.type == BREV and not here:
        raise CampaignError(
            f"site brev keeps files on {spec.volume} of this machine, which runs of the launcher {launcher} do not "
            f"see; use launcher local, or site plain"
        )
    if spec.type != "auto":
        return Site(spec.type, "as asked for")
    if not here:
        return Site(PLAIN, f"runs of the launcher {launcher} are elsewhere")
    if missing := _missing(spec, ground):
        return Site(PLAIN, missing)
    return Site(BREV, f"{spec.checkout} is a checkout and {spec.volume} is a volume: a Brev machine")


def _missing(spec: SiteConfig, ground: Ground) -> str:
    if not ground.checkout:
        return f"{spec.checkout} is not a checkout"
    if not ground.volume:
        return f"there is no {spec.volume}"
    return "" if ground.apart else f"{spec.volume} lies on the disk of {spec.checkout} and is not a separate volume"


def user(spec: SiteConfig, environ: Mapping[str, str]) -> str:
    """The folder on the volume that is ours: `${USER:-ubuntu}` unless the campaign file names one (R191)."""
    found = spec.user or environ.get("USER", "")
    return found if FOLDER_NAME.fullmatch(found) else "ubuntu"


def reminders(values: Mapping[str, object], names: Collection[str], path: str, *, exists: bool) -> tuple[str, ...]:
    """What a person should add to the secret store before work that needs a login (R200). Names only, never values.

    Args:
        values: The recipe, resolved, by dotted key.
        names: Variables that are set, in the store or in the environment.
        path: The secret store, a `.env` file.
        exists: Whether it is there.
    """
    told = [] if exists else [f"{path} does not exist: whatever needs a login has to find it in the environment"]
    if values.get("logger.wandb_enabled") is True and "WANDB_API_KEY" not in names:
        told.append(f"the recipe logs to W&B and WANDB_API_KEY is not set: add it to {path}")
    model = values.get("policy.model_name")
    if isinstance(model, str) and _on_hub(model) and not any(name in names for name in _LOGINS):
        told.append(f"{model} comes from the hub and HF_TOKEN is not set: if it is gated, add the token to {path}")
    return tuple(told)


def _on_hub(model: str) -> bool:
    return model.count("/") == 1 and not model.startswith(("/", ".", "~"))
