"""What `autoresearch.testing` hands on, and when."""

import sys

import pytest

import autoresearch.testing
from autoresearch.machine.processes import run

WITHOUT_PYTEST = """
import sys
sys.modules["pytest"] = None
import autoresearch.testing.user_files
from autoresearch.testing import JobFactory
try:
    from autoresearch.testing import TargetContract
except ModuleNotFoundError as error:
    print(error.name)
"""


@pytest.mark.parametrize("name", autoresearch.testing.__all__)
def test_every_name_leads_somewhere(name):
    """A suite, or what one needs, by one import."""
    assert getattr(autoresearch.testing, name).__name__


def test_no_other_name_is_made_up():
    """A misspelt suite is an error, not an empty class."""
    with pytest.raises(ImportError, match="TargetsContract"):
        from autoresearch.testing import TargetsContract  # noqa: F401


def test_only_suites_need_pytest():
    """Benchmarks and drills use the rest where nothing but the program is installed."""
    assert run((sys.executable, "-c", WITHOUT_PYTEST)).stdout.decode().strip() == "pytest"
