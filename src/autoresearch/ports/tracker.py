"""The port of trackers: who else is told what happens. Made with `options=`."""

from typing import Protocol

from autoresearch.experiment.events import Event


class Tracker(Protocol):
    """Is told what happens. Made with `options=`. May fail; the loop notes it and goes on."""

    name: str

    def tell(self, event: Event) -> None:
        """One event of the journal, after it was written."""
        ...
