"""A coding agent keeps what researchers promise."""

from pathlib import Path

import pytest

from autoresearch.experiment.change import FileChange
from autoresearch.git import worktree
from autoresearch.guards.scope import Scope, breaches
from autoresearch.researchers.agent.adapters import ADAPTERS
from autoresearch.testing.researchers import ResearcherContract

TRY_ANOTHER = """
lines=$(grep -c . "$AUTORESEARCH_BRIEF")
echo "{\\"lr\\": 0.$lines}" > config.json
echo "{\\"title\\": \\"another learning rate\\"}" > "$AUTORESEARCH_ANSWER"
"""


class TestAgent(ResearcherContract):
    """What every researcher promises, of an agent that is a shell script."""

    @pytest.fixture
    def make(self, bench):
        return lambda: bench.researcher(TRY_ANOTHER, sandbox="none")

    @pytest.fixture
    def brief(self, bench):
        return bench.brief()

    @pytest.fixture
    def fresh(self, bench):
        def made_anew() -> Path:
            worktree.remove(bench.root, bench.tree)
            worktree.add(bench.root, bench.tree, bench.commit)
            return bench.tree

        return made_anew


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_what_an_agent_reads_of_a_repository_is_part_of_no_experiment(name):
    """An adapter's own list is refused whichever agent is at work: the next one may be this one."""
    paths = [glob.replace("**", "x").replace("*", "x") for glob in ADAPTERS[name].reads]
    assert [path for path in paths if not breaches([FileChange(path=path)], Scope())] == []
