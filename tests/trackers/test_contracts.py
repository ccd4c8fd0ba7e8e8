"""Our trackers with their real packages, which work without a server and without a key."""

import json
import os
import sqlite3
import struct
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from autoresearch.testing.trackers import CAMPAIGN, IDEA, TrackerContract, a_campaign, tell

pytestmark = [pytest.mark.full, pytest.mark.trackers, pytest.mark.filterwarnings("default")]


class TestMlflow(TrackerContract):
    """A database in a folder, read as SQLite has it."""

    @pytest.fixture(autouse=True)
    def package(self):
        pytest.importorskip("mlflow", reason="needs mlflow: pip install '.[mlflow]'")

    @pytest.fixture
    def make(self, tmp_path):
        from autoresearch.trackers.mlflow import MlflowTracker

        return lambda: MlflowTracker(options={"folder": tmp_path})

    @pytest.fixture
    def shown(self, tmp_path):
        return lambda: "\n".join(map(repr, rows(tmp_path / "mlflow.db")))

    def test_a_verdict_is_a_tag_and_a_curve_a_metric(self, make, tmp_path):
        """What the page promises: parameters, the curve of a seed, figures, status and end."""
        tell(make(), a_campaign())
        found = set(rows(tmp_path / "mlflow.db"))
        assert {
            ("param", "override.lr", "0.1"),
            ("tag", "status", "keep"),
            ("run", "raise-the-rate", "FINISHED"),
        } <= found
        assert {("metric", "accuracy.seed-42", 0.6, 1), ("metric", "accuracy.seed-42", 0.75, 2)} <= found
        assert ("metric", "value", 0.75, 0) in found


def rows(database: Path) -> list[tuple[object, ...]]:
    """Parameters, tags, metrics and runs, sorted; none where nothing was told."""
    if not database.exists():
        return []
    with sqlite3.connect(database) as opened:
        found = [("param", *row) for row in opened.execute("select key, value from params")]
        found += [("tag", *row) for row in opened.execute("select key, value from tags")]
        found += [("metric", *row) for row in opened.execute("select key, value, step from metrics")]
        found += [("run", *row) for row in opened.execute("select name, status from runs")]
    return sorted(found, key=repr)


class TestWandb(TrackerContract):
    """Offline: what `wandb sync` would send, in files."""

    @pytest.fixture(autouse=True)
    def package(self):
        pytest.importorskip("wandb", reason="needs wandb: pip install '.[wandb]'")

    @pytest.fixture
    def make(self, tmp_path):
        from autoresearch.trackers.wandb import WandbTracker

        return lambda: WandbTracker(options={"folder": tmp_path, "mode": "offline"})

    @pytest.fixture
    def shown(self, tmp_path):
        return lambda: "\n".join(sorted(words(tmp_path)))

    def test_a_verdict_is_a_summary_and_a_curve_a_history(self, make, tmp_path):
        """What the page promises: a group for the campaign, the config, the curve of a seed, the verdict."""
        tell(make(), a_campaign())
        found = words(tmp_path)
        assert "run raise-the-rate in night, tags keep" in found
        assert 'config override.lr "0.1"' in found
        assert [word for word in found if word.startswith("history {'accuracy")] == [
            "history {'accuracy.seed-42': '0.6'}",
            "history {'accuracy.seed-42': '0.75'}",
        ]
        assert 'summary status "keep"' in found
        assert "summary value 0.75" in found


class TestTensorBoard(TrackerContract):
    """Event files, read with TensorBoard's own package."""

    @pytest.fixture(autouse=True)
    def package(self):
        pytest.importorskip("tensorboard", reason="needs tensorboard: pip install tensorboard")

    @pytest.fixture
    def make(self, tmp_path):
        from autoresearch.trackers.event_files import TensorBoardTracker

        return lambda: TensorBoardTracker(options={"folder": tmp_path})

    @pytest.fixture
    def shown(self, tmp_path):
        return lambda: "\n".join(map(repr, board(tmp_path)))

    def test_settings_are_hyperparameters_and_a_curve_a_scalar(self, make, tmp_path):
        """What the page promises, as TensorBoard's own reader and its hparams plugin have it."""
        tell(make(), a_campaign())
        found = board(tmp_path)
        assert (IDEA, "override.lr", "0.1") in found
        assert (IDEA, "status", "keep") in found
        assert {(IDEA, "accuracy.seed-42", 1, 0.6), (IDEA, "accuracy.seed-42", 2, 0.75)} <= set(found)
        assert (IDEA, "ended", 1) in found


