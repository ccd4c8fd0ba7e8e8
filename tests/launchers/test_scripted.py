"""The scripted launcher: the part of the contract that needs no processes, and the script."""

from pathlib import Path

import pytest

from autoresearch.errors import LauncherError
from autoresearch.launchers.scripted import ScriptedLauncher
from autoresearch.run.job import JobState
from autoresearch.testing.launchers import LauncherContract


class TestContract(LauncherContract):
    @pytest.fixture
    def make(self, tmp_path):
        return lambda: ScriptedLauncher({}, tmp_path / "campaign")


def play(launcher, wanted, times):
    job_id = launcher.submit(launcher.plan(wanted))
    return [launcher.states([job_id])[job_id].state.value for _ in range(times)]


def test_states_come_in_the_order_of_the_script(tmp_path, job):
    """Each question takes a run one word further, and it stays at the last."""
    launcher = ScriptedLauncher({"script": {"*": {"states": ["queued", "running", "failed"]}}}, tmp_path)
    assert play(launcher, job(), 4) == ["queued", "running", "failed", "failed"]


def test_a_new_launcher_carries_on(tmp_path, job):
    """The place in the script is on disk."""
    options = {"script": {"*": {"states": ["queued", "running", "succeeded"]}}}
    play(ScriptedLauncher(options, tmp_path), job(), 2)
    assert ScriptedLauncher(options, tmp_path).states(["run-1"])["run-1"].state is JobState.SUCCEEDED


def test_values_are_dealt_in_order_of_submission(tmp_path, job):
    """Each run of a pattern gets the next number of its table, in log and files, the last again and again."""
    part = {"value": [0.25, 0.5], "files": {"out/score.json": '{"score": {value}}'}}
    launcher = ScriptedLauncher({"script": {"*": part}}, tmp_path)
    jobs = [job(name=name) for name in ("zebra", "apple", "mango")]
    for wanted in jobs:
        play(launcher, wanted, 2)
    assert [Path(wanted.log).read_text() for wanted in jobs] == ["score: 0.25\n", "score: 0.5\n", "score: 0.5\n"]
    assert Path(jobs[1].folder, "out/score.json").read_text() == '{"score": 0.5}'


def test_the_first_fitting_pattern_counts(tmp_path, job):
    """Patterns are tried in the order they are written."""
    script = {"*bad*": {"states": ["failed"], "exit_code": 7}, "*": {"states": ["succeeded"]}}
    launcher = ScriptedLauncher({"script": script}, tmp_path)
    assert play(launcher, job(name="a-bad-idea"), 1) == ["failed"]
    assert launcher.states(["a-bad-idea"])["a-bad-idea"].exit_code == 7
    assert play(launcher, job(name="fine"), 1) == ["succeeded"]


def test_an_outage_is_an_error_once(tmp_path, job):
    """A scheduler that cannot be reached raises, and is back at the next question."""
    launcher = ScriptedLauncher({"script": {"*": {"states": ["running", "outage", "succeeded"]}}}, tmp_path)
    assert play(launcher, job(), 1) == ["running"]
    with pytest.raises(LauncherError, match="cannot be reached"):
        launcher.states(["run-1"])
    assert launcher.states(["run-1"])["run-1"].state is JobState.SUCCEEDED


def test_a_run_without_end_ends_when_cancelled(tmp_path, job):
    """A script that stops at `running` runs for ever, but not past a cancel."""
    launcher = ScriptedLauncher({"script": {"*": {"states": ["running"]}}}, tmp_path)
    assert play(launcher, job(), 3) == ["running"] * 3
    assert launcher.leftovers("run-1")
    launcher.cancel("run-1")
    assert launcher.states(["run-1"])["run-1"].state is JobState.CANCELLED
    assert launcher.leftovers("run-1") == ()


@pytest.mark.parametrize("script", [{"*": {"states": ["dancing"]}}, {"*": {"states": []}}, {"*": {"sates": []}}])
def test_a_wrong_script_is_one_clear_line(tmp_path, script):
    """A script with an unknown word, none, or a misspelt key is refused where it is wrong."""
    with pytest.raises(LauncherError, match=r"(option|unknown key) '?script\.\*"):
        ScriptedLauncher({"script": script}, tmp_path)
