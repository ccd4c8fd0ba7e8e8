"""The package as it is installed: what it imports, lists, ships and promises."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import autoresearch
from autoresearch.cli.main import COMMANDS, parser
from autoresearch.ports import plugins

ROOT = Path(__file__).resolve().parents[1]


def python(*words: str):
    """Run this interpreter."""
    return subprocess.run((sys.executable, *words), capture_output=True, text=True, timeout=120, check=False)


def test_the_version_is_told():
    """`--version` says the version of the package."""
    assert python("-m", "autoresearch", "--version").stdout == f"autoresearch {autoresearch.__version__}\n"


def test_help_lists_every_command():
    """Whoever asks for help sees all there is."""
    done = python("-m", "autoresearch", "--help")
    assert done.returncode == 0
    first = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("    ") and line.split()]
    assert [name for name in COMMANDS if name not in first] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_listed_command_exists(name):
    """No command is listed that cannot be had."""
    assert name in parser(name).format_help()


@pytest.mark.parametrize("line", ["import autoresearch", "from autoresearch.cli.main import parser; parser()"])
def test_importing_and_asking_for_help_load_nothing_heavy(line):
    """Shell completion and `--help` stay fast: no library of ours is loaded for them."""
    heavy = ("pydantic", "rich", "omegaconf", "hydra", "yaml", "psutil", "numpy")
    done = python("-c", f"{line}; import sys; print([name for name in {heavy!r} if name in sys.modules])")
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    ("room", "name"), [(room, name) for room in plugins.ROOMS for name in sorted(plugins.names(room))]
)
def test_every_adapter_in_the_tables_loads_and_knows_its_name(room, name):
    """A name that a campaign file may use leads to a class."""
    assert plugins.load(room, name).name == name


@pytest.mark.full
def test_the_wheel_ships_types_and_the_example(tmp_path):
    """An installed copy has the marker of typed packages, the licence and every tracked file of the example."""
    done = python(
        "-m", "pip", "wheel", "-q", "--no-deps", "--disable-pip-version-check", "-w", str(tmp_path), str(ROOT)
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        shipped = set(wheel.namelist())
    data = [path for path in (ROOT / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {str(path.relative_to(ROOT / "src")) for path in data} <= shipped
    assert any(name.endswith("licenses/LICENSE") for name in shipped)
