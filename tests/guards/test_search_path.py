"""From where a command loads modules: what is found without running anything is what an interpreter says."""

import os
import shlex
import shutil
import subprocess
import venv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.guards.search_path import follow, importable, installed_twins, leads_to, loaded_elsewhere
from autoresearch.guards.shadows import SearchedTree
from autoresearch.ports.target import RunRequest
from autoresearch.targets.command import CommandTarget

SAYS = "import importlib, sys\nfor name in sys.argv[1:]:\n    print(importlib.import_module(name).__file__)\n"
MODULES = {"src/pkg/judge.py": "src", "src/pkg/__init__.py": "src", "lone.py": "", "src/space/inner.py": "src"}
NAMES = ("pkg.judge", "pkg", "lone", "space.inner")


@pytest.fixture
def places(tmp_path):
    """A worktree, a checkout with the same files, and an interpreter of an environment."""
    for root in (tmp_path / "tree", tmp_path / "checkout"):
        for file in MODULES:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text("")
        (root / "train.py").write_text(SAYS)
    venv.create(tmp_path / "env")
    return tmp_path / "tree", tmp_path / "checkout", tmp_path / "env/bin/python"


@pytest.mark.parametrize("way", ["a file of paths", "PYTHONPATH", "the worktree on PYTHONPATH"])
def test_what_an_interpreter_loads_from_elsewhere_is_found(places, way):
    """By an editable install, by the environment's variable; nothing where the worktree comes first."""
    tree, checkout, python = places
    (site,) = python.parents[1].glob("lib/python3*/site-packages")
    (site / "own.pth").write_text("import os\n# ours\n" + (f"{checkout}/src\n" if way != "PYTHONPATH" else ""))
    path = {"a file of paths": "", "PYTHONPATH": f"{checkout}/src"}.get(way, "src")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": path}
    command = (str(python), "-u", "train.py", *NAMES)
    done = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, check=True)
    said = dict(zip(MODULES, done.stdout.split(), strict=True))
    found = {file: str(place) for file, place in loaded_elsewhere(tree, MODULES, follow(tree, command, env))}
    assert found == {file: place for file, place in said.items() if not place.startswith(str(tree))}
    assert bool(found) is (path != "src")


SHELL = """\
#!/usr/bin/env bash
set -euo pipefail
export PYTHONPATH={checkout}/src   # where it is installed
cd {tree}
mkdir -p out
LEVEL=3 exec {python} -u train.py \\
    pkg.judge
"""


@pytest.mark.parametrize("command", [
    "bash run.sh", "bash -e ./run.sh", "{python} -X utf8 -W ignore train.py pkg.judge", "{python} -m train pkg.judge",
    "env LEVEL=3 {python} -uB train.py pkg.judge", "nohup {python} train.py pkg.judge", "bash -c '{python} train.py pkg.judge'",
    "{starters}/torchrun --nproc-per-node 1 train.py pkg.judge", "{starters}/accelerate launch -m train pkg.judge", "{python} -I train.py json", "{python} -E train.py json",
])  # fmt: skip
def test_what_starts_a_python_is_followed_to_it(places, command):
    """Shells, modules, options, and programs that start a script: what is found is what the run says of itself."""
    tree, checkout, python = places
    starters = python.parent
    names = {"tree": tree, "checkout": checkout, "python": python, "starters": starters}
    (tree / "run.sh").write_text(SHELL.format(**names))
    begin = f"#!{python}\nimport subprocess, sys\nmodule = '-m' in sys.argv\n"
    start = "sys.exit(subprocess.call([sys.executable, *sys.argv[sys.argv.index('-m' if module else 'train.py'):]]))\n"
    for name in ("torchrun", "accelerate"):
        (starters / name).write_text(begin + start)
        (starters / name).chmod(0o755)
    words = shlex.split(command.format(**names))
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{checkout}/src"}
    done = subprocess.run(words, cwd=tree, env=env, capture_output=True, text=True, check=True)
    ran = follow(tree, words, env)
    assert not isinstance(ran, str), ran
    assert ran.file == "train.py"
    found = dict(loaded_elsewhere(tree, {"src/pkg/judge.py": "src"}, ran))
    judged = "judge" in done.stdout
    assert judged is ("-I" not in words and "-E" not in words)
    assert [str(place) for place in found.values()] == (done.stdout.split() if judged else [])


