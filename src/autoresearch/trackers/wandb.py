"""Weights & Biases: one run for each experiment that was judged, and one for the campaign once it has ended.

Overrides and the commit become the config, the curve of each seed a history, verdict and figures the summary; the runs
of a campaign are a group. A run is written whole and once: W&B cannot take one up again while it is offline, and a run
that is open for hours would have to outlive its controller.

Runs that a recipe logs to W&B itself, online, get the verdict of their idea as a tag once it has one.
"""

import logging
import re
from collections import defaultdict
from contextlib import suppress
from typing import Any, ClassVar, Literal

from autoresearch.experiment.events import Event, ExperimentJudged, Noted, RunPlanned
from autoresearch.trackers.options import TrackerOptions
from autoresearch.trackers.page_tracker import PageTracker, by_step
from autoresearch.trackers.story import StoryPage

_OWN_RUN = re.compile(
    r"(?P<run>\S+): Weights & Biases has it at https?://[^/\s]+/(?P<path>[^/\s]+/[^/\s]+)/runs/(?P<id>[\w-]+)"
)
"""What is noted of a run that logs there itself."""
_PATIENCE_S = 20


class WandbOptions(TrackerOptions):
    """Options of the W&B tracker. The key comes from `WANDB_API_KEY` or `wandb login`, never from here."""

    tracker: ClassVar[str] = "wandb"
    package: ClassVar[str | None] = "wandb"

    project: str = "autoresearch"
    """W&B project."""

    entity: str | None = None
    """W&B user or team; left out, W&B's own default."""

    mode: Literal["online", "offline"] | None = None
    """`offline` writes to `folder`, for `wandb sync` later; left out, what `WANDB_MODE` says."""


class WandbTracker(PageTracker[WandbOptions]):
    """Tells W&B. Options are described in `WandbOptions`."""

    name = "wandb"
    reads = WandbOptions

    def __init__(self, *, options: dict[str, Any]) -> None:
        super().__init__(options=options)
        self._arm_of: dict[str, str] = {}
        self._own_runs: dict[str, set[str]] = defaultdict(set)

    def recall(self, event: Event) -> None:
        """Take in what was told before."""
        super().recall(event)
        self._follow(event)

    def tell(self, event: Event) -> None:
        """Write the pages that are finished now, and tag the runs of an idea that has its verdict."""
        self._follow(event)
        super().tell(event)
        if isinstance(event, ExperimentJudged):
            for path in sorted(self._own_runs[event.name]):
                _tag(path, event.verdict.status.value)

    def _follow(self, event: Event) -> None:
        """Where the runs of an idea are that their own recipe logs."""
        if isinstance(event, RunPlanned):
            self._arm_of[event.run_id] = event.experiment
        elif isinstance(event, Noted) and (found := _OWN_RUN.match(event.text)) and found["run"] in self._arm_of:
            self._own_runs[self._arm_of[found["run"]]].add(f"{found['path']}/{found['id']}")

    def _write(self, page: StoryPage) -> None:
        """One run from its beginning to its end, and once."""
        self._once(page, lambda identity: self._log(page, identity))

    def _log(self, page: StoryPage, identity: str) -> None:
        import wandb  # noqa: PLC0415 - an optional package, and slow to load

        logging.getLogger("wandb").setLevel(logging.ERROR)
        wandb.setup(settings=_quiet(wandb))  # what it says outside of a run, too
        run = wandb.init(
            project=self.options.project,
            entity=self.options.entity,
            id=identity,
            name=page.name,
            group=page.campaign,
            job_type="experiment" if "/" in page.key else "campaign",
            tags=[page.outcome],
            config=dict(page.settings),
            mode=self.options.mode,
            dir=str(self.options.folder.absolute()),
            resume="allow" if self.options.mode == "online" else None,
            reinit="create_new",
            settings=_quiet(wandb),
        )
        for step, figures in by_step(page).items():
            run.log(figures, step=step)
        run.summary.update({**page.words, **page.numbers})
        run.finish(exit_code=int(page.outcome == "crash"))


def _tag(path: str, word: str) -> None:
    """Put a tag on a run that is not ours: what cannot be done is left, and nothing is tried again."""
    import wandb  # noqa: PLC0415 - an optional package, and slow to load

    with suppress(Exception):
        run = wandb.Api(timeout=_PATIENCE_S).run(path)
        if word not in run.tags:
            run.tags = [*run.tags, word]
            run.update()


def _quiet(wandb: Any) -> Any:
    """Nothing is printed, and nothing of this machine is sent: not its load, its code, its packages or its git."""
    return wandb.Settings(
        silent=True,
        console="off",
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        save_code=False,
        x_disable_stats=True,
        x_disable_meta=True,
        x_save_requirements=False,
    )
