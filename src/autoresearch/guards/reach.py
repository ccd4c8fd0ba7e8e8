"""What a run may reach: its sandbox, from the campaign's scope and the places of its records."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from autoresearch.config.schema import CampaignConfig
from autoresearch.git import objects, refs
from autoresearch.guards.scope import Scope
from autoresearch.machine import sandbox
from autoresearch.ports import plugins
from autoresearch.ports.launcher import Launcher, why_unconfined
from autoresearch.ports.researcher import Instructed
from autoresearch.ports.target import Survey
from autoresearch.records.paths import BESIDE, ENVIRONMENT, SUBMISSION, CampaignPaths, short
from autoresearch.run.job import Job, Resources, RunSandbox
from autoresearch.supervision import run_folder


def unconfined(campaign: CampaignConfig, launcher: Launcher, resources: Resources) -> str:
    """Why runs get no sandbox wherever they begin; empty when their machine decides."""
    if campaign.run.sandbox == "off":
        return "run.sandbox is off"
    return why_unconfined(launcher, resources)


def reaches_installation(campaign: CampaignConfig, launcher: Launcher, resources: Resources) -> bool:
    """Whether runs may write to what is installed and can be looked at here: without a sandbox, or with more open."""
    if why_unconfined(launcher, resources):
        return False
    if unconfined(campaign, launcher, resources) or campaign.run.writable or not launcher.here:
        return True
    return bool(sandbox.why_not())


def sandbox_of(
    campaign: CampaignConfig, paths: CampaignPaths, survey: Survey, job: Job, commit: str, label: str, number: int
) -> RunSandbox:
    """What the run of a job may reach.

    Args:
        campaign: Says what a person allows.
        paths: Where records lie.
        survey: The recipe at the base commit; what it says measures is kept read-only.
        job: The run.
        commit: What its worktree holds.
        label: Names its folders.
        number: The run in them.
    """
    beside = [paths.kind(label, kind, number) for kind in BESIDE] if paths.volume else []
    home = paths.heavy / label
    return replace(
        _within(campaign, paths, survey, job, commit),
        shared=_places(paths.root, campaign.run.writable),
        own=_texts(beside),
        links=((str(short(home)), str(home)),) if paths.volume else (),
    )


def evaluation_sandbox(
    campaign: CampaignConfig, paths: CampaignPaths, survey: Survey, job: Job, commit: str, evaluated: Path
) -> RunSandbox:
    """What the evaluation of a run may reach: of what the run left everything, and nothing of it to write to.

    Args:
        campaign: Says what a person allows.
        paths: Where records lie.
        survey: The recipe at the base commit; what it says measures is kept read-only.
        job: The evaluation.
        commit: What its worktree holds.
        evaluated: The run's folder.
    """
    view = _within(campaign, paths, survey, job, commit)
    left = (str(evaluated), *_places(paths.root, campaign.run.writable))
    return replace(view, shown=(*view.shown, *left))


def _within(campaign: CampaignConfig, paths: CampaignPaths, survey: Survey, job: Job, commit: str) -> RunSandbox:
    """What whatever works in a worktree of ours may reach."""
    tree, folder = Path(job.directory), Path(job.folder)
    mounted, caches = _mounted(campaign, paths, survey, commit)
    held = [tree / path for path in mounted]
    held += [folder / name for name in (SUBMISSION, ENVIRONMENT, run_folder.SPEC)]
    records = [paths.campaigns, paths.ledger, paths.sessions, paths.private]
    return RunSandbox(
        required=campaign.run.sandbox == "required" or campaign.run.network == "off",
        network=campaign.run.network == "host",
        shown=(
            *_texts([paths.root, refs.common_dir(paths.root), *_own_branch(tree)]),
            *(path for path in survey.inputs if Path(path).is_absolute()),
            *_places(paths.root, campaign.run.show),
        ),
        hidden=_texts([*records, *refs.of_ours(paths.root), *([paths.heavy] if paths.volume else [])]),
        frozen=_texts(held),
        sealed=_texts(tree / path for path in caches),
    )


def _own_branch(tree: Path) -> list[Path]:
    """The file of the branch that a worktree stands on, without which its git knows no HEAD; it may be packed."""
    branch = refs.current_branch(tree) if tree.is_dir() else None
    return [refs.common_dir(tree) / refs.HEADS / branch] if branch else []


def held_in(paths: CampaignPaths, campaign: CampaignConfig, survey: Survey, commit: str) -> tuple[str, ...]:
    """What a sandbox mounts over in the worktree of a commit, relative to it."""
    mounted, caches = _mounted(campaign, paths, survey, commit)
    return (*mounted, *caches)


def _mounted(
    campaign: CampaignConfig, paths: CampaignPaths, survey: Survey, commit: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    files, folders, caches = protected(objects.files_of(paths.root, commit), scope_for(campaign, survey))
    return (*folders, *files, ".git"), caches


def scope_for(campaign: CampaignConfig, survey: Survey) -> Scope:
    """The campaign's scope with the target's own protection."""
    scope = campaign.scope
    return Scope(
        allow=scope.allow,
        protect=(*survey.protect, *scope.protect, *_instructions(campaign)),
        protect_keys=(*survey.protect_keys, *scope.protect_keys),
        subject=scope.subject,
        max_files=scope.max_files,
        max_lines=scope.max_lines,
    )


def _instructions(campaign: CampaignConfig) -> tuple[str, ...]:
    """What researchers of the campaign would be told by a file of the repository, beside what every agent reads."""
    kinds = ((plugins.load("researchers", spec.type), spec.options()) for spec in campaign.researcher)
    return tuple(glob for kind, said in kinds if isinstance(kind, Instructed) for glob in kind.instructions(said))


def protected(files: Iterable[str], scope: Scope) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """What a run must not write to in its worktree, sorted: files, folders, and folders of compiled modules.

    A folder in which any new file would be protected is protected itself. What Python compiles of a protected module
    would be loaded in its place. Where single files are too many, the folders they lie in are protected.
    """
    held = [file for file in files if scope.protected.match(file) and not scope.subjects.match(file)]
    whole = {
        str(folder)
        for file in held
        for folder in PurePosixPath(file).parents
        if str(folder) != "."
        and scope.protected.match(f"{folder}/{_ANY}")
        and not scope.subjects.match(f"{folder}/{_ANY}")
    }
    outer = {folder for folder in whole if not any(str(up) in whole for up in PurePosixPath(folder).parents)}
    single = [file for file in held if not any(str(up) in outer for up in PurePosixPath(file).parents)]
    if len(single) > _MOST_SINGLE:
        outer |= {str(PurePosixPath(file).parent) for file in single if "/" in file}
        single = [file for file in single if "/" not in file]
    caches = {str(PurePosixPath(file).parent / "__pycache__") for file in single if file.endswith(".py")}
    return tuple(sorted(single)), tuple(sorted(outer)), tuple(sorted(caches))


_ANY = "any/new file"
_MOST_SINGLE = 200
"""What is mounted costs time, and more of it each time."""


def _places(root: Path, named: Iterable[str]) -> tuple[str, ...]:
    """Paths as a person writes them: absolute, from the home, or from the repository's root."""
    return tuple(str(root / Path(path).expanduser()) for path in named)


def _texts(paths: Iterable[Path]) -> tuple[str, ...]:
    return tuple(str(path) for path in paths)
