"""Every play over every recipe that NeMo-RL ships: each key that it sets is read, and each change is at work."""

import importlib.util
import json
from pathlib import Path

import pytest

from autoresearch.researchers.playbook import plays
from autoresearch.researchers.playbook.plays import builtin, read
from autoresearch.targets.nemo_rl.facts import defaults
from autoresearch.targets.recipe.load import load

ROOT = Path(__file__).parents[2]
FEW = (
    "grpo_math_1B.yaml",
    "ppo_math_1B.yaml",
    "prorlv2.v2.yaml",
    "recipes/llm/mopd-qwen3-1.7b-3n8g-megatron-pack.yaml",
    "recipes/llm/grpo-nemotron3-super-120BA12B-16n4g-megatron-qa-bf16-300step.yaml",
    "recipes/llm/grpo-qwen3-30ba3b-10n8g-megatron-cp2-r3-async-single-controller.yaml",
)
IGNORES_ITS_MECHANISM = {
    "name": "clip-higher",
    "title": "Clip higher",
    "area": "stability",
    "why": "w",
    "set": {"loss_fn.ratio_clip_max": 0.28, "grpo.normalise": False},
}


@pytest.fixture(scope="module")
def tool():
    """`tools/plays.py`, which asks without the playbook's own conditions."""
    spec = importlib.util.spec_from_file_location("plays_tool", ROOT / "tools" / "plays.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def code(tool):
    """What was read of NeMo-RL's code, at the commit of the configs."""
    return json.loads(tool.READ.read_text())


def vain(tool, root, code, names):
    """Offers that do nothing, and how many offers there were."""
    found = list(tool.walk(root, code["defaults"], [f"examples/configs/{name}" for name in names]))
    return [one for one in found if one[3]], len(found)


def test_every_key_that_a_play_sets_is_read(tool, code):
    """By a line of NeMo-RL that reads it from its section, or hands the section on."""
    assert {key for key in tool.keys_of(builtin()) if not code["readers"].get(key)} == set()


def test_a_key_of_another_section_has_no_reader(tool, tmp_path):
    """The same word read elsewhere does not count: `grpo.normalize_rewards` is not what the estimator reads."""
    (tmp_path / "nemo_rl").mkdir()
    (tmp_path / "nemo_rl/a.py").write_text("def f(estimator_config):\n    return estimator_config.normalize_rewards\n")
    found = tool.readers(tmp_path, {"grpo.normalize_rewards", "grpo.adv_estimator.normalize_rewards"})
    assert found == {"grpo.normalize_rewards": [], "grpo.adv_estimator.normalize_rewards": ["nemo_rl/a.py:2"]}


def test_no_offer_is_without_effect(tool, code, nemo):
    """On a recipe of each kind; all of them are walked by the test after the next."""
    none, offers = vain(tool, nemo, code, FEW)
    assert (none, offers > 100) == ([], True)


def test_the_walk_finds_a_play_that_ignores_its_mechanism(tool, code, nemo, monkeypatch):
    """Clipping where there is one update per batch of rollouts."""
    monkeypatch.setattr(
        tool,
        "builtin",
        lambda: read({"names": {}, "plays": [{**IGNORES_ITS_MECHANISM, "set": {"loss_fn.ratio_clip_max": 0.28}}]}),
    )
    none, _ = vain(tool, nemo, code, FEW[:1])
    assert "every policy ratio is one" in none[0][3]


@pytest.mark.full
def test_no_offer_is_without_effect_in_any_shipped_recipe(tool, code, nemo, monkeypatch):
    """339 files; about ten thousand offers."""
    for name, value in tool.PLACEHOLDERS.items():
        monkeypatch.setenv(name, value)
    names = [
        name.removeprefix("examples/configs/") for name in tool.configs(nemo) if name.startswith("examples/configs/")
    ]
    none, offers = vain(tool, nemo, code, names)
    assert (none, offers > 5000) == ([], True)


def test_defaults_are_read_from_the_classes_of_the_checkout(tmp_path, nemo):
    """Literals of the classes that the sections are of, also of nested ones; a commit that knows a key no more has none."""
    (tmp_path / "nemo_rl/algorithms").mkdir(parents=True)
    (tmp_path / "recipe.yaml").write_text("grpo: {num_prompts_per_step: 1}\n")
    (tmp_path / "nemo_rl/algorithms/grpo.py").write_text(
        "class Inner(BaseModel):\n    enabled: bool = False\n    many: list[int] = []\n"
        "class GRPOConfig(BaseModel):\n    inner: Inner | None = Field(default_factory=Inner)\n    low: float | None = None\n    must: int\n"
    )
    assert defaults(load(tmp_path, "recipe.yaml")) == {"grpo.inner.enabled": False, "grpo.low": None}
    assert defaults(load(nemo, "examples/configs/grpo_math_1B.yaml")) == {}


def test_what_was_read_is_of_the_commit_of_the_configs(code, tool):
    """One commit for all that is known of NeMo-RL here."""
    assert code["commit"].startswith("7ea279abf")
    assert "7ea279abf" in (tool.CONFIGS / "README.md").read_text()
    assert plays.builtin().plays
