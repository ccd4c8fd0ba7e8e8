"""Remembering the last answer changes when work is done, never what comes out."""

from autoresearch.verdict.arms import latest, once


def test_the_last_question_is_answered_from_memory_and_no_other():
    """Equal parts are one question, even in a new tuple; anything else is worked out, also what was asked before."""
    worked = []
    total = latest(lambda numbers: worked.append(numbers) or sum(numbers))
    assert [total((1, 2)), total((1, 2)), total((3,)), total((1, 2))] == [3, 3, 3, 3]
    assert worked == [(1, 2), (3,), (1, 2)]


def test_what_differs_from_itself_is_worked_out_again():
    """NaN equals nothing, so an answer about another NaN is never taken for this one's."""
    worked = []
    count = latest(lambda numbers: worked.append(numbers) or len(numbers))
    assert count((float("nan"),)) == count((float("nan"),)) == 1
    assert len(worked) == 2


def test_a_property_is_worked_out_once_for_each_owner():
    """The second look at an object costs nothing, and another object has an answer of its own."""
    worked = []

    class Board:
        @once
        def size(self) -> int:
            worked.append(self)
            return len(worked)

    one, two = Board(), Board()
    assert (one.size, one.size, two.size, one.size) == (1, 1, 2, 1)
    assert worked == [one, two]
