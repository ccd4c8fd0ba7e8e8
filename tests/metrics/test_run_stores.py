"""W&B's, MLflow's and Trackio's own files: what they say, and what nobody can make them say."""

import math
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.metrics import run_files

from autoresearch.metrics.run_stores import MlflowSource, TrackioSource
from autoresearch.metrics.wandb_run import WandbSource
from autoresearch.run.measurement import Readings
from autoresearch.testing.metric_sources import MetricSourceContract

ROWS = [{"accuracy": 0.5123 + step / 7, "loss": 1.25 / (step + 1)} for step in range(8)]
KINDS = {
    "wandb": (WandbSource, run_files.wandb),
    "mlflow folder": (MlflowSource, run_files.mlflow_folder),
    "mlflow database": (MlflowSource, run_files.mlflow_database),
    "trackio": (TrackioSource, run_files.trackio),
    "trackio fragments": (TrackioSource, run_files.trackio_fragments),
}
ENDLESS = """CREATE VIEW metrics AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x FROM c)
SELECT x AS key, x AS value, x AS step, x AS run_uuid, 0 AS is_nan, x AS timestamp FROM c"""
SOURCES = (WandbSource, MlflowSource, TrackioSource)


@pytest.mark.parametrize("kind", KINDS)
class TestContract(MetricSourceContract):
    @pytest.fixture
    def make(self, kind):
        return KINDS[kind][0]

    @pytest.fixture
    def write(self, kind):
        return lambda folder: KINDS[kind][1](folder, ROWS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_is_read_at_its_step(kind, tmp_path):
    """Names, steps and values as the script logged them, bit for bit, NaN too."""
    source, write = KINDS[kind]
    write(tmp_path, [*ROWS, {"accuracy": math.nan}])
    found = source().read(tmp_path)
    assert dict(found.series["loss"].points()) == {step: row["loss"] for step, row in enumerate(ROWS)}
    assert found.series["accuracy"].steps == tuple(range(9))
    assert math.isnan(found.series["accuracy"].values[-1])
    assert set(found.series) == {"accuracy", "loss"}
    assert found.notes == ()


@pytest.mark.parametrize("kind", ["wandb", "mlflow folder", "trackio", "trackio fragments"])
def test_a_file_cut_at_any_byte_gives_no_number_that_it_did_not_hold(kind, tmp_path):
    """At each byte, where the contract looks at some."""
    source, write = KINDS[kind]
    write(tmp_path, ROWS[:2])
    whole = points(source().read(tmp_path))
    for name in source().read(tmp_path).files:
        content = (tmp_path / name).read_bytes()
        for cut in range(len(content)) if len(content) < 4096 else range(0, len(content), 61):
            (tmp_path / name).write_bytes(content[:cut])
            assert points(source().read(tmp_path)) <= whole, cut
        (tmp_path / name).write_bytes(content)


@given(data=st.binary(max_size=400), at=st.integers(0, 1 << 15), kind=st.sampled_from(sorted(KINDS)))
def test_bytes_that_nobody_expected_are_no_error(data, at, kind):
    """Anything in place of a stretch of a good file, in every kind of file."""
    source, write = KINDS[kind]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, ROWS[:3])
        for file in source().read(folder).files:
            content = (folder / file).read_bytes()
            start = at % (len(content) + 1)
            (folder / file).write_bytes(content[:start] + data + content[start + len(data) :])
        assert isinstance(source().read(folder), Readings)


