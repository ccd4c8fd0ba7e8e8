"""What real uv does when worktrees share one environment, on a checkout of NeMo-RL's shape; and what a GPU run records.

The project is built by uv's own backend, so nothing is downloaded.
"""

import importlib.util
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from autoresearch.launchers.local import LocalLauncher
from autoresearch.machine.processes import run
from autoresearch.ports.target import RunRequest
from autoresearch.run.job import JobState
from autoresearch.targets.nemo_rl import NemoRLTarget
from autoresearch.testing.launchers import settle

RECIPE = """\
grpo: {max_num_steps: 50, seed: 1, val_period: 5}
logger: {log_dir: logs, tensorboard_enabled: true, monitor_gpus: true}
checkpointing: {enabled: false, checkpoint_dir: ckpt, metric_name: "val:accuracy", higher_is_better: true}
data: {validation: {dataset_name: tiny}}
cluster: {num_nodes: 1, gpus_per_node: 0}
"""
PROJECT = """\
[project]
name = "nemo-rl"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = [DEPENDENCIES]
[build-system]
requires = ["uv_build>=0.1,<99"]
build-backend = "uv_build"
[tool.uv.build-backend]
module-name = "MODULE"
module-root = ""
"""
TRAIN = "import nemo_rl, sys\nprint('from', nemo_rl.__file__, 'with', sys.prefix)\n"
FAKE_NVML = Path(__file__).parents[1] / "launchers" / "fake_nvml.c"


def find_uv():
    """The program `uv`, from the test extra or from PATH; None without one."""
    if importlib.util.find_spec("uv"):
        from uv import find_uv_bin

        return find_uv_bin()
    return shutil.which("uv")


@pytest.fixture
def uv(monkeypatch, tmp_path):
    """uv first on the path, with a cache of its own and without a network."""
    program = find_uv()
    if program is None:
        assert os.environ.get("CI") != "true", "uv belongs to the test extra"
        pytest.skip("needs uv: pip install uv")
    monkeypatch.setenv("PATH", f"{Path(program).parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("UV_PROJECT_ENVIRONMENT", "VIRTUAL_ENV", "NEMO_RL_VENV_DIR", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"CACHE_DIR": str(tmp_path / "cache"), "OFFLINE": "1", "PYTHON": sys.executable}.items():
        monkeypatch.setenv(f"UV_{name}", value)
    return program


@pytest.fixture
def checkout(tmp_path):
    """A repository of NeMo-RL's shape, and two worktrees of it."""
    main = tmp_path / "main"
    write(main / "nemo_rl" / "__init__.py", "")
    write(main / "examples" / "run_grpo.py", TRAIN)
    write(main / "examples" / "configs" / "tiny.yaml", RECIPE)
    write(main / "pyproject.toml", project())
    write(main / ".gitignore", ".venv\n__pycache__\n")
    return main


@pytest.fixture
def trees(uv, checkout):
    """The checkout with its environment built by uv, and two worktrees."""
    run([uv, "sync", "-q"], cwd=checkout)
    return checkout, worktree(checkout, "one", init=True), worktree(checkout, "two")


def project(*dependencies: str, module: str = "nemo_rl") -> str:
    return PROJECT.replace("DEPENDENCIES", ", ".join(map(repr, dependencies))).replace("MODULE", module)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def worktree(main, name, *, init=False):
    author = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    first = (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "x"]) if init else ()
    for arguments in (*first, ["worktree", "add", "-q", str(main.parent / name)]):
        run(["git", *arguments], cwd=main)
    return main.parent / name


def job(tree, command=None):
    """The job that the target makes for a worktree."""
    folder = tree.parent / "runs" / tree.name
    folder.mkdir(parents=True, exist_ok=True)
    commit = run(["git", "rev-parse", "HEAD"], cwd=tree).text
    target = NemoRLTarget(recipe="examples/configs/tiny.yaml", command=command)
    return target.job(
        RunRequest(
            run_id="run-1", tree=tree, folder=folder, log=folder / "run.log", seed=7, limit_s=60.0, commit=commit
        )
    )


