"""The port of trackers: who else is told what happens.

A tracker is made with `options=`: what stands beside its `type` under `trackers:`, and `folder`, where it may keep
files of its own for as long as the campaign is kept. `name` belongs to the class. It is made to see whether its
options are right and again when work begins, so making it tells nobody anything. It is told in a thread of its own,
one event after the other; secrets have been taken out. A campaign never waits for it.
"""

from typing import Protocol, runtime_checkable

from autoresearch.experiment.events import Event


class Tracker(Protocol):
    """Is told what happens. Made with `options=`. May fail or hang; the campaign goes on."""

    name: str
    """What a campaign file calls it under `trackers`."""

    def tell(self, event: Event) -> None:
        """One event of the journal, after it was written; kinds it does not know are passed over.

        Whatever it raises is told to a person once, and the same event comes again later. An event may come twice when
        a controller was killed: it is shown once.
        """
        ...


@runtime_checkable
class Recalling(Protocol):
    """A tracker that needs what it was told in an earlier life to make sense of what comes."""

    def recall(self, event: Event) -> None:
        """An event that was told before a controller ended: taken in, and nobody is told."""
        ...


@runtime_checkable
class Alerting(Protocol):
    """A tracker that reaches a person, also where there is no event yet."""

    def call(self, campaign: str, text: str) -> None:
        """Say one line of a campaign to them, now."""
        ...


@runtime_checkable
class Closing(Protocol):
    """A tracker that holds something until its controller ends."""

    def close(self) -> None:
        """Nothing more is told: whatever is held back goes out now."""
        ...