def board(folder: Path) -> list[tuple[object, ...]]:
    """Hyperparameters and scalars of every run below a folder, and how it ended."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    found: list[tuple[object, ...]] = []
    for file in sorted(folder.rglob("*tfevents*")):
        read, run = EventAccumulator(str(file)), file.parent.name
        read.Reload()
        told = read.PluginTagToContent("hparams")
        start = metadata.parse_session_start_info_plugin_data(told[metadata.SESSION_START_INFO_TAG])
        end = metadata.parse_session_end_info_plugin_data(told[metadata.SESSION_END_INFO_TAG])
        found += [(run, name, start.hparams[name].string_value) for name in sorted(start.hparams)]
        found.append((run, "ended", end.status))
        for tag in read.Tags()["scalars"]:
            found += [(run, tag, one.step, round(one.value, 6)) for one in read.Scalars(tag)]
    return found


class TestTrackio(TrackerContract):
    """A project on this machine, in the SQLite file that Trackio keeps of it."""

    @pytest.fixture(autouse=True)
    def package(self, tmp_path_factory):
        if "TRACKIO_DIR" not in os.environ:  # read when the package is imported, once for all tests
            os.environ["TRACKIO_DIR"] = str(tmp_path_factory.mktemp("trackio"))
        trackio = pytest.importorskip("trackio.utils", reason="needs trackio: pip install '.[trackio]'")
        assert Path(os.environ["TRACKIO_DIR"]) == trackio.TRACKIO_DIR, "a test before this one has imported trackio"

    @pytest.fixture
    def make(self, tmp_path):
        from autoresearch.trackers.trackio import TrackioTracker

        return lambda: TrackioTracker(options={"folder": tmp_path, "project": project(tmp_path)})

    @pytest.fixture
    def shown(self, tmp_path):
        return lambda: "\n".join(map(repr, logged(project(tmp_path))))

    def test_a_verdict_is_the_last_entry_and_a_curve_is_metrics(self, make, tmp_path):
        """What the page promises: a group for the campaign, the config, the curve of a seed, the verdict."""
        tell(make(), a_campaign())
        found = logged(project(tmp_path))
        assert (IDEA, "config", "_Group", CAMPAIGN) in found
        assert (IDEA, "config", "override.lr", "0.1") in found
        assert {(IDEA, 1, "accuracy.seed-42", 0.6), (IDEA, 2, "accuracy.seed-42", 0.75)} <= set(found)
        assert (IDEA, 2, "status", "keep") in found


def project(folder: Path) -> str:
    """A project of a test's own."""
    return f"t{sha256(str(folder).encode()).hexdigest()[:12]}"


def logged(name: str) -> list[tuple[object, ...]]:
    """Config and entries of every run of a project, without times and who logged; none where nothing was told."""
    database = Path(os.environ["TRACKIO_DIR"]) / f"{name}.db"
    if not database.exists():
        return []
    found: list[tuple[object, ...]] = []
    with sqlite3.connect(database) as opened:
        for run, config in opened.execute("select run_name, config from configs"):
            own = {key: value for key, value in json.loads(config).items() if key not in {"_Created", "_Username"}}
            found += [(run, "config", key, value) for key, value in own.items()]
        for run, step, metrics in opened.execute("select run_name, step, metrics from metrics"):
            found += [(run, step, key, value) for key, value in json.loads(metrics).items()]
    return sorted(found, key=repr)


def words(folder: Path) -> list[str]:
    """What the records of all offline runs hold, without times and places, sorted."""
    found = []
    for file in folder.glob("wandb/offline-run-*/*.wandb"):
        for record in whole(file):
            run, history = record.run, {_key(one): one.value_json for one in record.history.item}
            if run.display_name:
                found.append(f"run {run.display_name} in {run.run_group}, tags {','.join(run.tags)}")
                found += [f"config {_key(one)} {one.value_json}" for one in run.config.update]
            own = {name: value for name, value in history.items() if not name.startswith("_")}
            found += [f"history {own}"] if own else []
            found += [f"summary {_key(one)} {one.value_json}" for one in record.summary.update]
    return sorted(word for word in found if "_wandb" not in word and "summary _" not in word)


def whole(file: Path) -> list[Any]:
    """The records of a run that was finished: W&B's own process writes them, and may still be at it afterwards."""
    from wandb.proto.wandb_internal_pb2 import Record

    patience = time.monotonic() + 200
    while True:
        found = [Record.FromString(data) for data in records(file.read_bytes())]
        if any(record.HasField("exit") for record in found):
            return found
        assert time.monotonic() < patience, f"{file} has no end"
        time.sleep(0.05)


def _key(item) -> str:
    return item.key or "/".join(item.nested_key)


def records(data: bytes) -> Iterator[bytes]:
    """The records of a W&B file: LevelDB's log format, blocks of 32 KiB, after a header of seven bytes."""
    place, piece = 7, b""
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        size, kind = struct.unpack("<HB", data[place + 4 : place + 7])
        piece += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in {1, 4}:
            yield piece
            piece = b""