def start(made):
    """Run a job's own command line, in its directory, with its environment; what it printed."""
    return run(list(made.argv), cwd=Path(made.directory), env={**os.environ, **made.env}).text


def points_at(main):
    """Where the shared environment's editable install leads."""
    return run([main / ".venv" / "bin" / "python", "-c", "import nemo_rl; print(nemo_rl.__file__)"], cwd="/").text


@pytest.mark.parametrize("flag", ["--frozen", "--locked"])
def test_uv_re_points_a_shared_environment_at_whichever_worktree_ran_last(trees, monkeypatch, flag):
    """The trap itself, with uv alone: even `--frozen` and `--locked` sync, and the user's checkout loses its install."""
    main, one, _ = trees
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", str(main / ".venv"))
    run(["uv", "run", flag, "examples/run_grpo.py"], cwd=one)
    assert points_at(main) == f"{one}/nemo_rl/__init__.py"


@pytest.mark.parametrize("command", [None, ("uv", "run", "--frozen", "examples/run_grpo.py")])
def test_experiments_share_an_environment_that_stays_the_users(trees, command):
    """Each job runs its own worktree's code in the one environment, which leads to the user's checkout before and after."""
    main, *experiments = trees
    for tree in experiments:
        assert start(job(tree, command)) == f"from {tree}/nemo_rl/__init__.py with {main}/.venv"
        said = json.loads((tree.parent / "runs" / tree.name / "provenance.json").read_text())
        assert said["nemo_rl"] == f"{tree.resolve()}/nemo_rl/__init__.py"
        assert not (tree / ".venv").exists()
    assert points_at(main) == f"{main}/nemo_rl/__init__.py"


def test_a_branch_that_changes_dependencies_builds_its_own_environment(trees):
    """It gets what it asks for in its worktree; the shared environment has neither the package nor another install."""
    main, one, _ = trees
    write(one / "extra" / "pyproject.toml", project(module="extra").replace("nemo-rl", "extra"))
    write(one / "extra" / "extra" / "__init__.py", "WORD = 'new'\n")
    write(one / "pyproject.toml", project("extra") + '[tool.uv.sources]\nextra = {path = "extra"}\n')
    write(one / "examples" / "run_grpo.py", TRAIN + "import extra\nprint(extra.WORD)\n")
    run(["uv", "lock", "-q"], cwd=one)
    assert start(job(one)) == f"from {one}/nemo_rl/__init__.py with {one}/.venv\nnew"
    assert points_at(main) == f"{main}/nemo_rl/__init__.py"
    assert not list((main / ".venv").rglob("extra*"))


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler for a stand-in of NVIDIA's library")
def test_a_run_records_its_gpus_and_their_driver(checkout, tmp_path):
    """Through the real launcher and the driver's own library, as far as a machine without a GPU can have one."""
    run(["cc", "-shared", "-fPIC", "-o", str(tmp_path / "libnvidia-ml.so.1"), str(FAKE_NVML)])
    write(tmp_path / "gpus", "0\n0\n")
    tree = worktree(checkout, "one", init=True)
    made = job(tree, (sys.executable, "examples/run_grpo.py"))
    driver = {"LD_LIBRARY_PATH": str(tmp_path), "FAKE_GPUS": str(tmp_path / "gpus")}
    launcher = LocalLauncher({}, tmp_path / "campaign")
    ended = settle(launcher, launcher.submit(launcher.plan(replace(made, env={**made.env, **driver}))))
    assert ended.state is JobState.SUCCEEDED
    said = json.loads((tmp_path / "runs" / "one" / "provenance.json").read_text())
    assert (said["gpus"], said["driver"]) == (["NVIDIA Fake 0", "NVIDIA Fake 1"], "580.00.fake")
