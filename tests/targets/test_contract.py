"""Every built-in target keeps what targets promise."""

import json
import shutil
from pathlib import Path

import pytest

from autoresearch.targets.command import CommandTarget
from autoresearch.targets.nemo_rl import NemoRLTarget
from autoresearch.testing.targets import TargetContract

GOLDEN = Path(__file__).parents[1] / "golden" / "nemo_rl_logs" / "grpo_ok"
CONFIGS = {"config.yaml": "optimizer:\n  lr: 0.1  # small\n", "config.json": '{"optimizer": {"lr": 0.1}}'}


@pytest.mark.parametrize("config", list(CONFIGS))
class TestCommand(TargetContract):
    @pytest.fixture
    def make(self, config):
        source = {"type": "jsonl"}
        return lambda: CommandTarget(
            recipe=config,
            command=("python", "train.py", "{folder}", "{seed}"),
            objective={"metric": "accuracy"},
            options={"source": source},
        )

    @pytest.fixture
    def tree(self, tmp_path, config):
        folder = tmp_path / "tree"
        folder.mkdir()
        (folder / "train.py").touch()
        (folder / config).write_text(CONFIGS[config])
        return folder

    @pytest.fixture
    def override(self):
        return "optimizer.lr=0.5"

    @pytest.fixture
    def finish(self):
        rows = [json.dumps({"step": step, "accuracy": step / 8}) for step in range(1, 5)]
        return lambda folder: str((folder / "metrics.jsonl").write_text("\n".join(rows) + "\n"))


class TestNemoRL(TargetContract):
    @pytest.fixture
    def make(self):
        return lambda: NemoRLTarget(recipe="examples/configs/grpo_math_1B.yaml", options={"provenance": "noted"})

    @pytest.fixture
    def tree(self, nemo, tmp_path):
        configs = tmp_path / "tree" / "examples" / "configs"
        configs.mkdir(parents=True)
        shutil.copy(nemo / "examples" / "configs" / "grpo_math_1B.yaml", configs)
        (configs.parent / "run_grpo.py").touch()
        return tmp_path / "tree"

    @pytest.fixture
    def override(self):
        return "grpo.num_prompts_per_step=16"

    @pytest.fixture
    def finish(self):
        return lambda folder: (shutil.copytree(GOLDEN, folder, dirs_exist_ok=True) / "run.log").read_text()
