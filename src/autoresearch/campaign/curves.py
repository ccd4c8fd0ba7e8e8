"""The metric of runs in flight, for live views; files that did not grow are not read again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autoresearch.campaign import opening
from autoresearch.campaign.planning import target_of
from autoresearch.campaign.status import RunningRun
from autoresearch.ports.metric_source import MetricSource
from autoresearch.run.objective import Objective


@dataclass
class Curves:
    """Reads curves with the campaign's own metric sources, opened once."""

    _sources: Mapping[str, MetricSource] = field(default_factory=dict)
    _objective: Objective | None = None
    _opened: bool = False

    def curve(self, where: Path, run: RunningRun) -> tuple[tuple[int, float], ...]:
        """The objective's metric of a run as (step, value), from the most trusted source that has it."""
        if not self._opened:
            self._open(where, Path(run.folder).parent.parent.name)
        if self._objective is None:
            return ()
        spellings = (self._objective.tag, self._objective.metric)
        for source in self._sources.values():
            series = source.read(Path(run.folder)).series
            found = next((series[tag] for tag in spellings if tag in series), None)
            if found is not None:
                return found.points()
        return ()

    def _open(self, where: Path, campaign: str) -> None:
        opened = opening.open_campaign(where, campaign)
        self._sources = opening.sources_of(target_of(opened.campaign))
        self._objective = opened.history.started.objective if opened.history.started else None
        self._opened = True
