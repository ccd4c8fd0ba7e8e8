"""A metric source that a person names."""

import pytest
from tests.plugin_packages import installed, write

from autoresearch.errors import CampaignError
from autoresearch.ports import plugins
from autoresearch.ports.metric_source import sources_of
from autoresearch.ports.plugins import chosen_source
from autoresearch.run.job import JobState, JobStatus

SOURCE = """
from autoresearch.run.measurement import Readings, Series

class Theirs:
    name = "theirs"

    def __init__(self, *, options):
        self.scale = options.get("scale", 1)

    def read(self, folder):
        text = (folder / "number.txt").read_text()
        return Readings({"score": Series.of("score", [(10, self.scale * float(text))])}, files=("number.txt",))
"""


@pytest.fixture
def package(tmp_path):
    """A package with a metric source of its own."""
    write(tmp_path, {"metrics": {"theirs": "their_adapters:Theirs"}}, SOURCE)
    with installed(tmp_path):
        yield tmp_path


def value_of(target, folder):
    """What a target makes of the file that only the foreign source reads."""
    (folder / "number.txt").write_text("0.5")
    readings = {name: source.read(folder) for name, source in sources_of(target).items()}
    return target.measure(folder, "", readings, JobStatus(state=JobState.SUCCEEDED)), readings


@pytest.mark.parametrize(("source", "value"), [("theirs", 0.5), ({"type": "theirs", "scale": 4}, 2.0)])
def test_a_script_may_be_read_by_an_installed_source(package, source, value):
    """By its name alone, or with options of its own."""
    made = plugins.load("targets", "command")(
        command=("python", "train.py"), objective={"metric": "score"}, options={"source": source}
    )
    found, _ = value_of(made, package)
    assert (found.value, found.source) == (value, "theirs")


def test_a_nemo_rl_run_may_be_read_by_one_more_source(package):
    """It is asked last, and what it reads under the metric's tag is in the curve."""
    made = plugins.load("targets", "nemo-rl")(recipe="r.yaml", options={"source": "theirs"})
    assert [spec.name for spec in made.sources()] == ["tensorboard", "checkpoints", "samples", "logs", "theirs"]
    found, readings = value_of(made, package)
    assert readings["theirs"].series["score"].values == (0.5,)
    assert "number.txt" in found.note


def test_a_source_that_is_read_anyway_is_not_named_again():
    """Its name would stand for two of them."""
    with pytest.raises(CampaignError, match="source tensorboard is read for every NeMo-RL run already"):
        plugins.load("targets", "nemo-rl")(recipe="r.yaml", options={"source": "tensorboard"})


@pytest.mark.parametrize("wanted", ["theirz", {"type": "theirz"}, {"scale": 2}, 3, None])
def test_an_unknown_source_is_refused_with_those_there_are(package, wanted):
    """Formats of files and names of sources alike, those of other packages too."""
    with pytest.raises(CampaignError, match=r"one of: .*csv.*stdout.*tensorboard, theirs.*; got"):
        chosen_source(wanted, "score")
