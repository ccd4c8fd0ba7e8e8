"""What an adapter of another package raises where its port speaks of nothing of the kind."""

import pytest
from tests.plugin_packages import write

LAUNCHER = """
from autoresearch.launchers.scripted import ScriptedLauncher

class Theirs(ScriptedLauncher):
    name = "theirs"

    def {method}(self, *args, **named):
        {body}
"""
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


@pytest.mark.parametrize(("method", "body"), [
    ("submit", "raise ValueError('odd')"), ("states", "raise ValueError('odd')"), ("leftovers", "raise ValueError('odd')"),
    ("states", "return {'nobody': None}"), ("states", "return None"),
])  # fmt: skip
def test_a_launchers_own_defect_is_its_packages(lab, tmp_path, method, body):
    """One line that names launcher and package, no trace of ours, and the same campaign goes on with a mended one."""
    write(tmp_path, {"launchers": {"theirs": "their_adapters:Theirs"}}, LAUNCHER.format(method=method, body=body))
    lab.write(launcher={"type": "theirs"}, stop="1 experiment")
    done = lab.run(PYTHONPATH=str(tmp_path))
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (1, 1), done.stderr
    assert "launcher 'theirs' of the package their-package failed to" in done.stderr
    assert lab.cli("ledger", "check", PYTHONPATH=str(tmp_path)).returncode == 0


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
