"""What trackers have in common that show a campaign as pages: how they are made and remember, and when they write.

An adapter says which options it reads and how one page is written; what stands on a page is `Story`'s.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable
from hashlib import sha256
from typing import Any, ClassVar, Generic, TypeVar

from autoresearch.experiment.events import Event
from autoresearch.trackers.options import TrackerOptions
from autoresearch.trackers.story import Story, StoryPage

Reads = TypeVar("Reads", bound=TrackerOptions)


class PageTracker(ABC, Generic[Reads]):
    """Writes pages to a tracker: those that are finished, or with `unfinished` whenever one changes."""

    reads: type[Reads]
    """The options that it takes."""

    unfinished: ClassVar[bool] = False

    def __init__(self, *, options: dict[str, Any]) -> None:
        self.options = self.reads.parse(options)
        self._story = Story()

    def recall(self, event: Event) -> None:
        """Take in what was told before."""
        self._story.take(event)

    def tell(self, event: Event) -> None:
        """Write the pages that the event has changed."""
        for page in self._story.take(event):
            if page.outcome or self.unfinished:
                self._write(page)

    @abstractmethod
    def _write(self, page: StoryPage) -> None:
        """Write one page, in place of what was written of it before."""

    def _once(self, page: StoryPage, write: Callable[[str], None]) -> None:
        """Have a page written that cannot be written again: `write` gets an identity, the same for ever.

        A controller may be killed before it can say that it was, so that is kept in a file.
        """
        identity = sha256(page.key.encode("utf-8", "replace")).hexdigest()[:16]
        mark = self.options.folder / f"{identity}.written"
        if mark.exists():
            return
        self.options.folder.mkdir(parents=True, exist_ok=True)
        write(identity)
        mark.touch()


def by_step(page: StoryPage) -> dict[int, dict[str, float]]:
    """The figures of each step together, steps ascending."""
    found: dict[int, dict[str, float]] = defaultdict(dict)
    for name, curve in page.curves.items():
        for step, value in curve:
            found[step][name] = value
    return dict(sorted(found.items()))
