"""Each plug-in keeps what adapters of its kind promise."""

from pathlib import Path

import pytest

pytest.importorskip("autoresearch_examples", reason="install them with: pip install -e examples/plugins")
from autoresearch.experiment.hypothesis import Brief
from autoresearch.run.measurement import Objective
from autoresearch.testing import (
    JobFactory,
    MetricSourceContract,
    PolicyContract,
    ProcessContract,
    ResearcherContract,
    TargetContract,
    TrackerContract,
)
from autoresearch_examples.csv_ideas import CsvIdeas
from autoresearch_examples.diary import Diary
from autoresearch_examples.long_csv import LongCsv
from autoresearch_examples.nice import NiceLauncher
from autoresearch_examples.toml_script import TomlScript
from autoresearch_examples.two_runs import TwoRuns

TABLE = "step,name,value\n" + "".join(f"{step},accuracy,{0.5123 + step / 70}\n" for step in range(1, 9))


class TestLongCsv(MetricSourceContract):
    """A long table."""

    @pytest.fixture
    def make(self):
        return lambda: LongCsv(options={})

    @pytest.fixture
    def write(self):
        return lambda folder: (folder / "metrics.csv").write_text(TABLE)


class TestCsvIdeas(ResearcherContract):
    """A table of ideas."""

    @pytest.fixture
    def make(self, tmp_path):
        (tmp_path / "ideas.csv").write_text("title,overrides,expected\nFaster,lr=0.1,0.02\nBoth,lr=0.2 decay=0.1,\n")
        return lambda: CsvIdeas(options={"root": str(tmp_path)}, folder=tmp_path)

    @pytest.fixture
    def brief(self):
        return Brief(campaign="night", index=2, objective=Objective("raise it", "accuracy"))


class TestTomlScript(TargetContract):
    """A script with a TOML file."""

    @pytest.fixture
    def make(self):
        command, objective = ("python3", "train.py"), {"metric": "accuracy"}
        return lambda: TomlScript(recipe="recipe.toml", command=command, objective=objective, options={})

    @pytest.fixture
    def tree(self, tmp_path):
        folder = tmp_path / "tree"
        folder.mkdir()
        (folder / "recipe.toml").write_text("epochs = 3\n\n[optimizer]\nlr = 0.1  # small\nname = 'sgd'\n")
        return folder

    @pytest.fixture
    def override(self):
        return "optimizer.lr=0.5"

    @pytest.fixture
    def finish(self):
        return lambda folder: str((folder / "metrics.csv").write_text(TABLE))

    def test_comments_stay(self, make, tree, override):
        """The smallest edit: nothing but the value changes."""
        make().apply(tree, [override])
        assert "lr = 0.5  # small\n" in Path(tree, "recipe.toml").read_text()


class TestNiceLauncher(ProcessContract):
    """Runs of low priority."""

    @pytest.fixture
    def make(self, tmp_path):
        return lambda: NiceLauncher(options={}, folder=tmp_path / "campaign")

    @pytest.fixture
    def job(self, tmp_path):
        return JobFactory(tmp_path)


class TestTwoRuns(PolicyContract):
    """Two runs each, the mean decides."""

    @pytest.fixture
    def make(self):
        return TwoRuns


class TestDiary(TrackerContract):
    """A diary in Markdown."""

    @pytest.fixture
    def make(self, tmp_path):
        return lambda: Diary(options={"folder": tmp_path})

    @pytest.fixture
    def shown(self, tmp_path):
        return lambda: "".join(diary.read_text(encoding="utf-8") for diary in tmp_path.glob("diary.md"))
