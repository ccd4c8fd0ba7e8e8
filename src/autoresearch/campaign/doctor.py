"""Is everything here that a campaign needs? Looks, changes nothing."""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from autoresearch.campaign import places
from autoresearch.config import site
from autoresearch.config.schema import SiteSpec
from autoresearch.errors import AutoresearchError
from autoresearch.git import refs
from autoresearch.machine.process import CommandError, run
from autoresearch.records import volume
from autoresearch.records.paths import Volume
from autoresearch.run.job import Resources
from autoresearch.run.placement import recommend

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
    return (*_machine(), *_repository(where), *_disk(where), *_site(), *_places(environ), *_extras(), *_agents())


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
        root = refs.root(where)
        yield Check("repository", "ok", f"{root} at {refs.head_commit(root)[:7]}")
        changes = refs.changes(root)
        told = f"{len(changes.staged)} staged, {len(changes.unstaged)} unstaged, {len(changes.untracked)} untracked"
        yield Check("local changes", "note", told if changes else "none", "they are left untouched" if changes else "")
    except AutoresearchError as error:
        yield Check("repository", "warn", str(error))


def _disk(where: Path) -> Iterator[Check]:
    usage = shutil.disk_usage(where)
    free = usage.free / 1e9
    low = free < _LOW_DISK_GB
    yield Check(
        "disk", "warn" if low else "ok", f"{free:.0f} GB free", "logs and checkpoints need space" if low else ""
    )


def _site(spec: SiteSpec | None = None) -> Iterator[Check]:
    """Whether this is a Brev machine (R36)."""
    spec = spec or SiteSpec()
    chosen = site.choose(spec, "local", volume.look(spec.checkout, spec.volume))
    if chosen.type == site.PLAIN:
        yield Check("Brev", "note", f"no: {chosen.why}")
        return
    problem = volume.lacking(Volume(Path(spec.volume), site.user(spec, os.environ)), spec.min_free_gb)
    yield Check("Brev", "warn" if problem else "ok", chosen.why, problem or f"heavy files go to {spec.volume}")


def _places(environ: Mapping[str, str]) -> Iterator[Check]:
    found = places.look(environ)
    told = f"{len(found.gpus)}, of which {found.free} free" if found.gpus else "none"
    yield Check("GPUs", "ok" if found.gpus else "note", told, "" if found.gpus else "GPU recipes run elsewhere")
    yield Check("Slurm", "note", "sbatch is here" if found.slurm else "not here")
    yield Check("Ray", "note", found.ray or "no RAY_ADDRESS")
    yield Check("Kubernetes", "note", found.kubernetes or "no kube context")
    for name, gpu in (("a CPU recipe", 0), ("an 8-GPU recipe", 8)):
        chosen = recommend(Resources(gpus_per_node=gpu), found)
        refused = [f"{launcher} would be refused: {why}" for launcher, why in chosen.refused]
        yield Check(name, "note", chosen.launcher or "ask", "; ".join([chosen.why, *refused]))


def _extras() -> Iterator[Check]:
    wanted = (
        ("numpy", "researcher search and the demo", "demo"),
        ("PIL", "progress.png", "demo"),
        ("kubernetes", "launchers kubernetes and nrl-k8s", "kubernetes"),
    )
    for module, what, extra in wanted:
        there = importlib.util.find_spec(module) is not None
        advice = "" if there else f"needed for {what}: pip install 'nemo-autoresearch[{extra}]'"
        yield Check(module, "ok" if there else "note", "installed" if there else "not installed", advice)


def _agents() -> Iterator[Check]:
    found = [name for program, name in _AGENTS.items() if shutil.which(program)]
    yield Check("coding agents", "note", ", ".join(found) or "none")
