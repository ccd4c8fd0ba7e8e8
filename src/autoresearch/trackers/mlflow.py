"""MLflow: one run for each experiment and one for the campaign, in an MLflow experiment of the campaign's name.

Overrides and the commit become parameters, verdict and reason tags, the curve of each seed a metric over steps. A run
is found again by the tag `autoresearch.key`, so a campaign that is resumed goes on where it was, on a tracking server
as in a database of its own.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from autoresearch.trackers.options import TrackerOptions
from autoresearch.trackers.page_tracker import PageTracker
from autoresearch.trackers.story import StoryPage

_KEY = "autoresearch.key"
_LONGEST = 500
"""Characters of a parameter; every store takes so many."""
_AT_ONCE = 500
"""Figures in one request; a server takes a thousand."""
_NO_REPORT = "true"
_ENDED = {"keep": "FINISHED", "discard": "FINISHED", "ended": "FINISHED", "crash": "FAILED"}


class MlflowOptions(TrackerOptions):
    """Options of the MLflow tracker."""

    tracker: ClassVar[str] = "mlflow"
    package: ClassVar[str | None] = "mlflow"

    uri: str = ""
    """Tracking server or store; left out, `MLFLOW_TRACKING_URI`, else the database `mlflow.db` in `folder`."""

    experiment: str = ""
    """Name of the MLflow experiment; left out, the campaign's."""


class MlflowTracker(PageTracker[MlflowOptions]):
    """Tells MLflow. Options are described in `MlflowOptions`."""

    name = "mlflow"
    reads = MlflowOptions
    unfinished = True

    def __init__(self, *, options: dict[str, Any]) -> None:
        super().__init__(options=options)
        self._made: Any = None
        self._runs: dict[str, str] = {}
        self._sent: dict[tuple[str, str], dict[int, float]] = {}

    def _client(self) -> Any:
        if self._made is None:
            self._made = _client(self.options)
        return self._made

    def _write(self, page: StoryPage) -> None:
        from mlflow.entities import Param, RunTag  # noqa: PLC0415 - an optional package

        client, run = self._client(), self._run(page)
        params = [Param(_plain(name), value[:_LONGEST]) for name, value in page.settings.items()]
        client.log_batch(run, params=params, tags=[RunTag(name, value) for name, value in page.words.items()])
        figures = list(self._news(run, page))
        for start in range(0, len(figures), _AT_ONCE):
            client.log_batch(run, metrics=figures[start : start + _AT_ONCE])
        if page.outcome:
            client.set_terminated(run, _ENDED[page.outcome], int(page.at * 1000))

    def _run(self, page: StoryPage) -> str:
        """The id of a page's run, made when there is none."""
        if page.key not in self._runs:
            client, wanted = self._client(), self.options.experiment or page.campaign
            found = client.get_experiment_by_name(wanted)
            artifacts = (self.options.folder.absolute() / "artifacts").as_uri()
            home = found.experiment_id if found else client.create_experiment(wanted, artifacts)
            known = client.search_runs([home], f"tags.`{_KEY}` = '{page.key}'", max_results=1)
            tags = {_KEY: page.key, "autoresearch.campaign": page.campaign}
            run = known[0] if known else client.create_run(home, int(page.at * 1000), tags, page.name)
            self._runs[page.key] = run.info.run_id
        return self._runs[page.key]

    def _news(self, run: str, page: StoryPage) -> Iterator[Any]:
        """The figures that the run does not have yet: a store keeps what is sent twice twice."""
        from mlflow.entities import Metric  # noqa: PLC0415 - an optional package

        single = {name: ((0, value),) for name, value in page.numbers.items()}
        for name, curve in {**single, **page.curves}.items():
            there = self._there(run, _plain(name))
            for step, value in curve:
                if there.get(step) != value:
                    there[step] = value
                    yield Metric(_plain(name), value, int(page.at * 1000), step)

    def _there(self, run: str, name: str) -> dict[int, float]:
        if (run, name) not in self._sent:
            history = self._client().get_metric_history(run, name)
            self._sent[run, name] = {point.step: point.value for point in history}
        return self._sent[run, name]


def _client(options: MlflowOptions) -> Any:
    """A client of the store that the options name; the terminal stays the campaign's."""
    with _untold():
        from mlflow import MlflowClient  # noqa: PLC0415 - an optional package, and slow to load

    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.disable(logging.INFO)  # older releases set up their own logging once more while they make a database
    try:
        return MlflowClient(tracking_uri=_uri(options))
    finally:
        logging.disable(logging.NOTSET)


def _uri(options: MlflowOptions) -> str:
    options.folder.mkdir(parents=True, exist_ok=True)
    return (
        options.uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{options.folder.absolute() / 'mlflow.db'}"
    )


@contextmanager
def _untold() -> Iterator[None]:
    """MLflow decides while it is imported whether it reports its use to its makers: not from here.

    The variable is taken away again, for runs inherit our environment.
    """
    before = os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", _NO_REPORT)
    try:
        yield
    finally:
        if before is _NO_REPORT:
            del os.environ["MLFLOW_DISABLE_TELEMETRY"]


def _plain(name: str) -> str:
    """A name that every store takes."""
    return "".join(letter if letter.isalnum() or letter in "_-./ " else "_" for letter in name)
