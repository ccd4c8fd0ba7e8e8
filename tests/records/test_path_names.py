"""Where a campaign's things lie is said in one module."""

import ast
from pathlib import Path

import pytest

import autoresearch
from autoresearch.records.paths import CampaignPaths, Volume, campaign_of

ROOMS = ("campaign", "cli", "engine", "experiment", "mcp", "report", "scheduling", "verdict")
FOREIGN = {
    *(
        "'.kube'",
        "'config'",
        "'repository'",
        "'.git'",
        "'__pycache__'",
        "'.venv'",
        "'venv'",
        "'pyvenv.cfg'",
        "'__init__.py'",
        "'.runs'",
        "'autoresearch'",
        "'config.toml'",
    ),
    *("f'{part}.py'", "f'run-{next(self.numbers)}'"),
}
"""A person's kubeconfig, the folder that `demo` makes, what git and Python keep in any tree, a module that Python looks for,
the folders of a rehearsal and of its launcher, which are gone with it, a person's own file of defaults: none is a
campaign's."""
ROOT = Path(autoresearch.__file__).parent


def joined(source: Path) -> list[str]:
    """Every literal that a module puts behind a `/`."""
    divisions = (node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.BinOp))
    behind = (node.right for node in divisions if isinstance(node.op, ast.Div))
    texts = (ast.unparse(node) for node in behind if isinstance(node, ast.JoinedStr | ast.Constant))
    return [text for text in texts if text.startswith(("'", '"', "f")) and text not in FOREIGN]


@pytest.mark.parametrize("room", ROOMS)
def test_no_room_but_records_joins_a_name(room):
    """Whoever moves a file has one place to change, and `report`, `run` and `rebuild` look where it was written."""
    found = {str(module.relative_to(ROOT)): joined(module) for module in (ROOT / room).rglob("*.py")}
    assert {module: names for module, names in found.items() if names} == {}


def test_a_join_is_noticed(tmp_path):
    """The check above can fail."""
    (tmp_path / "one.py").write_text('x = folder / "brief.md"\ny = a / 2\nz = folder / f"{n}.json"\n')
    assert joined(tmp_path / "one.py") == ["'brief.md'", "f'{n}.json'"]


@pytest.mark.parametrize("volume", [None, Volume(Path("/volume"), "ada")])
def test_a_run_folder_names_its_campaign(volume):
    """Beside the records, and on a volume."""
    paths = CampaignPaths(root=Path("/repo"), name="night", volume=volume)
    assert campaign_of(paths.run("baseline", 1)) == "night"
