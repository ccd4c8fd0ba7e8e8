from importlib.resources import files
from pathlib import Path

import pytest

from autoresearch.experiment.change import FileChange
from autoresearch.guards.scope import Scope, breaches
from autoresearch.guards.shadows import SearchedTree, shadows
from autoresearch.targets.nemo_rl import protection
from autoresearch.targets.recipe.load import load

GRPO = "examples/configs/grpo_math_1B.yaml"
SCOPE = Scope(protect_keys=protection.keys())


def touched(before, after):
    """What the campaign's own guard says of two recipes."""
    return breaches((), SCOPE, before, after)


@pytest.mark.parametrize(
    "override",
    [
        "grpo.seed=1",
        "grpo.val_period=1",
        "grpo.max_val_samples=8",
        "grpo.max_num_steps=5",
        "++data.validation={dataset_name: easy}",
        "++data.train.split_validation_size=0.5",
        "++env.math.verifier=lenient",
        "checkpointing.metric_name=train:reward",
        "checkpointing.higher_is_better=false",
        "logger.log_dir=elsewhere",
        "++policy.generation.val_temperature=0.1",
        "cluster.num_nodes=4",
    ],
)
def test_an_override_of_what_measures_is_a_breach(nemo, override):
    """Validation, rewards, metric, seeds, length, loggers and cluster are seen in the resolved recipe."""
    before, after = load(nemo, GRPO), load(nemo, GRPO, [override])
    assert touched(before.values, after.values)


@pytest.mark.parametrize(
    "override",
    ["policy.optimizer.kwargs.lr=1e-6", "loss_fn.ratio_clip_max=0.3", "grpo.num_prompts_per_step=64", "+grpo.idea=1"],
)
def test_an_idea_about_training_is_none(nemo, override):
    """What trains is free to change."""
    before, after = load(nemo, GRPO), load(nemo, GRPO, [override])
    assert touched(before.values, after.values) == ()


def test_an_edit_of_a_parent_is_seen_too(checkout):
    """The resolved recipe is compared, so it does not matter which file the change is in."""
    child = "examples/configs/grpo_math_8B.yaml"
    before = load(checkout, child).values
    text = (checkout / GRPO).read_text()
    (checkout / GRPO).write_text(text.replace("max_val_samples: 256", "max_val_samples: 16"))
    (found,) = [one for one in touched(before, load(checkout, child).values) if "max_val_samples" in one]
    assert "256 became 16" in found


def test_sampling_that_validation_copies_is_protected_by_its_copy(nemo):
    """Where `val_temperature` follows `temperature`, changing one changes how every model is examined."""
    before, after = load(nemo, GRPO), load(nemo, GRPO, ["policy.generation.temperature=0.5"])
    assert any("policy.generation.val_temperature" in one for one in touched(before.values, after.values))


@pytest.mark.parametrize(
    ("path", "breach"),
    [
        ("nemo_rl/environments/math_environment.py", True),
        ("nemo_rl/utils/logger.py", True),
        ("examples/run_grpo.py", True),
        ("nemo_rl/data/datasets/utils.py", True),
        ("sitecustomize.py", True),
        ("nemo_rl/algorithms/loss/loss_functions.py", False),
        ("examples/configs/grpo_math_1B.yaml", False),
    ],
)
def test_files_that_only_measure_may_not_change(path, breach):
    """Globs go through the campaign's own guard."""
    found = breaches([FileChange(path=path, added=1)], Scope(protect=protection.files()))
    assert bool(found) is breach


def test_validating_code_is_protected_inside_files_that_ideas_may_touch(tmp_path):
    """A change of `validate` is seen, in any file of the algorithms; a comment in it or a change beside it is not."""
    file = tmp_path / "nemo_rl" / "algorithms" / "grpo.py"
    file.parent.mkdir(parents=True)
    file.write_text("def train(x):\n    return x\n\ndef validate(x):\n    return x\n")
    before = protection.measuring_code(tmp_path)
    file.write_text("def train(x):\n    return x + 1\n\ndef validate(x):\n    # here\n    return x\n")
    assert touched(before, protection.measuring_code(tmp_path)) == ()
    file.write_text("def train(x):\n    return x\n\ndef validate(x):\n    return 1.0\n")
    (found,) = touched(before, protection.measuring_code(tmp_path))
    assert "nemo_rl/algorithms/grpo.py:validate" in found


@pytest.mark.parametrize(("path", "refused"), [
    ("nemo_rl/utils/logger/__init__.py", True), ("nemo_rl/utils/__init__.py", True), ("nemo_rl/__init__.py", True),
    ("examples/nemo_rl/__init__.py", True), ("examples/json.py", True), ("numpy/__init__.py", True), ("conftest.py", True),
    ("nemo_rl/utils/curves.py", False), ("nemo_rl/models/heads/__init__.py", False), ("examples/tables.py", False),
])  # fmt: skip
def test_what_measures_cannot_be_loaded_from_elsewhere(path, refused):
    """In the embedded example, as in NeMo-RL itself: its eight protected files by every name that leads to them."""
    root = Path(str(files("autoresearch"))) / "examples" / "tree"
    held = frozenset(file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file())
    tree = SearchedTree(files=held, scripts=("examples/run_grpo.py",), outside=lambda: {"numpy"})
    found = shadows([FileChange(path=path, added=1)], Scope(protect=protection.files()), tree)
    assert bool(found) is refused
