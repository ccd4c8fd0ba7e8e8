"""The job of a run, built in one place: what a dry run shows and what is sent cannot differ."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from autoresearch.config.schema import CampaignConfig
from autoresearch.ports.launcher import Launcher, occupies
from autoresearch.ports.target import RunRequest, Target
from autoresearch.records.paths import CampaignPaths
from autoresearch.run.job import Job, Resources
from autoresearch.run.placement import Places, on_cpu


@dataclass(frozen=True, kw_only=True)
class JobBuilder:
    """Everything that shapes the job of a campaign's run; nothing is written and nothing is sent.

    Attributes:
        campaign: The campaign file.
        paths: Where its things lie.
        target: What is being trained.
        launcher: Where runs happen.
        look: What this machine offers the launcher.
    """

    campaign: CampaignConfig
    paths: CampaignPaths
    target: Target
    launcher: Launcher
    look: Callable[[], Places]

    def request(
        self, label: str, number: int, *, run_id: str, tree: Path, seed: int, limit_s: float | None, commit: str
    ) -> RunRequest:
        """What the target is asked for: a run whose folders are those of `label` and `number`."""
        folder, log = self.paths.run(label, number), self.paths.log(label, number)
        return RunRequest(run_id=run_id, tree=tree, folder=folder, log=log, seed=seed, limit_s=limit_s, commit=commit)

    def job(self, request: RunRequest, label: str, number: int, *, plumbing: bool) -> Job:
        """The job of a requested run; plumbing may do without GPUs.

        Raises:
            RecipeError: The target refuses it.
        """
        job = self.target.job(request)
        settings = self.campaign.run
        memory_gb = settings.memory_gb or job.resources.memory_gb
        return replace(
            job,
            env={**self.paths.variables(label, number), **job.env, **settings.env},
            resources=replace(self._resources(job, plumbing=plumbing), memory_gb=memory_gb),
            grace_s=settings.grace,
            max_log_bytes=int(settings.max_log_mb * 1024 * 1024),
        )

    def _resources(self, job: Job, *, plumbing: bool) -> Resources:
        return on_cpu(job.resources, self.look()) if plumbing and occupies(self.launcher) else job.resources


def elsewhere(job: Job, before: Path, after: Path) -> Job:
    """The job as it is for a worktree at `after`, made with one that lay at `before`.

    A dry run reads the code in a worktree of its own and shows the one that the run will have.
    """

    def moved(text: str) -> str:
        return text.replace(str(before), str(after))

    return replace(
        job,
        argv=tuple(map(moved, job.argv)),
        directory=moved(job.directory),
        env={name: moved(value) for name, value in job.env.items()},
    )
