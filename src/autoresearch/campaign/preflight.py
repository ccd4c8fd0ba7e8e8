"""Whether what a run reads is there, before anything is launched (R26).

Looks around for places where runs could happen, and tries whether they could have a sandbox. Asks no cluster.

Is everything here that a campaign needs? Looks, changes nothing.
"""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from autoresearch import extras
from autoresearch.config import site
from autoresearch.config.schema import CampaignConfig, SiteConfig
from autoresearch.config.stop_rule import never_met
from autoresearch.engine import supply
from autoresearch.errors import AutoresearchError, CampaignError
from autoresearch.experiment import names as naming
from autoresearch.experiment.outcome import BASELINE
from autoresearch.git import refs
from autoresearch.machine import control_group, gpus, sandbox
from autoresearch.machine.processes import CommandError, run
from autoresearch.ports import plugins
from autoresearch.ports.launcher import Adviser, Launcher, Limited, Rehearsal, occupies, why_unconfined
from autoresearch.ports.target import Survey
from autoresearch.records import volume
from autoresearch.records.paths import EXCLUDED, CampaignPaths, Volume
from autoresearch.run.job import Resources
from autoresearch.run.placement import Places, recommend, refusal
from autoresearch.secrets import environment
from autoresearch.secrets.redactor import Redactor

_SHOWN = 3


def refuse_secrets(campaign: CampaignConfig, root: Path) -> None:
    """The plan is shown and written down, and variables go into every submission: a secret has no place in it.

    Raises:
        CampaignError: A value in it looks like a secret, or is one of this environment.
    """
    known = environment.of_repository(root)
    if where := next(_telling(campaign, known), ""):
        raise CampaignError(
            f"{where} of the campaign looks like a secret, and the plan is written down; take it out, put it into "
            f"{environment.store(root)} or the environment, which runs inherit, and have it read from there by its name"
        )


def _telling(campaign: CampaignConfig, known: Redactor) -> Iterator[str]:
    """Where a secret stands: options and variables are also told by what they are called."""
    plan = campaign.model_dump(mode="json")
    if campaign.command and known.clean_argv(campaign.command) != tuple(campaign.command):
        yield "command"
    named = {f"run.env.{name}": (name, value) for name, value in campaign.run.env.items()}
    for place, tracker in enumerate(campaign.trackers):
        options = {name: value for name, value in tracker.options().items() if isinstance(value, str)}
        named |= {f"trackers[{place}].{name}": (name, value) for name, value in options.items()}
    yield from (where for where, (name, value) in named.items() if known.clean_mapping({name: value})[name] != value)
    yield from (where for where, text in _texts(plan) if known.clean(text) != text)


