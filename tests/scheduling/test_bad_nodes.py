"""Which nodes are left out."""

from types import SimpleNamespace

import pytest

from autoresearch.run.ending import Ending, Who
from autoresearch.scheduling.bad_nodes import bad_nodes


def run(at, node, who=None):
    """A settled run on a node; without `who` it gave a number."""
    ending = who and Ending(what="launch-failed", who=who, evidence="Prolog", source="launcher")
    ended = SimpleNamespace(at=at, status=SimpleNamespace(node=node))
    return SimpleNamespace(settled=True, ended=ended, ending=ending)


@pytest.mark.parametrize(
    ("runs", "left_out"),
    [
        ([run(1, "n1", Who.NODE)], []),
        ([run(1, "n1", Who.NODE), run(2, "n1", Who.NODE)], ["n1"]),
        ([run(1, "n1", Who.NODE), run(2, "n1"), run(3, "n1", Who.NODE)], []),
        ([run(1, "n1", Who.NODE), run(2, "n2"), run(3, "n1", Who.NODE)], ["n1"]),
        ([run(1, "n1", Who.IDEA), run(2, "n1", Who.IDEA)], []),
        ([run(1, "n[1-2]", Who.NODE), run(2, "n[1-2]", Who.NODE)], []),
        ([run(1, "", Who.NODE), run(2, "", Who.NODE)], []),
    ],
)
def test_a_node_is_left_out_after_two_failures_in_a_row(runs, left_out):
    """Only the node's own doing counts, a number on it clears it, and several nodes at once accuse none."""
    assert list(bad_nodes(runs)) == left_out
