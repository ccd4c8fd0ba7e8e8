"""The port of metric sources: what reads the numbers that a run wrote.

A metric source is made with `options=`: what stands beside its `type` under `target.source`. Every target takes it by
its name. `name` belongs to the class.
"""

from pathlib import Path
from typing import Protocol

from autoresearch.run.measurement import Readings


class MetricSource(Protocol):
    """Reads what a run wrote. Made with `options=`."""

    name: str
    """What a campaign file calls it under `target.source`."""

    def read(self, folder: Path) -> Readings:
        """Everything found below `folder`. Partial, torn and missing files are normal and never raise."""
        ...