@pytest.mark.parametrize("words", [
    *(f"{shell} -c '{{python}} train.py'" for shell in ("sh", "bash", "dash", "zsh")),
    *(f"{around} {{python}} train.py" for around in ("nohup", "time", "exec", "command")),
    *(f"{{starters}}/{starter} train.py" for starter in ("torchrun", "accelerate", "deepspeed")),
    *(f"bash -c '{line}\n{{python}} train.py'" for line in (
        "set -e", "echo {{python}} no.py", "mkdir out", "ulimit -c 0", "export A=1", "cd -P .", "source a b", ". a b", "exit 0",
        "wait", "rm -f x", "date")),
])  # fmt: skip
def test_every_shell_and_every_word_around_a_command_is_known(places, words):
    """What starts one, or stands beside it and loads nothing, hides it from nobody."""
    tree, _, python = places
    for name in ("torchrun", "accelerate", "deepspeed"):
        (python.parent / name).write_text("#!/bin/sh\n")
        (python.parent / name).chmod(0o755)
    found = follow(tree, shlex.split(words.format(python=python, starters=python.parent)), {"PATH": os.environ["PATH"]})
    assert not isinstance(found, str), found
    assert (found.program, found.file) == (str(python), "train.py")


@pytest.mark.parametrize("named", [False, True], ids=["of the repository", "of the command"])
def test_what_can_be_imported_is_told_by_what_lies_in_an_environment(places, tmp_path, named):
    """Packages, modules and compiled ones; words about packages, and files of other kinds, are none."""
    tree, checkout, python = places
    if not named:
        (checkout / ".venv").symlink_to(tmp_path / "env")
    (site,) = python.parents[1].glob("lib/python3*/site-packages")
    for folder in ("aa_package", "bb-1.0.dist-info", "cc.egg-info"):
        (site / folder).mkdir()
    for file in ("dd_module.py", "ee_fast.cpython-311-x86_64-linux-gnu.so", "ff_words.txt", "gg.pth", "hh_win.pyd"):
        (site / file).touch()
    told = importable(checkout, [str(python), "train.py"] if named else ["make"])
    assert {"aa_package", "dd_module", "ee_fast", "hh_win"} <= told
    assert not told & {"bb-1", "bb", "cc", "ff_words", "gg", "bb-1.0.dist-info"}
    assert not importable(tree) & {"aa_package", "dd_module"}


def test_what_a_script_sets_is_in_its_environment(places):
    """On a line of its own, by `export`, before a command; later lines go on from it."""
    tree, _, python = places
    script = f"A=1 B=2\nexport C=3 PYTHONPATH=src\nB=4\nD=5 {python} train.py"
    found = follow(tree, ["bash", "-c", script], {"PATH": "/usr/bin", "E": "6"})
    assert not isinstance(found, str), found
    wanted = {"A": "1", "B": "4", "C": "3", "D": "5", "E": "6", "PYTHONPATH": "src", "PATH": "/usr/bin"}
    assert dict(found.env) == wanted


def test_an_environment_that_a_script_enters_is_the_one_that_is_looked_at(places):
    """`source .../bin/activate` puts its programs first, and is what `--active` means."""
    tree, _, python = places
    entered = f"source {python.parent}/activate\n"
    for command in ("python train.py", "uv run --active train.py"):
        found = follow(tree, ["bash", "-c", entered + command], {"PATH": "/usr/bin"})
        assert not isinstance(found, str), found
        assert shutil.which(found.program, path=found.env["PATH"]) == str(python)
        assert found.env["VIRTUAL_ENV"] == str(python.parents[1])


def test_a_run_among_links_to_its_worktree_is_followed(places):
    """What our own target starts there, with a seed of its own in one file, is the user's command in its folder."""
    tree, _, python = places
    (tree / "src/train.py").write_text("SEED = 1\n")
    seed_at = {"constant": "SEED", "file": "src/train.py"}
    options = {"start_in": "folder", "directory": "src", "seed_at": seed_at}
    objective = {"metric": "acc", "direction": "maximize"}
    target = CommandTarget(command=[str(python), "train.py"], objective=objective, options=options)
    folder = tree.parent / "run"
    asked = RunRequest(run_id="r", tree=tree, folder=folder, log=folder / "run.log", seed=3, limit_s=60.0, commit="c")
    found = follow(tree, target.job(asked).argv, {"PATH": os.environ["PATH"]})
    assert not isinstance(found, str), found
    assert (found.program, found.begins, found.file) == (str(python), tree / "src", "src/train.py")


def test_uv_is_followed_to_the_environment_it_made(places, tmp_path):
    """The project's own, or the one that a variable names; a run that has none yet cannot be told."""
    tree, _, python = places
    env = {"PATH": os.environ["PATH"], "UV_PROJECT_ENVIRONMENT": str(tmp_path / "env")}
    for words in ("uv run train.py", "uv run --extra vllm --frozen python train.py", "uv run -m train"):
        ran = follow(tree, words.split(), env)
        assert not isinstance(ran, str), ran
        assert (ran.file, Path(str(shutil.which(ran.program, path=ran.env["PATH"])))) == ("train.py", python)
    assert "is not there" in str(follow(tree, ["uv", "run", "train.py"], {}))
    started = follow(tree, ["uv", "run", "python", "-m", "torch.distributed.run", "--standalone", "train.py"], env)
    assert not isinstance(started, str), started
    assert (started.file, started.begins) == ("train.py", tree)


