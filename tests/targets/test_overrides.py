import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.errors import RecipeError
from autoresearch.targets.recipe import overrides
from autoresearch.targets.recipe.load import load

GRPO = "examples/configs/grpo_math_1B.yaml"


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("grpo.seed=5", "grpo.seed", 5),
        ("grpo.val_at_end=True", "grpo.val_at_end", True),
        ("grpo.seed=1e3", "grpo.seed", 1000.0),
        ("grpo.seed=yes", "grpo.seed", "yes"),
        ("checkpointing.checkpoint_must_save_by=00:03:45:00", "checkpointing.checkpoint_must_save_by", "00:03:45:00"),
        ("checkpointing.metric_name=val:accuracy", "checkpointing.metric_name", "val:accuracy"),
        ("policy.model_name='a,b=c#d'", "policy.model_name", "a,b=c#d"),
        ("+grpo.new=[1, 2]", "grpo.new", [1, 2]),
        ("++grpo.seed=6", "grpo.seed", 6),
        ("grpo={seed: 8}", "grpo.seed", 8),
        ("policy.scheduler.0.kwargs.start_factor=0.5", "policy.scheduler.0.kwargs.start_factor", 0.5),
        ("grpo.seed=${mul:2,3}", "grpo.seed", 6),
        ("policy.model_name=org/name@main", "policy.model_name", "org/name@main"),
    ],
)
def test_an_override_means_what_it_means_to_nemo_rl(nemo, override, key, value):
    """Types, additions, list items and interpolations come out as hydra's grammar and struct mode have it."""
    got = load(nemo, GRPO, [override]).get(key)
    assert (got, type(got)) == (value, type(value))


def test_a_deletion_deletes_and_overrides_apply_in_order(nemo):
    """`~key` removes it; of two overrides of one key, the last one has the say."""
    recipe = load(nemo, GRPO, ["~grpo.seed", "+grpo.seed=1", "grpo.seed=2"])
    assert recipe.get("grpo.seed") == 2
    assert not load(nemo, GRPO, ["~grpo.seed"]).has("grpo.seed")


def test_what_derives_from_an_overridden_value_follows_it(nemo):
    """Interpolations are resolved after overrides."""
    recipe = load(nemo, GRPO, ["policy.max_total_sequence_length=1024"])
    assert recipe.get("policy.generation.max_new_tokens") == 1024


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("grpo.sed=5", r"has no key 'grpo\.sed'; did you mean grpo\.seed.*write \+grpo\.sed="),
        ("grpo={sed: 5}", r"has no key 'grpo\.sed'"),
        ("+grpo.seed=5", r"the key exists; write grpo\.seed=5 to change it, or \+\+grpo\.seed=5"),
        ("~grpo.sed", r"nothing to delete; did you mean grpo\.seed"),
        ("~grpo.seed=7", r"does not fit"),
        ("grpo.seed=5,6", r"lists several values"),
        ("grpo.seed=choice(5,6)", r"lists several values"),
        ("data.train=[{a: 1}]", r"does not fit .*Cannot merge DictConfig with ListConfig"),
        ("policy.model_name=nvcr.io#x", r"quote a value that holds"),
        ("policy.model_name=a=b", r"quote a value that holds"),
        ("policy.scheduler[0].name=x", r"reached with a dot"),
        ("policy.scheduler.9.name=x", r"does not fit"),
        ("--seed=1", r"overrides have no dashes: seed=1"),
        ("seed", r"has no value; write key=value"),
        ("=1", r"names no key"),
        ("a@b=1", r"config groups"),
        ("grpo.seed=[1", r"check its quotes and brackets"),
    ],
)
def test_a_wrong_override_gives_one_clear_line(nemo, override, message):
    """It is quoted, told what is wrong, and how to write it instead."""
    with pytest.raises(RecipeError, match=message) as caught:
        load(nemo, GRPO, [override])
    assert str(caught.value).startswith(f"override {override!r}: ")
    assert "\n" not in str(caught.value)


def test_a_refused_override_leaves_the_recipe_as_it_was(nemo):
    """Applying overrides never changes the recipe they are applied to."""
    recipe = load(nemo, GRPO)
    with pytest.raises(RecipeError):
        overrides.apply(recipe, ["grpo.seed=1", "nothing"])
    overrides.apply(recipe, ["grpo.seed=1"])
    assert recipe.config.grpo.seed == 42


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=[*"ab.=+~,'\"[]{}$:@#-\\ 1\n\x00é"], max_size=14))
def test_no_text_makes_the_parser_raise_anything_but_a_recipe_error(text):
    """Whatever is typed is either an override or one clear line."""
    try:
        parsed = overrides.parse(text)
    except RecipeError as error:
        assert re.match(r"override ", str(error))  # noqa: PT017
    else:
        assert parsed.kind in {"set", "add", "force", "delete"}
