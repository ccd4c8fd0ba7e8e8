"""The port of metric sources: what reads the numbers that a run wrote.

A metric source is made with `options=`: what stands beside its `type` under `target.source`. Every target takes it by
its name. `name` belongs to the class.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from autoresearch.errors import StorageError
from autoresearch.ports import plugins
from autoresearch.ports.target import Target
from autoresearch.run.measurement import Readings


class MetricSource(Protocol):
    """Reads what a run wrote. Made with `options=`."""

    name: str
    """What a campaign file calls it under `target.source`."""

    def read(self, folder: Path) -> Readings:
        """Everything found below `folder`. Partial, torn and missing files are normal and never raise."""
        ...


def sources_of(target: Target) -> Mapping[str, MetricSource]:
    """The target's metric sources, made, in its order of trust. They have seen nothing yet.

    Raises:
        AutoresearchError: There is no such source, or it refuses its options.
    """
    return {spec.name: plugins.make("metrics", spec.name, options=spec.options) for spec in target.sources()}


def readings_of(source: MetricSource, folder: Path) -> Readings:
    """What a source reads; of one that breaks its word and raises, or answers anything else, only a note that says so.

    A night must not end because a package cannot read one run: that run then has no number, and its row says why.
    """
    try:
        found: object = source.read(folder)
    except StorageError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is somebody else's code
        return Readings(notes=(f"it failed: {type(error).__name__}: {error}",))
    if isinstance(found, Readings):
        return found
    return Readings(notes=(f"it answered {type(found).__name__} instead of readings",))
