"""Looks around for places where runs could happen. Asks no cluster for anything."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from autoresearch.core.places import Places
from autoresearch.workspace import gpus
from autoresearch.workspace.process import CommandError, run

_BUSY_ABOVE_GB = 1.0


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


def _context(env: Mapping[str, str]) -> str:
    """The current kube context, empty when there is no kubectl or no configuration."""
    configured = env.get("KUBECONFIG") or str(Path(env.get("HOME", "/")) / ".kube" / "config")
    kubectl = shutil.which("kubectl", path=env.get("PATH"))
    if kubectl is None or not any(Path(part).is_file() for part in configured.split(os.pathsep)):
        return ""
    try:
        return run((kubectl, "config", "current-context"), env=env, timeout=10).text
    except CommandError:
        return ""
