"""The documentation is true: links lead somewhere, everything is documented, generated pages are fresh."""

import importlib.util
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from autoresearch.cli.main import COMMANDS, parser
from autoresearch.config.schema import CampaignConfig

ROOT = Path(__file__).resolve().parents[2]
GUIDES = (
    "README.md",
    "AGENTS.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "CODE_OF_CONDUCT.md",
    "changelog.d/README.md",
)
PAGES = [ROOT / name for name in GUIDES] + sorted((ROOT / "docs").rglob("*.md"))
FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^]]*]\(([^)\s]+)\)")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors(page):
    """What a fragment may name on a page, as GitHub makes it of headings."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@each_page
def test_every_test_that_a_page_names_is_there(page):
    """A page that says what shows something leads to it."""
    for path, name in re.findall(r"`([\w/]+\.py)::(\w+)`", page.read_text()):
        assert re.search(rf"^ *def {name}\(", (ROOT / "tests" / path).read_text(), re.MULTILINE), f"{path}::{name}"


@each_page
def test_every_internal_link_leads_to_a_file_and_a_heading_of_it(page):
    """No link of the documentation is broken."""
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, fragment = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not fragment or fragment in anchors(target), f"{page.name}: {link} names no heading"


@each_page
def test_every_command_line_on_a_page_is_one_that_the_program_takes(page):
    """A command or a flag that does not exist is found before a reader finds it."""
    shell = "\n".join(
        text for words, text in FENCE.findall(page.read_text()) if words.split()[:1] in (["sh"], ["console"])
    )
    for line in shell.replace("\\\n", " ").splitlines():
        for name, rest in re.findall(r"(?:^|[\s/])autoresearch ([a-z]+)((?: [^|&;#]*)?)", line):
            assert name in COMMANDS, f"{page.name}: {line}"
            told = help_of(name)
            ours = re.sub(r"'[^']*'", "", rest).partition(" -- ")[0]  # behind it stands somebody's own command
            for flag in re.findall(r"(?<=\s)(--[a-z-]+)", ours):
                assert flag in told, f"{page.name}: {name} has no {flag}"


def help_of(name):
    """The help text of a command."""
    actions = [action for action in parser(name)._actions if action.choices]
    return actions[0].choices[name].format_help()


def test_the_index_lists_every_page():
    """Nothing is hidden: docs/index.md leads to every page below docs/."""
    listed = {(ROOT / "docs" / link).resolve() for link in LINK.findall((ROOT / "docs" / "index.md").read_text())}
    missing = [page for page in (ROOT / "docs").rglob("*.md") if page not in listed and page.name != "index.md"]
    assert missing == []


def test_generated_pages_are_fresh():
    """The reference says what the program says; `python tools/reference.py` writes it anew."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    stale = [path.name for path, text in tool.pages().items() if path.read_text() != text]
    assert stale == [], "write them anew with: python tools/reference.py"


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_its_section_and_every_flag_its_line(name):
    """The reference documents the whole command line, each flag with a meaning."""
    section = re.search(
        rf"^## {name}\n(.*?)(?=^## |\Z)", (ROOT / "docs/reference/cli.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert section
    rows = [line for line in section[1].splitlines() if line.startswith("| `")]
    assert all(row.split("|")[2].strip() for row in rows), [row for row in rows if not row.split("|")[2].strip()]


def keys(model, above=""):
    """Dotted keys of a model's fields and whether each has a meaning in the reference."""
    for name, field in model.model_fields.items():
        yield above + name
        if hasattr(field.annotation, "model_fields"):
            yield from keys(field.annotation, f"{above}{name}.")


def test_every_key_of_the_campaign_file_is_documented_with_a_meaning():
    """A knob without a word is a knob nobody may turn."""
    text = (ROOT / "docs" / "reference" / "campaign.md").read_text()
    for key in keys(CampaignConfig):
        row = re.search(rf"^\| `{key.rpartition('.')[2]}` \|.*\| (.+) \|$", text, re.MULTILINE)
        assert row, key


def test_the_readme_begins_with_exactly_two_commands():
    """Its first fenced block is what a newcomer runs: one line for the demo, one for the tests."""
    words, text = FENCE.findall((ROOT / "README.md").read_text())[0]
    lines = text.splitlines()
    assert words == "sh"
    assert len(lines) == 2
    assert lines[0].endswith("autoresearch demo")
    assert "pytest" in lines[1]
