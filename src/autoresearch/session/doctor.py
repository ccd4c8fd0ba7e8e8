"""Is everything here that a campaign needs? Looks, changes nothing."""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from autoresearch.errors import AutoresearchError
from autoresearch.workspace import git, gpus
from autoresearch.workspace.process import CommandError, run

_LOW_DISK_GB = 5.0
_AGENTS = {"claude": "Claude Code", "codex": "Codex", "gemini": "Gemini CLI", "opencode": "OpenCode", "aider": "Aider"}


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        name: What was looked at.
        state: `ok`, `note` (nothing is wrong), `warn` or `fail` (a campaign cannot run).
        found: What is there.
        advice: What to do about it, empty when nothing need be done.
    """

    name: str
    state: str
    found: str
    advice: str = ""


def examine(where: Path) -> tuple[Check, ...]:
    """Look at this machine and at the repository `where` lies in."""
    environ = dict(os.environ)
    return (*_machine(), *_repository(where), *_disk(where), *_places(environ), *_extras(), *_agents())


def _machine() -> Iterator[Check]:
    version = platform.python_version()
    yield Check("python", "ok" if sys.version_info >= (3, 11) else "fail", f"{version} at {sys.executable}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Check("cores", "ok", str(cores))
    if sys.platform != "linux":
        yield Check("platform", "warn", sys.platform, "only Linux can prove that no process of a run is left")


def _repository(where: Path) -> Iterator[Check]:
    try:
        version = run(("git", "--version")).text.removeprefix("git version ")
    except CommandError:
        yield Check("git", "fail", "not found", "install git 2.38 or newer")
        return
    recent = tuple(int(part) for part in version.split(".")[:2]) >= (2, 38)
    yield Check("git", "ok" if recent else "fail", version, "" if recent else "install git 2.38 or newer")
    try:
        root = git.root(where)
        yield Check("repository", "ok", f"{root} at {git.head_commit(root)[:7]}")
        changes = git.changes(root)
        told = f"{len(changes.staged)} staged, {len(changes.unstaged)} unstaged, {len(changes.untracked)} untracked"
        yield Check("your changes", "note", told if changes else "none", "they are left alone" if changes else "")
    except AutoresearchError as error:
        yield Check("repository", "warn", str(error))


def _disk(where: Path) -> Iterator[Check]:
    usage = shutil.disk_usage(where)
    free = usage.free / 1e9
    low = free < _LOW_DISK_GB
    yield Check("disk", "warn" if low else "ok", f"{free:.0f} GB free", "logs and checkpoints need room" if low else "")


def _places(environ: Mapping[str, str]) -> Iterator[Check]:
    found = gpus.available(environ)
    told = f"{len(found)}: {', '.join(map(str, found))}" if found else "none"
    yield Check("GPUs", "ok" if found else "note", told, "" if found else "GPU recipes need another place to run")
    for name, program, kind in (("Slurm", "sbatch", "slurm"), ("Kubernetes", "kubectl", "kubernetes")):
        path = shutil.which(program)
        yield Check(name, "note", f"{program} at {path}" if path else "not here", f"launcher {kind}" if path else "")
    address = environ.get("RAY_ADDRESS", "")
    yield Check("Ray", "note", address or "no RAY_ADDRESS")


def _extras() -> Iterator[Check]:
    for module, what in (("optuna", "researcher search"), ("numpy", "demo"), ("PIL", "progress.png")):
        there = importlib.util.find_spec(module) is not None
        advice = "" if there else f"needed for {what}: pip install 'nemo-autoresearch[demo]'"
        yield Check(module, "ok" if there else "note", "installed" if there else "not installed", advice)


def _agents() -> Iterator[Check]:
    found = [name for program, name in _AGENTS.items() if shutil.which(program)]
    yield Check("coding agents", "note", ", ".join(found) or "none")
