from hypothesis import given
from hypothesis import strategies as st

from autoresearch.experiment.change import clash, merged

CONFIGS = st.dictionaries(st.sampled_from(["a.x", "a.y", "b"]), st.integers(0, 2))


def test_other_keys_of_the_same_section_do_not_clash():
    """What another idea did to a neighbour is none of this idea's business."""
    before, here = {"a.x": 1, "a.y": 1}, {"a.x": 2, "a.y": 1}
    assert clash(here, before, before | {"a.y": 5}, ["a.y=5"]) == ""
    assert merged(here, before, before | {"a.y": 5}, ["a.y=5"]) == {"a.x": 2, "a.y": 5}


def test_a_key_that_somebody_else_has_changed_clashes():
    """The idea was about 1 becoming 3; it says nothing about 2."""
    told = clash({"lr": 2}, {"lr": 1}, {"lr": 3}, ["lr=3"])
    assert told == "it changes lr from 1 to 3, which is 2 here"


def test_a_value_that_only_follows_never_clashes():
    """`total` is computed from both; each idea names its own factor."""
    before, after = {"x": 1, "y": 1, "total": 1}, {"x": 1, "y": 2, "total": 2}
    assert clash({"x": 3, "y": 1, "total": 3}, before, after, ["y=2"]) == ""


def test_a_whole_section_counts_with_all_that_it_holds():
    """An override of a section names what lies below it, and a deletion what it takes away."""
    assert "a.x" in clash({"a.x": 2}, {"a.x": 1}, {"a.x": 3}, ["a={x: 3}"])
    assert clash({"a.x": 2}, {"a.x": 1}, {}, ["~a.x"]).endswith("to unset, which is 2 here")


@given(CONFIGS, CONFIGS)
def test_where_nothing_else_has_changed_the_merge_is_the_idea(before, after):
    """Merged into the configuration it was made from, an idea gives its own."""
    overrides = [f"++{key}={value}" for key, value in after.items()] + [f"~{key}" for key in before.keys() - after]
    assert clash(before, before, after, overrides) == ""
    assert merged(before, before, after, overrides) == after
