"""A rule in the order of work of ours keeps what every policy promises."""

import pytest

pytest.importorskip("autoresearch_examples", reason="install them with: pip install -e examples/plugins")
from autoresearch.testing import PolicyContract
from autoresearch_examples.two_looks import two_looks


class TestTwoLooks(PolicyContract):
    """Nothing but a rule."""

    @pytest.fixture
    def make(self):
        return two_looks
