"""Every built-in metric source keeps what metric sources promise."""

import json
import shutil
from pathlib import Path

import pytest

from autoresearch.metrics.checkpoints import CheckpointSource
from autoresearch.metrics.files import FileSource
from autoresearch.metrics.logs import LogSource
from autoresearch.metrics.samples import SampleSource
from autoresearch.metrics.tensorboard import TensorBoardSource
from autoresearch.testing.metric_sources import MetricSourceContract

GOLDEN = Path(__file__).parents[1] / "golden" / "nemo_rl_logs" / "grpo_ok"
ROWS = [{"step": step, "accuracy": 0.5123 + step / 7, "loss": 1.25 / step} for step in range(1, 9)]


def table(mark):
    lines = [ROWS[0].keys(), *(map(str, row.values()) for row in ROWS)]
    return "".join(mark.join(line) + "\n" for line in lines)


class TestTensorBoard(MetricSourceContract):
    @pytest.fixture
    def make(self):
        return lambda: TensorBoardSource(options={})

    @pytest.fixture
    def write(self):
        event = next(GOLDEN.rglob("events.out.tfevents.*"))
        return lambda folder: shutil.copy(event, folder)


class TestCheckpoints(MetricSourceContract):
    @pytest.fixture
    def make(self):
        return lambda: CheckpointSource(options={})

    @pytest.fixture
    def write(self):
        return lambda folder: shutil.copytree(GOLDEN / "ckpts", folder / "ckpts")


class TestSamples(MetricSourceContract):
    @pytest.fixture
    def make(self):
        return lambda: SampleSource(options={})

    @pytest.fixture
    def write(self):
        lines = [json.dumps({"content": [f"q{n}"], "rewards": [float(n % 2)], "idx": n}) for n in range(9)]
        return lambda folder: (folder / "val_data_step5.jsonl").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("name", ["m.json", "m.jsonl", "m.csv", "m.tsv"])
class TestFiles(MetricSourceContract):
    @pytest.fixture
    def make(self, name):
        return lambda: FileSource(options={"path": name})

    @pytest.fixture
    def write(self, name):
        texts = {
            "m.json": json.dumps(ROWS),
            "m.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS),
            "m.csv": table(","),
            "m.tsv": table("\t"),
        }
        return lambda folder: (folder / name).write_text(texts[name])


class TestLogs(MetricSourceContract):
    @pytest.fixture
    def make(self):
        return lambda: LogSource(options={"patterns": {"accuracy": r"accuracy ([0-9.]+)"}, "step": r"step (\d+)"})

    @pytest.fixture
    def write(self):
        text = "".join(f"step {row['step']}\n  accuracy {row['accuracy']}\n" for row in ROWS)
        return lambda folder: (folder / "run.log").write_text(text)
