"""The port of metric sources: what reads the numbers that a run wrote. Made with `options=`."""

from pathlib import Path
from typing import Protocol

from autoresearch.run.measurement import Readings


class MetricSource(Protocol):
    """Reads what a run wrote. Made with `options=`."""

    name: str

    def read(self, folder: Path) -> Readings:
        """Everything found below `folder`. Partial, torn and missing files are normal and never raise."""
        ...
