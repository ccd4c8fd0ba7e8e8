"""From where a run would load what is protected: what is found without running anything is what an interpreter says."""

import os
import subprocess
import sys
import venv

import pytest

from autoresearch.engine.worktrees import loaded_elsewhere

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
    found = {file: str(place) for file, place in loaded_elsewhere(tree, MODULES, command, env)}
    assert found == {file: place for file, place in said.items() if not place.startswith(str(tree))}
    assert bool(found) is (path != "src")


@pytest.mark.parametrize(
    "command", [("uv", "run", "train.py"), (sys.executable, "-I", "train.py"), (sys.executable,), ()]
)
def test_a_command_whose_path_is_not_known_is_not_followed(places, command):
    """Nothing is said of what only looks like it."""
    tree, checkout, _ = places
    assert not list(loaded_elsewhere(tree, MODULES, command, {"PYTHONPATH": f"{checkout}/src"}))


def test_a_search_path_may_hold_anything(places):
    """Files of paths in no encoding, names too long for a file and folders that are none lead nowhere."""
    tree, checkout, python = places
    (site,) = python.parents[1].glob("lib/python3*/site-packages")
    (site / "odd.pth").write_bytes(b"\xff\xfe/\n" + b"x" * 9000 + b"\n/dev/null\n")
    (site / "folder.pth").mkdir()
    env = {"PYTHONPATH": f"{checkout}/train.py:{'y' * 300}:{checkout}/src"}
    assert dict(loaded_elsewhere(tree, MODULES, (str(python), "train.py"), env)).keys() == MODULES.keys() - {"lone.py"}
