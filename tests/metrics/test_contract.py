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


SMALL = ROWS[:2]
TRAINER = json.dumps(
    {"global_step": 2, "log_history": [{"step": row["step"], "eval_loss": row["loss"]} for row in SMALL]}
)
FORMATS = {
    "m.json": (FileSource, {"path": "m.json"}, json.dumps(SMALL)),
    "trainer_state.json": (FileSource, {"path": "trainer_state.json"}, TRAINER),
    "m.jsonl": (FileSource, {"path": "m.jsonl"}, "".join(json.dumps(row) + "\n" for row in SMALL)),
    "verl.jsonl": (
        FileSource,
        {"path": "verl.jsonl"},
        '{"step": 1, "data": {"acc": 0.25}}\n{"step": 2, "data": {"acc": 0.75}}\n',
    ),
    "m.csv": (FileSource, {"path": "m.csv"}, "step,acc\n1,0.25\n2,0.75\n"),
    "m.tsv": (FileSource, {"path": "m.tsv"}, "step\tacc\n1\t0.25\n2\t0.75\n"),
    "run.log": (
        LogSource,
        {"patterns": {"acc": r"acc ([0-9.]+)$"}, "step": r"step (\d+)"},
        "step 1 acc 0.25\nstep 2 acc 0.75\n",
    ),
    "events": (TensorBoardSource, {}, next(GOLDEN.rglob("events.out.tfevents.*")).read_bytes()[:600]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_cut_at_each_byte_gives_no_number_that_the_whole_does_not(name, tmp_path):
    """A run that is killed while it writes leaves some beginning: a row is whole, or it is none."""
    make, options, text = FORMATS[name]
    content = text if isinstance(text, bytes) else text.encode()
    file = tmp_path / ("events.out.tfevents.1.host.1.0" if name == "events" else name)

    def points(part: bytes) -> set[tuple[str, int, float]]:
        file.write_bytes(part)
        found = make(options=options).read(tmp_path).series
        return {(tag, step, value) for tag, one in found.items() for step, value in one.points()}

    whole = points(content)
    assert whole
    for cut in range(len(content)):
        assert points(content[:cut]) <= whole, content[:cut][-40:]
