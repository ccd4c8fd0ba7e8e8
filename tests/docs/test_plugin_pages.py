"""The pages "write your own ..." print the plug-ins of examples/plugins word for word."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "examples" / "plugins"
PAGES = sorted((ROOT / "docs" / "how-to").glob("write-your-own-*.md"))
NAMED = re.compile(r"^```(?:python|toml) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = {path.name: path for path in PLUGINS.rglob("*") if path.suffix in {".py", ".toml"}}


def test_every_kind_has_its_page():
    """One question each: six kinds, six pages."""
    kinds = {"launcher", "metric-source", "policy", "researcher", "target", "tracker"}
    assert {page.stem.removeprefix("write-your-own-") for page in PAGES} == kinds


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_prints_what_runs(page):
    """Code, name and test of the example, each a passage of a file that its own tests run."""
    shown = NAMED.findall(page.read_text())
    assert {Path(name).suffix for name, _ in shown} == {".py", ".toml"}
    assert "test_contracts.py" in dict(shown)
    for name, text in shown:
        assert text in FILES[name].read_text(), f"{page.name}: {name} has changed"
