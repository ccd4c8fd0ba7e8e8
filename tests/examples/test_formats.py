"""What the example trainer writes can be read by the tools that read NeMo-RL's output."""

import json
import re

import numpy as np
import pytest
import yaml
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event

LINES = {
    "step header": r"^=+ Step (\d+)/(\d+) =+$",
    "epoch header": r"^=+ Epoch (\d+)/(-?\d+) =+$",
    "validation start": r"^▶ Starting validation at step (\d+)(?: for `(.+)` set\.)?\.",
    "validation accuracy": r"^\s+• Accuracy: (nan|-?[\d.]+)$",
    "train loss": r"^  • Loss: (nan|inf|-?[\d.]+)$",
    "average reward": r"^  • Avg (?:Filtered |Total )?Reward: (-?[\d.]+)$",
    "step time": r"^  • Total step time: ([\d.]+)s$",
    "log directory": r"^📊 Using log directory: (.+)$",
    "checkpoint directory": r"^📊 Using checkpoint directory: (.+)$",
    "checkpoint saved": r"^Saving checkpoint for step (\d+)\.\.\.",
    "last step": r"^Max number of steps has been reached, stopping training early$",
}
TAGS = {
    *("train/loss", "train/reward", "train/grad_norm", "train/approx_entropy", "train/kl_penalty", "train/lr"),
    *("train/token_mult_prob_error", "train/gen_kl_error", "train/truncation_rate", "train/probs_ratio"),
    *("train/baseline_reward/pct_0", "train/baseline_reward/pct_1", "train/baseline_reward/pct_mixed"),
    *("validation/accuracy", "validation/avg_length", "timing/validation/total_validation_time"),
    *("timing/train/total_step_time", "timing/train/generation", "timing/train/policy_training"),
    *("ray/node.0.mem_gb", "ray/node.0.mem_total_gb"),
}


@pytest.mark.parametrize("pattern", LINES.values(), ids=LINES)
def test_every_line_people_parse_is_printed(full_run, pattern):
    """Each documented pattern matches at least one line of a run's output."""
    assert any(re.match(pattern, line) for line in full_run.stdout.splitlines())


@pytest.fixture(scope="module")
def scalars(full_run):
    """Values by tag and step, read with TensorBoard's own loader, which checks every checksum."""
    (path,) = full_run.logs.glob("exp_001/tensorboard/events.out.tfevents.*")
    events = [Event.FromString(raw) for raw in RawEventFileLoader(str(path)).Load()]
    assert events[0].file_version == "brain.Event:2"
    found: dict[str, dict[int, float]] = {}
    for event in events:
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def test_tensorboard_finds_all_tags(scalars):
    """The tags health checks and metric readers look for are there."""
    assert set(scalars) >= TAGS


def test_the_event_file_agrees_with_what_was_printed(scalars, full_run):
    """Validation accuracy of each step is the same number in the event file and on screen."""
    logged = [scalars["validation/accuracy"][step] for step in sorted(scalars["validation/accuracy"])]
    assert logged == pytest.approx(full_run.accuracies, abs=5e-5)


def test_every_step_is_logged_with_finite_values(scalars, full_run):
    """`train/loss` has one finite value per step, and generation matches training closely."""
    steps = int(re.findall(LINES["step header"], full_run.stdout, re.MULTILINE)[-1][1])
    assert list(scalars["train/loss"]) == list(range(1, steps + 1))
    assert np.isfinite(list(scalars["train/loss"].values())).all()
    assert 1 < np.median(list(scalars["train/token_mult_prob_error"].values())) < 1.01


def test_checkpoints_record_progress_and_metric(full_run):
    """`training_info.json` has NeMo-RL's keys, and `config.yaml` the recipe as it was run."""
    newest = max(full_run.checkpoints.glob("step_*"), key=lambda path: int(path.name[5:]))
    info = json.loads((newest / "training_info.json").read_text())
    keys = {"consumed_samples", "current_step", "current_epoch", "total_steps", "total_valid_tokens", "val_reward"}
    assert set(info) == keys | {"val:accuracy"}
    assert info["val:accuracy"] == pytest.approx(full_run.accuracies[-1], abs=5e-5)
    assert yaml.safe_load((newest / "config.yaml").read_text())["grpo"]["val_at_start"] is True
    assert not list(full_run.checkpoints.glob("tmp_*"))


def test_validation_samples_reproduce_the_accuracy(full_run):
    """The rewards in `val_data_step<N>.jsonl` average to the printed accuracy, and each one is what its sum deserves."""
    path = max(full_run.logs.glob("exp_001/val_data_step*.jsonl"), key=lambda path: int(path.stem[13:]))
    samples = [json.loads(line) for line in path.read_text().splitlines()]
    assert [sample["idx"] for sample in samples] == list(range(256))
    assert np.mean([sample["rewards"][0] for sample in samples]) == pytest.approx(full_run.accuracies[-1], abs=5e-5)
    for sample in samples:
        question, answer = (part["content"] for part in sample["content"][0][:2])
        assert sample["rewards"][0] == (answer == str(sum(map(int, re.findall(r"\d+", question)))))
