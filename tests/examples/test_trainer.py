"""The example trainer learns, obeys its recipe, and fails in the ways real trainers fail."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from autoresearch.machine.processes import run

SHORT = ("grpo.max_num_steps=6", "grpo.val_period=3", "checkpointing.save_period=3")
KINDS = ("• Loss:", "• Accuracy:", "• Avg Reward:")


def test_a_run_learns_to_add(full_run):
    """A full run leaves the held-out accuracy far above the base model's: four standard errors of its 256 samples."""
    assert full_run.code == 0, full_run.stderr
    assert full_run.accuracies[-1] > full_run.accuracies[0] + 0.12


def test_the_same_seed_gives_the_same_numbers(train):
    """Two runs of one seed print the same losses and accuracies; another seed does not."""
    first, again = (train(*SHORT, "grpo.seed=1", into=name) for name in ("first", "again"))
    other = train(*SHORT, "grpo.seed=2", into="other")
    assert _numbers(first.stdout) == _numbers(again.stdout) != _numbers(other.stdout)


def test_workers_change_nothing_but_the_order_of_work(train):
    """How many workers prepare the batches has no influence on any number."""
    one = train(*SHORT, "data.num_workers=1", into="one")
    many = train(*SHORT, "data.num_workers=3", "data.prefetch_factor=4", into="many")
    assert _numbers(one.stdout) == _numbers(many.stdout)


def test_a_resumed_run_ends_where_an_uninterrupted_one_does(train):
    """Three steps, then three more in the same folder, are as good as six; the log goes to a second folder."""
    whole = train(*SHORT, into="whole")
    train(*SHORT, "grpo.max_num_steps=3", into="halves")
    halves = train(*SHORT, into="halves")
    assert "Step 4/6" in halves.stdout
    assert "Step 3/6" not in halves.stdout
    assert halves.accuracies[-1] == whole.accuracies[-1]
    assert {path.name for path in halves.logs.iterdir()} == {"exp_001", "exp_002"}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("grpo.max_num_stepz=5", "Could not override 'grpo.max_num_stepz'"),
        ("grpo.seed=1,2", "Failed to parse Hydra overrides"),
        ("~grpo.nothing", "Failed to parse Hydra overrides"),
        ("--seed=1", "Failed to parse Hydra overrides"),
    ],
)
def test_a_wrong_override_ends_the_run_before_it_starts(train, override, said):
    """A key that does not exist, a sweep, a deletion of nothing, an unknown flag: exit 1 and the reason last."""
    done = train(override)
    assert done.code == 1
    assert "OverridesError" in done.stderr
    assert said in done.stderr
    assert "Step 1/" not in done.stdout


def test_a_run_uses_the_code_beside_its_entry_point(trainer_argv, repository, tmp_path):
    """A `nemo_rl` elsewhere on the path is not the one that trains, so a worktree runs its own code."""
    (tmp_path / "nemo_rl").mkdir()
    (tmp_path / "nemo_rl" / "__init__.py").write_text("raise SystemExit('the wrong code')")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    assert run(trainer_argv(tmp_path, *SHORT), cwd=repository.root, env=environment).code == 0


def test_overrides_add_and_delete_keys(train):
    """`++key` is accepted, and a deleted KL clamp is simply gone."""
    assert train(*SHORT, "++git_meta=abc", "policy.scheduler=null", "policy.max_grad_norm=null").code == 0


def test_half_precision_diverges_without_an_error(train):
    """Adam's moments underflow, the loss becomes NaN, the run goes on to its last step, and the exit code is 0."""
    done = train(*SHORT, "policy.precision=float16")
    assert done.code == 0, done.stderr
    assert "  • Loss: nan\n" in done.stdout
    assert "Step 6/6" in done.stdout


def test_a_wild_learning_rate_ruins_the_policy(train):
    """Nothing is answered right any more; the run itself ends well."""
    done = train(*SHORT, "policy.optimizer.kwargs.lr=1.0", "policy.scheduler=null")
    assert done.code == 0, done.stderr
    assert done.accuracies[-1] == 0.0


def test_a_micro_batch_beyond_the_memory_is_refused_like_on_a_device(train):
    """A traceback that ends with the amounts, exit 1, and good-byes said."""
    done = train("policy.train_micro_batch_size=${policy.train_global_batch_size}")
    assert done.code == 1
    assert done.stderr.strip().splitlines()[-1].startswith("MemoryError: Device out of memory. Tried to allocate")
    assert "Shutting down environment math" in done.stdout


def test_another_hidden_size_does_not_fit_the_base_model(train):
    """The weights' shapes disagree, and the message is the one people know."""
    done = train("+policy.hf_config_overrides.hidden_size=128")
    assert done.code == 1
    assert "size mismatch for lm_head.weight" in done.stderr


def test_a_metric_that_does_not_exist_is_found_at_the_first_save(train):
    """As in NeMo-RL, only a save that coincides with a validation can notice."""
    done = train(*SHORT, "checkpointing.metric_name=val:accurazy")
    assert done.code == 1
    assert "Metric accurazy not found in val metrics" in done.stderr


def test_a_time_limit_saves_and_ends_early_with_success(train):
    """`checkpoint_must_save_by` leaves a checkpoint of the last step, and exit 0."""
    done = train("checkpointing.checkpoint_must_save_by=00:00:00:00")
    assert done.code == 0
    assert done.stdout.splitlines()[-2] == "Timeout has been reached, stopping training early"
    assert (done.checkpoints / "step_1" / "training_info.json").exists()


def test_only_the_best_and_the_newest_checkpoints_stay(train):
    """`keep_top_k` keeps the best by the metric, and always the newest."""
    done = train(
        "grpo.max_num_steps=5", "grpo.val_period=1", "checkpointing.save_period=1", "checkpointing.keep_top_k=1"
    )
    kept = {
        path.name: json.loads((path / "training_info.json").read_text()) for path in done.checkpoints.glob("step_*")
    }
    assert "step_5" in kept
    assert len(kept) <= 2
    assert max(info["val:accuracy"] for info in kept.values()) == pytest.approx(max(done.accuracies), abs=5e-5)


@pytest.mark.full
@pytest.mark.parametrize("override", ["data.num_workers=0", "data.prefetch_factor=0"])
def test_a_loader_without_workers_hangs_until_it_is_killed(trainer_argv, repository, tmp_path, override):
    """The log stops growing after the epoch's header, the process lives on, and dies of a signal."""
    log = tmp_path / "run.log"
    with (
        log.open("wb") as sink,
        subprocess.Popen(trainer_argv(tmp_path, override), cwd=repository.root, stdout=sink, stderr=sink) as process,
    ):
        try:
            _wait_until_quiet(log, "Epoch 1/1")
            assert process.poll() is None
        finally:
            process.terminate()
        assert process.wait(200) == -signal.SIGTERM


def _wait_until_quiet(log: Path, mark: str) -> None:
    """Wait until a log has its mark and then does not grow for two seconds."""
    deadline, size, since = time.monotonic() + 200, -1, 0.0
    while mark not in (text := log.read_text(errors="replace")) or time.monotonic() - since < 2:
        assert time.monotonic() < deadline, text
        if len(text) != size:
            size, since = len(text), time.monotonic()
        time.sleep(0.05)


def _numbers(stdout: str) -> list[str]:
    return [line for line in stdout.splitlines() if line.strip().startswith(KINDS)]
