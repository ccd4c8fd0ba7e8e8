"""Real recipes as a researcher sees them: NeMo-RL's own examples, and the embedded one."""

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from autoresearch.examples.demo_repository import create
from autoresearch.targets.recipe.load import load
from autoresearch.targets.recipe.recipe import Recipe

GOLDEN = Path(__file__).parents[1] / "golden" / "nemo_rl_configs" / "configs.tgz"


@pytest.fixture(scope="session")
def nemo(tmp_path_factory):
    """NeMo-RL's example configs, read only."""
    root = tmp_path_factory.mktemp("nemo")
    with tarfile.open(GOLDEN) as archive:
        archive.extractall(root, filter="data")
    return root


@pytest.fixture(scope="session")
def recipe(nemo, tmp_path_factory) -> Callable[[str], Recipe]:
    """A recipe by its path under `examples/configs`, composed once; `demo` is the embedded one."""
    known: dict[str, Recipe] = {}

    def composed(name: str) -> Recipe:
        if name not in known and name == "demo":
            made = create(tmp_path_factory.mktemp("demo") / "repository")
            known[name] = load(made.root, made.recipe)
        elif name not in known:
            known[name] = load(nemo, f"examples/configs/{name}")
        return known[name]

    return composed
