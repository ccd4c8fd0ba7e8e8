"""Adapters by name, from packages of other people."""

from collections.abc import Mapping

import pytest
from tests.plugin_packages import installed, write

from autoresearch.cli.main import parser
from autoresearch.errors import LauncherError, PluginError
from autoresearch.ports import plugins
from autoresearch.ports.launcher import Adviser
from autoresearch.report.policy_comparison import SimulationSetup, compare
from autoresearch.run.job import JobState, JobStatus, Resources

LAUNCHER = """
class Theirs:
    name = "theirs"
    here = True

    def __init__(self, *, options, folder):
        pass

    def plan(self, job): ...
    def submit(self, submission): ...
    def find(self, run_id): ...
    def states(self, ids): ...
    def cancel(self, job_id): ...
    def leftovers(self, job_id): ...
"""


def launcher_of(tmp_path, source: str):
    """What loading the launcher of such a package gives."""
    write(tmp_path, {"launchers": {"theirs": "their_adapters:Theirs"}}, source)
    with installed(tmp_path):
        return plugins.load("launchers", "theirs")


def test_an_installed_launcher_is_found_by_its_name(tmp_path):
    """One line of a package's metadata is all it takes, and it stands beside ours."""
    assert launcher_of(tmp_path, LAUNCHER).name == "theirs"
    with installed(tmp_path):
        assert {"local", "theirs"} <= set(plugins.names("launchers"))
    assert "theirs" not in plugins.names("launchers")


@pytest.mark.parametrize(
    ("without", "told"),
    [("    here = True\n", "`here: bool`"), ("    def cancel(self, job_id): ...\n", "`cancel()`")],
)
def test_a_class_that_lacks_something_is_refused_with_what_it_lacks(tmp_path, without, told):
    """Package, class and attribute are named, and where to read what it is for."""
    with pytest.raises(PluginError) as refusal:
        launcher_of(tmp_path, LAUNCHER.replace(without, ""))
    assert str(refusal.value) == (
        f"launcher 'theirs' of the package their-package lacks {told}; add what is missing to their_adapters:Theirs, "
        "autoresearch.ports.launcher says what each is for"
    )


def test_an_attribute_of_the_wrong_type_counts_as_missing(tmp_path):
    """The word "no" is true, and would make every launcher one of this machine."""
    with pytest.raises(PluginError, match="lacks `here: bool`"):
        launcher_of(tmp_path, LAUNCHER.replace("here = True", 'here = "no"'))


def test_what_a_package_fails_to_import_is_its_own_affair(tmp_path):
    """The package that has to be mended is named, and never an extra of ours."""
    with pytest.raises(PluginError) as refusal:
        launcher_of(tmp_path, "import numpy_of_theirs\n" + LAUNCHER)
    assert str(refusal.value) == (
        "launcher 'theirs' of the package their-package needs the module 'numpy_of_theirs', which is not installed; "
        "install what their-package needs, or uninstall it"
    )


@pytest.mark.parametrize("source", ["1 / 0\n", "class Mine: ...\n", "def broken(:\n", "raise SystemExit(3)\n"])
def test_a_package_that_breaks_while_it_is_loaded_is_named(tmp_path, source):
    """An exception, a class that is not there, a file that is no Python, an exit: one clear line each."""
    with pytest.raises(PluginError, match=r"^launcher 'theirs' of the package their-package cannot be loaded: .+"):
        launcher_of(tmp_path, source)


@pytest.mark.parametrize("failure", ["KeyError('port')", "SystemExit(3)"])
def test_a_package_that_breaks_while_one_is_made_is_named(tmp_path, failure):
    """It is that package's fault or its options', and nothing to report to us; a refusal of its own stays as it is."""
    write(tmp_path, {"launchers": {"theirs": "their_adapters:Theirs"}}, LAUNCHER.replace("pass", f"raise {failure}"))
    with installed(tmp_path), pytest.raises(PluginError, match="'theirs' of the package their-package cannot be made"):
        plugins.make("launchers", "theirs", options={}, folder=tmp_path)
    with pytest.raises(LauncherError, match="slots"):
        plugins.make("launchers", "local", options={"slots": "none"}, folder=tmp_path)


@pytest.mark.parametrize("name", ["../../evil", "a/b", ".hidden"])
def test_a_name_that_leads_out_of_its_folder_is_refused(tmp_path, name):
    """Files of researchers and trackers lie in folders that are called by their names."""
    write(tmp_path, {"launchers": {name: "their_adapters:Theirs", "Odd name": "their_adapters:Theirs"}}, LAUNCHER)
    with installed(tmp_path):
        assert plugins.load("launchers", "Odd name").here is True
        with pytest.raises(PluginError, match="of the package their-package has a name that cannot be one of a folder"):
            plugins.load("launchers", name)


