"""Trackio: one run for each experiment that was judged, and one for the campaign once it has ended.

Overrides and the commit become the config, the curve of each seed metrics over steps, verdict and figures the last
entry; the runs of a campaign are a group. A run is written whole and once, as for W&B. Its data lie where Trackio keeps
them (`TRACKIO_DIR`), or on the server that `TRACKIO_SERVER_URL` or `TRACKIO_SPACE_ID` names.
"""

from collections import defaultdict
from hashlib import sha256
from typing import Any, ClassVar

from autoresearch.experiment.events import Event
from autoresearch.trackers.options import TrackerOptions
from autoresearch.trackers.story import Story, StoryPage


class TrackioOptions(TrackerOptions):
    """Options of the Trackio tracker. A token comes from `TRACKIO_WRITE_TOKEN` or `hf auth login`, never from here."""

    tracker: ClassVar[str] = "trackio"
    package: ClassVar[str] = "trackio"

    project: str = "autoresearch"
    """Trackio project."""

    space: str | None = None
    """A Hugging Face Space to send to; left out, what `TRACKIO_SPACE_ID` says, else this machine."""


class TrackioTracker:
    """Tells Trackio. Options are described in `TrackioOptions`."""

    name = "trackio"

    def __init__(self, *, options: dict[str, Any]) -> None:
        self.options = TrackioOptions.parse(options)
        self._story = Story()

    def recall(self, event: Event) -> None:
        """Take in what was told before."""
        self._story.take(event)

    def tell(self, event: Event) -> None:
        """Write the pages that are finished now."""
        for page in self._story.take(event):
            if page.outcome:
                self._write(page)

    def _write(self, page: StoryPage) -> None:
        """One run from its beginning to its end, and once."""
        identity = sha256(page.key.encode("utf-8", "replace")).hexdigest()[:16]
        mark = self.options.folder / f"{identity}.written"
        if mark.exists():
            return
        self.options.folder.mkdir(parents=True, exist_ok=True)
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
        by_step: dict[int, dict[str, float]] = defaultdict(dict)
        for name, curve in page.curves.items():
            for step, value in curve:
                by_step[step][name] = value
        for step, figures in sorted(by_step.items()):
            run.log(figures, step=step)
        run.log({**page.words, **page.numbers}, step=max(by_step, default=0))
        run.finish()
        mark.touch()


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
