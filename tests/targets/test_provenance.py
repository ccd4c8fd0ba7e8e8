import json
import os
import sys

import pytest

from autoresearch.machine.processes import run
from autoresearch.targets.nemo_rl import protection


@pytest.fixture
def repository(tmp_path):
    """A repository with a `nemo_rl` package and a worktree of it."""
    main, tree = tmp_path / "main", tmp_path / "tree"
    (main / "nemo_rl").mkdir(parents=True)
    (main / "nemo_rl" / "__init__.py").write_text("")
    (main / "uv.lock").write_text("one\n")
    (main / ".venv").mkdir()
    (main / ".gitignore").write_text(".venv\n")
    author = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for arguments in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "x"], ["worktree", "add", "-q", tree]):
        run(["git", *map(str, arguments)], cwd=main)
    return main, tree


def start(folder, tree, path, code="import nemo_rl"):
    """Run Python as a job does, with the probe on its path."""
    folder.mkdir(exist_ok=True)
    protection.place_probe(folder)
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(path), str(folder / protection.PROBE)]),
        "AUTORESEARCH_FOLDER": str(folder),
        "AUTORESEARCH_TREE": str(tree),
    }
    return run([sys.executable, "-c", code], env=env, cwd=folder)


def test_a_job_says_where_its_code_came_from(repository, tmp_path):
    """The report names the imported package and the worktree's commit, and agrees with the experiment."""
    _, tree = repository
    commit = run(["git", "rev-parse", "HEAD"], cwd=tree).text
    start(tmp_path / "run", tree, tree)
    said = json.loads((tmp_path / "run" / protection.REPORT).read_text())
    assert (said["nemo_rl"], said["commit"]) == (str(tree.resolve() / "nemo_rl" / "__init__.py"), commit)
    assert protection.verify(tmp_path / "run", tree, commit) is None


def test_a_job_may_see_the_worktree_elsewhere(repository, tmp_path):
    """A volume that is mounted elsewhere in pods: right is what lies in the worktree as the job sees it."""
    _, tree = repository
    there = tree.rename(tmp_path / "mounted")
    start(tmp_path / "run", there, there)
    assert protection.verify(tmp_path / "run", tree, "") is None


def test_code_from_another_place_is_found_out(repository, tmp_path):
    """A job that imports the main checkout's package instead of the experiment's is told apart."""
    main, tree = repository
    start(tmp_path / "run", tree, main)
    assert "imported nemo_rl from" in protection.verify(tmp_path / "run", tree, "")
    assert str(main.resolve()) in protection.verify(tmp_path / "run", tree, "")


def test_another_commit_is_found_out(repository, tmp_path):
    """The right place with the wrong commit is a mismatch too."""
    _, tree = repository
    start(tmp_path / "run", tree, tree)
    assert "not 000000000000" in protection.verify(tmp_path / "run", tree, "0" * 40)


def test_a_job_that_said_nothing_is_no_mismatch(tmp_path):
    """Without a report (an image that the probe does not reach) nothing is claimed either way."""
    assert protection.verify(tmp_path, tmp_path, "") is None
    assert not protection.has_reported(tmp_path)


def test_the_probe_leaves_the_job_alone(repository, tmp_path):
    """A job that imports no nemo_rl, whose folder is gone, or that has a sitecustomize of its own runs as ever."""
    _, tree = repository
    (tree / "sitecustomize.py").write_text("import builtins; builtins.own = 5\n")
    folder = tmp_path / "run"
    folder.mkdir()
    protection.place_probe(folder)
    env = {
        **os.environ,
        "PYTHONPATH": f"{folder / protection.PROBE}{os.pathsep}{tree}",
        "AUTORESEARCH_FOLDER": "/nowhere/at/all",
    }
    done = run([sys.executable, "-c", "import nemo_rl; print(own)"], env=env, cwd=folder)
    assert (done.text, done.stderr) == ("5", b"")


def test_a_worktree_shares_the_main_checkouts_environment(repository, monkeypatch):
    """Nothing is rebuilt or re-pointed for an experiment that leaves dependencies alone."""
    monkeypatch.delenv("UV_PROJECT_ENVIRONMENT", raising=False)
    monkeypatch.delenv("NEMO_RL_VENV_DIR", raising=False)
    main, tree = repository
    found = protection.environment(tree)
    assert found.env == {"UV_PROJECT_ENVIRONMENT": str(main / ".venv"), "NEMO_RL_VENV_DIR": str(main / "venvs")}
    assert (found.no_sync, found.own) == (True, False)


def test_a_branch_that_changes_dependencies_gets_its_own(repository):
    """Only then is anything built, inside the worktree."""
    _, tree = repository
    (tree / "uv.lock").write_text("two\n")
    found = protection.environment(tree)
    assert (found.no_sync, found.own) == (False, True)
    assert found.env["UV_PROJECT_ENVIRONMENT"] == str(tree / ".venv")
    assert found.env["NRL_FORCE_REBUILD_VENVS"] == "true"
