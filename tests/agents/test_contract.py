"""A coding agent keeps what researchers promise."""

from pathlib import Path

import pytest

from autoresearch.git import worktree
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
