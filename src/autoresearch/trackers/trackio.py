"""Trackio: one run for each experiment that was judged, and one for the campaign once it has ended.

Overrides and the commit become the config, the curve of each seed metrics over steps, verdict and figures the last
entry; the runs of a campaign are a group. A run is written whole and once, as for W&B. Its data lie where Trackio keeps
them (`TRACKIO_DIR`), or on the server that `TRACKIO_SERVER_URL` or `TRACKIO_SPACE_ID` names.
"""

from typing import Any, ClassVar

from autoresearch.trackers.options import TrackerOptions
from autoresearch.trackers.page_tracker import PageTracker, by_step
from autoresearch.trackers.story import StoryPage


class TrackioOptions(TrackerOptions):
    """Options of the Trackio tracker. A token comes from `TRACKIO_WRITE_TOKEN` or `hf auth login`, never from here."""

    tracker: ClassVar[str] = "trackio"
    package: ClassVar[str | None] = "trackio"

    project: str = "autoresearch"
    """Trackio project."""

    space: str | None = None
    """A Hugging Face Space to send to; left out, what `TRACKIO_SPACE_ID` says, else this machine."""


class TrackioTracker(PageTracker[TrackioOptions]):
    """Tells Trackio. Options are described in `TrackioOptions`."""

    name = "trackio"
    reads = TrackioOptions

    def _write(self, page: StoryPage) -> None:
        """One run from its beginning to its end, and once."""
        self._once(page, lambda _: self._log(page))

    def _log(self, page: StoryPage) -> None:
        run = _quiet().init(
            project=self.options.project,
            name=page.name if "/" not in page.key else page.key.partition("/")[2],
            group=page.campaign,
            config=dict(page.settings),
            space_id=self.options.space,
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        steps = by_step(page)
        for step, figures in steps.items():
            run.log(figures, step=step)
        run.log({**page.words, **page.numbers}, step=max(steps, default=0))
        run.finish()


def _quiet() -> Any:
    """Trackio, whose own lines stay off the terminal: that belongs to the campaign's."""
    import trackio  # noqa: PLC0415 - an optional package, and slow to load
    import trackio.run  # noqa: PLC0415
    import trackio.utils  # noqa: PLC0415

    for module in (trackio, trackio.run, trackio.utils):
        vars(module)["print"] = _nothing
    return trackio


def _nothing(*_: object, **__: object) -> None:
    """Say nothing."""