def test_a_name_of_ours_cannot_be_taken(tmp_path):
    """Whoever installs a second `local` is told, whichever adapter was asked for."""
    write(tmp_path, {"launchers": {"local": "their_adapters:Theirs"}}, LAUNCHER)
    with installed(tmp_path), pytest.raises(PluginError, match="two launchers are called 'local'"):
        plugins.load("launchers", "slurm")


def test_help_lists_what_is_installed(tmp_path, capsys):
    """Names of every kind, those of other packages beside ours."""
    write(tmp_path, {"launchers": {"theirs": "their_adapters:Theirs"}}, LAUNCHER)
    with installed(tmp_path), pytest.raises(SystemExit):
        parser("plan").parse_args(["plan", "--help"])
    told = capsys.readouterr().out
    for room in plugins.ROOMS:
        (line,) = [line for line in told.splitlines() if line.split()[:1] == [room]]
        assert [name for name in plugins.names(room) if name not in line] == []
    assert "slurm, theirs" in told


@pytest.mark.parametrize(("promised", "value", "told"), [
    (str | None, None, ""),
    (tuple[str, ...], ("a",), ""),
    (tuple[str, ...], ["a"], "it is ['a'] and not tuple[str, ...]"),
    (tuple[int, int], (1, "b"), "it[1] is 'b' and not int"),
    (Mapping[str, JobStatus], {"a": JobStatus(state=JobState.RUNNING)}, ""),
    (Mapping[str, JobStatus], {"a": JobStatus(state="running")}, "it['a'].state is 'running' and not JobState"),
    (float, 1, ""),
    (float, True, "it is True and not float"),
    (Resources, Resources(gpus_per_node=1.5), "it.gpus_per_node is 1.5 and not int"),
    (Resources | None, Resources(nodes="2"), "it.nodes is '2' and not int"),
    (Resources, Resources(memory_gb="1"), "it.memory_gb is '1' and not float | None"),
])  # fmt: skip
def test_an_answer_is_what_its_port_promises_down_to_its_fields(promised, value, told):
    """What is not is named with the place where it stands; a whole number does for any number, a truth does not."""
    assert plugins.misfit(promised, value, "it") == told


def test_what_one_method_of_an_adapter_asks_another_is_its_own(tmp_path):
    """An error it raises and catches itself is nobody else's business; from outside the same error names the package."""
    asking = "def find(self, run_id):\n        try:\n            return self.cancel(run_id)\n        except KeyError:\n            return 'found'"
    source = LAUNCHER.replace("def find(self, run_id): ...", asking).replace(
        "cancel(self, job_id): ...", "cancel(self, job_id): raise KeyError(job_id)"
    )
    write(tmp_path, {"launchers": {"theirs": "their_adapters:Theirs"}}, source)
    with installed(tmp_path):
        made = plugins.make("launchers", "theirs", options={}, folder=tmp_path)
        assert (made.name, made.here, made.find("a"), isinstance(made, Adviser)) == ("theirs", True, "found", False)
        with pytest.raises(PluginError, match=r"'theirs' of the package their-package failed in cancel\(\)"):
            made.cancel("a")


POLICY = """
from autoresearch.verdict.policies.greedy import greedy

class Named:
    name = "theirs"

    def __init__(self):
        self._greedy = greedy()

    def baseline_runs(self, settings):
        return self._greedy.baseline_runs(settings)

    def advise(self, board):
        return self._greedy.advise(board)
"""


def test_an_installed_policy_is_compared_with_ours(tmp_path):
    """`simulate` takes it by its name; one that is greedy under another name does as greedy does."""
    write(tmp_path, {"policies": {"theirs": "their_adapters:Named"}}, POLICY)
    with installed(tmp_path):
        setup = SimulationSetup(noise=1.0, gain=1.0, runs=12, policies=("greedy", "theirs"), campaigns=5, processes=1)
        ours, theirs = compare(setup).summaries
    assert (ours.policy, theirs.policy) == ("greedy", "theirs")
    assert theirs.gain == ours.gain


def test_a_policy_that_lacks_something_is_refused(tmp_path):
    """It is made and held to its port before a plan is shown."""
    write(tmp_path, {"policies": {"theirs": "their_adapters:Named"}}, POLICY.replace("def advise", "def advice"))
    with installed(tmp_path), pytest.raises(PluginError, match=r"verdict policy 'theirs' .* lacks `advise\(\)`"):
        plugins.load("policies", "theirs")