@given(data=st.binary(max_size=300))
def test_a_record_of_any_bytes_is_no_error(data):
    """Behind a right checksum, too."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name, "run-x.wandb")
        file.write_bytes(run_files.framed([data, run_files.history(3, {"loss": 0.5})]))
        assert WandbSource().read(Path(name)).series["loss"].last == (3, 0.5)


@given(sizes=st.lists(st.integers(0, 90_000), max_size=6))
def test_records_are_read_across_blocks(sizes):
    """However long what stands between two numbers is."""
    records = [run_files.message((4, bytes(size))) for size in sizes]
    with tempfile.TemporaryDirectory() as name:
        good = [run_files.history(step, {"loss": float(step)}) for step in range(len(records) + 1)]
        mixed = [one for pair in zip(good, records, strict=False) for one in pair] + good[len(records) :]
        Path(name, "run-x.wandb").write_bytes(run_files.framed(mixed))
        found = WandbSource().read(Path(name))
    assert found.series["loss"].steps == tuple(range(len(good)))
    assert found.notes == ()


def test_what_only_the_summary_has_stands_at_the_last_step(tmp_path):
    """`run.summary["best"] = 0.75` is a number of the run; its own clock is none."""
    run_files.wandb(tmp_path, [{"loss": 1.0, "_runtime": 3.5}, {"loss": 0.5}], best=0.75, loss=0.5, _step=1, _runtime=9)
    found = WandbSource().read(tmp_path)
    assert {tag: one.last for tag, one in found.series.items()} == {"loss": (1, 0.5), "best": (1, 0.75)}


def test_nested_keys_are_joined_and_words_and_media_are_no_numbers(tmp_path):
    """As in the files that a script writes itself."""
    row = {"eval": {"acc": 0.25, "by": {"0": 1.0}}, "word": "0.5", "on": True, "table": {"_type": "table-file", "n": 3}}
    run_files.wandb(tmp_path, [row])
    run_files.trackio(tmp_path, [row])
    for source in (WandbSource, TrackioSource):
        assert set(source().read(tmp_path).series) == {"eval/acc", "eval/by/0"}


def test_several_runs_of_one_store_are_said(tmp_path):
    """A script that cross-validates in nested runs has more than one number."""
    run_files.mlflow_folder(tmp_path, [{"acc": 0.5}], run="a" * 32)
    run_files.mlflow_folder(tmp_path, [{"acc": 0.75}], run="b" * 32)
    found = MlflowSource().read(tmp_path)
    assert found.series["acc"].last == (0, 0.75)
    assert found.notes == ("2 runs are in the store; the last one's numbers count",)


def test_what_stands_in_the_write_ahead_log_is_read_and_the_database_is_left_alone(tmp_path):
    """A live run's numbers are in the log at first."""
    file = run_files.trackio(tmp_path, ROWS[:1])
    with closing(sqlite3.connect(file)) as opened:
        opened.execute("PRAGMA journal_mode = WAL")
        opened.execute("INSERT INTO metrics (run_name, step, metrics) VALUES ('a', 1, '{\"loss\": 0.25}')")
        opened.commit()
        before = sorted((path.name, path.read_bytes()) for path in file.parent.iterdir() if "-shm" not in path.name)
        assert TrackioSource().read(tmp_path).series["loss"].last == (1, 0.25)
        assert before == sorted((p.name, p.read_bytes()) for p in file.parent.iterdir() if "-shm" not in p.name)


@pytest.mark.parametrize(
    "table",
    [
        "CREATE TABLE other (a)",
        "CREATE TABLE metrics (a)",
        ENDLESS,
        "CREATE TABLE metrics (key, value, timestamp, step, run_uuid AS (hex(zeroblob(9))), is_nan)",
    ],
    ids=["another table", "other columns", "an endless view", "a column that is a program"],
)
def test_another_database_is_no_store_of_metrics(table, tmp_path):
    """Not even one that would have the reader work for it."""
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as opened, opened:
        opened.execute(table)
        if "zeroblob" in table:
            opened.execute("INSERT INTO metrics VALUES ('a', 1.0, 1, 1, 0)")
    for source in SOURCES:
        assert source().read(tmp_path).series == {}


def points(found):
    return {(tag, step, value) for tag, one in found.series.items() for step, value in one.points()}


REAL = {
    "wandb": """
import wandb
run = wandb.init(project="demo", mode="offline", settings=wandb.Settings(x_disable_stats=True, console="off"))
for step in range(5):
    run.log({"loss": 1 / (step + 1), "eval": {"acc": step / 10}})
run.finish()
""",
    "mlflow": """
import mlflow
mlflow.set_experiment("demo")
with mlflow.start_run():
    for step in range(5):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metric("eval/acc", step / 10, step=step)
""",
    "trackio": """
import trackio
trackio.init(project="demo")
for step in range(5):
    trackio.log({"loss": 1 / (step + 1), "eval": {"acc": step / 10}})
trackio.finish()
""",
}


@pytest.mark.full
@pytest.mark.trackers
@pytest.mark.parametrize("kind", [*REAL, "mlflow folder", "trackio fragments"])
def test_what_the_real_packages_write_is_read(kind, tmp_path):
    """The files that a script leaves beside itself with the package as it is installed."""
    name = kind.partition(" ")[0]
    if find_spec(name) is None:
        pytest.skip(f"needs {name}")
    own = {"TRACKIO_DIR": str(tmp_path / "trackio"), "WANDB_SILENT": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    own |= {"MLFLOW_TRACKING_URI": (tmp_path / "mlruns").as_uri()} if kind == "mlflow folder" else {}
    own |= {"TRACKIO_STORAGE_MODE": "jsonl"} if kind == "trackio fragments" else {}
    own |= {"MLFLOW_ALLOW_FILE_STORE": "true"}
    script = [sys.executable, "-c", REAL[name]]
    subprocess.run(script, cwd=tmp_path, env={**os.environ, **own}, check=True, capture_output=True, timeout=240)
    (source,) = [one for one in SOURCES if one.name == name]
    found = source().read(tmp_path)
    assert found.notes == ()
    assert dict(found.series["loss"].points()) == {step: 1 / (step + 1) for step in range(5)}
    assert found.series["eval/acc"].values == (0.0, 0.1, 0.2, 0.3, 0.4)
