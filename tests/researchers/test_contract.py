"""The playbook keeps what researchers promise; the list and the search say so in files of their own."""

import pytest

from autoresearch.experiment.hypothesis import Brief
from autoresearch.researchers.playbook.researcher import PlaybookResearcher
from autoresearch.run.measurement import Objective
from autoresearch.run.symptom import Severity, Symptom
from autoresearch.targets.nemo_rl.facts import facts
from autoresearch.testing.researchers import ResearcherContract


class TestPlaybook(ResearcherContract):
    """What every researcher promises."""

    @pytest.fixture
    def make(self, tmp_path):
        return lambda: PlaybookResearcher(options={}, folder=tmp_path)

    @pytest.fixture
    def brief(self, recipe):
        known = facts(recipe("grpo_math_1B.yaml"), {})
        slow = Symptom("entropy-collapse", Severity.WARNING, "seen")
        return Brief(
            campaign="c", index=2, objective=Objective("raise it", "val:accuracy"), facts=known, symptoms=(slow,)
        )
