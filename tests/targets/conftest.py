import shutil
import tarfile
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "nemo_rl_configs"


@pytest.fixture(scope="session")
def nemo(tmp_path_factory):
    """NeMo-RL's example configs as a checkout, read only; `resolved/` beside `examples/` holds what some resolve to."""
    root = tmp_path_factory.mktemp("nemo")
    for name, place in (("configs.tgz", root), ("resolved.tgz", root / "resolved")):
        with tarfile.open(GOLDEN / name) as archive:
            archive.extractall(place, filter="data")
    return root


@pytest.fixture
def checkout(nemo, tmp_path):
    """A copy of the exemplar configs that a test may edit, with the entry points they need as empty files."""
    shutil.copytree(nemo / "examples" / "configs", tmp_path / "examples" / "configs")
    for name in ("grpo", "sft", "dpo", "ppo", "distillation", "vlm_grpo"):
        (tmp_path / "examples" / f"run_{name}.py").touch()
    return tmp_path


@pytest.fixture
def placeholders(monkeypatch):
    """The environment the expected files were made in."""
    monkeypatch.setenv("HF_HOME", "/placeholder/hf_home")
    monkeypatch.setenv("PERSISTENT_CACHE", "/placeholder/persistent_cache")
