"""What a command imports before it has anything to do."""

import subprocess
import sys

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


def test_whoever_only_looks_loads_no_engine():
    """`status` and its like read files; the loop and the reporter are for those who work."""
    code = "import sys, autoresearch.campaign.campaign; print('autoresearch.engine.loop' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_agents_that_flags_name_are_those_the_skill_knows():
    """They are named twice, so that `skill --help` loads nothing."""
    from autoresearch.cli.setup import AGENTS
    from autoresearch.skills.skill_pack import FOLDERS

    assert tuple(FOLDERS) == AGENTS
