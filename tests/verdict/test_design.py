"""Screening designs are what the theory needs them to be."""

import pytest

from autoresearch.verdict.policies.screening_array import COLUMNS, SIZES, plackett_burman, rows_for


@pytest.mark.parametrize("size", SIZES)
def test_columns_are_balanced_and_orthogonal(size):
    """Every change is on in half of the runs, and any two are on together in a quarter of them."""
    design = plackett_burman(size)
    assert (len(design), {len(row) for row in design}) == (size, {size - 1})
    for one in range(size - 1):
        assert sum(row[one] for row in design) == size // 2
        for two in range(one):
            assert sum(row[one] and row[two] for row in design) == size // 4


def test_the_smallest_design_that_fits_is_taken():
    """Three changes fit four runs, a fourth needs eight; eleven, the most of an array, fit twelve."""
    assert [rows_for(n) for n in (3, 4, 7, 8, 11)] == [4, 8, 8, 12, 12]
    assert COLUMNS == (11, 7, 3)


def test_an_impossible_size_is_refused():
    """The sizes there are come with the refusal."""
    with pytest.raises(ValueError, match="4, 8, 12"):
        plackett_burman(10)
