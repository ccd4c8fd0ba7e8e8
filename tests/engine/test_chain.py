"""Who is asked for an idea finds a tree of the parent, whatever others did there before."""

import pytest
from tests.plugin_packages import write

MEDDLER = """
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.errors import ResearcherError

class Meddler:
    name = "meddler"
    edits = {edits}
    finite = False

    def __init__(self, *, options, folder):
        pass

    def propose(self, brief, tree):
        (tree / "leaked.py").write_text("left behind\\n")
        (tree / "train.py").write_text("raise SystemExit('meddled')\\n")
        {end}
"""

HONEST = """
class Honest(Meddler):
    name = "honest"
    edits = True

    def propose(self, brief, tree):
        (tree / "honest.py").write_text("mine\\n")
        return Hypothesis(title="honest", area="model", source="honest")
"""


@pytest.fixture
def campaign(lab, tmp_path):
    """Runs a campaign of a meddler followed by another; what the one idea of them changed, as committed."""

    def run(edits: bool, end: str) -> list[str]:
        package = tmp_path / "package"
        package.mkdir()
        named = {name: f"their_adapters:{name.capitalize()}" for name in ("meddler", "honest")}
        write(package, {"researchers": named}, MEDDLER.format(edits=edits, end=end) + HONEST)
        lab.write(researcher=["meddler", "honest"], stop="2 experiments")
        done = lab.run(PYTHONPATH=str(package))
        assert done.returncode == 0, done.stderr
        (committed,) = [event for event in lab.journal("experiment_committed") if event["index"] == 2]
        return list(committed["files"])

    return run


@pytest.mark.parametrize(("edits", "end"), [
    (True, "return None"), (False, "raise ResearcherError('no quota')"),
    pytest.param(False, "return None", marks=pytest.mark.full),
    pytest.param(True, "raise ResearcherError('no quota')", marks=pytest.mark.full),
])  # fmt: skip
def test_what_one_researcher_leaves_is_not_in_the_next_ones_commit(campaign, edits, end):
    """Whether it said that it edits or not, had no idea or failed: the next one's commit is its own alone."""
    assert campaign(edits, end) == ["honest.py"]


@pytest.mark.parametrize("end", ["raise KeyError('a bug')", "raise SystemExit", "return 'idea'"])
def test_the_night_outlives_a_researcher_whose_code_is_broken(campaign, lab, end):
    """Whatever it raises, and whatever it answers that is no idea: the next one is asked, and a person reads why."""
    assert campaign(False, end) == ["honest.py"]
    notes = [str(note["text"]) for note in lab.journal("noted") if "meddler does not work" in str(note["text"])]
    assert len(notes) == 1
    assert any(
        word in notes[0] for word in ("it failed: KeyError: 'a bug'", "it failed: SystemExit", "it answered str")
    )


def test_edits_of_one_that_says_it_makes_none_are_thrown_away_and_told(campaign, lab):
    """Its overrides count; a person reads that something else was changed."""
    idea = "return Hypothesis(title='mine', area='model', overrides=('lr=0.3',), source='meddler')"
    assert campaign(False, idea) == ["config.json"]
    notes = [str(note["text"]) for note in lab.journal("noted")]
    assert any("edited leaked.py, train.py and does not say that it `edits`" in text for text in notes)


def test_edits_of_one_that_says_so_are_its_commit(campaign):
    """An agent's work is what it left in the tree."""
    idea = "return Hypothesis(title='mine', area='model', source='meddler')"
    assert campaign(True, idea) == ["leaked.py", "train.py"]
