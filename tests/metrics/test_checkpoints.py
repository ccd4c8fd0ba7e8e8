"""What checkpoints record of a run."""

import json
import math
import os
from pathlib import Path

import pytest

from autoresearch.metrics.checkpoints import CheckpointSource

GOLDEN = Path(__file__).parents[1] / "golden" / "nemo_rl_logs"


def save(folder, step, text, mtime=None):
    file = folder / f"step_{step}" / "training_info.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    if mtime:
        os.utime(file, (mtime, mtime))


def read(folder):
    return CheckpointSource(options={}).read(folder)


def test_real_checkpoints():
    """The sample runs' checkpoints give the metric in the recipe's spelling."""
    assert read(GOLDEN / "grpo_ok").series["val:accuracy"].points() == ((10, 0.40625), (20, 0.796875), (30, 0.703125))
    assert read(GOLDEN / "sft_ok").series["val:val_loss"].points() == (
        (10, 1.3610010147094727),
        (20, 1.1487420797348022),
    )


def test_only_finished_saves_count(tmp_path):
    """A save still being written has another folder name and is left alone."""
    save(tmp_path / "ckpts", 10, '{"val:accuracy": 0.5}')
    tmp = tmp_path / "ckpts" / "tmp_step_20" / "training_info.json"
    tmp.parent.mkdir()
    tmp.write_text('{"val:accuracy": 0.9}')
    assert read(tmp_path).series["val:accuracy"].points() == ((10, 0.5),)


def test_the_newer_of_two_saves_counts(tmp_path):
    """Two checkpoint folders below one run: the step both hold is the newer one's."""
    save(tmp_path / "b", 10, '{"val:accuracy": 0.1}', mtime=100)
    save(tmp_path / "a", 10, '{"val:accuracy": 0.2}', mtime=200)
    assert read(tmp_path).series["val:accuracy"].values == (0.2,)


def test_bare_nan_is_a_number_and_the_rest_is_not(tmp_path):
    """NaN is kept; null, texts, truth values, lists and numbers beyond a float are no metric."""
    save(tmp_path, 3, '{"val:loss": NaN, "a": null, "b": "1.0", "c": true, "d": [1], "e": 1' + "0" * 400 + "}")
    found = read(tmp_path).series
    assert set(found) == {"val:loss"}
    assert math.isnan(found["val:loss"].values[0])


@pytest.mark.parametrize("cut", range(0, 186, 3))
def test_a_torn_record_is_left_out(tmp_path, cut):
    """A record cut anywhere never fails and never gives half a number."""
    text = (GOLDEN / "grpo_ok/ckpts/step_30/training_info.json").read_text()
    save(tmp_path, 30, text[:cut])
    found = read(tmp_path)
    assert cut >= len(text) or (found.series == {} and "left out" in found.notes[0])


def test_odd_documents(tmp_path):
    """Lists, nesting without end and other bytes are noted, not raised."""
    for step, text in enumerate(("[1]", "[" * 100_000, "\x00\x01", json.dumps("x"))):
        save(tmp_path, step, text)
    assert len(read(tmp_path).notes) == 4
