"""Every built-in policy keeps what policies promise."""

import pytest

from autoresearch.testing.policies import PolicyContract
from autoresearch.verdict.policies import BUILTIN, policy


@pytest.mark.parametrize("name", sorted(BUILTIN))
class TestPolicies(PolicyContract):
    @pytest.fixture
    def make(self, name):
        return lambda: policy(name)
