"""A release is cut by one command that may be run again, and every file that says a version says the same."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from autoresearch import version

ROOT = Path(__file__).resolve().parents[1]
KINDS = [
    kind["directory"] for kind in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
]


@pytest.fixture
def tree(tmp_path):
    """What a release changes, as a repository of its own with no release and no fragment."""
    for name in ("pyproject.toml", "CITATION.cff", "tools/changelog.md.jinja", "tools/release.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "src/autoresearch").mkdir(parents=True)
    (tmp_path / "src/autoresearch/version.py").write_text('"""Words."""\n\n__version__ = "0.1.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n<!-- releases -->\n")
    (tmp_path / "changelog.d").mkdir()
    (tmp_path / "changelog.d/README.md").write_text("# Fragments\n")
    subprocess.run(("git", "init", "-q", str(tmp_path)), check=True)
    return tmp_path


def fragment(tree, name, text):
    """Add one."""
    (tree / "changelog.d" / name).write_text(text + "\n")


def release(tree, *words: str):
    """Run the tool; its exit code and all it prints."""
    argv = (sys.executable, "tools/release.py", *words)
    done = subprocess.run(argv, cwd=tree, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def entries(tree, number):
    """A version's entries by kind."""
    part = (tree / "CHANGELOG.md").read_text().partition(f"\n## {number} (")[2].partition("\n## ")[0]
    return {kind: re.findall(r"^- (.+)", text, re.MULTILINE) for kind, text in re.findall(r"### (\w+)\n([^#]*)", part)}


def test_every_home_of_the_version_says_the_same():
    """Package, project metadata and citation name one version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dynamic"] == ["version"]
    assert ROOT / project["tool"]["hatch"]["version"]["path"] == Path(version.__file__)
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version.__version__


def test_every_fragment_has_a_kind_that_towncrier_knows():
    """A misspelt kind would be left out of the changelog without a word."""
    names = [path.name for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]
    assert [name for name in names if not re.fullmatch(rf"[a-z0-9-]+\.(?:{'|'.join(KINDS)})\.md", name)] == []


def test_fragments_become_the_version_s_part_and_are_gone(tree):
    """Each kind is a heading, each fragment an entry, and the tree is that release."""
    fragment(tree, "stop-words.added.md", 'Stop rules understand "until 07:00".')
    fragment(tree, "knobs.changed.md", "The search moves all knobs,\nwhatever they are.")
    assert release(tree, "cut", "0.2.0")[0] == 0
    told = entries(tree, "0.2.0")
    assert told == {"Added": ['Stop rules understand "until 07:00".'], "Changed": ["The search moves all knobs,"]}
    assert [path.name for path in (tree / "changelog.d").iterdir()] == ["README.md"]
    assert '__version__ = "0.2.0"' in (tree / "src/autoresearch/version.py").read_text()
    assert release(tree, "check", "0.2.0") == (0, "")


def test_a_cut_may_be_run_again_until_it_is_tagged(tree):
    """What came meanwhile joins the same part; words that a person has changed there stay; a tag ends it."""
    fragment(tree, "one.added.md", "One.")
    release(tree, "cut", "0.2.0")
    (tree / "CHANGELOG.md").write_text((tree / "CHANGELOG.md").read_text().replace("One.", "The first."))
    fragment(tree, "two.added.md", "Two.")
    fragment(tree, "three.removed.md", "Three.")
    assert release(tree, "cut", "0.2.0")[0] == 0
    assert entries(tree, "0.2.0") == {"Added": ["The first.", "Two."], "Removed": ["Three."]}
    assert (tree / "CHANGELOG.md").read_text().count("## 0.2.0") == 1
    author = ("-c", "user.name=Ada", "-c", "user.email=ada@lab.example")
    subprocess.run(("git", *author, "commit", "-qm", "0.2.0", "--allow-empty"), cwd=tree, check=True)
    subprocess.run(("git", "tag", "v0.2.0"), cwd=tree, check=True)
    code, said = release(tree, "cut", "0.2.0")
    assert (code, "tagged already" in said) == (1, True)


def test_a_fix_is_an_entry_only_where_a_release_had_the_fault(tree):
    """Before the first release nobody met it; after it somebody may have."""
    fragment(tree, "one.added.md", "One.")
    fragment(tree, "typo.fixed.md", "No longer misspelt.")
    code, said = release(tree, "cut", "0.2.0")
    assert (code, "these fixes are no entries: typo" in said) == (0, True)
    fragment(tree, "crash.fixed.md", "No longer crashes.")
    assert release(tree, "cut", "0.3.0")[0] == 0
    assert entries(tree, "0.3.0") == {"Fixed": ["No longer crashes."]}
    assert entries(tree, "0.2.0") == {"Added": ["One."]}


def test_a_tree_that_is_not_the_whole_release_is_refused(tree):
    """What was forgotten is named before anything is published: a fragment, a version, the changelog."""
    fragment(tree, "late.added.md", "Late.")
    code, said = release(tree, "check", "0.9.0")
    assert code == 1
    assert said.splitlines()[:4] == [
        "version.py is not of 0.9.0",
        "CITATION.cff is not of 0.9.0",
        "CHANGELOG.md has no 0.9.0",
        "not in the changelog yet: late.added.md",
    ]


def test_the_notes_of_a_release_are_its_part_alone(tree):
    """What is announced is what is new, neither older parts nor the heading."""
    for number in ("0.2.0", "0.3.0"):
        fragment(tree, "one.added.md", f"New in {number}.")
        release(tree, "cut", number)
    assert release(tree, "notes", "0.3.0") == (0, "### Added\n\n- New in 0.3.0.\n")
    assert release(tree, "notes", "0.2.0") == (0, "### Added\n\n- New in 0.2.0.\n")


def test_the_public_home_is_written_once_however_often_it_moves(tree):
    """Five addresses follow from one, and a new one takes the place of the old."""
    for host in ("https://old.example/lab/it", "https://code.example/lab/it/"):
        assert release(tree, "home", host)[0] == 0
    urls = tomllib.loads((tree / "pyproject.toml").read_text())["project"]["urls"]
    assert urls["Issues"] == "https://code.example/lab/it/issues"
    assert {"Homepage", "Documentation", "Source", "Changelog", "Issues"} <= set(urls)
    assert yaml.safe_load((tree / "CITATION.cff").read_text())["repository-code"] == "https://code.example/lab/it"


def test_the_forms_for_issues_are_forms_and_name_commands_that_exist():
    """Each asks for something, no field twice; a command in a form is one that the program has."""
    from autoresearch.cli.main import COMMANDS

    forms = [path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"]
    for path in forms:
        form = yaml.safe_load(path.read_text())
        ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
        assert form["name"], path.name
        assert form["description"], path.name
        assert ids, path.name
        assert len(ids) == len(set(ids)), path.name
        assert set(re.findall(r"`autoresearch ([a-z]+)", path.read_text())) <= set(COMMANDS)
    assert len(forms) == 3
