"""What an adapter of another package raises where its port speaks of nothing of the kind."""

import pytest
from tests.conftest import SCRIPT
from tests.plugin_packages import write

SOURCE = """
from dataclasses import replace

from autoresearch.errors import CampaignError
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.launchers.scripted import ScriptedLauncher
from autoresearch.targets.command import CommandTarget
from autoresearch.verdict.policies.greedy import greedy


class TheirLauncher(ScriptedLauncher):
    name = "theirs"


class TheirTarget(CommandTarget):
    name = "theirs"


class TheirPolicy:
    name = "theirs"

    def baseline_runs(self, settings):
        return 1

    def advise(self, board):
        return greedy().advise(board)


class TheirResearcher:
    name, edits, finite = "theirs", False, True

    def __init__(self, *, options, folder):
        pass

    def propose(self, brief, tree):
        return None

    def notes(self):
        return ()

    def evidence(self, index):
        raise OSError("nothing is kept")


class TheirSource:
    name = "theirs"

    def __init__(self, *, options):
        pass

    def read(self, folder):
        return None


def odd(self, *args, **named):
    {body}


{kind}.{method} = odd
"""
CLASSES = {
    "launchers": "TheirLauncher", "targets": "TheirTarget", "policies": "TheirPolicy",
    "researchers": "TheirResearcher", "metrics": "TheirSource",
}  # fmt: skip
SETTINGS = {
    "launchers": {"launcher": {"type": "theirs", "script": SCRIPT}},
    "targets": {"target": {"type": "theirs", "config": "config.json", "source": {"type": "stdout"}}},
    "policies": {"verdict": {"policy": "theirs", "confirm": 0}},
    "researchers": {"researcher": ["theirs", {"type": "file", "path": "ideas.yaml"}]},
    "metrics": {"target": {"type": "command", "config": "config.json", "source": "theirs"}},
}
MENDER = """
from autoresearch.experiment.hypothesis import Hypothesis

class Careless:
    name = "careless"
    edits = True
    finite = True

    def __init__(self, *, options, folder):
        self.left = 1

    def propose(self, brief, tree):
        self.left -= 1
        (tree / "train.py").write_text("raise NameError('lr')\\n")
        return Hypothesis(title="a slip", area="model", source="careless") if self.left >= 0 else None

    def repair(self, brief, tree, crash):
        raise KeyError("a bug in repair")

    def notes(self):
        raise ValueError("a bug in notes")

    def evidence(self, index):
        raise OSError("never asked")
"""


def run_with(lab, tmp_path, room: str, method: str, body: str):
    """A campaign with another package's adapter that does this when it is asked for that."""
    kind = CLASSES[room]
    write(tmp_path, {room: {"theirs": f"their_adapters:{kind}"}}, SOURCE.format(kind=kind, method=method, body=body))
    lab.write(stop="2 experiments", **SETTINGS[room])
    return lab.run(PYTHONPATH=str(tmp_path))


@pytest.mark.parametrize(("room", "method", "body", "told"), [
    ("launchers", "submit", "return None", "broke its port: submit() is None and not str"),
    ("targets", "survey", "return None", "broke its port: survey() is None and not Survey"),
    ("policies", "advise", "raise ValueError('odd')", "failed in advise()"),
    pytest.param("launchers", "plan", "return None", "broke its port: plan() is None and not Submission",
                 marks=pytest.mark.full),
    pytest.param("launchers", "submit", "raise ValueError('odd')", "failed in submit()", marks=pytest.mark.full),
    pytest.param("launchers", "states", "raise SystemExit(3)", "failed in states()", marks=pytest.mark.full),
    pytest.param("launchers", "states", "return {'nobody': None}", "broke its port: states()['nobody'] is None and not JobStatus",
                 marks=pytest.mark.full),
    pytest.param("launchers", "leftovers", "return 'x'", "broke its port: leftovers() is 'x' and not tuple[str, ...]",
                 marks=pytest.mark.full),
    pytest.param("targets", "health", "raise ValueError('odd')", "failed in measure()", marks=pytest.mark.full),
    pytest.param("targets", "measure", "return replace(CommandTarget.measure(self, *args), value='0.5')",
                 "broke its port: measure().value is '0.5' and not float | None", marks=pytest.mark.full),
])  # fmt: skip
def test_what_an_adapter_breaks_is_its_packages_failure(lab, tmp_path, room, method, body, told):
    """One line that names adapter, package and call; the journal is whole, and the campaign goes on once it is mended."""
    done = run_with(lab, tmp_path, room, method, body)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1), done.stderr
    assert f"'theirs' of the package their-package {told}" in done.stderr
    (tmp_path / "their_adapters.py").write_text(SOURCE.format(kind="TheirSource", method="read", body="return None"))
    assert lab.run(PYTHONPATH=str(tmp_path)).returncode == 0
    assert lab.cli("ledger", "check", PYTHONPATH=str(tmp_path)).returncode == 0
    assert [row.metric_value for row in lab.rows()] == [0.5, 0.7]


@pytest.mark.parametrize(("method", "body", "told"), [
    ("propose", "return Hypothesis(title='t', overrides='lr=0.3')", "its hypothesis.overrides is 'lr=0.3' and not tuple"),
    ("propose", "raise SystemExit(3)", "it failed: SystemExit: 3"),
    ("notes", "raise SystemExit(3)", "a researcher's own notes could not be read: SystemExit: 3"),
])  # fmt: skip
def test_a_researcher_that_breaks_its_port_is_passed_over(lab, tmp_path, method, body, told):
    """A person reads what it did; nothing of it is in the journal as an idea, which stays whole."""
    done = run_with(lab, tmp_path, "researchers", method, body)
    assert (done.returncode, done.stderr) == (0, "")
    assert told in " ".join(str(note["text"]) for note in lab.journal("noted"))
    assert lab.cli("ledger", "check", PYTHONPATH=str(tmp_path)).returncode == 0


def test_a_source_that_raises_an_error_of_ours_leaves_a_run_without_a_number(lab, tmp_path):
    """Whatever it raises while it reads, the night goes on and the row says that no value was found."""
    done = run_with(lab, tmp_path, "metrics", "read", "raise CampaignError('odd')")
    assert "odd" not in done.stderr
    assert [(row.status, row.metric_value) for row in lab.rows()] == [("crash", None)]


def test_a_researcher_that_breaks_while_mending_ends_nothing(lab, tmp_path):
    """Its idea is a crash, and a person reads what failed, its notes included."""
    write(tmp_path, {"researchers": {"careless": "their_adapters:Careless"}}, MENDER)
    script = {"*baseline*": {"value": [0.5]}, "*": {"states": ["failed"], "log": "NameError: lr\n", "exit_code": 1}}
    lab.write(researcher=["careless"], stop="2 experiments", launcher={"type": "scripted", "script": script})
    done = lab.run(PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert [row.status for row in lab.rows()] == ["keep", "crash"]
    told = " ".join(str(note["text"]) for note in lab.journal("noted"))
    assert "KeyError: 'a bug in repair'" in told
    assert "a researcher's own notes could not be read: ValueError: a bug in notes" in told
