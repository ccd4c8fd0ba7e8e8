"""Looks around for places where runs could happen. Asks no cluster for anything and starts no process."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from autoresearch.config.schema import Campaign
from autoresearch.machine import gpus
from autoresearch.run.placement import Places

_BUSY_ABOVE_GB = 1.0
_IN_CLUSTER = "in-cluster"


def look(environ: Mapping[str, str] | None = None) -> Places:
    """What this machine offers, by its devices, its commands and its environment."""
    env = os.environ if environ is None else environ
    found = gpus.available(env)
    return Places(
        gpus=found,
        busy=tuple(index for index in found if not gpus.is_free(index, _BUSY_ABOVE_GB)),
        slurm=shutil.which("sbatch", path=env.get("PATH")) is not None,
        ray=env.get("RAY_ADDRESS", ""),
        kubernetes=_context(env),
    )


def seen_by(campaign: Campaign) -> Places:
    """The same as the campaign's launcher sees it: a local one may be limited to some of the GPUs."""
    chosen = campaign.launcher.options().get("gpus") if campaign.launcher.type == "local" else None
    allowed = tuple(chosen) if isinstance(chosen, list | tuple) else None
    return replace(look(), allowed=allowed)


def _context(env: Mapping[str, str]) -> str:
    """The current kube context: of the first file in `KUBECONFIG` that sets one, as kubectl chooses; empty for none."""
    configured = env.get("KUBECONFIG") or str(Path(env.get("HOME", "/")) / ".kube" / "config")
    named = (current_context(Path(part)) for part in configured.split(os.pathsep) if part)
    return next(filter(None, named), _IN_CLUSTER if "KUBERNETES_SERVICE_HOST" in env else "")


def current_context(file: Path) -> str:
    """What a kubeconfig says the current context is; empty when it says nothing that can be understood."""
    try:
        document = yaml.safe_load(file.read_bytes())
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return ""
    found = document.get("current-context") if isinstance(document, dict) else None
    return found if isinstance(found, str) and found.isprintable() else ""