@pytest.mark.parametrize(("command", "why"), [
    ("python3", "without a script"), ("python3 -S train.py", "started with -S"), ("python3 -c 'import x'", "without a script"),
    ("./trainer --fast", "trainer is not followed"), ("uv run --isolated train.py", "an environment of its own"),
    ("bash two.sh", "not one command"), ("bash gone.sh", "not one command"), ("bash variable.sh", "not one command"),
    ("bash loop.sh", "not"), ("bash self.sh", "no command"), ("torchrun train.py", "no Python lies beside torchrun"),
    ("", "no command"), ("make train", "make is not followed"), ("bash quote.sh", "more than a list of commands"),
])  # fmt: skip
def test_what_cannot_be_followed_is_said(places, command, why):
    """Nothing is claimed of a command that only looks like a known one."""
    tree, checkout, _ = places
    for name, text in {
        "two.sh": "python3 a.py\npython3 b.py\n", "variable.sh": "$PYTHON train.py\n", "self.sh": "bash self.sh\n",
        "loop.sh": "for seed in 1 2; do\npython3 train.py\ndone\n", "quote.sh": "python3 train.py 'x\n",
    }.items():  # fmt: skip
        (tree / name).write_text(text)
    ran = follow(tree, shlex.split(command), {"PYTHONPATH": f"{checkout}/src", "PATH": ""})
    assert isinstance(ran, str)
    assert why in ran


@given(
    st.lists(
        st.sampled_from(
            ["bash", "-c", "python3", "-m", "env", "A=b", "uv", "run", "--", "train.py", "x.sh", "\0", "-", ""]
        )
        | st.text()
    )
)
def test_any_command_is_followed_or_said_to_be_none(tmp_path_factory, words):
    """Whatever words a command has."""
    follow(tmp_path_factory.getbasetemp(), words, {})


def test_what_a_run_may_come_to_is_told_by_words(repo, run_git):
    """An import, a name in a string or a configuration file lead on; what nothing names is not come to."""
    files = {
        "train.py": "from pkg import model\n", "pkg/__init__.py": "", "pkg/model.py": "load('pkg.plug')\n", "pkg/plug.py": "",
        "pkg/unused.py": "", "conf/a.yaml": "_target_: pkg.named.Class\n", "pkg/named.py": "", "serve.py": "import pkg.unused\n",
    }  # fmt: skip
    for name, text in files.items():
        (repo / name).parent.mkdir(exist_ok=True)
        (repo / name).write_text(text)
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", "a package")
    commit = run_git(repo, "rev-parse", "HEAD").strip()
    tree = SearchedTree(files=frozenset(files))
    found = leads_to(repo, commit, tree, ("train.py",))
    assert {name for name in files if name.endswith(".py")} - found == {"pkg/unused.py", "serve.py"}
    assert leads_to(repo, commit, tree, ("",)) >= {"pkg/unused.py"}


@pytest.mark.parametrize("way", ["editable", "copy", "none"])
def test_a_package_that_is_installed_is_told_before_anything_runs(repo, run_git, places, way):
    """An editable install leads to the checkout, an ordinary one holds a copy: neither has an idea's edits."""
    _, _, python = places
    (repo / "src/own").mkdir(parents=True)
    for name in ("__init__.py", "judge.py"):
        (repo / "src/own" / name).write_text("")
    (repo / "go.py").write_text("import own.judge\n")
    run_git(repo, "add", ".")
    run_git(repo, "commit", "-q", "-m", "a package")
    (site,) = python.parents[1].glob("lib/python3*/site-packages")
    if way == "editable":
        (site / "__editable__.own.pth").write_text(f"{repo}/src\n")
    if way == "copy":
        shutil.copytree(repo / "src/own", site / "own")
    told = list(installed_twins(repo, "HEAD", (str(python), "go.py"), {}))
    assert len(told) == (way != "none")
    assert all("runs would load src/own from" in line and "PYTHONPATH: src}" in line for line in told)


def test_a_search_path_may_hold_anything(places):
    """Files of paths in no encoding, names too long for a file and folders that are none lead nowhere."""
    tree, checkout, python = places
    (site,) = python.parents[1].glob("lib/python3*/site-packages")
    (site / "odd.pth").write_bytes(b"\xff\xfe/\n" + b"x" * 9000 + b"\n/dev/null\n")
    (site / "folder.pth").mkdir()
    env = {"PYTHONPATH": f"{checkout}/train.py:{'y' * 300}:{checkout}/src"}
    assert dict(
        loaded_elsewhere(tree, MODULES, follow(tree, (str(python), "train.py"), env))
    ).keys() == MODULES.keys() - {"lone.py"}
