"""What a command imports before it has anything to do."""

import subprocess
import sys

import pytest

LOOK = """
import sys
from autoresearch.cli import main
for name in main.COMMANDS:
    main.parser(name)
print(*sorted({"pydantic", "yaml", "rich", "omegaconf", "autoresearch.campaign.campaign"} & set(sys.modules)))
"""


def test_flags_are_told_without_what_commands_work_with():
    """`COMMAND --help` answers at once: neither the session nor a large library is loaded for it."""
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


WORKING = ("engine", "researchers", "targets", "launchers", "trackers", "guards", "testing", "dashboard", "mcp")
"""Rooms of those who work on a campaign, not of those who look at it."""
LIBRARIES = ("rich", "omegaconf", "hydra", "numpy")
RECORDED = ("pydantic", "yaml", "autoresearch.records.journal", "autoresearch.campaign.opening")
"""What the rows of the ledger are shown without: they are in a file of their own."""
SHOW = """
import sys
from autoresearch.cli.main import main
assert main(sys.argv[1:]) == 0
print("", *sorted(sys.modules), sep="\\nloaded ")
"""


@pytest.mark.parametrize("words", [("status",), ("show", "1"), ("list",), ("ledger",)])
def test_whoever_only_looks_loads_no_engine(finished, words):
    """Reading verbs wait for nothing that only those need who work; the ledger's rows need no journal either."""
    done = subprocess.run(
        [sys.executable, "-c", SHOW, *words], capture_output=True, text=True, check=True, cwd=finished.root
    )
    loaded = {line.removeprefix("loaded ") for line in done.stdout.splitlines() if line.startswith("loaded ")}
    rooms = tuple(f"autoresearch.{room}." for room in WORKING)
    unwanted = {*LIBRARIES, "autoresearch.campaign.beginning", "autoresearch.campaign.controller"}
    unwanted |= set(RECORDED) if words == ("ledger",) else set()
    assert sorted(name for name in loaded if name in unwanted or name.startswith(rooms)) == []
    assert "autoresearch.records.ledger" in loaded


def test_the_agents_that_flags_name_are_those_the_skill_knows():
    """They are named twice, so that `skill --help` loads nothing."""
    from autoresearch.cli.setup import AGENTS
    from autoresearch.skills.skill_pack import FOLDERS

    assert tuple(FOLDERS) == AGENTS
