"""Advice about missing packages names what exists and works, from wherever it is read."""

import re
import shlex
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest

from autoresearch import extras

ROOT = Path(__file__).resolve().parents[1]
PROVIDED = set(metadata("nemo-autoresearch").get_all("Provides-Extra") or ())
NAMED = re.compile(r"(?:'\.|nemo-autoresearch)\[([a-z,]+)\]|\b[Ee]xtra `([a-z]+)`")


@pytest.mark.parametrize("module", sorted(extras.EXTRAS))
def test_what_is_advised_is_an_extra_that_the_package_has(module):
    """No message sends a user after an extra that does not exist."""
    assert extras.EXTRAS[module] in PROVIDED
    assert f"[{extras.EXTRAS[module]}]" in extras.advice(f"{module}.inner")


def test_every_extra_for_users_is_known_to_the_advice():
    """An extra that is added is advised, too; those of developers are not."""
    assert set(extras.EXTRAS.values()) == PROVIDED - {"test", "dev", "docs", "browser"}


def texts():
    """Everything that could tell a user what to install."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.py"), ROOT / ".ci/run"]
    return [(page, page.read_text()) for page in (*pages, *(ROOT / "tests").rglob("*.py")) if page.is_file()]


def test_every_extra_named_anywhere_exists():
    """Pages, code and the reasons of skipped tests name extras that can be installed."""
    found = {(page.name, "".join(group)) for page, text in texts() for group in NAMED.findall(text)}
    assert len(found) > 5
    assert [(page, names) for page, names in sorted(found) if not set(names.split(",")) <= PROVIDED] == []


def test_nothing_but_the_metadata_recommends_the_name_that_no_index_has():
    """What a message recommends works today: from a clone, not from an index."""
    assert [page.name for page, text in texts() if re.search(r"pip install\s+['\"]?nemo-auto", text)] == []


@pytest.mark.full
def test_the_advice_is_a_command_that_works_in_any_folder(tmp_path):
    """Typed as it stands, beside somebody else's project, it finds this program."""
    _, _, command = extras.advice("numpy").partition(": ")
    words = [*shlex.split(command), "--dry-run", "--no-deps"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "nemo-autoresearch" in done.stdout + done.stderr


@pytest.mark.parametrize(("module", "told"), [("ray.job", "provides 'ray.job'"), (None, "the packages it imports")])
def test_a_package_of_nobody_gets_no_extra(module, told):
    """A plug-in's own dependency is its own: no extra of ours is made up for it."""
    assert told in extras.advice(module)


def test_an_adapter_whose_package_is_missing_says_how_to_get_it():
    """The researcher `search` without numpy names the extra `search`, whatever the adapter is called."""
    line = "import sys; sys.modules['numpy'] = None; from autoresearch.ports import plugins; "
    words = (sys.executable, "-c", line + "plugins.load('researchers', 'search')")
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert "needs a package that is not installed (numpy); install it with: " in done.stderr
    assert "[search]" in done.stderr
