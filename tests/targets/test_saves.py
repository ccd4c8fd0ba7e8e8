"""What a run of NeMo-RL saves."""

import json

import pytest

from autoresearch.targets.nemo_rl import saves
from autoresearch.targets.recipe.load import load

GRPO = "examples/configs/grpo_math_1B.yaml"


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("Qwen/Qwen3-30B-A3B", 30e9),
        ("google/gemma-4-26B-A4B-it", 26e9),
        ("Qwen/Qwen2.5-1.5B-Instruct", 1.5e9),
        ("HuggingFaceTB/SmolLM2-135M", 135e6),
        ("google/gemma-4-E2B-it", None),
        ("zai-org/GLM-5.1", None),
    ],
)
def test_a_name_says_how_large_a_model_is_or_nothing_does(name, count, monkeypatch, tmp_path):
    """The active part of a mixture, an effective size and a version are no number of parameters."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert saves.parameters(name) == (None if count is None else (count, "its name"))


def test_files_on_this_machine_say_it_better(monkeypatch, tmp_path):
    """A snapshot of the hub's cache has the size of its weights and their type."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    place = tmp_path / "hub" / "models--zai-org--GLM-5.1" / "snapshots" / "abc"
    place.mkdir(parents=True)
    (place / "config.json").write_text('{"torch_dtype": "bfloat16"}')
    (place / "model.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": 2_400_000_000}}))
    assert saves.parameters("zai-org/GLM-5.1") == (1.2e9, "its files")


def test_an_estimate_counts_optimizer_state_and_what_stays(nemo):
    """Float32 weights and Adam take 12 bytes a parameter, Megatron's 14; one that nobody resumes has weights alone."""
    full = saves.estimate(load(nemo, GRPO), 100, "recipe", resumes=False)
    lean = saves.estimate(load(nemo, GRPO), 100, "lean", resumes=False)
    assert (full.gb, full.stay, full.most) == (12 * 1.5, 4, 5)
    assert (lean.gb, lean.stay, lean.most) == (4 * 1.5, 2, 3)
    megatron = load(nemo, "examples/configs/grpo_math_1B_megatron.yaml", ["checkpointing.enabled=true"])
    assert saves.estimate(megatron, 100, "recipe", resumes=False).gb == 14 * 1.5
    assert saves.estimate(load(nemo, GRPO), 100, "lean", resumes=True).gb == 12 * 1.5


def test_a_run_that_may_be_requeued_keeps_its_optimizer(nemo):
    """It goes on from its own checkpoint; the others are told to save weights, once."""
    recipe = load(nemo, GRPO)
    keys = [key for key, _, _ in saves.injected(recipe, "lean", resumes=False)]
    assert keys == ["checkpointing.save_optimizer", "checkpointing.keep_top_k"]
    assert [key for key, _, _ in saves.injected(recipe, "lean", resumes=True)] == ["checkpointing.keep_top_k"]
    assert not list(saves.injected(recipe, "recipe", resumes=False))


def test_weights_go_and_numbers_stay(tmp_path):
    """Of a checkpoint, whatever is no number and no setting; nothing through a link."""
    step = tmp_path / "checkpoints" / "step_10"
    (step / "policy").mkdir(parents=True)
    for name in ("training_info.json", "config.yaml", "train_dataloader.pt"):
        (step / name).touch()
    (tmp_path / "checkpoints" / "step_20").symlink_to(tmp_path)
    assert [path.name for path in saves.weights(tmp_path)] == ["policy", "train_dataloader.pt"]