def _texts(value: object, where: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a plan, keys included, and where it stands."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield f"a key of {where or 'the file'}", str(key)
            yield from _texts(below, f"{where}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for place, below in enumerate(value):
            yield from _texts(below, f"{where}[{place}]")


def check_ground(paths: CampaignPaths) -> None:
    """Whether folders and branches can be made where they have to be.

    Raises:
        CampaignError: A file, or a branch, stands in the way.
    """
    folders = [paths.root / pattern.strip("/") for pattern in EXCLUDED if pattern.endswith("/")]
    for place in dict.fromkeys(p for folder in folders for p in (folder.parent, folder)):
        if place.exists() and not place.is_dir():
            raise CampaignError(f"{place} is a file, and a folder of this name has to be made there; rename the file")
    for branch in (naming.PREFIX, naming.campaign_prefix(paths.name)):
        if refs.branch_commit(paths.root, branch):
            raise CampaignError(
                f"a branch {branch!r} exists, so none can be made below it; rename it: git branch -m {branch} NEW"
            )


def check_branch(paths: CampaignPaths) -> None:
    """Branches are kept for ever, so a name that was used before needs another one.

    Raises:
        CampaignError: There is a baseline of this name.
    """
    baseline = naming.branch(paths.name, BASELINE)
    if refs.branches(paths.root, baseline):
        raise CampaignError(
            f"branch {baseline} exists already, from an earlier campaign of this name; branches are kept, so give the "
            f"new campaign another name: its folder's and under `campaign:` in {paths.campaign_file}"
        )


def missing(campaign: CampaignConfig, root: Path, inputs: Sequence[str]) -> str:
    """What of a run's inputs is missing, in words; empty when nothing is.

    An absolute path must be on this machine when runs happen here; elsewhere that cannot be known from here. A relative
    one must be committed, for a run sees its worktree and not the checkout.

    Args:
        campaign: Says where runs happen.
        root: The checkout.
        inputs: As a target's survey names them.
    """
    here = occupies(plugins.load("launchers", campaign.launcher.type))
    absent = [path for path in inputs if Path(path).is_absolute() and here and not Path(path).exists()]
    relative = [path for path in inputs if not Path(path).is_absolute()]
    lost = sorted(set(relative) - refs.tracked(root, relative)) if relative else []
    loose = [path for path in lost if (root / path).exists()]
    nowhere = [*absent, *(path for path in lost if path not in loose)]
    told = [f"{_named(nowhere)} not there"] if nowhere else []
    if loose:
        told.append(
            f"{_named(loose)} in the checkout but not committed, so no experiment's worktree has it: "
            "name it by its absolute path, or by its place and that: `inputs: {place: /path}`"
        )
    return "; ".join(told)


def check(campaign: CampaignConfig, root: Path, survey: Survey) -> None:
    """Refuse to begin without what only a person can say, and without the inputs of a run.

    Raises:
        CampaignError: Something is unsaid, or an input is missing.
    """
    if survey.unsaid:
        raise CampaignError(f"{survey.unsaid}; nothing was begun")
    refuse_endless(campaign, survey)
    lists = any(plugins.load("researchers", spec.type).finite for spec in campaign.researcher)  # grow while it runs
    if not lists and (nobody := supply.why_none(campaign, supply.supplies(campaign, root, survey))):
        raise CampaignError(f"{nobody}; nothing was begun")
    if told := missing(campaign, root, survey.inputs):
        raise CampaignError(f"a run needs files that it would not find: {told}; nothing was launched")


def refuse_endless(campaign: CampaignConfig, survey: Survey) -> None:
    """Refuse a stop rule that could never be met.

    Raises:
        CampaignError: It could not.
    """
    if told := never_met(campaign.stop_rule, survey.objective, survey.resources.gpus):
        raise CampaignError(f"the stop rule {campaign.stop!r} can never be met: {told}")


def find_uncommitted(commit: str, files: Sequence[str], held: Collection[str]) -> str:
    """Files of a recipe that the commit which experiments start from does not hold, in words; empty without any.

    Args:
        commit: Where experiments start.
        files: The files, relative to the root.
        held: Those that the commit holds, of `refs.committed`.
    """
    absent = sorted(set(files).difference(held))
    if not absent:
        return ""
    return f"{_named(absent)} not in commit {commit[:7]}, from which experiments start; commit it first"


def check_recipe(root: Path, commit: str, recipe: str) -> None:
    """Refuse to go on with a recipe that only the checkout has.

    Raises:
        CampaignError: It is not committed.
    """
    files = [recipe] if recipe else []
    if told := find_uncommitted(commit, files, refs.committed(root, commit, files)):
        raise CampaignError(f"recipe {told}: git add {recipe} && git commit")


def elsewhere(campaign: CampaignConfig, inputs: Sequence[str]) -> str:
    """Absolute inputs that this machine does not have and the nodes of a cluster may; in words, empty without any."""
    if occupies(plugins.load("launchers", campaign.launcher.type)):
        return ""
    absent = [path for path in inputs if Path(path).is_absolute() and not Path(path).exists()]
    them = "it" if len(absent) == 1 else "them"
    return f"{_named(absent)} not on this machine; make sure that the nodes see {them}" if absent else ""


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{', '.join(paths[:_SHOWN])}{more} {'is' if len(paths) == 1 else 'are'}"


_BUSY_ABOVE_GB = 1.0
_IN_CLUSTER = "in-cluster"


def find_places(environ: Mapping[str, str] | None = None) -> Places:
    """What this machine offers, by its devices, its commands and its environment."""
    env = os.environ if environ is None else environ
    found = gpus.available(env)
    return Places(
        gpus=found,
        busy=tuple(index for index in found if not gpus.is_free(index, _BUSY_ABOVE_GB)),
        slurm=shutil.which("sbatch", path=env.get("PATH")) is not None,
        ray=env.get("RAY_ADDRESS", ""),
        kubernetes=_context(env),
        note=gpus.parts_only(env),
    )


def seen_by(campaign: CampaignConfig) -> Places:
    """The same as the campaign's launcher sees it: one whose runs happen here may be limited to some of the GPUs."""
    here = plugins.load("launchers", campaign.launcher.type).here
    chosen = campaign.launcher.options().get("gpus") if here else None
    allowed = tuple(chosen) if isinstance(chosen, list | tuple) else None
    return replace(find_places(), allowed=allowed)


def why_unsafe(campaign: CampaignConfig, launcher: Launcher, survey: Survey) -> str:
    """Why runs would not be in a sandbox, as far as that can be known here; empty when they would, or are played."""
    if isinstance(launcher, Rehearsal):
        return ""
    if campaign.run.sandbox == "off":
        return "run.sandbox is off"
    return why_unconfined(launcher, survey.resources) or (sandbox.why_not() if launcher.here else "")


def unseen(campaign: CampaignConfig) -> str:
    """Logins that runs often need and that a sandbox hides, in words; empty when none is there, or all are shown."""
    homes = (Path.home(), sandbox.account_home())
    shown = {Path(path).expanduser() for path in campaign.run.show}
    there = [home / login for home in homes for login in _LOGINS if (home / login).exists()]
    hidden = [str(path) for path in dict.fromkeys(there) if not any(path.is_relative_to(one) for one in shown)]
    return f"runs do not see {', '.join(hidden)}: name what they need under run.show" if hidden else ""


_LOGINS = (".netrc", ".cache/huggingface/token", ".config/wandb", ".aws", ".config/gcloud")


def sandbox_refusal(campaign: CampaignConfig, launcher: Launcher, survey: Survey) -> str:
    """Why a campaign that asks for a sandbox must not begin; empty when it may."""
    wanted = "run.network: off" if campaign.run.network == "off" else "run.sandbox: required"
    if campaign.run.network == "host" and campaign.run.sandbox != "required":
        return ""
    why = why_unsafe(campaign, launcher, survey)
    return f"{wanted} cannot be had: {why}" if why else ""


def why_refused(launcher: Launcher, survey: Survey, around: Places) -> str:
    """Why runs as surveyed must not be sent to a launcher; empty when they may."""
    asked = launcher.refusal(survey.resources) if isinstance(launcher, Adviser) else ""
    small = bool(survey.plumbing)
    return asked or (refusal(survey.resources, around, plumbing=small) if occupies(launcher) else "")


def too_long(campaign: CampaignConfig, launcher: Launcher, survey: Survey) -> str:
    """Why the limit of a run must not be sent to the launcher's site; empty when it may, or a run has none."""
    limit_s, need = campaign.stop_rule.per_experiment_timeout_s, survey.resources
    return launcher.too_long(limit_s, campaign.run.grace, need) if limit_s and isinstance(launcher, Limited) else ""


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
    recent = "ok" if sys.version_info >= (3, 11) else "fail"
    yield Check("python", recent, f"{platform.python_version()} at {sys.executable}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Check("cores", "ok", str(cores or 1))
    if sys.platform != "linux":
        yield Check("platform", "warn", sys.platform, "only Linux can prove that no process of a run is left")
    why_not = sandbox.why_not()
    cure = "install bubblewrap and allow user namespaces; until then runs and agents can reach what this account can"
    yield Check("sandbox", "warn" if why_not else "ok", why_not or "bubblewrap", cure if why_not else "")
    yield Check("control group", *(("note", none) if (none := control_group.why_not()) else ("ok", "one for each run")))


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


def _site(spec: SiteConfig | None = None) -> Iterator[Check]:
    """Whether this is a Brev machine (R36)."""
    spec = spec or SiteConfig()
    chosen = site.choose(spec, "local", volume.inspect_volume(spec.checkout, spec.volume), here=True)
    if chosen.type == site.PLAIN:
        yield Check("Brev", "note", f"no: {chosen.why}")
        return
    problem = volume.lacking(Volume(Path(spec.volume), site.user(spec, os.environ)), spec.min_free_gb)
    yield Check("Brev", "warn" if problem else "ok", chosen.why, problem or f"heavy files go to {spec.volume}")


def _places(environ: Mapping[str, str]) -> Iterator[Check]:
    found = find_places(environ)
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
        ("numpy", "researcher search and the demo"),
        ("PIL", "progress.png"),
        ("kubernetes", "launchers kubernetes and nrl-k8s"),
        ("acp", "agents with protocol: acp"),
        ("mcp", "autoresearch mcp"),
        ("mlflow", "tracker mlflow"),
        ("wandb", "tracker wandb"),
    )
    for module, what in wanted:
        there = importlib.util.find_spec(module) is not None
        advice = "" if there else f"needed for {what}; {extras.advice(module)}"
        yield Check(module, "ok" if there else "note", "installed" if there else "not installed", advice)


def _agents() -> Iterator[Check]:
    found = [name for program, name in _AGENTS.items() if shutil.which(program)]
    yield Check("coding agents", "note", ", ".join(found) or "none")
